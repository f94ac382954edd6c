//! This module waits for something to answer, with a deadline and a reason when it does not.
//!
//! **In:** a question to ask again and again. **Out:** its first good answer, or which of two
//! things happened instead: the process ended, or the time was over.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ProcessError, ProcessId};
use crate::clock::monotonic_ns;
use crate::environment::machine::disk;

const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 3;
const TAIL_CHARS_MAX: usize = 600;

/// Who is waited for.
#[derive(Clone, Debug)]
pub(crate) struct ReadyWait {
    /// `redis-server`, `reference-server`.
    pub what: &'static str,
    pub timeout: Duration,
    pub process: ProcessId,
    pub log: PathBuf,
}

impl ReadyWait {
    /// Asks until there is an answer; `ask` says in one sentence why there is none yet.
    pub(crate) async fn until<T>(
        &self,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, ProcessError> {
        let start_ns = monotonic_ns();
        loop {
            let last = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(last) => last,
            };
            if !self.process.is_alive() {
                return Err(ProcessError::Ended {
                    what: self.what,
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            let waited = Duration::from_nanos(monotonic_ns() - start_ns);
            if waited >= self.timeout {
                return Err(ProcessError::NotReady {
                    what: self.what,
                    waited,
                    last,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// How a log ends, on one line.
fn tail(log: &Path) -> String {
    let end = last_lines(log);
    let full = if disk::has_no_room(log.parent().unwrap_or(log)) {
        " (no space is left where it lies)"
    } else {
        ""
    };
    if end.is_empty() {
        format!("is empty{full}")
    } else {
        format!("ends{full}: {end}")
    }
}

/// The last lines of a log, on one line.
fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.lines().rev().take(TAIL_LINES).collect();
    lines.reverse();
    let wrong = text.lines().rev().find(|line| line.starts_with("error"));
    if let Some(wrong) = wrong.filter(|line| !lines.contains(line)) {
        lines.insert(0, wrong);
    }
    let joined = lines.join(" | ");
    let surplus = joined.chars().count().saturating_sub(TAIL_CHARS_MAX);
    joined.chars().skip(surplus).collect()
}

/// Where a log ends now; a run may append to one that is there already.
pub(crate) fn log_end(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |file| file.len())
}

/// What stands behind `prefix` in the first whole line of the log that starts with it, from byte
/// `from` on.
pub(crate) fn announced(log: &Path, from: u64, prefix: &str) -> Option<String> {
    let bytes = fs::read(log).ok()?;
    let fresh = bytes.get(usize::try_from(from).ok()?..)?;
    let text = String::from_utf8_lossy(fresh);
    let whole = &text[..=text.rfind('\n')?];
    let mut found = whole.lines().filter_map(|line| line.strip_prefix(prefix));
    found.next().map(|rest| rest.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_could_not_be_written_is_not_quoted_as_if_it_said_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("server.log");
        assert_eq!(tail(&log), "is empty");
        fs::write(&log, "error: no\n").unwrap();
        assert_eq!(tail(&log), "ends: error: no");
        let full = tail(Path::new("/proc/server.log"));
        assert_eq!(full, "is empty (no space is left where it lies)");
    }

    #[test]
    fn an_address_is_read_only_once_its_line_is_whole_and_new() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("server.log");
        fs::write(&log, "listening on 127.0.0.1:1\n").unwrap();
        let end = log_end(&log);
        assert_eq!(announced(&log, end, "listening on "), None);
        let text = "listening on 127.0.0.1:1\nx\nlistening on 127.0.0.1:2";
        fs::write(&log, text).unwrap();
        assert_eq!(announced(&log, end, "listening on "), None);
        fs::write(&log, format!("{text}34\n")).unwrap();
        assert_eq!(
            announced(&log, end, "listening on "),
            Some("127.0.0.1:234".to_owned())
        );
    }
}
