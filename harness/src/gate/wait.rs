//! This module finds the waits inside a stage that the plan asks for: they are no work of the server.
//!
//! **In:** a plan. **Out:** [`Waits`]: how long each stage waits at least, and what could not be known. A wait is taken
//! out of both sides before their ratio is taken, or 31 ms of planned pacing would make 10 % of the rest 0.2 %.
//! **Units:** microseconds.
//!
//! Known: the pacing of answers by a server that the harness starts, and latency on the edge that lasts the whole load and
//! meets every connection (less its jitter). Not known: what a message waits on links to Redis, which it crosses as often
//! as the server likes; limits of bandwidth; the pacing of a server that somebody else started (`--known-wait`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{FaultKind, Link, Plan, PlannedFault, Streams};
use crate::stage::Stage;

/// What the stages wait for by plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Waits {
    /// By stage; a stage without a known wait has none.
    pub us: BTreeMap<Stage, u64>,
    /// One sentence on each wait that is in the plan and in no number here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Stages that are one request and one answer.
const ROUND_TRIPS: [Stage; 6] = [
    Stage::Token,
    Stage::Upgrade,
    Stage::TaskQueued,
    Stage::FirstChunk,
    Stage::Complete,
    Stage::Heartbeat,
];

/// What is said of a server that somebody else started.
const PACING_UNKNOWN: &str = "the pacing of the server is not known: the harness did not start it; \
                              complete and first_chunk are judged whole (--known-wait)";
/// Stages that pacing makes wait.
const PACED: [Stage; 2] = [Stage::FirstChunk, Stage::Complete];

/// The sentences on waits that are still unknown to somebody who was told of these.
pub(super) fn still_unknown(
    sentences: &[String],
    told_us: &BTreeMap<Stage, u64>,
) -> impl Iterator<Item = String> {
    let open: Vec<&str> = PACED
        .iter()
        .filter(|stage| !told_us.contains_key(stage))
        .map(|stage| stage.name())
        .collect();
    sentences.iter().filter_map(move |sentence| {
        let is_pacing = sentence == PACING_UNKNOWN;
        match open.as_slice() {
            [] if is_pacing => None,
            [stage] if is_pacing => Some(format!("{stage} is judged whole (--known-wait)")),
            _ => Some(sentence.clone()),
        }
    })
}

/// The waits of a plan.
pub(super) fn planned(plan: &Plan) -> Waits {
    let mut waits = Waits::default();
    if let Some(pace) = plan.pace() {
        waits.us.insert(Stage::FirstChunk, pace.to_first_us());
        waits.us.insert(Stage::Complete, pace.to_end_us());
    } else {
        waits.unknown.push(PACING_UNKNOWN.to_owned());
    }
    for condition in plan.faults.iter().filter(|fault| fault.condition) {
        match on_edge_us(condition) {
            Some(us) => {
                for stage in ROUND_TRIPS {
                    *waits.us.entry(stage).or_insert(0) += us;
                }
            }
            None => waits.unknown.push(format!(
                "what {} makes a stage wait is not known, and is judged with the rest",
                condition.name
            )),
        }
    }
    waits.us.retain(|_, us| *us > 0);
    waits
}

/// How long a round trip waits for this at least; `None` where that cannot be said.
fn on_edge_us(condition: &PlannedFault) -> Option<u64> {
    let FaultKind::Latency(latency) = condition.kind else {
        return None;
    };
    if latency.link != Link::Edge || condition.at_us > 0 || condition.toxicity_ratio < 1.0 {
        return None;
    }
    let ways = match condition.streams {
        Streams::Upstream | Streams::Downstream => 1,
        Streams::Both => 2,
    };
    let keys = latency.keys;
    let one_way_us = keys.latency_us.saturating_sub(keys.jitter_us);
    Some(one_way_us.saturating_mul(ways))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    fn waits(more: &str, target: Option<&str>) -> Waits {
        let text = format!(
            "# Why?\ntitle = \"t\"\n[environment]\nproxies = [\"edge\", \"redis\"]\nusers = {{ password = \"${{env:P}}\" }}\n[load]\nclients = 2\nstages = [{{ ramp = \"1s\" }}, {{ hold = \"5s\" }}]\nmessage = {{ every = \"1s\", chunks = 3 }}\n{more}"
        );
        let overrides = Overrides {
            target: target.map(str::to_owned),
            ..Overrides::default()
        };
        planned(&compile("t.toml", &text, &overrides).unwrap())
    }

    #[test]
    fn the_pacing_of_our_own_server_is_known() {
        let found = waits("", None);
        assert_eq!(found.us[&Stage::Complete], 31_000);
        assert_eq!(found.us[&Stage::FirstChunk], 11_000);
        assert_eq!(found.us.get(&Stage::TaskQueued), None);
        assert!(found.unknown.is_empty());
    }

    #[test]
    fn that_of_another_s_server_is_not() {
        let found = waits("", Some("http://127.0.0.1:1"));
        assert!(found.us.is_empty(), "{found:?}");
        assert_eq!(found.unknown.len(), 1);
    }

    #[test]
    fn latency_of_the_whole_run_on_the_edge_is_a_wait_of_every_round_trip() {
        let latency = "[[fault]]\nlink = \"edge\"\nkind = \"latency\"\nat = \"0s\"\nlatency = \"20ms\"\njitter = \"5ms\"\n";
        let found = waits(latency, None);
        assert_eq!(found.us[&Stage::TaskQueued], 15_000);
        assert_eq!(found.us[&Stage::Complete], 46_000);
        assert_eq!(found.us.get(&Stage::SessionReady), None);
    }

    #[test]
    fn what_stands_before_redis_is_said_to_be_unknown() {
        let found = waits(
            "[[fault]]\nlink = \"redis\"\nkind = \"latency\"\nat = \"0s\"\nlatency = \"2ms\"\n",
            None,
        );
        assert_eq!(found.us[&Stage::Complete], 31_000);
        assert_eq!(found.unknown.len(), 1, "{found:?}");
    }
}
