//! This module is what a probe used of what there is: the server, Redis, the proxies, the generator, each thing by itself.
//!
//! **In:** a run result. **Out:** a [`Use`] for each thing that was read, the fullest first; what has no limit comes last.
//! **Units:** shares of what there is; in words processors, bytes, files, connections, messages.
//!
//! What cannot be read is missing: of a target that was not started for the run only what it shows to the outside is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::format;
use crate::record::generator::Generator;
use crate::result::{AcceptBacklog, ProcessAccount, ProcessKind, RunResult, Traffic};

/// From this share on a resource counts as full.
const FULL_RATIO: f64 = 0.9;

/// One thing that was used, and may have been full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Use {
    /// `the server's processor`, `Redis' memory`, `this machine's processors`, `a session thread of the generator`.
    pub what: String,
    /// In words: `1.80 cores of 2.00 cores`.
    pub text: String,
    /// `None`: it has no limit, or none that can be read; then it is never full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_ratio: Option<f64>,
    /// It is the generator's own, or shared with it.
    pub generator: bool,
}

impl Use {
    /// Hardly anything was left of it.
    pub(crate) fn is_full(&self) -> bool {
        self.share_ratio.is_some_and(|ratio| ratio >= FULL_RATIO)
    }
}

/// What a run used, the fullest first.
pub(super) fn of(result: &RunResult) -> Vec<Use> {
    let mut uses: Vec<Use> = result.processes.iter().flat_map(of_process).collect();
    uses.extend(result.accept_backlog.map(of_backlog));
    let account = result.server.as_ref();
    let queue = account.and_then(|server| server.queue_depth_peak);
    uses.extend(queue.map(of_queue));
    uses.extend(result.traffic.map(of_traffic));
    uses.extend(of_generator(&result.generator, result.run.host.file_limit));
    uses.sort_by(|one, other| {
        let ratio = |of: &Use| of.share_ratio.unwrap_or(f64::NEG_INFINITY);
        ratio(other).total_cmp(&ratio(one))
    });
    uses
}

fn of_process(account: &ProcessAccount) -> Vec<Use> {
    let who = match account.what {
        ProcessKind::Server => "the server's",
        ProcessKind::Redis => "Redis'",
        ProcessKind::Edge => "the fault proxies'",
    };
    let of = |what: &str, (used, limit): (f64, Option<f64>), text: fn(f64) -> String| {
        let limit = limit.filter(|limit| *limit > 0.0);
        Use {
            what: format!("{who} {what}"),
            text: limit.map_or_else(
                || text(used),
                |limit| format!("{} of {}", text(used), text(limit)),
            ),
            share_ratio: limit.map(|limit| used / limit),
            generator: false,
        }
    };
    let whole = |number: u64| number as f64;
    let memory = (
        whole(account.rss_peak_bytes),
        account.memory_limit_bytes.map(whole),
    );
    let files = (whole(account.files_peak), account.files_limit.map(whole));
    vec![
        of(
            "processor",
            (account.cpu_cores, account.cpu_cores_limit),
            cores,
        ),
        of("memory", memory, bytes),
        of("files", files, format::count_f64),
    ]
}

/// A backlog that turned connections away was full, however little waited when it was looked at.
fn of_backlog(backlog: AcceptBacklog) -> Use {
    let AcceptBacklog {
        peak,
        limit,
        dropped,
    } = backlog;
    let (peak_text, limit_text) = (format::count(peak), format::count(limit));
    let text = match dropped {
        0 => format!("{peak_text} of {limit_text} connections"),
        some => format!(
            "{peak_text} of {limit_text} connections when looked at, {} turned away",
            format::count(some)
        ),
    };
    let seen = peak as f64 / limit.max(1) as f64;
    Use {
        what: "the target's accept backlog".to_owned(),
        text,
        share_ratio: Some(if dropped > 0 { seen.max(1.0) } else { seen }),
        generator: false,
    }
}

fn of_queue(peak: u64) -> Use {
    Use {
        what: "the target's task queue".to_owned(),
        text: format!("{} waiting at most", format::count(peak)),
        share_ratio: None,
        generator: false,
    }
}

fn of_traffic(traffic: Traffic) -> Use {
    let Traffic {
        read_bytes_per_s,
        written_bytes_per_s,
    } = traffic;
    Use {
        what: "network, sockets of the clients".to_owned(),
        text: format!(
            "{}/s to them, {}/s from them",
            bytes(read_bytes_per_s),
            bytes(written_bytes_per_s)
        ),
        share_ratio: None,
        generator: false,
    }
}

fn of_generator(generator: &Generator, file_limit: u64) -> Vec<Use> {
    let of = |what: &str, text: String, share_ratio: f64| Use {
        what: what.to_owned(),
        text,
        share_ratio: Some(share_ratio),
        generator: true,
    };
    let mut uses = Vec::new();
    if let (Some(all), Some(ratio)) = (generator.machine_cores, generator.machine_busy_ratio_max) {
        let text = format!("{} of {}", cores(ratio * all), cores(all));
        uses.push(of("this machine's processors", text, ratio));
    }
    let ratio = generator.lane_busy_ratio_max;
    uses.push(of(
        "a session thread of the generator",
        format!("{} of a core", format::percent(ratio)),
        ratio,
    ));
    if let Some(limit) = generator.memory_limit_bytes.filter(|limit| *limit > 0) {
        let used = generator.rss_peak_bytes;
        let text = format!("{} of {}", format::bytes(used), format::bytes(limit));
        uses.push(of(
            "the generator's memory",
            text,
            used as f64 / limit as f64,
        ));
    }
    if file_limit > 0 {
        let (used, all) = (generator.fds_peak, file_limit);
        let text = format!("{} of {}", format::count(used), format::count(all));
        uses.push(of("the generator's files", text, used as f64 / all as f64));
    }
    uses
}

fn cores(cores: f64) -> String {
    format!("{cores:.2} cores")
}

fn bytes(bytes: f64) -> String {
    format::bytes(crate::units::rounded(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> ProcessAccount {
        ProcessAccount {
            what: ProcessKind::Server,
            cpu_cores: 0.45,
            cpu_cores_peak: 0.5,
            cpu_cores_limit: Some(0.5),
            rss_peak_bytes: 30 << 20,
            memory_limit_bytes: Some(120 << 20),
            files_peak: 100,
            files_limit: None,
        }
    }

    #[test]
    fn a_backlog_that_turned_connections_away_was_full() {
        let of = |peak, dropped| {
            of_backlog(AcceptBacklog {
                peak,
                limit: 128,
                dropped,
            })
        };
        assert!(!of(64, 0).is_full() && of(128, 0).is_full());
        let full = of(3, 41);
        assert!(
            full.is_full() && full.text.contains("41 turned away"),
            "{full:?}"
        );
        let endless = of_queue(9_000_000);
        assert!(!endless.is_full(), "{endless:?}");
    }

    #[test]
    fn each_thing_is_held_against_its_own_limit() {
        let uses = of_process(&server());
        let each: Vec<_> = uses
            .iter()
            .map(|of| (of.what.as_str(), of.text.as_str(), of.is_full()))
            .collect();
        assert_eq!(
            each,
            [
                ("the server's processor", "0.45 cores of 0.50 cores", true),
                ("the server's memory", "30\u{a0}MiB of 120\u{a0}MiB", false),
                ("the server's files", "100", false),
            ]
        );
        assert_eq!(uses[2].share_ratio, None);
    }
}
