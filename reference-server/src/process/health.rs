//! `reference-server health`: one message through the channel layer, by a real subscription and a
//! real publication.
//!
//! **Out:** `Channel layer OK` and exit code 0, or what failed with a hint, and 1. A PING would
//! stay green where the URL lacks a right or leads to another Redis than the one meant. URLs are
//! not printed: they hold passwords.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, RedisError, Value};
use tokio::sync::mpsc;

use super::start;
use super::start::StartError;
use super::terminal::{complain, print};
use crate::args::HealthArgs;
use crate::auth::secret;
use crate::store::Database;
use crate::{config, store};

/// Pushed messages waiting to be looked at; there is one, and one that says "subscribed".
const PUSHES: usize = 16;

/// Why no message came through.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the host is unknown or cannot be reached: {0}")]
    Unreachable(RedisError),
    #[error("connection refused")]
    Refused,
    #[error("no answer to {step} within {after:?}")]
    Timeout { step: &'static str, after: Duration },
    #[error("it wants a password, and the URL has none")]
    NoPassword,
    #[error("it does not take the user name or password of the URL")]
    WrongPassword,
    #[error("it has no database of that number: {0}")]
    Database(RedisError),
    #[error("the user of the URL may not {step}: {error}")]
    Forbidden {
        step: &'static str,
        error: RedisError,
    },
    #[error("it ended the connection at {0}")]
    Dropped(&'static str),
    #[error("what answers there is no Redis, or one older than version 6")]
    Foreign,
    #[error("it fails to {step}: {error}")]
    Other {
        step: &'static str,
        error: RedisError,
    },
    #[error("the message was published, and nobody heard it")]
    Unheard,
    #[error("the message was published and heard, and did not come back within {0:?}")]
    Silent(Duration),
}

impl Failure {
    /// What to do about it.
    fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "check the host name in the URL, and that this machine can resolve and route it"
            }
            Self::Refused => {
                "start Redis, or correct the port; inside a container 127.0.0.1 is the container itself"
            }
            Self::Timeout { .. } => {
                "Redis is stuck or a firewall drops the packets; --redis-timeout allows more time"
            }
            Self::NoPassword => "write redis://:PASSWORD@HOST:PORT into REFERENCE_SERVER_REDIS_URL",
            Self::WrongPassword => {
                "compare it with `requirepass` (or the ACL) of that Redis; percent-encode special characters"
            }
            Self::Database(_) => {
                "raise `databases` in redis.conf, or name another database in --redis-channel-url"
            }
            Self::Forbidden { .. } => {
                "give that user +subscribe, +publish and the channels `&*` (ACL SETUSER)"
            }
            Self::Dropped(_) => "look into the log of Redis, or of the proxy before it",
            Self::Foreign => "correct host and port, and use rediss:// only where Redis speaks TLS",
            Self::Other { .. } => "look into the log of Redis",
            Self::Unheard | Self::Silent(_) => {
                "the URL leads to several Redis that do not share their channels; name one of them"
            }
        }
    }

    /// What a failed call means.
    fn of(step: &'static str, after: Duration, error: RedisError) -> Self {
        match error.code() {
            Some("NOAUTH") => return Self::NoPassword,
            Some("WRONGPASS") => return Self::WrongPassword,
            Some("NOPERM") => return Self::Forbidden { step, error },
            _ => {}
        }
        if error.is_timeout() {
            return Self::Timeout { step, after };
        }
        if error.is_connection_refusal() {
            return Self::Refused;
        }
        if error.is_connection_dropped() {
            return Self::Dropped(step);
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::WrongPassword,
            ErrorKind::Parse | ErrorKind::RESP3NotSupported => Self::Foreign,
            ErrorKind::Io => Self::Unreachable(error),
            _ if error.to_string().contains("DB index") => Self::Database(error),
            _ => Self::Other { step, error },
        }
    }
}

/// Sends one message, and says how it went.
pub(crate) fn start(args: &HealthArgs) -> ExitCode {
    let database = match config::channel(&args.store) {
        Ok(database) => database,
        Err(problem) => return start::report(Err(problem.into())),
    };
    let timeout = args.store.redis_timeout;
    let address = database.address();
    let mut outcome = Ok(());
    let ran = start::run(1, async {
        let nonce = secret::random_token()?;
        outcome = round_trip(&database, timeout, &nonce).await;
        Ok::<_, StartError>(())
    });
    if ran.is_err() {
        return start::report(ran);
    }
    match outcome {
        Ok(()) => print("Channel layer OK\n"),
        Err(failure) => {
            complain(&format!("error: channel layer at {address}: {failure}"));
            complain(&format!(" hint: {}", failure.hint()));
            ExitCode::FAILURE
        }
    }
}

/// Over two connections, as in a server: one that hears and one that tells.
async fn round_trip(database: &Database, timeout: Duration, nonce: &str) -> Result<(), Failure> {
    let (sender, mut pushes) = mpsc::channel(PUSHES);
    let push = move |info: PushInfo| sender.try_send(info);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let within = Within(timeout);
    let with_pushes = config.clone().set_push_sender(push);
    let hearing = store::connect(database, &with_pushes);
    let mut hearing: MultiplexedConnection = within.call("connect", hearing).await?;
    let channel = format!("health:{nonce}");
    within
        .call("subscribe", hearing.subscribe(&channel))
        .await?;
    let telling = store::connect(database, &config);
    let mut telling = within.call("connect", telling).await?;
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(&channel).arg(nonce);
    let publishing = publish.query_async(&mut telling);
    let heard: u64 = within.call("publish", publishing).await?;
    if heard == 0 {
        return Err(Failure::Unheard);
    }
    let back = async {
        while let Some(info) = pushes.recv().await {
            let of = |value: &Value, text: &str| *value == Value::BulkString(text.into());
            if info.kind == PushKind::Message
                && let [from, message] = info.data.as_slice()
                && of(from, &channel)
                && of(message, nonce)
            {
                return Ok(());
            }
        }
        Err(Failure::Dropped("wait for the message"))
    };
    let back = tokio::time::timeout(timeout, back).await;
    back.unwrap_or(Err(Failure::Silent(timeout)))
}

/// The longest wait for one step.
struct Within(Duration);

impl Within {
    async fn call<T>(
        &self,
        step: &'static str,
        call: impl Future<Output = redis::RedisResult<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.0, call).await {
            Ok(answer) => answer.map_err(|error| Failure::of(step, self.0, error)),
            Err(_) => Err(Failure::Timeout {
                step,
                after: self.0,
            }),
        }
    }
}
