//! This module is `cargo xtask slurm`: a load in the parts of a real Slurm array, on two virtual nodes of this machine.
//!
//! It installs Slurm where it is missing, starts a cluster in a folder of its own (munge, a controller, two nodes on
//! loopback), has it run `deploy/slurm/harness.sbatch` twice, and stops it again. **What must hold:** an outage with 8,000
//! clients in four parts passes, nothing is lost, and the server counted what the result says; the same with one part
//! cancelled is invalid, and that part is named. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::package::Program;
use crate::{demo, redis, step};

const PROGRAMS: [Program; 4] = [
    Program {
        names: &["munged"],
        variable: "MUNGED",
        packages: ["munge", "munge"],
    },
    Program {
        names: &["slurmctld"],
        variable: "SLURMCTLD",
        packages: ["slurmctld", "slurm-slurmctld"],
    },
    Program {
        names: &["slurmd"],
        variable: "SLURMD",
        packages: ["slurmd", "slurm-slurmd"],
    },
    Program {
        names: &["sbatch"],
        variable: "SBATCH",
        packages: ["slurm-client", "slurm"],
    },
];
const MUNGE_SOCKET: &str = "/run/munge/munge.socket.2";
const MUNGE_PID: &str = "/run/munge/munged.pid";
const NODES: [&str; 2] = ["n0", "n1"];
/// Until nodes are there, and until parts have met.
const PATIENCE: Duration = Duration::from_mins(1);
/// How far into its load the part is cancelled.
const INTO_THE_LOAD: Duration = Duration::from_secs(15);

/// A cluster that ends with this.
struct Cluster {
    folder: PathBuf,
    /// Munge was not there before.
    munge: bool,
}

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    for program in &PROGRAMS {
        program.ensure()?;
    }
    demo::build_release()?;
    let cluster = Cluster::start()?;
    let whole = cluster.array(&redis, |_| Ok(()))?;
    holds(&whole, "passes", |result| {
        Some(
            result.pointer("/verdict/status")? == "pass"
                && number(result, "/delivery/lost")? == "0",
        )
    })?;
    holds(&whole, "is what the server counted", |result| {
        let counted = "/server/counters/chat_messages_total{type=\"completed\"}";
        Some(number(result, counted)? == number(result, "/delivery/completed")?)
    })?;
    holds(&whole, "is of four parts", |result| {
        Some(result.pointer("/generator/shards")?.as_array()?.len() == 4)
    })?;
    let cut = cluster.array(&redis, |job| {
        sleep(INTO_THE_LOAD);
        step::run("scancel", cluster.client("scancel").arg(format!("{job}_2")))
    })?;
    holds(&cut, "names the part that was cancelled", |result| {
        let sentence = result.pointer("/verdict/sentence")?.as_str()?;
        Some(result.pointer("/verdict/status")? == "invalid" && sentence.contains("shard 3 ("))
    })?;
    println!("\nboth arrays did what they must");
    Ok(ExitCode::SUCCESS)
}

impl Cluster {
    fn start() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("slurm-{}", std::process::id()));
        for part in ["state", "log", "spool/n0", "spool/n1", "shared"] {
            made(&folder.join(part))?;
        }
        let munge = !Path::new(MUNGE_SOCKET).exists();
        let cluster = Self { folder, munge };
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let config = config(&cluster.folder, host.trim());
        written(&cluster.folder.join("slurm.conf"), &config)?;
        if munge {
            made(Path::new("/run/munge"))?;
            step::run(
                "munge's folder",
                Command::new("chown").args(["munge:munge", "/run/munge"]),
            )?;
            let mut munged = Command::new("runuser");
            munged.args(["-u", "munge", "--", "/usr/sbin/munged"]);
            step::run("munged", &mut munged)?;
        }
        step::run("slurmctld", &mut cluster.client("slurmctld"))?;
        for node in NODES {
            step::run("slurmd", cluster.client("slurmd").args(["-N", node]))?;
        }
        until("two idle nodes", || {
            let idle = cluster.client("sinfo").args(["-h", "-o", "%t %D"]).output();
            idle.is_ok_and(|told| told.stdout.starts_with(b"idle 2"))
        })?;
        Ok(cluster)
    }

    /// A program of Slurm's, about this cluster.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.folder.join("slurm.conf"));
        command.current_dir(&self.folder);
        command
    }

    /// Runs an array of four parts, with `meanwhile` once they have met; its result.
    fn array(
        &self,
        redis: &Path,
        meanwhile: impl FnOnce(&str) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        let release = step::target("release");
        let bundle = self.folder.join("bundle");
        if !bundle.exists() {
            let mut make = Command::new(release.join("harness"));
            make.args(["bundle", "scenarios/redis-outage.toml", "--shards=4"])
                .args(["--clients=8000", "--set=load.message.every=15s", "--out"])
                .arg(&bundle)
                .current_dir(step::root());
            step::run("harness bundle", &mut make)?;
        }
        let told = |name: &str, path: &Path| format!("{name}={}", path.display());
        let variables = [
            "ALL".to_owned(),
            told("BUNDLE", &bundle),
            told("SHARED", &self.folder.join("shared")),
            told("HARNESS", &release.join("harness")),
            told("HARNESS_SERVER", &release.join("reference-server")),
            told("REDIS_SERVER", redis),
        ];
        let mut submit = self.client("sbatch");
        submit
            .args(["--parsable", "--array=0-3"])
            .arg(format!("--export={}", variables.join(",")))
            .arg(step::root().join("deploy/slurm/harness.sbatch"));
        let submitted = submit.output().map_err(|source| Failure::Start {
            program: "sbatch".to_owned(),
            source,
        })?;
        let job = String::from_utf8_lossy(&submitted.stdout).trim().to_owned();
        let run = self.folder.join("shared").join(&job);
        println!("\n=== array {job}");
        until("four parts that have met", || {
            run.join("0004/to/000002").is_file()
        })?;
        meanwhile(&job)?;
        let result = run.join("result/result.json");
        until_within("the end of the array", PATIENCE * 4, || {
            let left = self.client("squeue").args(["-h", "-j", &job]).output();
            left.is_ok_and(|left| left.stdout.trim_ascii().is_empty())
        })?;
        Ok(result)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let own = ["d-n0.pid", "d-n1.pid", "ctld.pid"].map(|name| self.folder.join(name));
        let munge = self.munge.then(|| PathBuf::from(MUNGE_PID));
        for path in own.into_iter().chain(munge) {
            let pid = fs::read_to_string(path).unwrap_or_default();
            // One that is gone already needs no end.
            drop(Command::new("kill").arg(pid.trim()).status());
        }
        println!(
            "Slurm was stopped; its logs, and both results: {}",
            self.folder.display()
        );
    }
}

fn config(folder: &Path, host: &str) -> String {
    let folder = folder.display();
    // A node that says it has more than there is is given no work.
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "ClusterName=local
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d-%n.pid
SlurmctldLogFile={folder}/log/ctld.log
SlurmdLogFile={folder}/log/d-%n.log
SlurmctldPort=16817
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
NodeName=n[0-1] NodeHostname={host} NodeAddr=127.0.0.1 Port=[16820-16821] CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=n[0-1] Default=YES MaxTime=10 State=UP OverSubscribe=FORCE:4
"
    )
}

/// What must be true of a result; `None`: it lacks what is asked for.
fn holds(
    path: &Path,
    what: &str,
    is_so: impl FnOnce(&Value) -> Option<bool>,
) -> Result<(), Failure> {
    let text = fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    let result: Value = serde_json::from_str(&text).unwrap_or_default();
    let sentence = result.pointer("/verdict/sentence");
    if is_so(&result) == Some(true) {
        println!("holds: the result {what}");
        return Ok(());
    }
    Err(Failure::Result {
        path: path.to_owned(),
        what: format!("not so: the result {what}; it says {sentence:?}"),
    })
}

/// A whole number: a server's counters are written with a point.
fn number(result: &Value, pointer: &str) -> Option<String> {
    Some(format!("{:.0}", result.pointer(pointer)?.as_f64()?))
}

fn until(what: &str, is_so: impl FnMut() -> bool) -> Result<(), Failure> {
    until_within(what, PATIENCE, is_so)
}

fn until_within(
    what: &str,
    patience: Duration,
    mut is_so: impl FnMut() -> bool,
) -> Result<(), Failure> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > patience {
            return Err(Failure::Step {
                step: format!("waiting for {what}"),
                status: format!("nothing for {} s", patience.as_secs()),
            });
        }
        sleep(Duration::from_millis(250));
    }
    Ok(())
}

fn made(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|source| Failure::File {
        path: folder.to_owned(),
        source,
    })
}

fn written(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}
