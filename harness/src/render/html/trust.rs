//! This module writes what the harness says about itself.
//!
//! **In:** `checks`, `lateness`, `generator`. **Out:** HTML: lateness over time, then every check.

use maud::{Markup, html};

use super::figure::figure;
use super::table::{Cell, Table};
use crate::format;
use crate::render::plot::Chart;
use crate::render::{view, words};
use crate::result::{CheckGroup, CheckResult, Generator, RunResult};

pub(crate) fn section(result: &RunResult, lateness: &Chart) -> Markup {
    let of = |group| {
        let all = view::checks(result).into_iter();
        all.filter(|check| check.group == group).collect::<Vec<_>>()
    };
    let (validity, correctness) = (of(CheckGroup::Validity), of(CheckGroup::Correctness));
    let service = of(CheckGroup::Service);
    html! {
        @if !validity.is_empty() {
            (checks(
                "The harness about itself. Any of these past its limit makes the run invalid (exit 13).",
                &validity,
            ))
        }
        @if !correctness.is_empty() {
            (checks("What every run is held to, expected or not (exit 14).", &correctness))
        }
        @if !service.is_empty() {
            (checks(
                "The work of every run, where the scenario does not say itself how much of it may fail (exit 10).",
                &service,
            ))
        }
        (figure(lateness))
        (harness(result))
    }
}

fn checks(caption: &str, checks: &[&CheckResult]) -> Markup {
    Table {
        caption: html! { (caption) },
        class: "stack checks",
        heads: Table::heads(&["Check", "Result", "Observed", "Limit"]),
        rows: checks.iter().map(|check| row(check)).collect(),
    }
    .markup()
}

fn row(check: &CheckResult) -> Vec<Cell> {
    vec![
        Cell::text(format::capital(&check.name)).found(&check.finding),
        Cell::status(check.status),
        Cell::observed(&check.observed, check.status),
        Cell::text(&check.bound),
    ]
}

/// Which process of the load was latest.
fn latest(of: &Generator) -> Option<(u16, u64)> {
    let shards = of.shards.iter();
    let late = shards.filter_map(|shard| Some((shard.number, shard.lateness_net.as_ref()?.p99_us)));
    late.max_by_key(|(_, p99_us)| *p99_us)
}

/// Delays and machine pauses that no check judges but a reader may want.
fn harness(result: &RunResult) -> Markup {
    let of = &result.generator;
    html! {
        div.card {
            dl.env {
                @if let Some(delay) = result.dispatch_delay {
                    dt { "Dispatch delay" }
                    dd {
                        "intended to actual send, waiting for the system included: p50 " (format::duration(delay.p50_us))
                        ", p99 " (format::duration(delay.p99_us)) ", max " (format::duration(delay.max_us))
                    }
                }
                @if let Some(lag) = result.receive_lag {
                    dt { "Receive lag" }
                    dd {
                        "kernel stamp to read: p50 " (format::duration(lag.p50_us)) ", p99 " (format::duration(lag.p99_us))
                        "; " (format::count(of.frames_unstamped)) " of " (format::count(of.frames_received)) " frames had no kernel stamp"
                    }
                }
                dt { "Machine pauses" }
                dd {
                    @if of.pauses.is_empty() {
                        "none over 5" (format::NBSP) "ms"
                    } @else {
                        (words::plural(of.pauses.len(), "pause")) ", " (format::duration(of.pause_total_us))
                        " in all, the longest " (format::duration(of.pause_max_us))
                        @if of.pauses_dropped > 0 { "; " (format::count(of.pauses_dropped)) " more not listed" }
                    }
                }
                @if let Some(wakes) = of.wakes.filter(|_| of.actual_sends > 0) {
                    dt { "Pacing" }
                    dd {
                        @match of.tick_us {
                            None => "each message at its moment",
                            Some(tick_us) => { "on a tick of " (format::duration(tick_us)) ", of which lateness has its part" }
                        }
                        "; " (format::count_f64(wakes as f64 / of.actual_sends as f64)) " wakes of a session thread per message, the ramp's and the drain's with them"
                    }
                }
                @if let Some(largest) = of.shards.iter().map(|shard| shard.clients).max() {
                    dt { "Processes of the load" }
                    dd {
                        (of.shards.len()) ", each with up to " (format::count(u64::from(largest))) " clients"
                        @if let Some((number, p99_us)) = latest(of) {
                            "; the latest was shard " (number) ", late p99 " (format::duration(p99_us))
                        }
                        @if let Some(spread) = of.start_spread {
                            "; they began within " (format::duration(spread.max_us)) " of each other, 95" (format::NBSP) "% of them within "
                            (format::duration(spread.p95_us))
                            @if spread.paused > 0 {
                                ", and " (spread.paused) " whose machine stood still within " (format::duration(spread.max_with_paused_us))
                            }
                            @if spread.clock_error_us > 0 { ", as far as clocks tell: to " (format::duration(spread.clock_error_us)) }
                        }
                    }
                }
                dt { "Lanes" }
                dd { (of.lanes) ", the busiest " (format::percent(of.lane_busy_ratio_max)) " of a core over 5" (format::NBSP) "s" }
            }
        }
    }
}
