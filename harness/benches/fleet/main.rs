//! What many parts of a load cost the run that adds them up, and how far apart they begin:
//! `cargo bench -p harness --bench fleet`.
//!
//! **Method.** *Merge:* a real run in [`PARTS`] parts on this machine leaves their last words in its folder: histograms,
//! ledgers and series of a talking load, as any run does. They are laid down again and again under new numbers until there
//! are as many as asked for, the list of parts is made to fit, and `harness merge` adds all of them up; its time and its
//! peak of resident memory are taken from outside. What it counts is held against the parts: each counts once.
//! *Barrier:* so many real parts, a process each with one client, meet in a folder and begin together; how far apart they
//! began stands in the result of the run, by the wall clock that all of them have, with those told apart whose machine stood
//! still (a thread of each that only sleeps woke late). All of them are on one machine, with fewer processors than there
//! are parts: that is harder than one part a machine.
//!
//! **Units:** seconds; bytes; microseconds.
//!
//! `HARNESS_BINARY` names the harness, with `reference-server` beside it; Redis must be found. With `--json FILE` the figures
//! are written there too.

#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own, which is no part of a run: it has no clock of one"
)]

mod folder;
mod job;

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::folder::multiplied;
use self::job::{Job, waited};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Parts of the run whose words are laid down again.
const PARTS: u16 = 8;
const MERGE_WITHIN: Duration = Duration::from_mins(10);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    // Only `cargo bench` means to measure; `cargo test --benches` wants to know whether it starts.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let parts: u16 = argument("--parts").unwrap_or("1000").parse()?;
    let processes: u16 = argument("--processes").unwrap_or("200").parse()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let figures = json!({
        "load_average_before": load.trim(),
        "merge": merge(parts)?,
        "barrier": barrier(processes)?,
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(&figures)?)?;
    if let Some(file) = argument("--json") {
        std::fs::write(file, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    Ok(())
}

/// Adds up so many parts.
fn merge(parts: u16) -> Outcome<Value> {
    let job = Job::cut(PARTS, &["--clients=2000", "--duration=20s"])?;
    job.run(Duration::from_mins(3))?;
    let of_few = job.result("result")?;
    let bytes = multiplied(&job.shared(), (PARTS, parts))?;
    let begun = Instant::now();
    let mut merging = job.merging("merged")?;
    let peak_bytes = waited(&mut merging, MERGE_WITHIN)?;
    let took = begun.elapsed();
    let result = job.result("merged")?;
    let sends = |result: &Value| result["generator"]["actual_sends"].as_u64();
    let shards = result["generator"]["shards"].as_array().map_or(0, Vec::len);
    let own: u64 = result["generator"]["shards"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|shard| shard["actual_sends"].as_u64())
        .sum();
    if shards != usize::from(parts) || sends(&result) != Some(own) {
        return Err(format!(
            "{shards} parts of {parts}, {:?} sends of {own}",
            sends(&result)
        )
        .into());
    }
    Ok(json!({
        "parts": parts,
        "of_real_parts": PARTS,
        "bytes": bytes,
        "seconds": took.as_secs_f64(),
        "rss_peak_bytes": peak_bytes,
        "sends": own,
        "sends_of_the_real_run": sends(&of_few),
    }))
}

/// Starts so many at one moment.
fn barrier(processes: u16) -> Outcome<Value> {
    let clients = format!("--clients={processes}");
    let stages = "--set=load.stages=[{ ramp = \"2s\" }, { hold = \"8s\" }]";
    let more = [clients.as_str(), stages, "--set=load.message.every=5s"];
    let job = Job::cut(processes, &more)?;
    job.run(Duration::from_mins(8))?;
    let result = job.result("result")?;
    let generator = &result["generator"];
    Ok(json!({
        "processes": processes,
        "processors": result["run"]["host"]["cores"],
        "start_spread": generator["start_spread"],
        "pauses": generator["pauses"].as_array().map(Vec::len),
        "pause_max_us": generator["pause_max_us"],
        "verdict": result["verdict"]["sentence"],
    }))
}
