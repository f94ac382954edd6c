//! This module says how long a managed server waits on purpose: the pace of its answers.
//!
//! **In:** a plan. **Out:** [`Pace`]; the environment asks the server for it, and whoever judges latencies takes it out.
//! **Units:** microseconds.

use super::Plan;
use crate::units;

/// Setting of the server, and how long it waits where the plan leaves it out.
const FIRST_AFTER: (&str, &str) = ("first-after", "10ms");
const CHUNK_INTERVAL: (&str, &str) = ("chunk-interval", "10ms");
/// The timers of the server go off at whole milliseconds, the next one that is sure not to be early.
const TICK_US: u64 = 1_000;

/// When the chunks of an answer are due, from the start of work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    first_after_us: u64,
    interval_us: u64,
    chunks: u64,
}

impl Pace {
    /// How long the first chunk waits at least.
    pub(crate) const fn to_first_us(self) -> u64 {
        self.first_after_us.saturating_add(TICK_US)
    }

    /// How long the end of the answer, which comes with its last chunk, waits at least.
    pub(crate) const fn to_end_us(self) -> u64 {
        let between = self.chunks.saturating_sub(1);
        let between = between.saturating_mul(self.interval_us);
        self.to_first_us().saturating_add(between)
    }
}

impl Plan {
    /// The pace of the answers; `None` where the harness does not start the server, or cannot read its settings.
    pub(crate) fn pace(&self) -> Option<Pace> {
        if self.environment.target.is_some() {
            return None;
        }
        let settings = &self.environment.server.settings;
        let wait = |(name, usual): (&str, &str)| {
            let text = settings.get(name).map_or(usual, String::as_str);
            units::parse_duration(text).ok().map(units::us)
        };
        let chunks = match settings.get("chunks") {
            Some(text) => text.parse().ok()?,
            None => u64::from(self.load.message.chunks),
        };
        Some(Pace {
            first_after_us: wait(FIRST_AFTER)?,
            interval_us: wait(CHUNK_INTERVAL)?,
            chunks,
        })
    }

    /// Flags of the server, by name, that the plan's settings do not give and its pace stands on.
    pub(crate) fn pace_flags(&self) -> Vec<(&'static str, String)> {
        let chunks = ("chunks", self.load.message.chunks.to_string());
        let waits = [FIRST_AFTER, CHUNK_INTERVAL].map(|(name, usual)| (name, usual.to_owned()));
        let settings = &self.environment.server.settings;
        let flags = std::iter::once(chunks).chain(waits);
        flags
            .filter(|(name, _)| !settings.contains_key(*name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    fn plan(more: &str) -> Plan {
        let text = format!(
            "# Why?\ntitle = \"t\"\n{more}\n[load]\nclients = 2\nstages = [{{ ramp = \"1s\" }}, {{ hold = \"5s\" }}]\nmessage = {{ every = \"1s\", chunks = 3 }}\n"
        );
        compile("t.toml", &text, &Overrides::default()).unwrap()
    }

    #[test]
    fn three_chunks_ten_milliseconds_apart_take_thirty_and_a_tick() {
        let pace = plan("").pace().unwrap();
        assert_eq!((pace.to_first_us(), pace.to_end_us()), (11_000, 31_000));
        assert_eq!(plan("").pace_flags().len(), 3);
    }

    #[test]
    fn what_the_plan_sets_is_waited_for_and_not_given_twice() {
        let plan = plan(
            "[environment.server]\nsettings = { first-after = \"2ms\", chunk-interval = \"0ms\" }",
        );
        let pace = plan.pace().unwrap();
        assert_eq!((pace.to_first_us(), pace.to_end_us()), (3_000, 3_000));
        assert_eq!(plan.pace_flags(), [("chunks", "3".to_owned())]);
    }
}
