//! This module knows where a Redis is and how to log in.
//!
//! **In:** an address the user gave, or that of a Redis of our own. **Out:** [`RedisEnd`].
//!
//! **Source:** INFO of section `server`.

use std::net::SocketAddr;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use reqwest::Url;

use super::RedisError;
use crate::environment::EnvironmentError;
use crate::environment::endpoint::{Endpoint, EndpointError};
use crate::environment::probe::{Answer, Probe};
use crate::environment::secret::Secret;
use crate::plan::Link;

const ATTACH_TIMEOUT: Duration = Duration::from_secs(3);
pub(crate) const REDIS_PORT: u16 = 6_379;

/// Where a Redis is and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct RedisEnd {
    /// Host and port as the fault proxy is told them.
    pub upstream: String,
    pub address: SocketAddr,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl RedisEnd {
    /// PING, at the Redis itself.
    pub(crate) fn probe(&self) -> Probe {
        Probe::redis(self.address, self.user.clone(), self.password.clone())
    }

    /// The URL of one database, reached at `address`: with the password, so not for any log.
    pub(crate) fn url(&self, address: &str, database: u8) -> String {
        let mut url = format!("redis://{address}/{database}");
        if let (Some(password), Ok(mut parsed)) = (&self.password, Url::parse(&url)) {
            let user = self.user.as_deref().unwrap_or("");
            if parsed.set_username(user).is_ok()
                && parsed.set_password(Some(password.expose())).is_ok()
            {
                url = parsed.to_string();
            }
        }
        url
    }

    /// From an address the user gave.
    pub(crate) fn attached(place: &Endpoint) -> Self {
        let text = |part: &str| (!part.is_empty()).then(|| unescape(part));
        Self {
            upstream: place.host_and_port(),
            address: place.address(),
            user: text(place.url.username()),
            password: place.url.password().and_then(text).map(Secret::new),
        }
    }

    /// # Errors
    ///
    /// Why this is not a Redis that lets us in, as precisely as one PING can tell.
    pub(crate) async fn check(&self, place: &'static str) -> Result<(), EnvironmentError> {
        let address = self.upstream.clone();
        Err(match self.probe().ask(ATTACH_TIMEOUT).await {
            Answer::Good { .. } => return Ok(()),
            Answer::Refused => EndpointError::Refused { place, address }.into(),
            Answer::Other { text } if is_password_problem(&text) => RedisError::WrongPassword {
                place,
                address,
                answer: text,
            }
            .into(),
            Answer::Other { text } => RedisError::NotRedis {
                place,
                address,
                answer: text,
            }
            .into(),
            other @ (Answer::Reset | Answer::Closed | Answer::Silent | Answer::Failed { .. }) => {
                EndpointError::Unreachable {
                    place,
                    address,
                    reason: other.describe(),
                }
                .into()
            }
        })
    }

    /// A connection to one database, at the Redis itself.
    pub(crate) async fn connect(
        &self,
        database: u8,
    ) -> Result<MultiplexedConnection, redis::RedisError> {
        let client = redis::Client::open(self.url(&self.address.to_string(), database))?;
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ATTACH_TIMEOUT))
            .set_response_timeout(Some(ATTACH_TIMEOUT));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// The version INFO tells.
    pub(crate) async fn version(&self) -> Option<String> {
        let mut connection = self.connect(0).await.ok()?;
        let mut info = redis::cmd("INFO");
        let text: String = info.arg("server").query_async(&mut connection).await.ok()?;
        let version = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix(':')
                    .map(str::to_owned)
            })
        };
        match version("valkey_version") {
            Some(valkey) => Some(format!("valkey {valkey}")),
            None => version("redis_version"),
        }
    }
}

fn is_password_problem(answer: &str) -> bool {
    [
        "-WRONGPASS",
        "-NOAUTH",
        "-ERR AUTH",
        "-ERR invalid password",
    ]
    .iter()
    .any(|start| answer.starts_with(start))
}

/// Undoes the escapes of a URL.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = tail.get(escaped.map_or(0, |_| 2)..).unwrap_or(&[]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The database that a link of that kind leads to.
pub(crate) const fn database(link: Link) -> u8 {
    match link {
        Link::RedisTokens => 2,
        Link::RedisChannel => 3,
        Link::RedisTasks | Link::Redis | Link::Edge => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_password_survives_the_way_through_a_url() {
        let end = RedisEnd {
            upstream: "h:1".to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            user: None,
            password: Some(Secret::new("a:b@c/%d".to_owned())),
        };
        let url = Url::parse(&end.url("127.0.0.1:7", 3)).unwrap();
        assert_eq!(unescape(url.password().unwrap()), "a:b@c/%d");
        assert_eq!((url.port(), url.path()), (Some(7), "/3"));
    }
}
