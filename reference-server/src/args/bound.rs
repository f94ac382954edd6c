//! Flags about what one user or one address may have, and how many HTTP connections there are.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::chat::ChatArgs;
use super::socket::SocketArgs;
use super::value::duration;
use crate::bound::Allowance;

/// Messages that get as far as the store, for each that it allows.
const MESSAGES_HEADROOM: f64 = 4.0;

/// Flags about bounds.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// HTTP connections beside the sockets. Where they are many, those that idle are closed, the
    /// longest idle first.
    #[arg(
        long,
        env = "REFERENCE_SERVER_MAX_HTTP_CONNECTIONS",
        default_value_t = 2048
    )]
    pub(crate) max_http_connections: usize,
    /// Open sockets of one user.
    #[arg(long, env = "REFERENCE_SERVER_SOCKETS_PER_USER", default_value_t = 100)]
    pub(crate) sockets_per_user: usize,
    /// Open sockets of one address.
    #[arg(
        long,
        env = "REFERENCE_SERVER_SOCKETS_PER_ADDRESS",
        default_value_t = 1000
    )]
    pub(crate) sockets_per_address: usize,
    /// HTTP connections of one address.
    #[arg(long, env = "REFERENCE_SERVER_HTTP_PER_ADDRESS", default_value_t = 200)]
    pub(crate) http_per_address: usize,
    /// Bytes waiting for all sockets of one user; never less than one outbox, or two frames.
    #[arg(long, env = "REFERENCE_SERVER_USER_BYTES", default_value_t = 1 << 20)]
    pub(crate) user_bytes: usize,
    /// Frames per second and user that are no message: heartbeats, `resume`, pings, pongs and what
    /// is refused.
    #[arg(long, env = "REFERENCE_SERVER_FRAME_RATE", default_value_t = 20.0)]
    pub(crate) frame_rate: f64,
    /// Such frames a user may send at once.
    #[arg(long, env = "REFERENCE_SERVER_FRAME_BURST", default_value_t = 200)]
    pub(crate) frame_burst: u32,
    /// Address or network (`10.0.0.0/8`) of a proxy whose `X-Forwarded-For` is believed.
    /// Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_TRUSTED_PROXY", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxy: Vec<IpNet>,
    /// Hold loopback to the bounds per address too: connects, sockets, HTTP connections, failed
    /// logins.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LIMIT_LOOPBACK",
        alias = "connect-rate-loopback"
    )]
    pub(crate) limit_loopback: bool,
    /// How long a connection may idle between two requests: longer than usual clients keep one, so
    /// that no request crosses its close. Shorter where there are many.
    #[arg(long, env = "REFERENCE_SERVER_KEEP_ALIVE", default_value = "2m", value_parser = duration)]
    pub(crate) keep_alive: Duration,
    /// Failed logins of one account from one address, at once; ten times as many of one address,
    /// and of one account from everywhere.
    #[arg(long, env = "REFERENCE_SERVER_LOGIN_FAILURES", default_value_t = 10)]
    pub(crate) login_failures: u32,
    /// The same per second, after that.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LOGIN_FAILURE_RATE",
        default_value_t = 0.1
    )]
    pub(crate) login_failure_rate: f64,
}

impl BoundArgs {
    /// Frames of a user: messages, others. Of messages a few times what the store allows: only a
    /// flood is refused before it.
    pub(crate) fn frames(&self, chat: &ChatArgs) -> [Allowance; 2] {
        let message = Allowance {
            per_s: chat.rate_limit * MESSAGES_HEADROOM,
            burst: f64::from(chat.rate_burst) + f64::from(chat.flood_strikes),
        };
        let other = Allowance {
            per_s: self.frame_rate,
            burst: f64::from(self.frame_burst),
        };
        [message, other]
    }

    /// Failed logins of an account from one address.
    pub(crate) fn failures(&self) -> Allowance {
        Allowance {
            per_s: self.login_failure_rate,
            burst: f64::from(self.login_failures),
        }
    }

    /// Bytes of a user: what one socket may have must fit.
    pub(crate) fn user_bytes(&self, socket: &SocketArgs) -> usize {
        let frames = socket.max_frame.saturating_mul(2);
        self.user_bytes.max(socket.outbox_bytes).max(frames)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let parsed = text.parse().ok().or_else(|| address().ok());
    parsed.ok_or_else(|| "is no address or network; write 172.16.0.0/12 or 10.0.0.7".to_owned())
}
