//! This module finds out whether this system gives a run the threads and the addresses it needs,
//! while nothing has been started: a library that cannot start a thread in the middle of a run
//! gives up the run.
//!
//! **In:** the plan, and the limits of this process. **Out:** nothing, or what is missing. All
//! threads are there at once for a moment, each with the memory that the allocator sets aside for
//! one.
//!
//! **Units:** threads in pieces, memory in bytes.

use std::fs;
use std::hint::black_box;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle, available_parallelism};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::{MachineError, limit};
use crate::plan::{Cut, Plan, RedisPlan, estimate};

/// The harness with one lane: runtimes, those of libraries for what blocks, monitor, faults, proxy,
/// live view.
const OWN_THREADS: usize = 24;
/// A child beside one for each processor.
const CHILD_THREADS: usize = 8;
/// The stack of a thread, and what the allocator sets aside for it: for so many threads a
/// processor, the rest share.
const STACK_BYTES: u64 = (2 << 20) + (64 << 10);
const ARENA_BYTES: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: usize = 8;
/// Of memory the harness needs itself: at its start, and for one client.
const OWN_BYTES: u64 = 48 << 20;
const BYTES_PER_CLIENT: u64 = 16 << 10;
const HELD_BYTES: usize = 4 << 10;

/// # Errors
///
/// There are too few threads, or too few addresses for memory.
pub(crate) fn check(plan: &Plan) -> Result<(), MachineError> {
    let shards = estimate::shards(plan, limit::open_files()?);
    let room = getrlimit(Resource::RLIMIT_AS).map_or(RLIM_INFINITY, |(soft, _)| soft);
    let mut needed = needed_by_one(plan);
    // Threads of children are of the same user, but have addresses of their own.
    if room == RLIM_INFINITY {
        needed += children(plan)? * (CHILD_THREADS + processors());
        if shards > 1 {
            needed += usize::from(shards) * needed_by_one(plan);
        }
    }
    if room != RLIM_INFINITY {
        let largest = Cut {
            index: 0,
            count: shards,
        };
        addresses(largest.clients(&plan.load), needed, room)?;
    }
    hold(needed).map(drop)
}

/// Threads of one process that drives a load.
fn needed_by_one(plan: &Plan) -> usize {
    OWN_THREADS + usize::from(plan.load.lanes)
}

/// Reckoned and not tried: where addresses end, the C library gives up the process instead of the
/// call.
fn addresses(clients: u32, threads: usize, limit: u64) -> Result<(), MachineError> {
    let arenas = threads.min(ARENAS_PER_PROCESSOR * processors()) as u64;
    let needed = threads as u64 * STACK_BYTES
        + arenas * ARENA_BYTES
        + OWN_BYTES
        + u64::from(clients) * BYTES_PER_CLIENT;
    let left = limit.saturating_sub(addresses_in_use());
    if left >= needed {
        return Ok(());
    }
    Err(MachineError::TooFewAddresses {
        limit_mib: limit >> 20,
        left_mib: left >> 20,
        needed_mib: needed >> 20,
    })
}

/// Threads that wait until this is dropped, and have ended then.
struct HeldThreads {
    gate: Option<SyncSender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for HeldThreads {
    fn drop(&mut self) {
        self.gate = None;
        for thread in self.threads.drain(..) {
            // It does nothing that could fail.
            drop(thread.join());
        }
    }
}

fn hold(needed: usize) -> Result<HeldThreads, MachineError> {
    let (gate, closed) = sync_channel(0);
    let closed = Arc::new(Mutex::new(closed));
    let (here, arrived) = sync_channel(needed);
    let mut held = HeldThreads {
        gate: Some(gate),
        threads: Vec::with_capacity(needed),
    };
    for started in 0..needed {
        let (closed, here) = (Arc::clone(&closed), here.clone());
        let wait = move || {
            let kept = black_box(vec![0_u8; HELD_BYTES]);
            if here.send(()).is_err() {
                return;
            }
            // The first waits for the end of the gate, the others for the first.
            drop(
                closed
                    .lock()
                    .map(|closed: MutexGuard<'_, Receiver<()>>| closed.recv()),
            );
            drop(kept);
        };
        let thread = Builder::new().name("headroom".to_owned()).spawn(wait);
        held.threads
            .push(thread.map_err(|source| MachineError::TooFewThreads {
                needed,
                started,
                source,
            })?);
    }
    drop(here);
    // Started is not yet there, with all it takes.
    for () in arrived.iter().take(needed) {}
    Ok(held)
}

/// Processes that the run starts beside the janitor and those that drive the load.
fn children(plan: &Plan) -> Result<usize, MachineError> {
    let environment = &plan.environment;
    let servers = match environment.target {
        None => usize::from(estimate::instances(plan, limit::open_files()?)),
        Some(_) => 0,
    };
    let redis = environment.target.is_none() && environment.redis == RedisPlan::Private;
    let edge = estimate::has_own_edge(plan) && environment.toxiproxy.is_none();
    Ok(servers + usize::from(redis) + usize::from(edge))
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Of this process; 0 where `/proc` does not tell.
fn addresses_in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_are_there_at_once_and_gone_afterwards() {
        let count = || {
            let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
            let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")));
            names
                .filter(|name| name.as_ref().is_ok_and(|name| name.trim() == "headroom"))
                .count()
        };
        let held = hold(40).ok().unwrap();
        assert_eq!(count(), 40);
        drop(held);
        // A thread that was joined may be listed a moment longer.
        let mut looks = 0;
        while count() > 0 {
            looks += 1;
            assert!(looks < 1_000, "{} are left", count());
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(addresses_in_use() > 1 << 20);
    }
}
