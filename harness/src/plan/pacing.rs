//! This module says when a message that is due is put on its socket: at its moment, or with others.
//!
//! A thread that sleeps until every single send wakes for every single send, and waking costs more than sending. On a
//! tick it wakes at most so often, whatever is due: each send is late by half a tick on average, which every latency
//! counts, and by a tick at most; and what is due within a tick comes to the target as one burst.
//!
//! **In:** a plan. **Out:** its tick. **Units:** microseconds.

use super::{Arrival, Pacing, Plan, estimate};
use crate::scenario::expectation::Quantity;

/// What sends wait for on a tick.
const TICK_US: u64 = 500;
/// Messages a second and lane from which a tick is worth what it costs: five and more on each.
const TICK_PER_S: f64 = 10_000.0;
/// Ticks in the tightest latency expected, at least, of a plan that is put on one by itself: a tenth of that latency is
/// what the harness may be late (`result/check/generator.rs`), and a tick is to be a small part of it.
const TICKS_MIN: f64 = 40.0;

/// The tick of a plan; `None`: each message goes at its moment. Clients that wait for an answer before they go on are
/// never on a tick: it would slow the load itself.
pub(crate) fn tick_us(plan: &Plan) -> Option<u64> {
    let load = &plan.load;
    let ticks = load.message.arrival != Arrival::Closed
        && match load.pacing {
            Pacing::Tick => true,
            Pacing::Exact => false,
            Pacing::Auto => is_worth_it(plan),
        };
    ticks.then_some(TICK_US)
}

fn is_worth_it(plan: &Plan) -> bool {
    let threads = u32::from(plan.load.lanes.max(1)) * u32::from(plan.load.shards.unwrap_or(1));
    let latencies = plan.expect.iter();
    let mut latencies = latencies.filter(|expect| matches!(expect.what, Quantity::Latency { .. }));
    estimate::per_s_max(&plan.load) >= TICK_PER_S * f64::from(threads)
        && latencies.all(|expect| expect.bound.value >= TICKS_MIN * TICK_US as f64)
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
        assert_eq!(tick_us(&plan), expected, "{load}");
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
    fn a_latency_of_which_a_tick_is_a_part_is_measured_exactly() {
        let expecting = |under: &str| {
            format!(
                "clients = 10000\nmessage = {{ every = \"1s\" }}\n[[expect]]\nwhat = \"task_queued p50\"\nunder = \"{under}\""
            )
        };
        check(&expecting("20ms"), Some(500));
        check(&expecting("19ms"), None);
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
