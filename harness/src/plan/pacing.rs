//! This module says when a message that is due is put on its socket: at its moment, or with others.
//!
//! A thread that sleeps until every single send wakes for every single send, and waking costs more than sending. On a
//! tick it wakes at most so often, whatever is due: each send is late by half a tick on average, which every latency
//! counts, and by a tick at most.
//!
//! **In:** a load. **Out:** its tick. **Units:** microseconds.

use super::{Arrival, LoadPlan, Pacing, estimate};

/// What sends wait for on a tick.
const TICK_US: u64 = 500;
/// Messages a second and lane from which a tick is worth what it costs: five and more on each.
const TICK_PER_S: f64 = 10_000.0;

/// The tick of a load; `None`: each message goes at its moment. Clients that wait for an answer before they go on are
/// never on a tick: it would slow the load itself.
pub(crate) fn tick_us(load: &LoadPlan) -> Option<u64> {
    let ticks = load.message.arrival != Arrival::Closed
        && match load.pacing {
            Pacing::Tick => true,
            Pacing::Exact => false,
            Pacing::Auto => estimate::per_s_max(load) >= TICK_PER_S * f64::from(load.lanes.max(1)),
        };
    ticks.then_some(TICK_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    #[track_caller]
    fn check(load: &str, expected: Option<u64>) {
        let text = format!(
            "# Why?\ntitle = \"t\"\n[load]\nstages = [{{ ramp = \"1s\" }}, {{ hold = \"5s\" }}]\n{load}\n"
        );
        let plan = compile("t.toml", &text, &Overrides::default()).unwrap();
        assert_eq!(tick_us(&plan.load), expected, "{load}");
    }

    #[test]
    fn many_messages_go_on_a_tick_and_few_at_their_moment() {
        check("clients = 9999\nmessage = { every = \"1s\" }", None);
        check("clients = 10000\nmessage = { every = \"1s\" }", Some(500));
        check(
            "clients = 10000\nlanes = 2\nmessage = { every = \"1s\" }",
            None,
        );
        check(
            "clients = 20000\nmix = { chatter = 1, lurker = 3 }\nmessage = { every = \"1s\" }",
            None,
        );
    }

    #[test]
    fn what_is_written_holds_but_for_closed_clients() {
        check("clients = 10\npacing = \"tick\"", Some(500));
        check(
            "clients = 10000\npacing = \"exact\"\nmessage = { every = \"1s\" }",
            None,
        );
        let closed =
            "clients = 10\npacing = \"tick\"\nmessage = { every = \"1s\", arrival = \"closed\" }";
        check(closed, None);
    }
}
