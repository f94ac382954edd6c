//! This module says what the rows of the block say.
//!
//! **In:** what is seen now. **Out:** rows whose fields have a tone: red is what is broken, amber what is going on.

use serde::Serialize;

use super::expected::{Standing, State};
use super::now::{FaultNow, Now, Phase};
use super::row::{Field, Row};
use super::text::{Text, Tone};
use super::view::Glyphs;
use crate::format;
use crate::plan::{Plan, PlannedFault};
use crate::units::US_PER_S;

/// Lines of a row of counts, and of what is expected.
const COUNTS_LINES: usize = 2;
const EXPECTED_LINES: usize = 3;
/// Idle share of the machine below which latencies say less and less about the server.
const IDLE_LOW: f64 = 0.1;

/// How a limit begins that is met by one value only.
const EQUALS: &str = "=\u{a0}";

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Progress {
    pub phase: &'static str,
    /// `21.5 of 50 s`: the drain has a time of its own, after the load.
    pub time: String,
    pub percent: String,
    pub ratio: f64,
    /// `ends in 28 s`, `(+10 s drain)`.
    pub ends: Vec<String>,
}

impl Progress {
    pub(super) fn of(plan: &Plan, now: &Now) -> Self {
        let load_us = plan.load.load_us();
        let (at_us, of_us) = match now.at_us.checked_sub(load_us) {
            Some(at_us) if now.phase == Phase::Drain => (at_us, plan.load.drain_us),
            _ => (now.at_us, load_us),
        };
        // Whole seconds: they count down.
        let left = of_us.saturating_sub(at_us).div_ceil(US_PER_S);
        let ends = match now.phase {
            Phase::Drain => vec![format!("ends within {left} s")],
            Phase::Ramp | Phase::RampDown | Phase::Hold => {
                let drain = seconds(plan.load.drain_us);
                vec![format!("ends in {left} s"), format!("(+{drain} s drain)")]
            }
        };
        let ratio = (at_us as f64 / of_us.max(1) as f64).min(1.0);
        Self {
            phase: now.phase.text(),
            time: format!("{} of {} s", format::rough_stamp(at_us), seconds(of_us)),
            percent: format::plain(&format::percent(ratio)),
            ratio,
            ends,
        }
    }
}

/// `50`, or `0.5` where it is less than whole.
fn seconds(us: u64) -> String {
    if us.is_multiple_of(1_000_000) {
        (us / 1_000_000).to_string()
    } else {
        format::rough_stamp(us)
    }
}

/// The rows of the block below its lanes.
pub(super) fn rows(now: &Now, glyphs: Glyphs) -> Vec<Row> {
    let first = [latency(now), clients(now), messages(now)];
    let rows = first.into_iter().chain(expected(now, glyphs));
    rows.chain([errors(now), machine(now)]).collect()
}

fn number(tone: Tone, count: u64, word: &str) -> Text {
    Text::of(tone, format!("{} {word}", format::count(count)))
}

/// Red where there is one.
fn none_or(tone: Tone, count: u64) -> Tone {
    if count > 0 { tone } else { Tone::Plain }
}

fn clients(now: &Now) -> Row {
    let count = format::count;
    let cut: u64 = now.cut.iter().map(|&(_, count)| count).sum();
    // In the drain everybody is to go; how many the plan wants is no news.
    let open = if now.phase == Phase::Drain {
        Field::one(format!("{} open", count(now.open)))
    } else {
        Field::new(
            format!("{} open of {}", count(now.open), count(now.wanted)),
            format!("{}/{} open", count(now.open), count(now.wanted)),
        )
    };
    let again = none_or(Tone::Warn, now.reconnecting);
    let mut cuts = number(none_or(Tone::Bad, cut), cut, "cut");
    let short = cuts.clone();
    if let Some((code, count)) = now.cut.first() {
        cuts.add(
            Tone::Plain,
            &format!(" ({code}: {})", format::count(*count)),
        );
    }
    let mut fields = vec![
        open,
        Field::new(
            number(again, now.reconnecting, "reconnecting"),
            number(again, now.reconnecting, "reconn."),
        ),
        Field::new(cuts, short),
    ];
    if now.failed > 0 {
        fields.push(Field::one(number(Tone::Bad, now.failed, "gave up")));
    }
    fields.push(Field::one(format!(
        "connects {}",
        format::rate(now.rates.connects)
    )));
    fields.push(Field::one(format!(
        "tokens {}",
        format::rate(now.rates.tokens)
    )));
    Row::new("clients", fields, COUNTS_LINES)
}

fn messages(now: &Now) -> Row {
    let (sent, done) = (
        format::rate(now.rates.sent),
        format::rate(now.rates.completed),
    );
    let waiting = number(Tone::Plain, now.waiting, "waiting");
    let oldest = now.oldest_us.map_or_else(String::new, |us| {
        format!(", oldest {}", format::duration(us))
    });
    let fields = vec![
        Field::one(format!("{sent} sent")),
        Field::one(format!("{done} done")),
        Field::one(waiting.and(Tone::Plain, &oldest)),
        total(now),
    ];
    Row::new("messages", fields, COUNTS_LINES)
}

/// What was sent is what became of it.
fn total(now: &Now) -> Field {
    let of = now.totals;
    let sent = format!("total {} sent", format::count(of.sent));
    let mut long = Text::from(format!("{sent} = "));
    long.join(&number(Tone::Plain, of.completed, "done"));
    for (count, word) in [
        (of.refused, "refused"),
        (of.unanswered, "unanswered"),
        (of.lost, "lost"),
    ] {
        if count > 0 {
            long.add(Tone::Plain, " + ");
            long.join(&number(Tone::Bad, count, word));
        }
    }
    if now.waiting > 0 {
        long.add(Tone::Plain, " + ");
        long.join(&number(Tone::Plain, now.waiting, "waiting"));
    }
    Field::new(long, sent)
}

fn latency(now: &Now) -> Row {
    let fields = vec![
        Field::one(format!("p50 {}", format::duration_or_none(now.p50_us))),
        Field::one(format!("p99 {}", format::duration_or_none(now.p99_us))),
        Field::new(
            Text::of(Tone::Dim, "of what was completed in the last second"),
            Text::of(Tone::Dim, "last second"),
        ),
    ];
    Row::new("latency", fields, 1)
}

/// What is broken comes first: it must not be what is left out.
fn expected(now: &Now, glyphs: Glyphs) -> Option<Row> {
    if now.expected.is_empty() {
        return None;
    }
    let mut sorted: Vec<&Standing> = now.expected.iter().collect();
    sorted.sort_by_key(|of| !matches!(of.state, State::Broke { .. }));
    let fields = sorted.into_iter().map(|of| expectation(of, glyphs));
    Some(Row::new("expect", fields.collect(), EXPECTED_LINES))
}

fn expectation(of: &Standing, glyphs: Glyphs) -> Field {
    let (held, broke) = match glyphs {
        Glyphs::Blocks => ("✓", "✗"),
        Glyphs::Ascii => ("+", "x"),
    };
    let what = if of.when.is_empty() {
        of.what.clone()
    } else {
        format!("{} {}", of.what, of.when)
    };
    let said = |name: &str, observed: &str, (tone, mark): (Tone, &str)| {
        // `lost 0 = 0` says the same twice.
        let limit = if of.limit.strip_prefix(EQUALS) == Some(observed) {
            String::new()
        } else {
            format!(" {}", of.limit)
        };
        Text::from(format!("{name} {observed}{limit}")).and(tone, &format!(" {mark}"))
    };
    let both = |observed: &str, (tone, mark): (Tone, &str)| {
        // The mark first: what is cut off is cut off at the end.
        let short = Text::of(tone, format!("{mark} "));
        Field::new(
            said(&what, observed, (tone, mark)),
            short.and(Tone::Plain, &format!("{} {observed}", of.what)),
        )
    };
    match &of.state {
        State::Holds { observed } => both(observed, (Tone::Good, held)),
        State::Broke { observed } => both(observed, (Tone::Bad, broke)),
        State::Pending { observed } => Field::one(said(&what, observed, (Tone::Dim, "yet"))),
        State::Few { seen, needs } => {
            let (seen, needs) = (format::count(*seen), format::count(*needs));
            Field::new(
                Text::of(Tone::Dim, format!("{what} ({seen} of {needs} samples)")),
                Text::of(Tone::Dim, format!("{} ({seen} of {needs})", of.what)),
            )
        }
        State::Later => Field::new(
            Text::of(Tone::Dim, format!("{what} {}", format::NONE)),
            Text::of(Tone::Dim, format!("{} {}", of.what, format::NONE)),
        ),
    }
}

fn errors(now: &Now) -> Row {
    let each = now.errors.iter();
    let mut each: Vec<Field> = each
        .map(|&(label, count)| Text::of(Tone::Bad, format!("{label} {}", format::count(count))))
        .map(Field::one)
        .collect();
    if each.is_empty() {
        each.push(Field::one(Text::of(Tone::Dim, "none")));
    }
    Row::new("errors", each, COUNTS_LINES)
}

fn machine(now: &Now) -> Row {
    let of = now.machine;
    let mut fields = Vec::new();
    if let Some((cores, bytes)) = of.server {
        let (cpu, memory) = (format::percent(cores), format::bytes(bytes));
        fields.push(Field::new(
            format!("server {cpu} cpu {memory}"),
            format!("server {cpu}"),
        ));
    }
    if let Some(cores) = of.own_cores {
        let cpu = format::percent(cores);
        fields.push(Field::new(
            format!("harness {cpu} cpu"),
            format!("harness {cpu}"),
        ));
    }
    let late = format::duration_or_none(now.lateness_p99_us);
    let busy = format::percent(now.busy_ratio);
    fields.push(Field::new(
        format!("late p99 {late}, lane {busy}"),
        format!("late p99 {late}"),
    ));
    if let Some((idle, cores)) = of.idle {
        let tone = if idle < IDLE_LOW {
            Tone::Warn
        } else {
            Tone::Plain
        };
        let cores = format::count_f64(cores);
        fields.push(Field::new(
            Text::of(
                tone,
                format!("{} of {cores} cores idle", format::percent(idle)),
            ),
            Text::of(tone, format!("{} idle", format::percent(idle))),
        ));
    }
    Row::new("machine", fields, COUNTS_LINES)
}

/// What the fault that was heard of last is about, else what comes next.
pub(super) fn fault(plan: &Plan, now: &Now, states: &[FaultNow]) -> Text {
    let events = plan.faults.iter().zip(states);
    let heard = events.filter_map(|(planned, state)| Some((state.latest_us()?, planned, state)));
    match heard.max_by_key(|(at_us, _, _)| *at_us) {
        Some((_, planned, state)) => going_on(planned, state, now.at_us),
        None => coming(plan, now.at_us),
    }
}

fn going_on(planned: &PlannedFault, state: &FaultNow, at_us: u64) -> Text {
    let name = format::harmless(&planned.name);
    let since = |us: u64| format::duration(at_us.saturating_sub(us));
    let unconfirmed = ", not confirmed yet";
    let said = match *state {
        FaultNow {
            heal_confirmed_us: Some(us),
            ..
        } => format!("healed, confirmed {} ago", since(us)),
        FaultNow {
            healed_us: Some(us),
            ..
        } => format!("healed {} ago{unconfirmed}", since(us)),
        FaultNow {
            injected_us: Some(us),
            confirmed_us,
            ..
        } => {
            let confirmed = if confirmed_us.is_some() {
                ", confirmed"
            } else {
                unconfirmed
            };
            if planned.condition || planned.for_us == 0 {
                format!("in force for {}{confirmed}", since(us))
            } else {
                let all = format::round_duration(planned.for_us as f64);
                format!("in force for {} of {all}{confirmed}", since(us))
            }
        }
        _ => "begins".to_owned(),
    };
    let tone = if state.in_force() {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let text = Text::of(tone, format!("{name} {said}"));
    match state.problem.as_deref() {
        Some(problem) => text.and(Tone::Bad, &format!("; {}", format::harmless(problem))),
        None => text,
    }
}

fn coming(plan: &Plan, at_us: u64) -> Text {
    let mut coming = plan.faults.iter();
    let next = coming.find(|planned| planned.at_us >= at_us);
    next.map_or_else(
        || Text::of(Tone::Dim, "none"),
        |next| {
            let name = format::harmless(&next.name);
            Text::from(format!(
                "{name} in {}",
                format::duration(next.at_us - at_us)
            ))
        },
    )
}
