//! Where a Redis database is, and how its connections are made.

use std::time::Duration;

use redis::IntoConnectionInfo as _;

/// One Redis database: where it is, password included.
#[derive(Clone)]
pub(crate) struct Database {
    /// Address, TCP settings and credentials.
    pub(super) info: redis::ConnectionInfo,
}

/// The text is no URL of a Redis. It is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotADatabase(&'static str);

impl Database {
    /// The database of that URL; with a `number`, that database of the Redis at the URL.
    pub(crate) fn new(url: &str, number: Option<i64>) -> Result<Self, NotADatabase> {
        let info = url.into_connection_info();
        let info = info.map_err(|error| NotADatabase(problem(&error)))?;
        let keep_alive = socket2::TcpKeepalive::new()
            .with_time(Duration::from_secs(2))
            .with_interval(Duration::from_secs(1))
            .with_retries(2);
        let tcp = redis::io::tcp::TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(keep_alive)
            .set_user_timeout(Duration::from_secs(3));
        let mut settings = info.redis_settings().clone();
        if let Some(number) = number {
            settings = settings.set_db(number);
        }
        let settings = settings.set_protocol(redis::ProtocolVersion::RESP3);
        let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
        Ok(Self { info })
    }

    /// Host and port, or the path of a Unix socket.
    pub(crate) fn address(&self) -> String {
        self.info.addr().to_string()
    }
}

/// The error's fixed text, without the detail, which may quote the URL.
fn problem(error: &redis::RedisError) -> &'static str {
    match error.kind() {
        redis::ErrorKind::InvalidClientConfig => "scheme, host, port or database is wrong",
        _ => "it cannot be parsed",
    }
}
