//! This module holds the scenarios that ship: what `harness run smoke` runs where there is no file of that name.
//!
//! **In:** a name. **Out:** the text of the scenario; all of them, by name.

/// Every scenario of `scenarios/`, by its name without `.toml`.
pub(crate) const SHIPPED: [(&str, &str); 24] = [
    (
        "access-expiry",
        include_str!("../../../scenarios/access-expiry.toml"),
    ),
    (
        "bench-idle",
        include_str!("../../../scenarios/bench-idle.toml"),
    ),
    (
        "bench-talk",
        include_str!("../../../scenarios/bench-talk.toml"),
    ),
    (
        "capacity-chat",
        include_str!("../../../scenarios/capacity-chat.toml"),
    ),
    (
        "edge-faults",
        include_str!("../../../scenarios/edge-faults.toml"),
    ),
    ("gate", include_str!("../../../scenarios/gate.toml")),
    (
        "hundred-thousand",
        include_str!("../../../scenarios/hundred-thousand.toml"),
    ),
    (
        "idle-300s",
        include_str!("../../../scenarios/idle-300s.toml"),
    ),
    (
        "idle-timeout",
        include_str!("../../../scenarios/idle-timeout.toml"),
    ),
    (
        "outage-answers",
        include_str!("../../../scenarios/outage-answers.toml"),
    ),
    (
        "reconnect-storm",
        include_str!("../../../scenarios/reconnect-storm.toml"),
    ),
    (
        "redis-kill",
        include_str!("../../../scenarios/redis-kill.toml"),
    ),
    (
        "redis-outage",
        include_str!("../../../scenarios/redis-outage.toml"),
    ),
    (
        "redis-slow",
        include_str!("../../../scenarios/redis-slow.toml"),
    ),
    (
        "redis-stall",
        include_str!("../../../scenarios/redis-stall.toml"),
    ),
    (
        "server-kill",
        include_str!("../../../scenarios/server-kill.toml"),
    ),
    (
        "slow-reader",
        include_str!("../../../scenarios/slow-reader.toml"),
    ),
    ("smoke", include_str!("../../../scenarios/smoke.toml")),
    ("soak-1h", include_str!("../../../scenarios/soak-1h.toml")),
    (
        "soak-idle",
        include_str!("../../../scenarios/soak-idle.toml"),
    ),
    (
        "token-life",
        include_str!("../../../scenarios/token-life.toml"),
    ),
    (
        "token-race",
        include_str!("../../../scenarios/token-race.toml"),
    ),
    (
        "token-sweep",
        include_str!("../../../scenarios/token-sweep.toml"),
    ),
    (
        "two-instances",
        include_str!("../../../scenarios/two-instances.toml"),
    ),
];

/// The scenario of that name.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    let mut all = SHIPPED.iter();
    all.find(|(known, _)| *known == name).map(|(_, text)| *text)
}
