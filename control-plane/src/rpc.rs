//! This file's job is to name the services. Each handler decodes, makes one call and encodes.

mod accounts;
mod api_keys;
mod app_transfers;
mod apps;
mod audit;
mod binaries;
mod bundles;
mod channels;
mod credentials;
mod edges;
mod encode;
mod ledger;
mod operator;
mod organizations;
mod people;
mod publishers;
mod releases;
mod uploads;

pub use accounts::Accounts;
pub use api_keys::ApiKeys;
pub use app_transfers::AppTransfers;
pub use apps::Apps;
pub use audit::Audit;
pub use binaries::Binaries;
pub use bundles::Bundles;
pub use channels::Channels;
pub use credentials::Credentials;
pub use edges::Edges;
pub use operator::Operator;
pub use organizations::Organizations;
pub use people::People;
pub use publishers::TrustedPublishers;
pub use releases::Releases;
pub use uploads::Uploads;
