//! This file's job is to set up the log, so that nobody who logs waits for whoever reads it.

mod line;

use crate::config::{Log, LogFormat};
use crate::failpoint;
use crate::observe::Metrics;
use line::JsonLine;
use std::io::stderr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines that wait for a reader: some 300 bytes each, a few seconds' worth of a busy process. More are dropped, and counted.
const LINES_MAX: usize = 8_192;

/// The last lines are written in this time, or never: a process that stops must not wait for a reader.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The log of a process, which is written for as long as this lives: what waits then is written when it is dropped, if somebody reads.
#[derive(Debug)]
#[must_use = "lines are lost once this is dropped"]
pub struct Logs {
    writing: Option<WorkerGuard>,
    dropped: ErrorCounter,
}

impl Drop for Logs {
    fn drop(&mut self) {
        let (writing, (say, said)) = (self.writing.take(), mpsc::channel());
        // The guard complains on standard output when lines are left over, and that may be what nobody reads.
        let ending = move || {
            drop(writing);
            // An error means that nobody waits any more.
            let _ = say.send(());
        };
        if thread::Builder::new().name("log end".to_owned()).spawn(ending).is_ok() {
            let _ = said.recv_timeout(LAST_LINES_TIMEOUT);
        }
    }
}

impl Logs {
    /// Shows how many lines were dropped because nobody read them in time.
    pub fn count_dropped(&self, metrics: &Metrics) {
        let dropped = self.dropped.clone();
        let help = "Lines of the log that were dropped because they were not read in time.";
        metrics.counter_of("aloft_log_lines_dropped_total", help, move || dropped.dropped_lines() as u64);
    }
}

/// Our own crates that log. Below `info`, others print what passes through them: headers with keys, bodies with secrets.
pub const OWN_CRATES: [&str; 11] = [
    "aloft_control_plane",
    "aloft_edge",
    "aloft_standalone",
    "aloft_worker",
    "blob",
    "control_plane",
    "db",
    "edge_proxy",
    "runtime",
    "standalone",
    "worker",
];

/// Says whether a line may be written, whatever the filter asks for.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let of = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || OWN_CRATES.contains(&of)
}

/// Sends the log to standard error in the configured form. Only the first call of a process does something.
pub fn init(log: &Log) -> Logs {
    let (writer, writing) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX).thread_name("log").finish(stderr());
    let dropped = writer.error_counter();
    if failpoint::is_broken("runtime.log-waits-for-nobody") {
        subscribe(log, stderr);
    } else {
        subscribe::<NonBlocking>(log, writer);
    }
    Logs { writing: Some(writing), dropped }
}

fn subscribe<W>(log: &Log, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // An error means that logs are set up already, by a test.
    let _ = match log.format {
        LogFormat::Text => builder.with_target(false).finish().with(filter_fn(is_discreet)).try_init(),
        LogFormat::Json => {
            let builder = builder.fmt_fields(JsonFields::new()).event_format(JsonLine);
            builder.finish().with(filter_fn(is_discreet)).try_init()
        }
    };
}
