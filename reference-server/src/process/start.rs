//! What the start of every process has in common: log, runtime, signals, and how a failed start is
//! told.

use std::future::Future;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::terminal::complain;
use crate::auth::secret;
use crate::config::ConfigError;
use crate::host::memory;
use crate::metrics::MetricsError;

/// Threads beside those of the runtime: names are resolved on them.
const SPARE_THREADS: usize = 2;
/// What a thread takes of the address space: its stack, and that for the signal that says the first
/// is full.
const STACK_BYTES: u64 = (2 << 20) + (64 << 10);
/// What the allocator sets aside for a thread, for so many of them a processor; the rest share.
const ARENA_BYTES: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: usize = 8;
/// What a start takes beside its threads.
const SPARE_BYTES: u64 = 64 << 20;

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The flags are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The filter for logs is wrong.
    #[error("--log: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    /// The address cannot be listened on.
    #[error("--listen: {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
    /// Runtime, signals or stdout.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// Threads.
    #[error(
        "cannot start: {0}: no room for the threads; raise the limit (`ulimit -u`) or give fewer --threads"
    )]
    Threads(#[source] io::Error),
    /// The address space.
    #[error(
        "cannot start: no room for the threads: of the address space {left_mib} MiB are left, and they may need {needed_mib} MiB; \
         raise the limit (`ulimit -v`) or give fewer --threads"
    )]
    Addresses {
        /// Below the limit.
        left_mib: u64,
        /// At most.
        needed_mib: u64,
    },
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
}

/// The exit code of a process, with the reason on stderr where it did not start.
pub(crate) fn report(outcome: Result<(), StartError>) -> ExitCode {
    let Err(problem) = outcome else {
        return ExitCode::SUCCESS;
    };
    complain(&format!("error: {problem}"));
    if let StartError::Bind { .. } = problem {
        complain(" hint: take another address, or port 0 for a free one");
    }
    let usage = matches!(problem, StartError::Config(_) | StartError::Log(_));
    ExitCode::from(if usage { 2 } else { 3 })
}

/// Sends the log to stderr.
pub(crate) fn log(filter: &str) -> Result<(), StartError> {
    // The library would log the messages themselves, unless it is asked for by name.
    let filter = format!("tungstenite=warn,{filter}");
    let filter: tracing_subscriber::EnvFilter = filter.parse()?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// Runs the process on that many threads; 0 means one per core.
pub(crate) fn run(
    threads: usize,
    process: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { processors } else { threads };
    addresses(threads + SPARE_THREADS, processors)?;
    rehearse(threads + SPARE_THREADS).map_err(StartError::Threads)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads);
    runtime.enable_all().build()?.block_on(process)
}

/// Reckoned and not tried: where addresses end, the C library gives up the process instead of the
/// call.
fn addresses(threads: usize, processors: usize) -> Result<(), StartError> {
    let limit = getrlimit(Resource::RLIMIT_AS).map_or(RLIM_INFINITY, |(soft, _)| soft);
    if limit == RLIM_INFINITY {
        return Ok(());
    }
    let arenas = threads.min(ARENAS_PER_PROCESSOR * processors) as u64;
    let needed = threads as u64 * STACK_BYTES + arenas * ARENA_BYTES + SPARE_BYTES;
    let left = limit.saturating_sub(memory::addresses_in_use());
    if left >= needed {
        return Ok(());
    }
    Err(StartError::Addresses {
        left_mib: left >> 20,
        needed_mib: needed >> 20,
    })
}

/// Sees whether the system gives the threads that the runtime is about to take: that panics where
/// it does not.
fn rehearse(threads: usize) -> io::Result<()> {
    // All at once, each held until the last is there.
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock();
    let all: io::Result<Vec<_>> = (0..threads)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::Builder::new().spawn(move || drop(gate.lock()))
        })
        .collect();
    drop(closed);
    for started in all? {
        if started.join().is_err() {
            return Err(io::Error::other("a thread could not be started"));
        }
    }
    Ok(())
}

/// SIGTERM and Ctrl-C.
pub(crate) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn new() -> Result<Self, StartError> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for either.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The one line on stdout, for whoever started the process and waits for it.
pub(crate) fn announce(address: SocketAddr) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()?;
    Ok(())
}
