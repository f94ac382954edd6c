//! This module is a real Slurm of two virtual nodes on this machine: munge, a controller and two `slurmd` on loopback, in a
//! folder of its own, which end with it.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::package::Program;
use crate::step;

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
const NODES: [&str; 2] = ["n0", "n1"];
/// Until nodes are there, and until parts have met.
const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster that ends with this, and where this process is killed.
pub(super) struct Cluster {
    folder: PathBuf,
    /// In the order in which they were started.
    daemons: Vec<Child>,
}

impl Cluster {
    /// Installs what is missing. Needs root.
    ///
    /// # Errors
    ///
    /// If a program can neither be found nor installed.
    pub(super) fn ensure() -> Result<(), Failure> {
        PROGRAMS
            .iter()
            .try_for_each(|program| program.ensure().map(drop))
    }

    /// Both nodes are idle.
    ///
    /// # Errors
    ///
    /// If they are not, within a minute.
    pub(super) fn start() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("slurm-{}", std::process::id()));
        for part in ["state", "log", "spool/n0", "spool/n1", "shared"] {
            made(&folder.join(part))?;
        }
        let daemons = Vec::new();
        let mut cluster = Self { folder, daemons };
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let config = config(&cluster.folder, host.trim());
        written(&cluster.folder.join("slurm.conf"), &config)?;
        // Whoever runs Slurm already has it.
        if UnixStream::connect(MUNGE_SOCKET).is_err() {
            made(Path::new("/run/munge"))?;
            step::run(
                "munge's folder",
                Command::new("chown").args(["munge:munge", "/run/munge"]),
            )?;
            let as_munge = ["--reuid=munge", "--regid=munge", "--clear-groups"];
            cluster.begin(&as_munge, &["munged", "--foreground", "--force"])?;
            until("munge", || UnixStream::connect(MUNGE_SOCKET).is_ok())?;
        }
        cluster.begin(&[], &["slurmctld", "-D"])?;
        for node in NODES {
            // What a node starts has sessions of its own, and ends with the first process of its world.
            let world = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
            cluster.begin(&[], &[&world[..], &["slurmd", "-D", "-N", node]].concat())?;
        }
        until("two idle nodes", || {
            let idle = cluster.client("sinfo").args(["-h", "-o", "%t %D"]).output();
            idle.is_ok_and(|told| told.stdout.starts_with(b"idle 2"))
        })?;
        Ok(cluster)
    }

    /// Starts a daemon that ends with this process, however that ends.
    fn begin(&mut self, rights: &[&str], words: &[&str]) -> Result<(), Failure> {
        let log = self.folder.join("log/daemons.log");
        let log = File::options().create(true).append(true).open(&log);
        let started = log.and_then(|log| {
            let mut daemon = self.client("setpriv");
            daemon
                .args(rights)
                .args(["--pdeathsig", "KILL"])
                .args(words);
            daemon
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            daemon.spawn()
        });
        let daemon = started.map_err(|source| Failure::Start {
            program: words[0].to_owned(),
            source,
        })?;
        self.daemons.push(daemon);
        Ok(())
    }

    /// A program of Slurm's, about this cluster.
    pub(super) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.folder.join("slurm.conf"));
        command.current_dir(&self.folder);
        command
    }

    /// Has an array do `deploy/slurm/harness.sbatch`, a task for each part; its number.
    ///
    /// # Errors
    ///
    /// If `sbatch` cannot be started or takes no job.
    pub(super) fn submit(
        &self,
        parts: u16,
        variables: &[(&str, &Path)],
    ) -> Result<String, Failure> {
        let mut submit = self.client("sbatch");
        let variables = variables
            .iter()
            .map(|(name, path)| format!(",{name}={}", path.display()));
        submit
            .args(["--parsable", &format!("--array=0-{}", parts - 1)])
            .arg(format!("--export=ALL{}", variables.collect::<String>()))
            .arg(step::root().join("deploy/slurm/harness.sbatch"));
        let submitted = submit.output().map_err(|source| Failure::Start {
            program: "sbatch".to_owned(),
            source,
        })?;
        if !submitted.status.success() {
            return Err(Failure::Step {
                step: "sbatch".to_owned(),
                status: String::from_utf8_lossy(&submitted.stderr).trim().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&submitted.stdout).trim().to_owned())
    }

    /// Until nothing of the array is left.
    pub(super) fn wait_for(&self, job: &str) -> Result<(), Failure> {
        until_within("the end of the array", PATIENCE * 4, || {
            let left = self.client("squeue").args(["-h", "-j", job]).output();
            left.is_ok_and(|left| left.stdout.trim_ascii().is_empty())
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            // One that is gone already needs no end.
            drop(daemon.kill());
            drop(daemon.wait());
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
KillWait=2
JobAcctGatherType=jobacct_gather/none
NodeName=n[0-1] NodeHostname={host} NodeAddr=127.0.0.1 Port=[16820-16821] CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=n[0-1] Default=YES MaxTime=10 State=UP OverSubscribe=FORCE:4
"
    )
}

/// Waits a minute at most.
pub(super) fn until(what: &str, is_so: impl FnMut() -> bool) -> Result<(), Failure> {
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
