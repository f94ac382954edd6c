//! This module collects families of samples that share labels.
//!
//! **In:** names, labels and values. **Out:** metric families. **Units:** microseconds become seconds.

use ::prometheus::proto::{
    Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary as Quantiles,
};

use super::US_PER_S;
use crate::format;
use crate::result::{RunResult, Summary};

/// Labels of one sample beside those that all have.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The families so far, and the labels of every sample.
pub(super) struct Page {
    common: [(&'static str, String); 2],
    pub(super) families: Vec<MetricFamily>,
}

impl Page {
    pub(super) fn of(result: &RunResult) -> Self {
        Self {
            common: [
                ("run", result.run.id.clone()),
                ("scenario", result.run.title.clone()),
            ],
            families: Vec::new(),
        }
    }

    pub(super) fn labelled(&self, labels: Labels<'_>) -> Metric {
        let pair = |name: &str, value: &str| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(format::harmless(value));
            pair
        };
        let common = self.common.iter().map(|(name, value)| pair(name, value));
        let own = labels.iter().map(|(name, value)| pair(name, value));
        Metric::from_label(own.chain(common).collect())
    }

    pub(super) fn gauge(&self, labels: Labels<'_>, value: f64) -> Metric {
        let mut metric = self.labelled(labels);
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
        metric
    }

    pub(super) fn count(&self, labels: Labels<'_>, value: u64) -> Metric {
        let mut metric = self.labelled(labels);
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        metric.set_counter(counter);
        metric
    }

    pub(super) fn quantiles(&self, labels: Labels<'_>, of: Summary) -> Metric {
        let quantile = |(quantile, us): (f64, u64)| {
            let mut one = Quantile::default();
            one.set_quantile(quantile);
            one.set_value(us as f64 / US_PER_S);
            one
        };
        let known = [
            (0.5, of.p50_us),
            (0.9, of.p90_us),
            (0.95, of.p95_us),
            (0.99, of.p99_us),
            (0.999, of.p999_us),
            (1.0, of.max_us),
        ];
        let mut quantiles = Quantiles::default();
        quantiles.set_sample_count(of.count);
        quantiles.set_sample_sum(of.mean_us * of.count as f64 / US_PER_S);
        quantiles.set_quantile(known.into_iter().map(quantile).collect());
        let mut metric = self.labelled(labels);
        metric.set_summary(quantiles);
        metric
    }

    pub(super) fn add(
        &mut self,
        kind: MetricType,
        (name, help): (&str, &str),
        metrics: Vec<Metric>,
    ) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }

    /// A family of one gauge.
    pub(super) fn one(&mut self, head: (&str, &str), value: f64) {
        let metric = self.gauge(&[], value);
        self.add(MetricType::GAUGE, head, vec![metric]);
    }

    /// A family of one counter.
    pub(super) fn total(&mut self, head: (&str, &str), value: u64) {
        let metric = self.count(&[], value);
        self.add(MetricType::COUNTER, head, vec![metric]);
    }
}
