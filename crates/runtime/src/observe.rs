//! This file's job is to set up logs and metrics.

use crate::config::{Log, LogFormat};
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use tracing_subscriber::EnvFilter;

/// Sends logs to standard error in the configured form. A second call changes nothing.
pub fn init(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that logs are set up already, by a test or by another role of this process.
    let _ = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// The metrics of a process. Clones share them. Names begin with `aloft_` and end with their unit.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Registry);

impl Metrics {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a counter.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        let counter = IntCounter::new(name, help).expect("a well-formed metric name");
        self.0.register(Box::new(counter.clone())).expect("a metric name that is not taken");
        counter
    }

    /// Adds a family of counters with the given labels, whose values must come from a small closed set.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let counters = IntCounterVec::new(Opts::new(name, help), labels).expect("a well-formed metric name");
        self.0.register(Box::new(counters.clone())).expect("a metric name that is not taken");
        counters
    }

    /// Adds a gauge.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let gauge = IntGauge::new(name, help).expect("a well-formed metric name");
        self.0.register(Box::new(gauge.clone())).expect("a metric name that is not taken");
        gauge
    }

    /// Adds a histogram with the given bucket bounds.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let histogram = Histogram::with_opts(options).expect("a well-formed metric name");
        self.0.register(Box::new(histogram.clone())).expect("a metric name that is not taken");
        histogram
    }

    /// Adds a family of histograms with the given bucket bounds and labels, whose values must come from a small closed set.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let histograms = HistogramVec::new(options, labels).expect("a well-formed metric name");
        self.0.register(Box::new(histograms.clone())).expect("a metric name that is not taken");
        histograms
    }

    /// Returns all metrics in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail; a metric that cannot be written is left out.
        let _ = TextEncoder::new().encode(&self.0.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_show_from_the_start() {
        let metrics = Metrics::new();
        metrics.counter("aloft_test_total", "A test.").inc_by(3);
        assert!(metrics.render().contains("aloft_test_total 3"));
    }
}
