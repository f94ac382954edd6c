//! This module writes the rows of the block that are text.
//!
//! **In:** what is seen now, and how wide the terminal is. **Out:** a label and its fields, in as
//! many lines as they need.

use super::now::{FaultNow, Now, Phase};
use crate::format;
use crate::plan::{Plan, PlannedFault};

/// Where the text behind a label begins.
pub(super) const LEAD: usize = 10;
/// Errors named in one line.
const ERRORS_MAX: usize = 4;

/// Columns of a text.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// A label with its fields, `gap` apart where they fit into one line, else closer, else in several
/// lines.
pub(super) fn flow(label: &str, fields: &[String], gap: usize, width: usize) -> Vec<String> {
    let lead = if label.is_empty() {
        String::new()
    } else {
        format!(" {label:<9}")
    };
    let room = width.saturating_sub(lead.len());
    let wide = fields.join(&" ".repeat(gap));
    if columns(&wide) <= room {
        return vec![lead + &wide];
    }
    let near = " ".repeat(gap.min(2));
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for field in fields {
        let field = field.trim_end();
        if !line.is_empty() && columns(&line) + near.len() + columns(field) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push_str(&near);
        }
        line.push_str(field);
    }
    lines.push(line);
    let indent = " ".repeat(lead.len());
    let place = |(place, line): (usize, String)| match place {
        0 => format!("{lead}{line}"),
        _ => format!("{indent}{line}"),
    };
    lines.into_iter().enumerate().map(place).collect()
}

/// A sentence, broken between its words.
fn sentence(label: &str, text: &str, width: usize) -> Vec<String> {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    flow(label, &words, 1, width)
}

pub(super) fn clients(now: &Now, width: usize) -> Vec<String> {
    let count = format::count;
    let cut: u64 = now.cut.iter().map(|&(_, count)| count).sum();
    let codes = now.cut.first().map_or_else(String::new, |(code, count)| {
        format!(" ({code}: {})", format::count(*count))
    });
    // In the drain everybody is to go; how many the plan wants is no news.
    let open = if now.phase == Phase::Drain {
        format!("{} open", count(now.open))
    } else {
        format!("{} open of {}", count(now.open), count(now.wanted))
    };
    let mut fields = vec![
        open,
        format!("{} reconnecting", count(now.reconnecting)),
        format!("{} cut{codes}", count(cut)),
    ];
    if now.failed > 0 {
        fields.push(format!("{} gave up", count(now.failed)));
    }
    flow("clients", &fields, 6, width)
}

pub(super) fn messages(now: &Now, width: usize) -> Vec<String> {
    let mut fields = vec![
        format!("{} sent", format::rate(now.sent_per_s)),
        format!("{} completed", format::rate(now.completed_per_s)),
        format!("{} waiting", format::count(now.waiting)),
    ];
    let oldest = now.oldest_us.map(|us| plain(Some(us)));
    fields.extend(oldest.map(|oldest| format!("oldest {oldest}")));
    flow("messages", &fields, 4, width)
}

pub(super) fn latency(now: &Now, width: usize) -> Vec<String> {
    let fields = [
        format!("p50 {:<12}", plain(now.p50_us)),
        format!("p99 {:<16}", plain(now.p99_us)),
        "last second, complete".to_owned(),
    ];
    flow("latency", &fields, 1, width)
}

pub(super) fn errors(now: &Now, width: usize) -> Vec<String> {
    let labels = now.errors.iter().take(ERRORS_MAX);
    let each: Vec<String> = labels
        .map(|&(label, count)| format!("{label} {}", format::count(count)))
        .collect();
    if each.is_empty() {
        return flow("errors", &["none".to_owned()], 3, width);
    }
    flow("errors", &each, 3, width)
}

pub(super) fn harness(now: &Now, width: usize) -> Vec<String> {
    let fields = [
        format!("late p99 {}", plain(now.lateness_p99_us)),
        format!("lane {}", format::plain(&format::percent(now.busy_ratio))),
    ];
    flow("harness", &fields, 3, width)
}

/// What the fault that was heard of last is about, else what comes next.
pub(super) fn faults(plan: &Plan, now: &Now, states: &[FaultNow], width: usize) -> Vec<String> {
    let events = plan.faults.iter().zip(states);
    let heard = events.filter_map(|(planned, state)| Some((state.latest_us()?, planned, state)));
    let text = match heard.max_by_key(|(at_us, _, _)| *at_us) {
        Some((_, planned, state)) => going_on(planned, state, now.at_us),
        None => coming(plan, now.at_us),
    };
    sentence("fault", &text, width)
}

fn going_on(planned: &PlannedFault, state: &FaultNow, at_us: u64) -> String {
    let name = format::harmless(&planned.name);
    let since = |us: u64| plain(Some(at_us.saturating_sub(us)));
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
                ""
            } else {
                unconfirmed
            };
            if planned.condition || planned.for_us == 0 {
                format!("in force for {}{confirmed}", since(us))
            } else {
                let all = format::plain(&format::round_duration(planned.for_us as f64));
                format!("in force for {} of {all}{confirmed}", since(us))
            }
        }
        _ => "begins".to_owned(),
    };
    let problem = state.problem.as_deref();
    let problem = problem.map_or_else(String::new, |problem| {
        format!("; {}", format::harmless(problem))
    });
    format!("{name} {said}{problem}")
}

fn coming(plan: &Plan, at_us: u64) -> String {
    let mut coming = plan.faults.iter();
    let next = coming.find(|planned| planned.at_us >= at_us);
    next.map_or_else(
        || "none".to_owned(),
        |next| {
            let name = format::harmless(&next.name);
            format!("{name} in {}", plain(Some(next.at_us - at_us)))
        },
    )
}

fn plain(us: Option<u64>) -> String {
    format::plain(&format::duration_or_none(us))
}
