//! `GET /metrics`: what every proxy has carried and what the process uses, for Prometheus.
//!
//! **In:** the proxies' counts at this moment. **Out:** Prometheus text.
//!
//! The two byte counters are Toxiproxy's, with its names and labels, and count while connections are
//! open (there: only when they end). `received` is read from the source of a direction, `sent` is
//! written to its destination. What begins with `fault_proxy_` is an extension. Counters end with
//! their proxy.

use super::{reply::Reply, runtime};
use crate::{
    engine::{Registry, Statistics},
    refusal::Refusal,
};
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Opts, TextEncoder};
use std::collections::BTreeMap;

const FLOW: [&str; 4] = ["direction", "proxy", "listener", "upstream"];

/// What Prometheus is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics {
    /// Connections, bytes and toxics of every proxy.
    pub proxies: bool,
    /// Processor time, memory, threads and files of the process.
    pub runtime: bool,
}

impl Metrics {
    pub(super) fn any(self) -> bool {
        self.proxies || self.runtime
    }
}

pub(super) fn handle(registry: &Registry, told: Metrics) -> Result<Reply, Refusal> {
    let proxies = told.proxies.then(|| registry.statistics());
    let text = text(proxies.iter().flat_map(BTreeMap::values), told);
    text.map(Reply::metrics)
        .map_err(|error| Refusal::Internal(error.to_string()))
}

fn text<'a>(
    proxies: impl Iterator<Item = &'a Statistics>,
    told: Metrics,
) -> Result<Vec<u8>, prometheus::Error> {
    let registry = prometheus::Registry::new();
    if told.runtime {
        runtime::register(&registry)?;
    }
    let families = Families::new()?;
    for proxy in proxies {
        families.add(proxy);
    }
    families.register(&registry)?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(text)
}

/// Made anew for every answer, so that a deleted proxy leaves nothing behind.
struct Families {
    received: IntCounterVec,
    sent: IntCounterVec,
    open: IntGaugeVec,
    accepted: IntCounterVec,
    closed: IntCounterVec,
    affected: IntCounterVec,
}

impl Families {
    fn new() -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        Ok(Self {
            received: counter(
                "toxiproxy_proxy_received_bytes_total",
                "Bytes read from the source of a direction",
                &FLOW,
            )?,
            sent: counter(
                "toxiproxy_proxy_sent_bytes_total",
                "Bytes written to the destination of a direction",
                &FLOW,
            )?,
            open: IntGaugeVec::new(
                Opts::new("fault_proxy_connections_open", "Connections open now"),
                &["proxy"],
            )?,
            accepted: counter(
                "fault_proxy_connections_accepted_total",
                "Connections accepted",
                &["proxy"],
            )?,
            closed: counter(
                "fault_proxy_connections_closed_total",
                "Connections ended, by what ended them",
                &["proxy", "reason"],
            )?,
            affected: counter(
                "fault_proxy_toxic_connections_affected_total",
                "Connections that a toxic has affected",
                &["proxy", "toxic", "type"],
            )?,
        })
    }

    fn add(&self, Statistics { proxy, count }: &Statistics) {
        let bytes = [
            ("upstream", &count.bytes.upstream),
            ("downstream", &count.bytes.downstream),
        ];
        for (direction, flow) in bytes {
            let labels = [direction, &proxy.name, &proxy.listen, &proxy.upstream];
            self.received
                .with_label_values(&labels)
                .inc_by(flow.received);
            self.sent.with_label_values(&labels).inc_by(flow.sent);
        }
        let name = proxy.name.as_str();
        let connections = &count.connections;
        let open = i64::try_from(connections.open).unwrap_or(i64::MAX);
        self.open.with_label_values(&[name]).set(open);
        self.accepted
            .with_label_values(&[name])
            .inc_by(connections.accepted);
        for (reason, closed) in &connections.closed {
            self.closed
                .with_label_values(&[name, reason])
                .inc_by(*closed);
        }
        for toxic in &proxy.toxics {
            self.affected
                .with_label_values(&[name, &toxic.name, toxic.type_name])
                .inc_by(toxic.tally.affected());
        }
    }

    fn register(self, registry: &prometheus::Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.open))?;
        for counter in [
            self.received,
            self.sent,
            self.accepted,
            self.closed,
            self.affected,
        ] {
            registry.register(Box::new(counter))?;
        }
        Ok(())
    }
}
