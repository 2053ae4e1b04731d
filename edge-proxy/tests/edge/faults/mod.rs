//! This file's job is to name the faults that `./x faults edge` and `./x faults blobs` repeat.

mod hostile;
mod kills;
mod outage;
mod partitions;
mod patience;
mod store;
mod storm;
