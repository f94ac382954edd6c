//! A server that is all its process does: it takes the files that the process may open, creates the proxies of a
//! file, and ends with SIGINT or SIGTERM.
//!
//! **In:** a bound port, a configuration, perhaps the path of a file in Toxiproxy's format. **Out:** nothing, once a
//! signal came and everything is closed; or what kept it from that.

use crate::server::{PopulateError, ServeError, Server, ServerConfig};
use nix::{
    fcntl::OFlag,
    sys::resource::{Resource, getrlimit, setrlimit},
};
use std::{
    fs::{File, Metadata},
    io::{self, Read},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A file with every proxy that a server takes is smaller.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why the process could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system does not say or set how many files it may open.
    #[error("the limit of open files cannot be raised: {}", reason(.0))]
    Files(#[source] io::Error),
    /// There are no threads or no event queue.
    #[error("the runtime did not start: {}", reason(.0))]
    Runtime(#[source] io::Error),
    /// SIGINT and SIGTERM would end it without a clean end.
    #[error("signals cannot be caught: {}", reason(.0))]
    Signals(#[source] io::Error),
    /// The port handed in is not usable.
    #[error("the port of the API is not usable: {}", reason(.0))]
    Listener(#[source] io::Error),
    /// The file with proxies gives nothing, or not what a server takes.
    #[error("{}: {problem}", .file.display())]
    Proxies {
        file: PathBuf,
        #[source]
        problem: FileError,
    },
    /// Nobody could be told that it is ready.
    #[error("stdout: cannot be written: {}", reason(.0))]
    Ready(#[source] io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// What is wrong with a file of proxies.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}", reason(.0))]
    Io(#[source] io::Error),
    #[error("it is a folder, not a file")]
    Folder,
    #[error("it is no regular file: a pipe or a device may have no end")]
    Irregular,
    #[error("it has more than {FILE_BYTES_MAX} bytes")]
    TooLong,
    #[error("{}", fact(.0))]
    Refused(#[source] PopulateError),
}

impl ProcessError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Proxies { problem, .. } => problem.hint(),
            Self::Files(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Listener(_)
            | Self::Ready(_)
            | Self::Serve(_) => None,
        }
    }
}

impl FileError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refused) if refused.problem.starts_with("listen tcp") => Some(
                "`listen` is HOST:PORT of this machine; is a proxy running there already? port 0 takes a free one",
            ),
            Self::Refused(refused) if refused.problem.starts_with("the upstream leads back") => {
                Some("name the server behind it as `upstream`")
            }
            Self::Refused(_) => Some(
                "write it as Toxiproxy does: [{\"name\": \"redis\", \"listen\": \"127.0.0.1:26379\", \
                 \"upstream\": \"127.0.0.1:6379\"}]",
            ),
            Self::Io(_) => Some("name a file that is there and may be read"),
            Self::Folder | Self::Irregular | Self::TooLong => None,
        }
    }
}

/// How long the end waits for names that are being looked up.
const LOOKUPS_MAX: Duration = Duration::from_millis(500);

/// Serves until SIGINT or SIGTERM; `ready` hears where, once every proxy of the file is there.
pub fn run(
    listener: TcpListener,
    config: &ServerConfig,
    proxies: Option<&Path>,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), ProcessError> {
    raise_files().map_err(ProcessError::Files)?;
    let runtime = tokio::runtime::Runtime::new().map_err(ProcessError::Runtime)?;
    let ended = runtime.block_on(async {
        listener
            .set_nonblocking(true)
            .map_err(ProcessError::Listener)?;
        let listener =
            tokio::net::TcpListener::from_std(listener).map_err(ProcessError::Listener)?;
        let address = listener.local_addr().map_err(ProcessError::Listener)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ProcessError::Signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(ProcessError::Signals)?;
        let server = Server::new(config);
        if let Some(file) = proxies {
            populate(&server, file)
                .await
                .map_err(|problem| ProcessError::Proxies {
                    file: file.to_owned(),
                    problem,
                })?;
        }
        ready(address).map_err(ProcessError::Ready)?;
        let stop = CancellationToken::new();
        let told = async {
            let name = first(&mut interrupt, &mut terminate).await;
            tracing::info!(signal = name, "shutting down");
            stop.cancel();
        };
        let (served, ()) = tokio::join!(server.run(listener, stop.clone()), told);
        Ok(served?)
    });
    // A name that is being looked up keeps its thread for as long as the resolver takes.
    runtime.shutdown_timeout(LOOKUPS_MAX);
    ended
}

async fn first(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Each connection takes two files, so the process takes what it may have.
fn raise_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

async fn populate(server: &Server, file: &Path) -> Result<(), FileError> {
    let created = server.populate(&read(file)?).await;
    created.map(drop).map_err(FileError::Refused)
}

/// The whole file. A pipe is refused rather than waited for, a device rather than read for ever.
fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    // To open a device may be to start something.
    check(&std::fs::metadata(file).map_err(FileError::Io)?)?;
    // Another file may lie there by now.
    let mut options = File::options();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(file).map_err(FileError::Io)?;
    check(&file.metadata().map_err(FileError::Io)?)?;
    let mut bytes = Vec::new();
    let mut most = file.take(FILE_BYTES_MAX + 1);
    most.read_to_end(&mut bytes).map_err(FileError::Io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLong);
    }
    Ok(bytes)
}

fn check(found: &Metadata) -> Result<(), FileError> {
    if found.is_dir() {
        return Err(FileError::Folder);
    }
    if !found.is_file() {
        return Err(FileError::Irregular);
    }
    Ok(())
}

/// The API speaks of a request; here there is a file.
fn fact(refused: &PopulateError) -> String {
    let text = refused.to_string();
    text.strip_prefix("bad request body: ")
        .map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// The reason without the operating system's number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
