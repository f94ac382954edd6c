//! What the start of every process has in common: log, runtime, signals, and how a failed start is told.

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::ConfigError;
use crate::metrics::MetricsError;
use crate::{complain, secret};

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
        source: std::io::Error,
    },
    /// Runtime, signals or stdout.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
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
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// Runs the process on that many threads; 0 means one per core.
pub(crate) fn run(
    threads: usize,
    process: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        runtime.worker_threads(threads);
    }
    runtime.enable_all().build()?.block_on(process)
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
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()?;
    Ok(())
}
