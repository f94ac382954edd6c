//! This module starts the processes under test and reads what they use.

use crate::Outcome;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// Takes as many files as this process may have.
pub(crate) fn raise_file_limit() -> Outcome<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

/// Files this process may have.
pub(crate) fn file_limit() -> Outcome<usize> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from(soft)?)
}

/// A process that ends with this.
pub(crate) struct Part {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// This program in another role.
    pub(crate) fn role(arguments: &[&str]) -> Outcome<Self> {
        Self::start(Command::new(std::env::current_exe()?).args(arguments))
    }

    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output of a child")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// The next line it prints.
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a part of the measurement ended early".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Tells it to go on.
    pub(crate) fn go_on(&mut self) -> Outcome<()> {
        let input = self.input.as_mut().ok_or("no input of a child")?;
        input.write_all(b"\n")?;
        Ok(())
    }

    /// Processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut ran_ns = 0;
        for thread in fs::read_dir(self.proc("task"))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split_whitespace().next().ok_or("empty schedstat")?;
            ran_ns += first.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(ran_ns))
    }

    /// Memory it has touched that no file backs.
    pub(crate) fn anonymous_kib(&self) -> Outcome<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        Ok(number.ok_or("no RssAnon in /proc")?.parse()?)
    }

    pub(crate) fn open_files(&self) -> Outcome<usize> {
        Ok(fs::read_dir(self.proc("fd"))?.count())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.input.take());
        // It has nothing to tidy up; its sockets go with it.
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("a part of the measurement could not be ended: {error}");
        }
    }
}
