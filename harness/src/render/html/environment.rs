//! This module writes where the run took place and how to repeat it.
//!
//! **In:** `run`, `generator`, `server`, `goose`. **Out:** HTML.

use maud::{Markup, html};

use crate::format;
use crate::render::{file, words};
use crate::result::{RunResult, ServerAccount};

/// Digits of the plan's hash that are shown.
const HASH_DIGITS: usize = 12;

pub(crate) fn section(result: &RunResult) -> Markup {
    let (run, host, of) = (&result.run, &result.run.host, &result.generator);
    let load = host
        .load_average
        .map(|value| format!("{value:.2}"))
        .join(", ");
    html! {
        div.card {
            dl.env {
                dt { "Host" }
                dd {
                    (words::plural(host.cores as usize, "core")) ", " (format::bytes(host.memory_bytes))
                    ", " (format::harmless(&host.kernel)) "; load before the run " (load)
                    "; " (format::count(host.file_limit)) " files per process"
                }
                dt { "Harness" }
                dd {
                    "harness " (format::harmless(&run.harness_version))
                    @if let Some(commit) = &run.commit { " (" (format::harmless(commit)) ")" }
                    "; CPU " (format::seconds(of.cpu_seconds)) ", memory peak " (format::bytes(of.rss_peak_bytes))
                    ", " (format::count(of.fds_peak)) " files"
                }
                dt { "Target" }
                dd {
                    (format::harmless(&host.target))
                    @if let Some(version) = &host.target_version { ", " (format::harmless(version)) }
                    @if !result.plan.environment.server.defects.is_empty() {
                        "; defects switched on: " code { (format::harmless(&result.plan.environment.server.defects.join(", "))) }
                    }
                    @if let Some(server) = &result.server { (account(server)) }
                }
                @if let Some(redis) = &host.redis_version {
                    dt { "Redis" }
                    dd { (format::harmless(redis)) }
                }
                @if !host.links.is_empty() {
                    dt { "Links" }
                    dd { (format::harmless(&host.links.join("; "))) }
                }
                @if !result.goose.requests.is_empty() {
                    dt { "goose" }
                    dd { (goose(result)) }
                }
                dt { "Plan" }
                dd { "sha256 " code { (run.plan_hash.chars().take(HASH_DIGITS).collect::<String>()) "…" } ", seed " (run.seed) }
            }
        }
    }
}

fn account(server: &ServerAccount) -> Markup {
    html! {
        @if let Some(cpu) = server.cpu_seconds { "; CPU " (format::seconds(cpu)) }
        @if let Some(rss) = server.rss_peak_bytes { ", memory peak " (format::bytes(rss)) }
    }
}

/// goose's own counts, to be held against ours.
fn goose(result: &RunResult) -> String {
    let users = format!("{} users", format::count(result.goose.users));
    let requests = result.goose.requests.iter().map(|(name, of)| {
        format!(
            "{}: {} ok, {} failed",
            format::harmless(name),
            format::count(of.ok),
            format::count(of.failed)
        )
    });
    [users]
        .into_iter()
        .chain(requests)
        .collect::<Vec<_>>()
        .join("; ")
}

pub(crate) fn again(result: &RunResult) -> Markup {
    html! {
        div.card {
            p.say { "Same plan and seed: the same intended sends, the same faults." }
            pre { (format::harmless(&result.run.command)) }
            h3.gap { "Beside this page" }
            p.files {
                @for (place, file) in file::BESIDE_PAGE.into_iter().enumerate() {
                    @if place > 0 { " " }
                    a href=(file) { (file) }
                }
            }
        }
    }
}
