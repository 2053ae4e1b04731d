//! This file's job is to hold what a process counts and measures.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result, TextEncoder,
};

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

    /// Adds a counter that somebody else keeps, and that is read when it is asked for.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    pub fn counter_of(&self, name: &str, help: &str, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.elsewhere(name, help, move |options| {
            let counter = IntCounter::with_opts(options)?;
            counter.inc_by(read());
            Ok(Box::new(counter))
        });
    }

    /// Adds a gauge that somebody else keeps, and that is read when it is asked for.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    pub fn gauge_of(&self, name: &str, help: &str, read: impl Fn() -> i64 + Send + Sync + 'static) {
        self.elsewhere(name, help, move |options| {
            let gauge = IntGauge::with_opts(options)?;
            gauge.set(read());
            Ok(Box::new(gauge))
        });
    }

    fn elsewhere(
        &self,
        name: &str,
        help: &str,
        make: impl Fn(Opts) -> Result<Box<dyn Collector>> + Send + Sync + 'static,
    ) {
        let options = Opts::new(name, help);
        let described = IntGauge::with_opts(options.clone()).expect("a well-formed metric name");
        let metric = Elsewhere { options, described, make: Box::new(make) };
        self.0.register(Box::new(metric)).expect("a metric name that is not taken");
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

    /// Adds a family of gauges with the given labels, whose values must come from a small closed set.
    ///
    /// # Panics
    /// When the name is malformed or taken: a mistake in the program.
    #[must_use]
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels).expect("a well-formed metric name");
        self.0.register(Box::new(gauges.clone())).expect("a metric name that is not taken");
        gauges
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

/// A metric that is kept elsewhere.
struct Elsewhere {
    options: Opts,
    described: IntGauge,
    make: Box<dyn Fn(Opts) -> Result<Box<dyn Collector>> + Send + Sync>,
}

impl Collector for Elsewhere {
    fn desc(&self) -> Vec<&Desc> {
        self.described.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A new one each time: two who ask at once must not add to each other's.
        (self.make)(self.options.clone()).map(|metric| metric.collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn counters_show_from_the_start() {
        let metrics = Metrics::new();
        metrics.counter("aloft_test_total", "A test.").inc_by(3);
        assert!(metrics.render().contains("aloft_test_total 3"));
    }

    #[test]
    fn what_is_counted_elsewhere_shows_as_it_is_now() {
        let (metrics, count) = (Metrics::new(), Arc::new(AtomicU64::new(0)));
        let (read, seen) = (count.clone(), count.clone());
        metrics.counter_of("aloft_test_total", "A test.", move || read.load(Ordering::Relaxed));
        metrics.gauge_of("aloft_test", "A test.", move || seen.load(Ordering::Relaxed).cast_signed());
        for now in [0, 5, 7, 2] {
            count.store(now, Ordering::Relaxed);
            let text = metrics.render();
            assert!(
                text.contains(&format!("aloft_test_total {now}\n")) && text.contains(&format!("aloft_test {now}\n"))
            );
        }
    }
}
