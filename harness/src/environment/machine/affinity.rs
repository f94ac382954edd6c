//! This module gives the harness and what it starts processors of their own.
//!
//! **In:** a set of processors. **Out:** the calling thread runs there, and so does every thread and process that it starts
//! from then on. **Source:** `sched_setaffinity(2)`.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::MachineError;
use crate::scenario::cpus::Cpus;

/// This thread.
const SELF: Pid = Pid::from_raw(0);

/// Where this thread runs now.
pub(crate) fn current() -> Result<Cpus, MachineError> {
    let set = sched_getaffinity(SELF).map_err(|errno| MachineError::Affinity {
        cpus: "of this process".to_owned(),
        reason: errno.desc(),
    })?;
    let mine = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false));
    let mine = mine.filter_map(|cpu| u16::try_from(cpu).ok());
    Cpus::of(mine).ok_or(MachineError::Affinity {
        cpus: "of this process".to_owned(),
        reason: "the kernel names none",
    })
}

/// Runs this thread, and all that it starts from then on, on these processors.
///
/// # Errors
///
/// [`MachineError::Affinity`]: this machine has not got them, or does not let this process run there.
pub(crate) fn run_on(cpus: &Cpus) -> Result<(), MachineError> {
    let failed = |reason| MachineError::Affinity {
        cpus: cpus.to_string(),
        reason,
    };
    let mut set = CpuSet::new();
    for cpu in cpus.numbers() {
        set.set(usize::from(*cpu))
            .map_err(|errno| failed(errno.desc()))?;
    }
    sched_setaffinity(SELF, &set).map_err(|errno| failed(errno.desc()))?;
    // The kernel takes those that there are, and says nothing of the others.
    if current()? == *cpus {
        Ok(())
    } else {
        Err(failed("not all of them are there, or may be used"))
    }
}

/// Starts something on these processors, and goes on where this thread ran before.
///
/// # Errors
///
/// As [`run_on`]; nothing was started then.
pub(crate) fn started_on<T>(
    cpus: Option<&Cpus>,
    start: impl FnOnce() -> T,
) -> Result<T, MachineError> {
    let Some(cpus) = cpus else {
        return Ok(start());
    };
    let before = current()?;
    // Half of a set may have been taken before it was found that the rest is missing.
    let moved = run_on(cpus);
    let started = moved.map(|()| start());
    run_on(&before)?;
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_runs_there_and_this_thread_where_it_was() {
        let before = current().unwrap();
        let one = Cpus::of(before.numbers().first().copied()).unwrap();
        let there = started_on(Some(&one), || {
            std::thread::spawn(|| current().unwrap()).join().unwrap()
        });
        assert_eq!(there.unwrap(), one);
        assert_eq!(current().unwrap(), before);
    }

    #[test]
    fn a_processor_that_is_not_there_is_named() {
        let before = current().unwrap();
        let missing = "1023".parse().unwrap();
        let error = started_on(Some(&missing), || ()).unwrap_err();
        assert!(error.to_string().contains("1023"), "{error}");
        assert_eq!(current().unwrap(), before);
    }
}
