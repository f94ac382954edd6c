//! Counters and gauges, and their text form for Prometheus.
//!
//! Labels come from fixed sets only: a label never holds a name, a token or an address.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Everything the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    /// `chat_messages_total{type}`.
    pub(crate) messages: Messages,
    /// Conversations with a socket or an unfinished answer.
    pub(crate) active_conversations: IntGauge,
    /// Messages and token requests refused by a rate limit.
    pub(crate) rate_limit_hits: IntCounter,
    /// Connection tokens handed out.
    pub(crate) tokens_issued: IntCounter,
    /// Connection tokens that opened a socket.
    pub(crate) tokens_consumed: IntCounter,
    /// Connection tokens not issued or not accepted, by reason.
    pub(crate) tokens_refused: IntCounterVec,
    /// Sockets open now.
    pub(crate) connections_open: IntGauge,
    /// Sockets that reached `connected`.
    pub(crate) connections_opened: IntCounter,
    /// Sockets ended, by close code.
    pub(crate) connections_closed: IntCounterVec,
    /// TCP connections dropped before a request, by reason.
    pub(crate) connections_dropped: IntCounterVec,
    /// Failed Redis calls, by link.
    pub(crate) redis_errors: IntCounterVec,
    /// Links that are up, by link.
    pub(crate) redis_up: IntGaugeVec,
    /// Frames given up, by reason.
    pub(crate) dropped: IntCounterVec,
    /// Events that came again and were not sent again.
    pub(crate) repeats: IntCounter,
    /// Events read from history after a lost connection.
    pub(crate) replayed: IntCounter,
    /// Acknowledged tasks queued again.
    pub(crate) redriven: IntCounter,
    /// Acknowledged tasks given up.
    pub(crate) lost: IntCounter,
    /// From the worker's emit to the write on the socket.
    pub(crate) delivery_latency: Histogram,
}

/// `chat_messages_total`, one counter per type, looked up once.
pub(crate) struct Messages {
    /// Acknowledged and queued.
    pub(crate) queued: IntCounter,
    /// Sent again with a known id.
    pub(crate) repeated: IntCounter,
    /// Kept and broadcast on a people chat.
    pub(crate) posted: IntCounter,
    /// Answered by `error`.
    pub(crate) refused: IntCounter,
    /// Answers delivered to their end.
    pub(crate) completed: IntCounter,
    /// Heartbeats.
    pub(crate) ping: IntCounter,
    /// `resume` requests.
    pub(crate) resume: IntCounter,
}

impl Messages {
    fn new(by_type: &IntCounterVec) -> Self {
        let of = |name: &str| by_type.with_label_values(&[name]);
        Self {
            queued: of("queued"),
            repeated: of("repeated"),
            posted: of("posted"),
            refused: of("refused"),
            completed: of("completed"),
            ping: of("ping"),
            resume: of("resume"),
        }
    }
}

/// The metrics could not be set up or printed.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub(crate) struct MetricsError(#[from] prometheus::Error);

impl Metrics {
    /// All metrics at zero, with every label of a fixed set present.
    #[expect(clippy::too_many_lines, reason = "a flat table: one entry per metric")]
    pub(crate) fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let maker = Maker::new(&registry);
        let by_type = maker.counters(
            "chat_messages_total",
            "Frames from clients and answers, by type.",
            "type",
        )?;
        let buckets = vec![
            0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
            1.0, 2.5, 5.0, 10.0, 30.0,
        ];
        let latency = HistogramOpts::new(
            "chat_delivery_latency_seconds",
            "From the worker's emit to the write on the socket.",
        )
        .buckets(buckets);
        let delivery_latency = Histogram::with_opts(latency)?;
        registry.register(Box::new(delivery_latency.clone()))?;
        let metrics = Self {
            messages: Messages::new(&by_type),
            active_conversations: maker.gauge(
                "active_conversations",
                "Conversations with a socket or an unfinished answer.",
            )?,
            rate_limit_hits: maker.counter(
                "rate_limit_hits_total",
                "Messages and token requests refused by a rate limit.",
            )?,
            tokens_issued: maker
                .counter("chat_tokens_issued_total", "Connection tokens handed out.")?,
            tokens_consumed: maker.counter(
                "chat_tokens_consumed_total",
                "Connection tokens that were accepted.",
            )?,
            tokens_refused: maker.counters(
                "chat_tokens_refused_total",
                "Connection tokens not issued or not accepted, by reason.",
                "reason",
            )?,
            connections_open: maker.gauge("chat_connections_open", "Sockets open now.")?,
            connections_opened: maker.counter(
                "chat_connections_opened_total",
                "Sockets that reached `connected`.",
            )?,
            connections_closed: maker.counters(
                "chat_connections_closed_total",
                "Sockets ended, by close code.",
                "code",
            )?,
            connections_dropped: maker.counters(
                "chat_connections_dropped_total",
                "TCP connections dropped without an answer, by reason.",
                "reason",
            )?,
            redis_errors: maker.redis_errors()?,
            redis_up: maker.redis_up()?,
            dropped: maker.counters(
                "chat_dropped_total",
                "Frames given up for a slow reader, by reason.",
                "reason",
            )?,
            repeats: maker.counter(
                "chat_events_repeated_total",
                "Events that came again and were not sent again.",
            )?,
            replayed: maker.counter("chat_events_replayed_total", "Events read from history.")?,
            redriven: maker.counter(
                "chat_tasks_redriven_total",
                "Acknowledged tasks queued again.",
            )?,
            lost: maker.counter("chat_tasks_lost_total", "Acknowledged tasks given up.")?,
            delivery_latency,
            registry,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// A counter that has not counted yet is printed as 0, so that a rate can be taken from the
    /// start.
    fn show_zeros(&self) {
        for code in [
            "1000", "1001", "1006", "1011", "1013", "4001", "4003", "4401", "4403", "4408", "4429",
        ] {
            self.connections_closed.with_label_values(&[code]);
        }
        for reason in ["rate", "full", "address", "crowd", "time"] {
            self.connections_dropped.with_label_values(&[reason]);
        }
        for reason in ["full", "expired"] {
            self.dropped.with_label_values(&[reason]);
        }
        for reason in ["unknown", "unavailable", "rate_limited"] {
            self.tokens_refused.with_label_values(&[reason]);
        }
    }

    /// Counts the end of a socket. Codes a client made up share one label.
    pub(crate) fn closed(&self, code: u16) {
        let known = matches!(code, 1000..=1003 | 1005..=1007 | 1009 | 1011 | 1013 | 4001 | 4003 | 4401 | 4403 | 4408 | 4429);
        let label = if known {
            code.to_string()
        } else {
            "other".to_owned()
        };
        self.connections_closed.with_label_values(&[&label]).inc();
    }

    /// Where more can be registered.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The text form, `process_*` included.
    pub(crate) fn render(&self) -> Result<String, MetricsError> {
        render(&self.registry)
    }
}

/// The text form of all that is registered, `process_*` included.
pub(crate) fn render(registry: &Registry) -> Result<String, MetricsError> {
    let encoder = prometheus::TextEncoder::new();
    let mut text = encoder.encode_to_string(&registry.gather())?;
    text.push_str(&crate::host::stat::render());
    Ok(text)
}

/// Makes metrics and registers them.
pub(crate) struct Maker<'a> {
    registry: &'a Registry,
}

impl<'a> Maker<'a> {
    /// For that registry.
    pub(crate) fn new(registry: &'a Registry) -> Self {
        Self { registry }
    }

    /// Failed calls, by link: the same in every process.
    pub(crate) fn redis_errors(&self) -> Result<IntCounterVec, MetricsError> {
        let help = "Failed Redis calls, by link.";
        self.counters("chat_redis_errors_total", help, "link")
    }

    /// Links that are up, by link: the same in every process.
    pub(crate) fn redis_up(&self) -> Result<IntGaugeVec, MetricsError> {
        let opts = Opts::new("chat_redis_up", "Whether a Redis link is up.");
        let made = IntGaugeVec::new(opts, &["link"])?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// A counter.
    pub(crate) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        let made = IntCounter::new(name, help)?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// Counters by a label.
    pub(crate) fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntCounterVec, MetricsError> {
        let made = IntCounterVec::new(Opts::new(name, help), &[label])?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// A gauge.
    pub(crate) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        let made = IntGauge::new(name, help)?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }
}
