//! How true the percentiles are that the harness reports: `cargo bench -p harness --bench accuracy`.
//!
//! **Method.** The target is a process that answers by a law that is known (`law`), and writes down every response time
//! (`target`): from the kernel's stamp on the request to the moment at which the answer is handed to the kernel. It keeps
//! all of them, so that its percentiles are exact. The harness drives it with the contract's sockets and one frame for an
//! answer, at 10 to 10,000 clients. What it reports is held against the record of the same run: the same answers, counted by
//! two. The law stands beside both. Service time counts from the send, as the record does but for one way over the loopback.
//! Response time counts from the intended moment, which the target cannot know; what lies between the harness reports. A stall is measured with a closed loop as well, in which a client waits for its
//! answer before it asks again: true to its record, and blind to what would have been asked meanwhile.
//!
//! **What must hold.** As many answers reported as recorded. Each percentile that the answers support (p50, p90, p99, p99.9)
//! within 0.5 % or 100 µs of the record, whichever is more. The share is five times what the harness's buckets may be off
//! by. The floor is what a client sees and the record does not: the loopback both ways, two system calls, whole
//! microseconds, on a machine where generator and target share the processors. A response time below 500 ms may be longer by
//! what the harness reports between intended moment and send (`dispatch_delay`): at the percentile beyond which a tenth as
//! many lie, for tails add up. And the harness calls the run valid. Else the bench fails, with the reason.
//!
//! **Options:** `--json FILE`: the figures, there too. `--only WORDS`: runs whose title has them. `--tries N` (1): a run that
//! the harness calls invalid is done again, up to so often in all; each is shown. `HARNESS_BINARY` names the harness, else that
//! of this build is taken.
//!
//! **Units:** milliseconds in the table, microseconds in the file. Without `--bench` only its own arithmetic is checked.

mod check;
mod drive;
mod law;
mod record;
mod target;
mod verdict;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use self::drive::Case;
use self::law::Law;
use self::verdict::{Finding, ms};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Three stalls of every 20 s; enough of the other laws for a p99.9.
const STALLS_HOLD_S: u32 = 60;
const HOLD_S: u32 = 20;

/// Rates that leave both processors of a small machine mostly idle: 200 to 1,000 messages a second. The closed loop is of
/// few clients: at the end of a stall all of them ask at one moment, and thousands of sends at once are late by themselves.
const CASES: [Case; 13] = [
    open(Law::Constant, 10, 50),
    open(Law::Constant, 50, 100),
    open(Law::Constant, 500, 500),
    open(Law::Constant, 5_000, 5_000),
    open(Law::Constant, 10_000, 10_000),
    open(Law::Bimodal, 50, 100),
    open(Law::Bimodal, 5_000, 5_000),
    open(Law::Tail, 50, 100),
    open(Law::Tail, 500, 500),
    open(Law::Tail, 5_000, 5_000),
    open(Law::Stall, 50, 100),
    closed(Law::Stall, 50, 100),
    open(Law::Stall, 5_000, 5_000),
];

const fn open(law: Law, clients: u32, every_ms: u32) -> Case {
    let hold_s = match law {
        Law::Stall => STALLS_HOLD_S,
        Law::Constant | Law::Bimodal | Law::Tail => HOLD_S,
    };
    Case {
        law,
        clients,
        every_ms,
        hold_s,
        closed: false,
    }
}

const fn closed(law: Law, clients: u32, every_ms: u32) -> Case {
    let case = open(law, clients, every_ms);
    Case {
        closed: true,
        ..case
    }
}

fn main() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    if arguments.first().is_some_and(|first| first == "target") {
        let law = argument("target").and_then(Law::of);
        target::serve(law.ok_or("target LAW")?)?;
        return Ok(ExitCode::SUCCESS);
    }
    check::arithmetic()?;
    // Only `cargo bench` means to measure; `cargo test` wants to know whether the arithmetic is right.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let only = argument("--only").unwrap_or_default();
    let tries = argument("--tries").map_or(Ok(1), str::parse)?;
    let cases = CASES.iter().filter(|case| case.title().contains(only));
    let findings = cases
        .map(|case| measure(*case, tries))
        .collect::<Outcome<Vec<Finding>>>()?;
    compare_loops(&findings);
    if let Some(file) = argument("--json") {
        let runs: Vec<Value> = findings.iter().map(Finding::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "runs": runs }))?;
        std::fs::write(file, text + "\n")?;
    }
    summary(&findings)
}

/// Runs a case until the harness trusts a run, or it was tried often enough.
fn measure(case: Case, tries: u32) -> Outcome<Finding> {
    let folder = tempfile::tempdir()?;
    let run = || -> Outcome<Finding> {
        let finding = verdict::judge(case, &drive::run(case, folder.path())?);
        finding.print();
        Ok(finding)
    };
    let mut finding = run()?;
    for _ in 1..tries {
        if !finding.is_invalid() {
            break;
        }
        finding = run()?;
    }
    Ok(finding)
}

/// What a closed loop reports of a law where an open one was asked too.
#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn compare_loops(findings: &[Finding]) {
    let p99 = |finding: &Finding| {
        let mut rows = finding.rows.iter();
        rows.find(|row| row.percentile.name == "p99")
            .map(|row| row.response_ns)
    };
    for closed in findings.iter().filter(|finding| finding.case.closed) {
        let asked = Case {
            closed: false,
            ..closed.case
        };
        let open = findings.iter().find(|finding| finding.case == asked);
        if let Some((open_ns, closed_ns)) = open.and_then(p99).zip(p99(closed)) {
            println!(
                "\n{}: p99 {:.3} ms; open loop {:.3} ms",
                closed.case.title(),
                ms(closed_ns),
                ms(open_ns)
            );
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn summary(findings: &[Finding]) -> Outcome<ExitCode> {
    if findings.is_empty() {
        return Err("no run has these words in its title".into());
    }
    let broke = findings.iter().filter(|finding| !finding.broke.is_empty());
    let broke: Vec<String> = broke.map(|finding| finding.case.title()).collect();
    if broke.is_empty() {
        println!("\nall {} runs are true to the record", findings.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} of {} runs do not hold:", broke.len(), findings.len());
    for title in broke {
        println!("  {title}");
    }
    Ok(ExitCode::FAILURE)
}
