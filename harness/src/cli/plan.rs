//! This module is `harness plan`: what a run would do, as a scenario with every default filled in.
//!
//! The chart and the figures stand in comments, so that the output can itself be run; what the run will hardly be
//! able to answer is told on stderr.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::chart;
use super::failure::Failure;
use super::overrides::OverrideArgs;
use super::{read, warning};
use crate::environment::open_files;
use crate::exit::Exit;
use crate::format::count;
use crate::plan::{self, BuiltIn, Plan, estimate};
use crate::scenario::address;
use crate::scenario::protocol::Laid;
use crate::units;

#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    /// Scenario file
    scenario: PathBuf,
    #[command(flatten)]
    overrides: OverrideArgs,
}

pub(super) fn run(args: &PlanArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let overrides = args.overrides.overrides();
    let plan = read::plan(&args.scenario, &overrides)?;
    let laid = read::laid(&args.scenario, &overrides)?;
    let toml = plan::to_toml(&plan);
    let (question, rest) = match toml.split_once("\n\n") {
        Some((question, rest)) if question.starts_with('#') => (question, rest),
        _ => ("", toml.as_str()),
    };
    if !question.is_empty() {
        writeln!(out, "{question}")?;
    }
    let laid = laid.as_ref().map(protocol).unwrap_or_default();
    let lines = summary(&plan, laid);
    for line in lines.iter().chain(&chart::lines(&plan)) {
        writeln!(out, "{}", format!("# {line}").trim_end())?;
    }
    writeln!(out, "\n{rest}")?;
    out.flush()?;
    warning::tell(&plan);
    Ok(Exit::Pass)
}

/// What the run sends and needs, in a few lines.
fn summary(plan: &Plan, protocol: Vec<String>) -> Vec<String> {
    // Without a limit to go by, the run will say what is wrong; a plan starts nothing.
    let limit = open_files().unwrap_or(u64::MAX);
    let shards = estimate::shards(plan, limit);
    let target = plan.environment.target.as_deref();
    let host = target.and_then(address::host);
    let is_here = target.is_none() || host.is_some_and(|host| address::is_loopback(&host));
    let needs = estimate::needs(plan, (shards, is_here));
    let sends = estimate::sends(plan);
    let mut lines = vec![
        String::new(),
        format!("from {}, plan {}", plan.scenario, &plan::hash(plan)[..12]),
        format!(
            "{} clients, {} of load and up to {} of drain",
            count(u64::from(plan.load.clients)),
            units::print_us(plan.load.load_us()),
            units::print_us(plan.load.drain_us)
        ),
    ];
    lines.extend(protocol);
    if sends.total > 0 {
        let rate = units::print_rate(sends.per_s_max);
        lines.push(format!(
            "about {} messages, {rate} with all clients",
            count(sends.total)
        ));
        lines.push(pacing(plan));
    }
    lines.push(processes(plan, (shards, limit)));
    lines.push(format!(
        "needs {} ports of an address and {} of memory",
        count(needs.ports),
        units::print_bytes(needs.memory_bytes)
    ));
    lines.extend(edge(plan));
    let held = BuiltIn::of(plan).map(|check| format!("{} ({})", check.name(), check.bound()));
    lines.push("held to, beside what it expects:".to_owned());
    lines.extend(held.map(|check| format!("  {check}")));
    lines.push(
        "  nothing lost, duplicated, out of order or unexpected, past what it allows".to_owned(),
    );
    lines.push(String::new());
    lines
}

/// Which protocol `[target]` is laid over, and what of it is in force.
fn protocol(laid: &Laid) -> Vec<String> {
    let keys = |keys: &[String]| match keys {
        [] => "nothing".to_owned(),
        keys => keys.join(", "),
    };
    vec![
        format!("speaks the protocol {}", laid.name),
        format!("  of it: {}", keys(&laid.taken)),
        format!("  of the scenario: {}", keys(&laid.own)),
    ]
}

/// Who drives the load, and who is started to serve it, each with its files.
fn processes(plan: &Plan, (shards, limit): (u16, u64)) -> String {
    let files = |files: u64| format!("up to {} files", count(files));
    let own = files(estimate::shard_files(plan, shards));
    let driven = match shards {
        1 => format!("driven by 1 process with {own}"),
        several => format!("driven by {several} processes, each with {own}"),
    };
    if plan.environment.target.is_some() {
        return driven;
    }
    let instances = estimate::instances(plan, limit);
    let own = files(estimate::server_files(plan, (instances, shards)));
    match instances {
        1 => format!("{driven}; served by 1 with {own}"),
        several => format!("{driven}; served by {several}, each with {own}"),
    }
}

/// What a message waits for in the harness on purpose.
fn pacing(plan: &Plan) -> String {
    match plan::tick_us(plan) {
        None => "each sent at its moment".to_owned(),
        Some(tick_us) => format!(
            "sent on a tick of {0}: late by up to {0}, counted in every latency, for less processor time",
            units::print_us(tick_us)
        ),
    }
}

/// How the edge link will be carried here, where this run's own processes carry it.
fn edge(plan: &Plan) -> Option<String> {
    if plan.environment.toxiproxy.is_some() || !estimate::has_own_edge(plan) {
        return None;
    }
    // Without a limit to go by, the run will say what is wrong; a plan starts nothing.
    let limit = open_files().ok()?;
    let processes = estimate::edge_processes(plan, limit);
    let files = count(estimate::edge_files(plan, processes));
    let carry = match processes {
        1 => "1 fault proxy carries the edge link: up to".to_owned(),
        several => format!("{several} fault proxies carry the edge link, each with up to"),
    };
    let limit = count(limit);
    Some(format!("{carry} {files} files, of {limit} allowed here"))
}
