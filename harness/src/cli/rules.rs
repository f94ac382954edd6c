//! This module is the flags by which sides are compared, for every command that compares.
//!
//! **In:** flags. **Out:** [`Rules`].

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use crate::gate::metric::Metric;
use crate::gate::rules::{Pairing, Rules};
use crate::stage::Stage;
use crate::units;

#[derive(Args, Debug)]
pub(super) struct RulesArgs {
    /// The metric that decides: a stage and p50, p90 or p99; "server cpu"; "server memory"; "recovery FAULT"
    #[arg(long, value_name = "METRIC", default_value = "complete p50")]
    primary: Metric,
    /// Further metrics that may fail the gate, together more rarely than the primary one
    #[arg(long, value_name = "METRIC", value_delimiter = ',', help = also())]
    also: Vec<Metric>,
    /// A change of a smaller share is none
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    limit: f64,
    /// A difference in latency below this is none
    #[arg(long, value_name = "TIME", default_value = "25us", value_parser = time)]
    floor: Duration,
    /// What a stage waits by design, where the plan does not tell: complete=31ms
    #[arg(long, value_name = "STAGE=TIME", value_delimiter = ',', value_parser = wait)]
    known_wait: Vec<(Stage, Duration)>,
    /// Take the runs of both sides as pairs, in the order named [default: pairs where the runs took turns]
    #[arg(long)]
    paired: bool,
}

/// Names the metrics that are meant where none is named.
fn also() -> String {
    let names: Vec<String> = Rules::usual().iter().map(ToString::to_string).collect();
    format!(
        "Further metrics that may fail the gate, together more rarely than the primary one [default: {}]",
        names.join(", ")
    )
}

impl RulesArgs {
    pub(super) fn rules(&self) -> Rules {
        let usual = Rules::default();
        let waits = self.known_wait.iter();
        let waits: BTreeMap<Stage, u64> = waits
            .map(|&(stage, wait)| (stage, units::us(wait)))
            .collect();
        Rules {
            primary: self.primary.clone(),
            others: if self.also.is_empty() {
                usual.others
            } else {
                self.also.clone()
            },
            relative_floor: self.limit,
            latency_floor_us: units::us(self.floor) as f64,
            known_waits_us: waits,
            ..usual
        }
    }

    pub(super) const fn pairing(&self) -> Pairing {
        if self.paired {
            Pairing::InOrder
        } else {
            Pairing::ByTime
        }
    }
}

/// `5%`, `0.05`: above 0, at most 1000 %.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let expected = || format!("expected a share such as 5% or 0.05, found \"{text}\"");
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let share: f64 = number.parse().map_err(|_not_a_number| expected())?;
    let share = share / unit;
    if share > 0.0 && share <= 10.0 {
        Ok(share)
    } else {
        Err(format!(
            "expected a share above 0 % and at most 1000 %, found \"{text}\""
        ))
    }
}

fn time(text: &str) -> Result<Duration, String> {
    units::parse_duration(text).map_err(|error| format!("expected {error}"))
}

fn wait(text: &str) -> Result<(Stage, Duration), String> {
    let (stage, wait) = text
        .split_once('=')
        .ok_or_else(|| format!("expected STAGE=TIME, found \"{text}\""))?;
    let named = Stage::from_name(stage);
    let stage = named.ok_or_else(|| format!("there is no stage \"{stage}\""))?;
    Ok((stage, time(wait)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_either_way() {
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("2.5 %"), Ok(0.025));
        assert_eq!(share("0.1"), Ok(0.1));
        for text in ["", "%", "-5%", "NaN", "inf", "0", "2000%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wait_is_of_a_stage() {
        assert_eq!(
            wait("complete=31ms"),
            Ok((Stage::Complete, Duration::from_millis(31)))
        );
        assert!(wait("complete").is_err());
        assert!(wait("nothing=1ms").is_err());
        assert!(wait("complete=1").is_err());
    }
}
