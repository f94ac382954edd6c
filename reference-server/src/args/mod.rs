//! Flags and environment, as typed. One table; `config` turns it into what the server uses.
//!
//! Every default of the contract is here and nowhere else. A secret has an environment variable
//! because the command line of a process can be read by every user of the machine.

mod bound;

pub(crate) use bound::BoundArgs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Reference WebSocket chat server, with the failures of real ones as switches.
#[derive(Debug, Parser)]
#[command(name = "reference-server", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Print the defects this build can show, and what each does.
    #[arg(long)]
    pub(crate) list_defects: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve HTTP and WebSocket clients, with the task worker inside.
    Serve(Box<ServeArgs>),
    /// Work on the task queue as a process of its own, beside servers that run with `--worker none`.
    Worker(Box<WorkerArgs>),
    /// Send one message through the channel layer: prints `Channel layer OK`, or what failed and exits with 1.
    Health(HealthArgs),
}

/// How a socket that must not be opened is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Refuse {
    /// Complete the upgrade, then close with a code the browser can see.
    Close,
    /// Answer the upgrade with 401, 403 or 503.
    Handshake,
}

/// What carries events from the worker to the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelKind {
    /// Redis pub/sub and a stream per conversation: several instances can share it.
    Redis,
    /// Within this process, without history: for development.
    Memory,
}

impl ChannelKind {
    /// As the health page prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memory => "memory",
        }
    }
}

/// Where the task worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkerKind {
    /// In the server's process.
    Inside,
    /// Elsewhere: `reference-server worker`, as many as wanted.
    None,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
#[command(next_line_help = false)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,
    /// Threads of the runtime; 0 means one per core.
    #[arg(long, env = "REFERENCE_SERVER_THREADS", default_value_t = 0)]
    pub(crate) threads: usize,
    /// What to log, in the form of `tracing`'s filters.
    #[arg(long, env = "REFERENCE_SERVER_LOG", default_value = "info")]
    pub(crate) log: String,
    /// Time the sockets have to end after SIGTERM.
    #[arg(long, env = "REFERENCE_SERVER_DRAIN", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// Certificate chain in PEM, the server's own first: speak TLS.
    #[arg(long, env = "REFERENCE_SERVER_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM.
    #[arg(
        long,
        env = "REFERENCE_SERVER_TLS_KEY",
        hide_env_values = true,
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where tasks are worked on.
    #[arg(
        long,
        env = "REFERENCE_SERVER_WORKER",
        value_enum,
        default_value = "inside"
    )]
    pub(crate) worker: WorkerKind,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    #[command(flatten)]
    pub(crate) chat: ChatArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) bound: BoundArgs,
    /// Turn a failure on: NAME, or NAME=RATE with a share of 0 to 1. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_DEFECT", value_delimiter = ',')]
    pub(crate) defect: Vec<String>,
}

/// Flags of `worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Address of `/healthz`, `/readyz` and `/metrics`; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LISTEN",
        default_value = "127.0.0.1:8081"
    )]
    pub(crate) listen: SocketAddr,
    /// What to log, in the form of `tracing`'s filters.
    #[arg(long, env = "REFERENCE_SERVER_LOG", default_value = "info")]
    pub(crate) log: String,
    /// Time to finish the answers in hand after SIGTERM; what is left goes to other workers.
    #[arg(long, env = "REFERENCE_SERVER_DRAIN", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Turn a failure of the worker on: NAME, or NAME=RATE with a share of 0 to 1. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_DEFECT", value_delimiter = ',')]
    pub(crate) defect: Vec<String>,
}

/// Flags of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Flags about reaching the channel layer, for every process.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Base URL without a database; 0, 2 and 3 are used. A password belongs in the environment variable.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub(crate) redis_url: String,
    /// URL of the channel layer; the base URL with database 3 if absent.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_CHANNEL_URL",
        hide_env_values = true
    )]
    pub(crate) redis_channel_url: Option<String>,
    /// Longest wait for one Redis command.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_TIMEOUT", default_value = "1s", value_parser = duration)]
    pub(crate) redis_timeout: Duration,
}

/// Flags about the queue and the histories, for whoever writes to them.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// URL of the task queue; the base URL with database 0 if absent.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_TASKS_URL", hide_env_values = true)]
    pub(crate) redis_tasks_url: Option<String>,
    /// Pause between the PINGs of the watchdog.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_PING", default_value = "500ms", value_parser = duration)]
    pub(crate) redis_ping: Duration,
    /// Entries kept per conversation.
    #[arg(long, env = "REFERENCE_SERVER_HISTORY_ENTRIES", default_value_t = 1500)]
    pub(crate) history_entries: u32,
    /// How long a conversation's history outlives its last event; at least twice the grace.
    #[arg(long, env = "REFERENCE_SERVER_HISTORY_EXPIRY", default_value = "30s", value_parser = duration)]
    pub(crate) history_expiry: Duration,
}

/// Flags about Redis that only a server has.
#[derive(Debug, Args)]
pub(crate) struct RedisArgs {
    /// URL of tokens and rate limits; the base URL with database 2 if absent.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_TOKENS_URL",
        hide_env_values = true
    )]
    pub(crate) redis_tokens_url: Option<String>,
    /// Sockets stay open through an outage shorter than this.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_GRACE", default_value = "15s", value_parser = duration)]
    pub(crate) redis_grace: Duration,
    /// What carries events from the worker to the sockets.
    #[arg(
        long,
        env = "REFERENCE_SERVER_CHANNEL_LAYER",
        value_enum,
        default_value = "redis"
    )]
    pub(crate) channel_layer: ChannelKind,
    /// Messages kept per people chat.
    #[arg(long, env = "REFERENCE_SERVER_CHATS_ENTRIES", default_value_t = 1000)]
    pub(crate) chats_entries: u32,
    /// How long a people chat's history outlives its last message.
    #[arg(long, env = "REFERENCE_SERVER_CHATS_EXPIRY", default_value = "24h", value_parser = duration)]
    pub(crate) chats_expiry: Duration,
}

/// Flags about users, tokens and origins.
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    /// Password of every user; random and printed to the log if absent.
    #[arg(long, env = "REFERENCE_SERVER_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Users that exist: user-000001 and so on.
    #[arg(long, env = "REFERENCE_SERVER_USERS", default_value_t = 1_000_000)]
    pub(crate) users: u64,
    /// Admins that exist: admin-000001 and so on.
    #[arg(long, env = "REFERENCE_SERVER_ADMINS", default_value_t = 100)]
    pub(crate) admins: u64,
    /// Participants of a people chat: chat n is of the users nK+1 to nK+K.
    #[arg(long, env = "REFERENCE_SERVER_PARTICIPANTS", default_value_t = 10)]
    pub(crate) participants: u64,
    /// Key that signs access and refresh tokens; random if absent.
    #[arg(long, env = "REFERENCE_SERVER_JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,
    /// Life of an access token.
    #[arg(long, env = "REFERENCE_SERVER_JWT_TTL", default_value = "15m", value_parser = duration)]
    pub(crate) jwt_ttl: Duration,
    /// Life of a refresh token.
    #[arg(long, env = "REFERENCE_SERVER_REFRESH_TTL", default_value = "7d", value_parser = duration)]
    pub(crate) refresh_ttl: Duration,
    /// How long before its access token expires a socket is told.
    #[arg(long, env = "REFERENCE_SERVER_JWT_WARNING", default_value = "2m", value_parser = duration)]
    pub(crate) jwt_warning: Duration,
    /// Life of a connection token.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_TTL", default_value = "60s", value_parser = duration)]
    pub(crate) token_ttl: Duration,
    /// Connection tokens per second and user.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_RATE", default_value_t = 10.0)]
    pub(crate) token_rate: f64,
    /// Connection tokens a user may ask for at once.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_BURST", default_value_t = 50)]
    pub(crate) token_burst: u32,
    /// Origin that may connect besides the host itself, as `https://chat.example`. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_ALLOWED_ORIGIN", value_delimiter = ',')]
    pub(crate) allowed_origin: Vec<String>,
    /// How a socket that must not be opened is refused.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REFUSE",
        value_enum,
        default_value = "close"
    )]
    pub(crate) refuse: Refuse,
}

/// Flags about messages and the task queue.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Messages per second and user.
    #[arg(long, env = "REFERENCE_SERVER_RATE_LIMIT", default_value_t = 10.0)]
    pub(crate) rate_limit: f64,
    /// Messages a user may send at once.
    #[arg(long, env = "REFERENCE_SERVER_RATE_BURST", default_value_t = 50)]
    pub(crate) rate_burst: u32,
    /// Refusals in a row until a socket is closed with 4429.
    #[arg(long, env = "REFERENCE_SERVER_FLOOD_STRIKES", default_value_t = 100)]
    pub(crate) flood_strikes: u32,
    /// Characters of a message.
    #[arg(long, env = "REFERENCE_SERVER_MAX_MESSAGE", default_value_t = 10_000)]
    pub(crate) max_message: usize,
    /// How long a `client_message_id` is remembered.
    #[arg(long, env = "REFERENCE_SERVER_REMEMBER_IDS", default_value = "5m", value_parser = duration)]
    pub(crate) remember_ids: Duration,
    /// Tasks waiting or being worked on until messages are refused as `busy`.
    #[arg(long, env = "REFERENCE_SERVER_QUEUE_LIMIT", default_value_t = 10_000)]
    pub(crate) queue_limit: u32,
    /// An acknowledged task silent for so long is queued again if its entry is gone.
    #[arg(long, env = "REFERENCE_SERVER_REDRIVE_AFTER", default_value = "4s", value_parser = duration)]
    pub(crate) redrive_after: Duration,
    /// Bytes of unanswered messages kept for that; a task beyond it is lost with its entry, and the client is told.
    #[arg(long, env = "REFERENCE_SERVER_REDRIVE_BYTES", default_value_t = 64 << 20)]
    pub(crate) redrive_bytes: usize,
    /// An acknowledged message is answered within this, or said to be lost.
    #[arg(long, env = "REFERENCE_SERVER_ANSWER_WITHIN", default_value = "10m", value_parser = duration)]
    pub(crate) answer_within: Duration,
}

/// Flags about the answers, for whoever works on them.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkArgs {
    /// Chunks of an answer.
    #[arg(long, env = "REFERENCE_SERVER_CHUNKS", default_value_t = 3)]
    pub(crate) chunks: u32,
    /// From the start of processing to the first chunk.
    #[arg(long, env = "REFERENCE_SERVER_FIRST_AFTER", default_value = "10ms", value_parser = duration)]
    pub(crate) first_after: Duration,
    /// From chunk to chunk.
    #[arg(long, env = "REFERENCE_SERVER_CHUNK_INTERVAL", default_value = "10ms", value_parser = duration)]
    pub(crate) chunk_interval: Duration,
    /// Answers in hand at once; tasks past it stay in the queue.
    #[arg(long, env = "REFERENCE_SERVER_CONCURRENCY", default_value_t = 20_000)]
    pub(crate) concurrency: u32,
    /// A task untouched by its worker for so long is taken over.
    #[arg(long, env = "REFERENCE_SERVER_TAKE_OVER_AFTER", default_value = "3s", value_parser = duration)]
    pub(crate) take_over_after: Duration,
}

/// Flags about connections.
#[derive(Debug, Args)]
pub(crate) struct SocketArgs {
    /// Pause between the server's pings.
    #[arg(long, env = "REFERENCE_SERVER_PING_INTERVAL", default_value = "25s", value_parser = duration)]
    pub(crate) ping_interval: Duration,
    /// A socket silent for so long is closed with 4408.
    #[arg(long, env = "REFERENCE_SERVER_PING_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub(crate) ping_timeout: Duration,
    /// Open sockets.
    #[arg(
        long,
        env = "REFERENCE_SERVER_MAX_CONNECTIONS",
        default_value_t = 18_000
    )]
    pub(crate) max_connections: usize,
    /// Bytes of a frame or message from a client.
    #[arg(long, env = "REFERENCE_SERVER_MAX_FRAME", default_value_t = 65_536)]
    pub(crate) max_frame: usize,
    /// Time a client has to send the headers of a request.
    #[arg(long, env = "REFERENCE_SERVER_HEADER_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub(crate) header_timeout: Duration,
    /// Time a request, or the opening of a socket, may take.
    #[arg(long, env = "REFERENCE_SERVER_HANDSHAKE_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub(crate) handshake_timeout: Duration,
    /// Connections per second from one address.
    #[arg(long, env = "REFERENCE_SERVER_CONNECT_RATE", default_value_t = 100.0)]
    pub(crate) connect_rate: f64,
    /// Frames waiting for a slow reader.
    #[arg(long, env = "REFERENCE_SERVER_OUTBOX_MESSAGES", default_value_t = 1500)]
    pub(crate) outbox_messages: usize,
    /// Bytes waiting for a slow reader.
    #[arg(long, env = "REFERENCE_SERVER_OUTBOX_BYTES", default_value_t = 262_144)]
    pub(crate) outbox_bytes: usize,
    /// Longest wait of a frame; a client that stays full for so long is closed with 1013.
    #[arg(long, env = "REFERENCE_SERVER_OUTBOX_AGE", default_value = "10s", value_parser = duration)]
    pub(crate) outbox_age: Duration,
    /// Bytes of the kernel's send buffer per socket.
    #[arg(long, env = "REFERENCE_SERVER_SEND_BUFFER", default_value_t = 65_536)]
    pub(crate) send_buffer: usize,
}

/// Longest duration: more is a mistake, and what is added to it must not overflow.
const DURATION_MAX: Duration = Duration::from_hours(3650 * 24);

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text)
        .map_err(|problem| format!("{problem}; write for example `500ms`, `15s`, `5m`"))?;
    if parsed > DURATION_MAX {
        return Err("is over ten years; write for example `500ms`, `15s`, `5m`".to_owned());
    }
    Ok(parsed)
}
