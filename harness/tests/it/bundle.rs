//! This module drives loads whose parts somebody else starts, as a scheduler does: they meet in a folder.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::case::{Case, number, server};
use crate::end_to_end::{eventually, processes_of};
use crate::support::{Done, command, finish, harness, read};

const MET_WITHIN: Duration = Duration::from_secs(30);
const GONE_WITHIN: Duration = Duration::from_secs(30);
/// A few seconds with an outage in them.
const OUTAGE: [&str; 9] = [
    "scenarios/redis-outage.toml",
    "--clients=60",
    "--set=load.stages=[{ ramp = \"2s\" }, { hold = \"13s\" }]",
    "--set=fault.0.at=4s",
    "--set=fault.0.for=2s",
    "--set=load.message.every=1s",
    "--set=load.drain=5s",
    "--seed=7",
    "--out",
];

/// A bundle of so many shards, and the folder in which they are to meet.
struct Job {
    case: Case,
    bundle: PathBuf,
}

impl Job {
    #[track_caller]
    fn new(shards: u16) -> Self {
        let case = Case::new();
        let bundle = case.folder().join("bundle");
        let shards = format!("--shards={shards}");
        let mut arguments = vec!["bundle", &shards];
        arguments.extend(OUTAGE);
        arguments.push(bundle.to_str().unwrap());
        let done = harness(&arguments);
        assert_eq!(done.code, 0, "{}", done.stderr);
        Self { case, bundle }
    }

    fn start(&self, more: &[&str]) -> Child {
        let mut shard = command(&["shard"]);
        shard.arg(&self.bundle).arg("--out").arg(self.case.out());
        shard.arg("--shared").arg(self.case.folder().join("shared"));
        // A part that does not begin needs none.
        if std::env::var_os("HARNESS_SERVER").is_some() {
            shard.arg("--server").arg(server());
        }
        shard.args(more).spawn().unwrap()
    }

    fn met(&self, number: u16) -> bool {
        let folder = self.case.folder().join(format!("shared/{number:04}"));
        folder.join("to/000002").is_file()
    }
}

impl Job {
    /// A command about the folder in which they meet.
    fn about(&self, words: &[&str]) -> std::process::Command {
        let mut command = command(words);
        command.arg(self.case.folder().join("shared"));
        command
    }

    #[track_caller]
    fn merges_into_the_same(&self, code: i32) {
        let merged = finish(self.about(&["merge"]).spawn().unwrap());
        assert_eq!(merged.code, code, "{}{}", merged.stdout, merged.stderr);
        let folder = self.case.folder().join("shared/merged");
        for file in ["result.json", "latency.hlog", "report.html", "junit.xml"] {
            let read = |folder: &std::path::Path| std::fs::read(folder.join(file)).unwrap();
            let same = read(&folder) == read(&self.case.out());
            assert!(same, "{file} of {}", folder.display());
        }
    }
}

fn told(done: &Done, job: &Job) -> String {
    format!("{}{}{}", done.stdout, done.stderr, job.case.logs())
}

/// Local addresses of the sockets of this machine that are open towards a port of loopback.
fn sources_of_sockets() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = text.lines().skip(1);
    let local = rows.filter_map(|row| row.split_whitespace().nth(1)?.split(':').next());
    let address = |hex: &str| u32::from_str_radix(hex, 16).map(u32::to_le_bytes);
    let local = local.filter_map(|hex| address(hex).ok());
    local
        .map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}"))
        .collect()
}

/// Each part has an address of its own.
fn source(index: u16) -> String {
    format!("127.0.7.{}", index + 1)
}

/// Who watched saw all clients, and the fault from its beginning to its end.
#[track_caller]
fn saw_it_all(watch: &Done) {
    for word in ["open=60/60", "injected", "heal-confirmed"] {
        assert!(watch.stderr.contains(word), "{}", watch.stderr);
    }
    assert!(!watch.stderr.contains("silent"), "{}", watch.stderr);
}

/// In every second the same was intended as where one process drives the load.
#[track_caller]
fn is_what_one_process_sends(result: &Value) {
    let alone = Case::new();
    let mut run = command(&["run", "--quiet", "--server"]);
    run.arg(server()).args(OUTAGE).arg(alone.out());
    let done = finish(run.spawn().unwrap());
    assert!(
        [0, 12].contains(&done.code),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let alone = alone.result();
    let per_second = |result: &Value| -> Vec<u64> {
        let seconds = result.pointer("/series/per_second").unwrap();
        let seconds = seconds.as_array().unwrap().iter();
        seconds
            .map(|second| number(second, "/delivery/sent"))
            .collect()
    };
    assert_eq!(per_second(result), per_second(&alone));
    assert_eq!(result["run"]["plan_hash"], alone["run"]["plan_hash"]);
}

#[test]
#[ignore = "slow: drives a load"]
fn parts_that_meet_in_a_folder_are_one_run_and_send_what_one_process_sends() {
    let job = Job::new(8);
    let shared = job.case.folder().join("shared");
    let watch = job.about(&["watch", "--wait=30s"]).spawn().unwrap();
    let others = [1, 3, 2, 7, 6, 5, 4].map(|index: u16| {
        let mut shard = command(&["shard"]);
        shard.arg(&job.bundle).arg("--shared").arg(&shared);
        shard.arg("--source").arg(source(index));
        // As Slurm says it, with an array that begins at 1.
        shard.env("SLURM_ARRAY_TASK_ID", (index + 1).to_string());
        shard
            .env("SLURM_ARRAY_TASK_MIN", "1")
            .env("SLURM_ARRAY_TASK_COUNT", "8");
        shard.spawn().unwrap()
    });
    let run = job.start(&["--index", "0", "--source", &source(0)]);
    eventually("each part's sockets have its address", MET_WITHIN, || {
        let seen = sources_of_sockets();
        (0..8).all(|index| seen.contains(&source(index)))
    });
    let early = finish(job.about(&["merge"]).spawn().unwrap());
    assert_eq!(early.code, 2, "{}", early.stderr);
    assert!(
        early.stderr.contains("the run is still under way"),
        "{}",
        early.stderr
    );
    let done = finish(run);
    // So few messages cannot tell a p99.
    assert!([0, 12].contains(&done.code), "{}", told(&done, &job));
    for other in others {
        let other = finish(other);
        assert_eq!(other.code, 0, "{}", other.stderr);
    }
    let watch = finish(watch);
    assert_eq!(watch.code, 0, "{}", watch.stderr);
    saw_it_all(&watch);
    let result = job.case.result();
    for promise in ["lost", "duplicated", "out_of_order", "unexpected"] {
        let count = number(&result, &format!("/delivery/{promise}"));
        assert_eq!(count, 0, "{promise}: {}", told(&done, &job));
    }
    assert_eq!(result["faults"][0]["confirmed"], true);
    let shards = result.pointer("/generator/shards").unwrap();
    let shards = shards.as_array().unwrap();
    assert_eq!(shards.len(), 8);
    assert!(shards[0].get("host").is_none() && shards[3].get("host").is_some());
    assert!(result.pointer("/generator/start_spread/p95_us").is_some());
    let completed = "/server/counters/chat_messages_total{type=\"completed\"}";
    let counted = result.pointer(completed).unwrap().as_f64().unwrap();
    let of_server = format!("{counted:.0}");
    assert_eq!(
        of_server,
        number(&result, "/delivery/completed").to_string()
    );
    // What parts and run left in the folder is the run once more, to the last bit.
    job.merges_into_the_same(done.code);
    assert!(
        shards[1..]
            .iter()
            .all(|shard| number(shard, "/clock_error_us") < 100_000)
    );

    is_what_one_process_sends(&result);

    // Its folder tells of one run: no part of it can be begun again.
    for index in ["1", "2"] {
        let again = finish(job.start(&["--index", index, "--wait", "1s"]));
        assert_ne!(again.code, 0);
        assert!(
            again.stderr.contains("was begun already") && again.stderr.contains(" hint: "),
            "{}",
            again.stderr
        );
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_part_that_is_killed_makes_the_run_invalid_and_is_named() {
    let job = Job::new(4);
    let second = job.start(&["--index", "1"]);
    let third = job.start(&["--index", "2"]);
    let fourth = job.start(&["--index", "3"]);
    let run = job.start(&["--index", "0"]);
    eventually("the load is told when it begins", MET_WITHIN, || job.met(4));
    let end = |part: &Child| {
        let pid = Pid::from_raw(i32::try_from(part.id()).unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
    };
    // One in the ramp, one while it is held.
    std::thread::sleep(Duration::from_secs(5));
    end(&fourth);
    std::thread::sleep(Duration::from_secs(4));
    end(&third);
    let done = finish(run);
    assert_eq!(done.code, 13, "{}", told(&done, &job));
    let result = job.case.result();
    let sentence = result.pointer("/verdict/sentence").unwrap().to_string();
    for killed in ["shard 3 (", "shard 4 ("] {
        assert!(sentence.contains(killed), "{sentence}");
    }
    assert!(number(&result, "/delivery/completed") > 0);
    assert_eq!(finish(second).code, 0);
    assert_ne!(finish(third).code, 0);
    assert_ne!(finish(fourth).code, 0);
    job.merges_into_the_same(13);
}

#[test]
#[ignore = "slow: waits for processes that do not come"]
fn a_run_that_is_killed_leaves_no_part_behind_and_one_that_is_not_whole_does_not_begin() {
    let job = Job::new(2);
    let other = job.start(&["--index", "1"]);
    let run = job.start(&["--index", "0"]);
    eventually("the load is told when it begins", MET_WITHIN, || job.met(2));
    kill(
        Pid::from_raw(i32::try_from(run.id()).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    assert_ne!(finish(run).code, 0);
    eventually("nothing is left", GONE_WITHIN, || {
        processes_of(job.case.folder()).is_empty()
    });
    let other = finish(other);
    assert!(other.stderr.contains("the run is gone"), "{}", other.stderr);
    // What the part saw until then is not lost, and is no result of a run.
    let merged = finish(job.about(&["merge"]).spawn().unwrap());
    assert_eq!(merged.code, 13, "{}{}", merged.stdout, merged.stderr);
    let result = job.case.folder().join("shared/merged/result.json");
    let result: Value = serde_json::from_slice(&std::fs::read(result).unwrap()).unwrap();
    assert_eq!(result.pointer("/verdict/status").unwrap(), "invalid");
    let missing = result.pointer("/generator/given_up").unwrap().to_string();
    for sentence in ["shard 1 (", "the run ended before"] {
        assert!(missing.contains(sentence), "{missing}");
    }
    let shards = result.pointer("/generator/shards").unwrap();
    assert_eq!(shards.as_array().unwrap().len(), 1);
    let watch = finish(job.about(&["watch"]).spawn().unwrap());
    assert_eq!(watch.code, 3, "{}", watch.stderr);
    assert!(watch.stderr.contains("no sign of life"), "{}", watch.stderr);

    let job = Job::new(3);
    let second = job.start(&["--index", "1", "--wait", "2s"]);
    let done = finish(job.start(&["--index", "0", "--wait", "2s"]));
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr.contains("shard 3 did not come"),
        "{}",
        done.stderr
    );
    assert!(!job.case.out().join("result.json").exists());
    assert_ne!(finish(second).code, 0);
}

#[test]
fn what_schedulers_are_told_is_what_the_command_line_knows() {
    let help = harness(&["shard", "--help"]).stdout;
    let job: Value = serde_saphyr::from_str(&read("deploy/kubernetes/base/job.yaml")).unwrap();
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    assert_eq!(
        spec["completions"], spec["parallelism"],
        "all parts at once"
    );
    let container = &spec["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    assert_eq!(arguments[0], "shard");
    let script = read("deploy/slurm/harness.sbatch");
    let told = arguments.iter().filter_map(Value::as_str);
    let flags = told.chain(script.split_whitespace());
    let flags = flags.filter(|word| ["--shared", "--quiet", "--allow-host"].contains(word));
    assert!(
        flags
            .map(|flag| assert!(help.contains(flag), "{flag}"))
            .count()
            >= 3
    );
    for variable in ["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"] {
        assert!(help.contains(variable), "{variable}");
    }
    assert!(
        script.contains("SLURM_ARRAY_JOB_ID")
            && arguments.iter().any(|word| {
                word.as_str()
                    .is_some_and(|word| word.contains("$(JOB_UID)"))
            })
    );
}

#[test]
fn what_is_no_part_of_the_bundle_is_refused_with_a_hint() {
    let job = Job::new(2);
    let refused = |more: &[&str], fact: &str| {
        let done = finish(job.start(more));
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains(fact) && done.stderr.contains(" hint: "),
            "{}",
            done.stderr
        );
    };
    refused(&["--index", "2"], "part 2 of 2");
    refused(&["--index", "0", "--count", "5"], "there are 5 parts");
    refused(&[], "neither --index nor a scheduler");
    for words in [["merge", "--overwrite"], ["watch", "--wait=1s"]] {
        let none = finish(job.about(&words).spawn().unwrap());
        assert_eq!(none.code, 2, "{}", none.stderr);
        assert!(
            none.stderr.contains("no run has begun there") && none.stderr.contains(" hint: "),
            "{}",
            none.stderr
        );
    }
    // A folder that cannot be written to, whoever asks.
    let mut nowhere = command(&["shard", "--index=0", "--shared=/sys/kernel/harness"]);
    let nowhere = finish(nowhere.arg(&job.bundle).spawn().unwrap());
    assert_eq!(nowhere.code, 5, "{}", nowhere.stderr);
    assert!(
        nowhere.stderr.contains("--shared /sys/kernel/harness: "),
        "{}",
        nowhere.stderr
    );
    let file = job.bundle.join("bundle.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"clients\": 60", "\"clients\": 61")).unwrap();
    refused(&["--index", "0"], "its plan was changed");
    std::fs::write(&file, "{}").unwrap();
    refused(&["--index", "0"], "is no bundle");
    let out = job.bundle.to_str().unwrap();
    let again = harness(&["bundle", OUTAGE[0], "--shards", "2", "--out", out]);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
    let none = harness(&["bundle", OUTAGE[0], "--out", "/nowhere"]);
    assert!(
        none.stderr.contains("for a number of shards"),
        "{}",
        none.stderr
    );
}
