//! This module runs a Redis of our own, or checks one that is there.
//!
//! **In:** the plan's `RedisPlan`. **Out:** [`RedisEnd`] (where it is and how to log in) and, for
//! a private one, [`RedisServer`], with the handle by which it is killed, stopped and started again
//! on the same port.
//!
//! A private Redis listens on 127.0.0.1 only, has a random password that stands in a file only its
//! owner can read, and keeps nothing on disk, except where a fault of the plan ends it: then every
//! write goes to an append-only file, synced each second, as a Redis in production has it.
//!
//! **Source:** redis.conf of Redis 7; INFO of section `server`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use reqwest::Url;

use super::child::{Child, Kind};
use super::error::EnvironmentError;
use super::host::Place;
use super::janitor::SpawnSpec;
use super::keeper::Keeper;
use super::lease::{private_directory, private_file};
use super::port::free_port;
use super::probe::{Answer, Probe};
use super::program;
use super::ready::Wait;
use super::secret::Secret;

const WHAT: &str = "redis-server";
const READY_PATIENCE: Duration = Duration::from_secs(15);
const ASK_PATIENCE: Duration = Duration::from_millis(500);
const ATTACH_PATIENCE: Duration = Duration::from_secs(3);
/// An orderly end writes out the append-only file.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// A port found free may be taken before Redis binds it: then another one.
const PORT_TRIES: u32 = 5;
pub(super) const REDIS_PORT: u16 = 6_379;

/// Where a Redis is and how to log in.
#[derive(Clone, Debug)]
pub(super) struct RedisEnd {
    /// Host and port as the fault proxy is told them.
    pub upstream: String,
    pub address: SocketAddr,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl RedisEnd {
    /// PING, at the Redis itself.
    pub(super) fn probe(&self) -> Probe {
        Probe::redis(self.address, self.user.clone(), self.password.clone())
    }

    /// The URL of one database, reached at `address`: with the password, so not for any log.
    pub(super) fn url(&self, address: &str, database: u8) -> String {
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
    pub(super) fn attached(place: &Place) -> Self {
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
    pub(super) async fn check(&self, place: &'static str) -> Result<(), EnvironmentError> {
        let address = self.upstream.clone();
        match self.probe().ask(ATTACH_PATIENCE).await {
            Answer::Good { .. } => Ok(()),
            Answer::Refused => Err(EnvironmentError::Refused { place, address }),
            Answer::Other { text } if is_password_problem(&text) => {
                Err(EnvironmentError::WrongPassword {
                    place,
                    address,
                    answer: text,
                })
            }
            Answer::Other { text } => Err(EnvironmentError::NotRedis {
                place,
                address,
                answer: text,
            }),
            other @ (Answer::Reset | Answer::Closed | Answer::Silent | Answer::Failed { .. }) => {
                Err(EnvironmentError::Unreachable {
                    place,
                    address,
                    reason: other.describe(),
                })
            }
        }
    }

    /// A connection to one database, at the Redis itself.
    pub(super) async fn connect(&self, database: u8) -> Result<MultiplexedConnection, RedisError> {
        let client = redis::Client::open(self.url(&self.address.to_string(), database))?;
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ATTACH_PATIENCE))
            .set_response_timeout(Some(ATTACH_PATIENCE));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// The version INFO tells.
    pub(super) async fn version(&self) -> Option<String> {
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

/// A Redis of our own. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RedisServer {
    pub child: Child,
    pub(super) end: RedisEnd,
    /// Where its append-only file is, if it has one.
    pub(super) writes_to: Option<PathBuf>,
}

impl RedisServer {
    /// Starts one and waits until it answers; `durable` turns the append-only file on.
    pub(super) async fn start(
        keeper: &Keeper,
        logs: &Path,
        durable: bool,
    ) -> Result<Self, EnvironmentError> {
        let program = program::redis()?;
        let log = logs.join("redis.log");
        let mut tried = 1;
        loop {
            let end = private_end()?;
            let spec = SpawnSpec {
                what: "redis".to_owned(),
                program: program.clone(),
                args: vec![
                    configure(&keeper.directory, &end, durable)?
                        .display()
                        .to_string(),
                ],
                env: Vec::new(),
                log: log.clone(),
            };
            let process = keeper.spawn(WHAT, spec.clone()).await?;
            let server = Self {
                child: Child::new(
                    keeper,
                    Kind {
                        what: WHAT,
                        spec,
                        probe: end.probe(),
                        stop_patience: STOP_PATIENCE,
                    },
                    process,
                ),
                end,
                writes_to: durable.then(|| keeper.directory.clone()),
            };
            match server.wait_ready().await {
                Ok(()) => return Ok(server),
                Err(EnvironmentError::Ended { tail, .. })
                    if tail.contains("already in use") && tried < PORT_TRIES =>
                {
                    tried += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn wait_ready(&self) -> Result<(), EnvironmentError> {
        let wait = Wait {
            what: WHAT,
            patience: READY_PATIENCE,
            process: self.child.process(),
            log: self.child.log().to_owned(),
        };
        let probe = self.end.probe();
        wait.until(async || match probe.ask(ASK_PATIENCE).await {
            Answer::Good { .. } => Ok(()),
            other => Err(other.describe()),
        })
        .await
    }
}

fn private_end() -> Result<RedisEnd, EnvironmentError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    Ok(RedisEnd {
        upstream: address.to_string(),
        address,
        user: None,
        password: Some(Secret::random()?),
    })
}

/// Writes the configuration of a private Redis; returns its path.
fn configure(directory: &Path, end: &RedisEnd, durable: bool) -> Result<PathBuf, EnvironmentError> {
    let port = end.address.port();
    let data = directory.join(format!("redis-{port}"));
    let password = end.password.as_ref().map_or("", Secret::expose);
    let append = if durable { "yes" } else { "no" };
    // A title of its own would overwrite the run's mark, by which `harness recover` finds it.
    let text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{}\"\ndaemonize no\n\
         save \"\"\nappendonly {append}\nappendfsync everysec\nset-proc-title no\n",
        data.display()
    );
    let path = directory.join(format!("redis-{port}.conf"));
    private_directory(&data)
        .and_then(|()| private_file(&path, text.as_bytes()))
        .map_err(|source| EnvironmentError::PrivateFile {
            path: path.clone(),
            source,
        })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
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
