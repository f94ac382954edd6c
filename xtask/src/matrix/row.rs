//! This module is the table: every known failure, and the question that answers for it.

/// Where a failure is put, and who looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A switch of the reference server, under a scenario.
    Server(&'static str),
    /// A switch of the client model, under a scenario.
    Client(&'static str),
    /// A setting of the server, under a scenario.
    Setting(&'static str, &'static str),
    /// A set-up that the doctor examines.
    Doctor(SetUp),
}

/// What is built for the doctor: broken, and the same in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetUp {
    /// The channel layer's URL lacks the password.
    Redis,
    /// nginx in front, which does not pass `Upgrade` on.
    Nginx,
    /// An HTTP server that is no chat server.
    Other,
    /// `wss://` to a plain port.
    Scheme,
}

/// A row of the contract's table.
pub(super) struct Row {
    /// Its number there.
    pub number: u8,
    pub name: &'static str,
    pub way: Way,
    /// Further arguments of the run with the failure on.
    pub more: &'static [&'static str],
    /// Part of the quick subset.
    pub quick: bool,
}

impl Row {
    const fn new(number: u8, name: &'static str, way: Way) -> Self {
        Self {
            number,
            name,
            way,
            more: &[],
            quick: false,
        }
    }

    const fn quick(number: u8, name: &'static str, way: Way) -> Self {
        Self {
            quick: true,
            ..Self::new(number, name, way)
        }
    }
}

const RULES: Way = Way::Server("rules");
const LIFE: Way = Way::Server("token-life");
const OUTAGE: Way = Way::Server("outage-answers");
const STORM: Way = Way::Client("reconnect-storm");

/// All of them, in order.
pub(super) const ROWS: [Row; 34] = [
    Row {
        // Ten seconds are enough where it is there.
        more: &[
            "--set",
            "load.stages=[{ ramp = \"1s\", to = 20 }, { hold = \"9s\" }]",
        ],
        ..Row::new(1, "token-double-spend", Way::Server("token-race"))
    },
    Row::new(2, "token-reusable", Way::Server("token-sweep")),
    Row::new(3, "token-immortal", LIFE),
    Row::quick(4, "token-ttl-drift", LIFE),
    Row::quick(5, "token-in-log", RULES),
    Row::new(6, "silent-1006", RULES),
    Row::new(7, "connect-hang", OUTAGE),
    Row::new(8, "token-endpoint-hang", OUTAGE),
    Row::new(9, "no-server-ping", RULES),
    Row::new(10, "ping-as-chat", RULES),
    Row::new(11, "redis-noauth", Way::Doctor(SetUp::Redis)),
    Row::new(12, "no-resubscribe", OUTAGE),
    Row::new(
        13,
        "memory-layer-two-instances",
        Way::Setting(
            "two-instances",
            "environment.server.settings={ channel-layer = \"memory\" }",
        ),
    ),
    Row::new(14, "duplicate-on-resume", RULES),
    Row::new(15, "lost-while-away", RULES),
    Row::new(16, "group-leak", Way::Server("reconnect-storm")),
    Row::new(17, "unbounded-outbox", Way::Server("slow-reader")),
    Row::new(18, "expiry-too-short", RULES),
    Row::new(19, "origin-unchecked", RULES),
    Row::new(20, "not-a-participant", RULES),
    Row::new(21, "no-rate-limit", RULES),
    Row::new(22, "oversize-accepted", RULES),
    Row::new(23, "jwt-expiry-cut", Way::Server("access-expiry")),
    Row::new(24, "chunk-reorder", RULES),
    Row::new(25, "complete-missing", RULES),
    Row::new(26, "wrong-conversation", RULES),
    Row::new(27, "racing-connects", STORM),
    Row::new(28, "no-backoff", STORM),
    Row::quick(29, "stale-token-retry", STORM),
    Row::new(30, "proxy-no-upgrade", Way::Doctor(SetUp::Nginx)),
    Row::new(31, "wrong-server", Way::Doctor(SetUp::Other)),
    Row::new(32, "wrong-scheme-or-port", Way::Doctor(SetUp::Scheme)),
    Row::new(33, "pubsub-only", OUTAGE),
    Row::new(34, "retry-runs-twice", RULES),
];
