//! This module says, before a run, which of its questions it will hardly be able to answer.
//!
//! **In:** a plan. **Out:** [`Doubt`]s: what is expected of a latency that will have too few samples, a trial that
//! cannot be repeated often enough, a rule that can never end the run; each with what to change. The same words
//! serve after the run, with the samples that there were. No doubt is an error: the run can be done all the same.

use super::samples::{Samples, lacks};
use super::{Plan, TrialPlan};
use crate::format;
use crate::scenario::expectation::{AbortRule, Expectation, Quantity, Statistic, TimeKind, When};
use crate::scenario::server_count::ServerCount;
use crate::scenario::stages::CLIENTS_MAX;
use crate::stage::Stage;
use crate::units;

/// A proposal that needs more than so many times the clients is none.
const GROWTH_MAX: f64 = 100.0;

/// Something that the run of a plan will hardly be able to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Line of the scenario, from 1; 0 where it did not come from the file.
    pub line: u32,
    pub fact: String,
    /// What to change.
    pub cure: Option<String>,
}

/// All of a plan.
pub(crate) fn doubts(plan: &Plan) -> Vec<Doubt> {
    let samples = Samples::of(plan);
    let expected = plan.expect.iter();
    let expected = expected.filter_map(|expected| of_expectation(plan, &samples, expected));
    let rules = plan.abort_when.iter();
    let rules = rules.filter_map(|rule| of_rule(plan, &samples, rule));
    let trials = plan.trials.iter().filter_map(|trial| of_trial(plan, trial));
    expected.chain(rules).chain(trials).collect()
}

fn of_expectation(plan: &Plan, samples: &Samples<'_>, expected: &Expectation) -> Option<Doubt> {
    let doubt = |fact: String, cure: Option<String>| Doubt {
        line: expected.line,
        fact: format!("{}: {fact}", title(expected)),
        cure,
    };
    let memory = Quantity::Server {
        count: ServerCount::MemoryGrowth,
    };
    if expected.what == memory && plan.load.ramp_end_us() > plan.load.load_us() / 4 {
        let fact = "clients come for more than a quarter of the load, and memory is compared from the second \
                    quarter on: it can only end inconclusive";
        return Some(doubt(
            fact.to_owned(),
            Some("hold the load longer".to_owned()),
        ));
    }
    let Quantity::Latency {
        stage,
        statistic,
        time,
    } = expected.what
    else {
        return None;
    };
    let count = samples.expected(stage, time, &expected.when, 0);
    let needed = statistic.needs();
    if count >= needed as f64 {
        return None;
    }
    let seen = units::rounded(count);
    // Twice the deviation of what comes at random: past it, luck does not help either. What a server does of
    // its own accord is not known.
    let certain = count + 2.0 * count.sqrt() < needed as f64
        && !matches!(stage, Stage::Reconnect | Stage::Silence);
    let end = if certain { "can only" } else { "may well" };
    let lack = lacks(plan, stage);
    let why = lack.map_or_else(String::new, |lack| format!(" ({lack})"));
    let fact = format!(
        "about {} to be expected{why}, and {}: it {end} end inconclusive",
        plural(seen),
        demand(statistic)
    );
    let cure = match lack {
        Some(_) => Some("take the entry out".to_owned()),
        None => cure_of(plan, expected, seen),
    };
    Some(doubt(fact, cure))
}

fn of_rule(plan: &Plan, samples: &Samples<'_>, rule: &AbortRule) -> Option<Doubt> {
    let Quantity::Latency { stage, time, .. } = rule.expectation.what else {
        return None;
    };
    let when = &rule.expectation.when;
    let count = samples.expected(stage, time, when, rule.after_us);
    if count >= rule.min_samples as f64 {
        return None;
    }
    let fact = format!(
        "abort_when {}: about {} to be expected, and it is looked at from {} on: it can hardly end the run",
        title(&rule.expectation),
        plural(units::rounded(count)),
        format::count(rule.min_samples)
    );
    let cure = match lacks(plan, stage) {
        Some(reason) => reason.to_owned(),
        None => {
            "ask for fewer (min_samples), for more clients, or for another statistic".to_owned()
        }
    };
    Some(Doubt {
        line: rule.expectation.line,
        fact,
        cure: Some(cure),
    })
}

/// An experiment lasts as long as what it waits for, and no two of one account overlap.
fn of_trial(plan: &Plan, trial: &TrialPlan) -> Option<Doubt> {
    let each = plan.load.load_us() / (trial.interval_us + trial.kind.waits_us()).max(1) + 1;
    let most = each.saturating_mul(u64::from(trial.concurrency));
    if most >= trial.min_samples {
        return None;
    }
    Some(Doubt {
        line: 0,
        fact: format!(
            "trial {}: {} at most, and {} must have a clear outcome: it can only end inconclusive",
            trial.name,
            experiments(most),
            format::count(trial.min_samples)
        ),
        cure: Some(
            "hold the load longer, try more at once (concurrency), or ask for fewer (min_samples)"
                .to_owned(),
        ),
    })
}

fn experiments(count: u64) -> String {
    match count {
        1 => "1 experiment".to_owned(),
        count => format!("{} experiments", format::count(count)),
    }
}

/// `1 sample`, `23 samples`.
pub(crate) fn plural(count: u64) -> String {
    match count {
        1 => "1 sample".to_owned(),
        count => format!("{} samples", format::count(count)),
    }
}

/// `a p99 needs 100`.
pub(crate) fn demand(statistic: Statistic) -> String {
    format!(
        "a {} needs {}",
        statistic.name(),
        format::count(statistic.needs())
    )
}

/// The quantity with its part of the run.
fn title(expected: &Expectation) -> String {
    match &expected.when {
        When::WholeRun => expected.what.text(),
        when => format!("{} {}", expected.what.text(), when.text()),
    }
}

/// What to change so that an expectation has enough samples, where so many are too few.
pub(crate) fn cure_of(plan: &Plan, expected: &Expectation, seen: u64) -> Option<String> {
    let Quantity::Latency {
        stage,
        statistic,
        time,
    } = expected.what
    else {
        return None;
    };
    let mut ways = Vec::new();
    ways.extend(more_clients(plan, statistic.needs(), seen));
    if seen > 0 {
        ways.push(match &expected.when {
            When::During { fault: name } | When::Stage { name } => {
                format!("let {name} last longer")
            }
            When::Ramp => "ramp up to more clients".to_owned(),
            When::WholeRun | When::OutsideFaults => "hold the load longer".to_owned(),
        });
    }
    if seen > 0 && statistic.needs() > 1 {
        let service = match time {
            TimeKind::Service => " service",
            TimeKind::Response => "",
        };
        ways.push(format!("expect `{} max{service}`", stage.name()));
    }
    if ways.is_empty() {
        let why = if matches!(stage, Stage::Reconnect | Stage::Silence) {
            "it is timed where a socket is cut: add a fault that cuts some, or take the entry out"
        } else {
            "hold the load longer, or take the entry out"
        };
        return Some(why.to_owned());
    }
    let last = ways.pop()?;
    Some(if ways.is_empty() {
        last
    } else {
        format!("{}, or {last}", ways.join(", "))
    })
}

/// As many clients, in proportion, as bring the samples that are needed and a tenth more.
fn more_clients(plan: &Plan, needed: u64, seen: u64) -> Option<String> {
    let factor = 1.1 * needed as f64 / seen as f64;
    if seen == 0 || factor > GROWTH_MAX {
        return None;
    }
    let wanted = units::rounded((f64::from(plan.load.clients) * factor).ceil());
    let step = 10_u64.pow(wanted.max(1).ilog10().saturating_sub(1));
    let wanted = wanted.next_multiple_of(step);
    (wanted <= u64::from(CLIENTS_MAX)).then(|| format!("run it with --clients {wanted} or more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    fn of(text: &str, overrides: &Overrides) -> Vec<Doubt> {
        doubts(&compile("x.toml", text, overrides).unwrap())
    }

    const OUTAGE: &str = include_str!("../../../scenarios/redis-outage.toml");

    fn clients(clients: u32) -> Overrides {
        Overrides {
            clients: Some(clients),
            ..Overrides::default()
        }
    }

    #[test]
    fn an_outage_with_few_clients_cannot_tell_how_long_its_token_requests_take() {
        assert_eq!(of(OUTAGE, &Overrides::default()), []);
        let found = of(OUTAGE, &clients(300));
        let [doubt] = found.as_slice() else {
            panic!("{found:?}")
        };
        let line = OUTAGE
            .lines()
            .position(|line| line.contains("token p99 service"));
        assert_eq!(doubt.line as usize, line.unwrap() + 1);
        assert!(
            doubt
                .fact
                .starts_with("token p99 service during redis-down: about ")
                && doubt.fact.ends_with(
                    " samples to be expected, and a p99 needs 100: it can only end inconclusive"
                ),
            "{}",
            doubt.fact
        );
        let cure = doubt.cure.as_deref().unwrap();
        assert!(cure.starts_with("run it with --clients 1"), "{cure}");
        assert!(cure.ends_with("or expect `token max service`"), "{cure}");
        // The cure is one.
        let wanted = cure.split(' ').find_map(|word| word.parse().ok());
        assert_eq!(of(OUTAGE, &clients(wanted.unwrap())), []);
    }

    #[test]
    fn messages_are_counted_where_they_are_intended() {
        let text = "[load]\nclients = 10\nramp = '10s'\nhold = '20s'\nmessage = { every = '1s' }\n\
            [[fault]]\nname = 'down'\nat = '12s'\nfor = '4s'\nlink = 'redis'\nkind = 'down'\n";
        let plan = compile("x.toml", text, &Overrides::default()).unwrap();
        let samples = Samples::of(&plan);
        let count = |when: When| {
            let (stage, time) = (Stage::Complete, TimeKind::Response);
            units::rounded(samples.expected(stage, time, &when, 0))
        };
        let during = When::During {
            fault: "down".to_owned(),
        };
        let parts = [When::WholeRun, When::Ramp, When::OutsideFaults, during];
        assert_eq!(parts.map(count), [250, 50, 210, 40]);
    }

    #[test]
    fn sessions_come_with_clients_with_reconnectors_and_after_a_cut() {
        let text = "[environment]\nproxies = ['edge']\n[load]\nclients = 20\nramp = '10s'\nhold = '30s'\n\
            mix = { lurker = 10, reconnector = 10 }\nheartbeat = '4s'\n[load.reconnector]\nevery = '2s'\n\
            [[fault]]\nname = 'cut'\nat = '20s'\nlink = 'edge'\nkind = 'reset_now'\n";
        let plan = compile("x.toml", text, &Overrides::default()).unwrap();
        let samples = Samples::of(&plan);
        let count = |stage: Stage, when: &When| {
            units::rounded(samples.expected(stage, TimeKind::Response, when, 0))
        };
        let cut = When::During {
            fault: "cut".to_owned(),
        };
        // A second of five leavings, and everybody once more.
        assert_eq!(count(Stage::SessionReady, &cut), 25);
        assert_eq!(count(Stage::Reconnect, &When::WholeRun), 20);
        assert_eq!(count(Stage::Reconnect, &When::OutsideFaults), 0);
        // A reconnector never stays for one of its heartbeats; a lurker does for seven to ten.
        let beats = count(Stage::Heartbeat, &When::WholeRun);
        assert!((75..=100).contains(&beats), "{beats}");
    }

    #[test]
    fn what_the_plan_cannot_bring_is_said_with_the_reason() {
        let text = "[load]\nclients = 5\nhold = '20s'\nsession = { credential = 'cookie' }\n\
            [[expect]]\nwhat = 'token max'\nunder = '1s'\n\
            [[expect]]\nwhat = 'reconnect p50'\nunder = '1s'\n\
            [[expect]]\nwhat = 'server memory growth'\nat_most = 1\n\
            [[abort_when]]\nwhat = 'complete p99'\nat_least = '5s'\n\
            [[abort_when]]\nwhat = 'lost'\nat_least = 5\n\
            [[trial]]\nkind = 'comeback'\naway = '2s'\nmin_samples = 9\n";
        let found = of(text, &Overrides::default());
        let facts: Vec<&str> = found.iter().map(|doubt| doubt.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "token max: about 0 samples to be expected (no connection tokens are asked for), and a max needs 1: it can only end inconclusive",
                "reconnect p50: about 0 samples to be expected, and a p50 needs 2: it may well end inconclusive",
                "abort_when complete p99: about 21 samples to be expected, and it is looked at from 500 on: it can hardly end the run",
            ]
        );
        assert_eq!(found[0].cure.as_deref(), Some("take the entry out"));
        assert!(
            found[1]
                .cure
                .as_deref()
                .unwrap()
                .contains("a socket is cut")
        );
        let short = of(
            &text
                .replace("20s", "4s")
                .replace("hold", "ramp = '2s'\nhold"),
            &Overrides::default(),
        );
        let of_these = |start: &str| short.iter().any(|doubt| doubt.fact.starts_with(start));
        assert!(
            of_these("server memory growth") && of_these("trial comeback: 3 experiments at most"),
            "{short:?}"
        );
    }

    #[test]
    fn every_shipped_scenario_can_answer_what_it_asks() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(of(&text, &Overrides::default()), [], "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen} scenarios");
    }
}
