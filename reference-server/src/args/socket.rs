//! Flags about connections.

use std::time::Duration;

use clap::Args;

use super::value::duration;

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
