//! This module is `cargo xtask slurm`: a load in the parts of a real Slurm array, on two virtual nodes of this machine.
//!
//! It installs Slurm where it is missing, starts a cluster in a folder of its own ([`cluster`]), has it run
//! `deploy/slurm/harness.sbatch` twice, and stops it again. **What must hold:** an outage in four parts passes, nothing is lost,
//! the server counted what the result says, merging the parts once more gives the same files, and one process sends the same in
//! every second; the same with one part cancelled is invalid, and that part is named. Needs root.
//!
//! [`small`] is the same with fewer clients, for `cargo xtask test`.

mod cluster;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use self::cluster::{Cluster, until};
use crate::failure::Failure;
use crate::{demo, redis, step};

const SCENARIO: &str = "scenarios/redis-outage.toml";
const PARTS: u16 = 4;

/// How large the load is, and which build drives it.
struct Scale {
    profile: &'static str,
    /// Laid over the scenario.
    flags: &'static [&'static str],
    /// How far into its load the part is cancelled.
    into_the_load: Duration,
}

const WHOLE: Scale = Scale {
    profile: "release",
    flags: &["--clients=8000", "--set=load.message.every=15s", "--seed=7"],
    into_the_load: Duration::from_secs(15),
};
const SMALL: Scale = Scale {
    profile: "debug",
    flags: &[
        "--clients=160",
        "--set=load.stages=[{ ramp = \"2s\" }, { hold = \"13s\" }]",
        "--set=fault.0.at=4s",
        "--set=fault.0.for=2s",
        "--set=load.message.every=1s",
        "--set=load.drain=15s",
        // So few have no p99.
        "--set=expect.1.what=token max service",
        "--set=expect.9.at_least=150",
        "--seed=7",
    ],
    into_the_load: Duration::from_secs(6),
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Few clients and what the tests have built, as `cargo xtask test` does it
    #[arg(long)]
    small: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    if arguments.small {
        let tried = small(&redis)?;
        return Ok(if tried {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    Cluster::ensure()?;
    demo::build_release()?;
    WHOLE.holds_on(&Cluster::start()?, &redis)?;
    Ok(ExitCode::SUCCESS)
}

/// Where Slurm can be installed and started; `false`, said loudly, where not.
pub(crate) fn small(redis: &Path) -> Result<bool, Failure> {
    match Cluster::ensure().and_then(|()| Cluster::start()) {
        Ok(cluster) => SMALL.holds_on(&cluster, redis).map(|()| true),
        Err(failure) => {
            say_skipped();
            println!("!! Why: {failure}");
            Ok(false)
        }
    }
}

/// To be read by whoever runs the tests.
pub(crate) fn say_skipped() {
    let bar = "!".repeat(80);
    println!(
        "\n{bar}\n\
         !! SKIPPED: a load in the parts of a real Slurm array\n\
         !! It needs root, the packages munge, slurmctld, slurmd and slurm-client, and that they start: `cargo xtask slurm` fails where they do not.\n\
         {bar}"
    );
}

impl Scale {
    fn holds_on(&self, cluster: &Cluster, redis: &Path) -> Result<(), Failure> {
        let bundle = cluster.folder().join("bundle");
        let shards = format!("--shards={PARTS}");
        let mut make = self.harness(&["bundle", SCENARIO, &shards]);
        make.args(self.flags).arg("--out").arg(&bundle);
        step::run("harness bundle", &mut make)?;
        let array = |meanwhile: &dyn Fn(&str) -> Result<(), Failure>| {
            let job = cluster.submit(
                PARTS,
                &[
                    ("BUNDLE", &bundle),
                    ("SHARED", &cluster.folder().join("shared")),
                    ("HARNESS", &self.built("harness")),
                    ("HARNESS_SERVER", &self.built("reference-server")),
                    ("REDIS_SERVER", redis),
                ],
            )?;
            let run = cluster.folder().join("shared").join(&job);
            println!("\n=== array {job}");
            until("four parts that have met", || {
                run.join("0004/to/000002").is_file()
            })?;
            meanwhile(&job)?;
            cluster.wait_for(&job)?;
            Ok(run)
        };
        let whole = array(&|_| Ok(()))?;
        is_whole(&whole)?;
        self.merges_into_the_same(&whole)?;
        self.is_what_one_process_sends(&whole, redis)?;
        let cut = array(&|job| {
            sleep(self.into_the_load);
            let mut cancel = cluster.client("scancel");
            step::run("scancel", cancel.arg(format!("{job}_2")))
        })?;
        holds(&cut, "names the part that was cancelled", |result| {
            let sentence = result.pointer("/verdict/sentence")?.as_str()?;
            Some(result.pointer("/verdict/status")? == "invalid" && sentence.contains("shard 3 ("))
        })?;
        println!("\nboth arrays did what they must");
        Ok(())
    }

    fn built(&self, program: &str) -> PathBuf {
        step::target(self.profile).join(program)
    }

    fn harness(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.built("harness"));
        command.args(words).current_dir(step::root());
        command
    }

    /// Percentiles of one merge of all histograms are those of the run, to the last bit.
    fn merges_into_the_same(&self, run: &Path) -> Result<(), Failure> {
        let merged = run.join("merged");
        let mut merge = self.harness(&["merge"]);
        step::run("harness merge", merge.arg(run).arg("--out").arg(&merged))?;
        for file in ["result.json", "latency.hlog"] {
            let (own, again) = (run.join("result").join(file), merged.join(file));
            if read(&own)? != read(&again)? {
                return Err(Failure::Result {
                    path: again,
                    what: format!("not so: it is {}", own.display()),
                });
            }
            println!("holds: {file} of all parts merged once more is the same");
        }
        Ok(())
    }

    fn is_what_one_process_sends(&self, run: &Path, redis: &Path) -> Result<(), Failure> {
        let alone = run.join("alone");
        let mut command = self.harness(&["run", "--quiet", SCENARIO, "--shards=1"]);
        command
            .args(self.flags)
            .arg("--out")
            .arg(alone.join("result"))
            .env("HARNESS_SERVER", self.built("reference-server"))
            .env("REDIS_SERVER", redis);
        // Whether it passes is not the question.
        step::status("harness run, in one process", &mut command)?;
        let mut sends = Vec::new();
        holds(&alone, "has seconds with messages in them", |result| {
            sends = sent(result)?;
            Some(sends.iter().sum::<u64>() > 1_000)
        })?;
        holds(run, "has the same messages in every second", |result| {
            Some(sent(result)? == sends)
        })
    }
}

fn is_whole(run: &Path) -> Result<(), Failure> {
    holds(run, "passes", |result| {
        Some(
            result.pointer("/verdict/status")? == "pass"
                && number(result, "/delivery/lost")? == "0",
        )
    })?;
    holds(run, "is what the server counted", |result| {
        let counted = "/server/counters/chat_messages_total{type=\"completed\"}";
        Some(number(result, counted)? == number(result, "/delivery/completed")?)
    })?;
    holds(
        run,
        "is of four parts and has the fault of the first",
        |result| {
            let parts = result.pointer("/generator/shards")?.as_array()?.len();
            Some(parts == usize::from(PARTS) && result.pointer("/faults/0/confirmed")? == true)
        },
    )
}

/// Messages of each second, by the moment at which they were to be sent.
fn sent(result: &Value) -> Option<Vec<u64>> {
    let seconds = result.pointer("/series/per_second")?.as_array()?;
    let sent = |second: &Value| second.pointer("/delivery/sent")?.as_u64();
    seconds.iter().map(sent).collect()
}

/// What must be true of a run's result; `None`: it lacks what is asked for.
fn holds(
    run: &Path,
    what: &str,
    is_so: impl FnOnce(&Value) -> Option<bool>,
) -> Result<(), Failure> {
    let path = run.join("result/result.json");
    let result: Value = serde_json::from_slice(&read(&path)?).unwrap_or_default();
    let sentence = result.pointer("/verdict/sentence");
    if is_so(&result) == Some(true) {
        println!("holds: the result {what}");
        return Ok(());
    }
    Err(Failure::Result {
        path,
        what: format!("not so: the result {what}; it says {sentence:?}"),
    })
}

/// A whole number: a server's counters are written with a point.
fn number(result: &Value, pointer: &str) -> Option<String> {
    Some(format!("{:.0}", result.pointer(pointer)?.as_f64()?))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}
