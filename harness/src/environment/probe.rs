//! This module asks one question over a fresh connection and says exactly how it ended.
//!
//! **In:** an address and what to ask there. **Out:** an [`Answer`]. Used for readiness and to
//! confirm faults, so "refused", "reset", "closed" and "silent" are kept apart: each is the mark of
//! another fault.
//!
//! **Source:** Redis serialization protocol (inline replies), RFC 9112 (status line).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::monotonic_ns;
use crate::environment::secret::Secret;

/// An answer longer than this is cut: none of ours is.
const ANSWER_BYTES_MAX: usize = 4_096;

/// A question to one address.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub address: SocketAddr,
    question: Question,
}

#[derive(Clone, Debug)]
enum Question {
    /// Authenticate where there is a password, then PING.
    Redis {
        user: Option<String>,
        password: Option<Secret>,
    },
    /// PING to a Redis whose password is not known: that it asks for one is an answer too.
    AnyRedis,
    /// `GET /healthz`.
    Http { host: String },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The expected answer, that long after the question was sent.
    Good { waited: Duration },
    /// An answer, but not the expected one.
    Other { text: String },
    /// Nobody listens there.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection was closed without an answer.
    Closed,
    /// No answer in time.
    Silent,
    /// Something else, in the system's words.
    Failed { reason: String },
}

impl Answer {
    pub(crate) const fn is_good(&self) -> bool {
        matches!(self, Self::Good { .. })
    }

    /// For a message: what the other end did.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Good { waited } => format!("it answered after {} ms", waited.as_millis()),
            Self::Other { text } => format!("it answered `{text}`"),
            Self::Refused => "it refused the connection".to_owned(),
            Self::Reset => "it reset the connection".to_owned(),
            Self::Closed => "it closed the connection without an answer".to_owned(),
            Self::Silent => "it did not answer".to_owned(),
            Self::Failed { reason } => reason.clone(),
        }
    }
}

impl Probe {
    /// PING to a Redis, after AUTH where there is a password.
    pub(crate) const fn redis(
        address: SocketAddr,
        user: Option<String>,
        password: Option<Secret>,
    ) -> Self {
        Self {
            address,
            question: Question::Redis { user, password },
        }
    }

    /// PING to a Redis, where every answer of its protocol is a good one.
    pub(crate) const fn any_redis(address: SocketAddr) -> Self {
        Self {
            address,
            question: Question::AnyRedis,
        }
    }

    /// `GET /healthz`, without TLS.
    pub(crate) const fn http(address: SocketAddr, host: String) -> Self {
        Self {
            address,
            question: Question::Http { host },
        }
    }

    /// The same question, asked elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            question: self.question.clone(),
        }
    }

    /// Connects, asks once and waits at most `timeout` for all of it.
    pub(crate) async fn ask(&self, timeout: Duration) -> Answer {
        match tokio::time::timeout(timeout, self.exchange()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => from_error(&error),
            Err(_) => Answer::Silent,
        }
    }

    /// Connects, says nothing and waits at most `timeout` for the other end to close; answers how
    /// it did, and how long that took.
    pub(crate) async fn stay_silent(&self, timeout: Duration) -> (Answer, Duration) {
        let begun_ns = monotonic_ns();
        let silent = async {
            let mut stream = TcpStream::connect(self.address).await?;
            let mut text = Vec::new();
            let read = stream.read_buf(&mut text).await?;
            Ok(match read {
                0 => Answer::Closed,
                _ => Answer::Other {
                    text: String::from_utf8_lossy(&text).into_owned(),
                },
            })
        };
        let answer = match tokio::time::timeout(timeout, silent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => from_error(&error),
            Err(_) => Answer::Silent,
        };
        (answer, Duration::from_nanos(monotonic_ns() - begun_ns))
    }

    async fn exchange(&self) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (request, lines) = self.question.text();
        let sent_ns = monotonic_ns();
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while count_lines(&answer) < lines && answer.len() < ANSWER_BYTES_MAX {
            if stream.read_buf(&mut answer).await? == 0 {
                return Ok(Answer::Closed);
            }
        }
        let waited = Duration::from_nanos(monotonic_ns() - sent_ns);
        let text = String::from_utf8_lossy(&answer);
        Ok(self.question.judge(&text, waited))
    }
}

impl Question {
    /// What to send, and how many lines answer it.
    fn text(&self) -> (String, usize) {
        match self {
            Self::Redis { user, password } => match (user, password) {
                (Some(user), Some(password)) => (
                    command(&["AUTH", user, password.expose()]) + &command(&["PING"]),
                    2,
                ),
                (None, Some(password)) => (
                    command(&["AUTH", password.expose()]) + &command(&["PING"]),
                    2,
                ),
                (_, None) => (command(&["PING"]), 1),
            },
            Self::AnyRedis => (command(&["PING"]), 1),
            Self::Http { host } => (
                format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
                1,
            ),
        }
    }

    fn judge(&self, text: &str, waited: Duration) -> Answer {
        let mut lines = text.lines();
        let good = match self {
            Self::Redis { password, .. } => {
                let accepted = password.is_none() || lines.next() == Some("+OK");
                accepted && lines.next() == Some("+PONG")
            }
            Self::AnyRedis => text.starts_with(['+', '-']),
            Self::Http { .. } => text.starts_with("HTTP/1."),
        };
        if good {
            Answer::Good { waited }
        } else {
            // Upstream a password that was taken stands what was wrong.
            let accepted = matches!(self, Self::Redis { .. }) && text.starts_with("+OK");
            let wrong = text.lines().nth(usize::from(accepted)).unwrap_or("");
            let text = wrong.to_owned();
            Answer::Other { text }
        }
    }
}

fn command(words: &[&str]) -> String {
    let words = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let words: Vec<String> = words.collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

fn count_lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn from_error(error: &std::io::Error) -> Answer {
    match error.kind() {
        ErrorKind::ConnectionRefused => Answer::Refused,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Answer::Reset
        }
        ErrorKind::TimedOut => Answer::Silent,
        _ => Answer::Failed {
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const TIMEOUT: Duration = Duration::from_secs(5);

    async fn listener() -> (TcpListener, Probe) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Probe::redis(address, None, None))
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let (listener, probe) = listener().await;
        drop(listener);
        assert_eq!(probe.ask(TIMEOUT).await, Answer::Refused);
    }

    #[tokio::test]
    async fn a_listener_that_never_answers_is_silent() {
        let (_listener, probe) = listener().await;
        assert_eq!(probe.ask(Duration::from_millis(50)).await, Answer::Silent);
    }

    #[tokio::test]
    async fn an_accepted_and_closed_connection_is_told_from_a_refused_one() {
        let (listener, probe) = listener().await;
        let (answer, ()) = tokio::join!(probe.ask(TIMEOUT), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0_u8; 14];
            stream.read_exact(&mut request).await.unwrap();
            drop(stream);
        });
        assert_eq!(answer, Answer::Closed);
    }

    #[test]
    fn what_redis_cannot_do_is_shown_and_not_that_it_took_the_password() {
        let password = Some(Secret::new("pw".to_owned()));
        let question = Question::Redis {
            user: None,
            password,
        };
        let full = "-MISCONF Errors writing to the AOF file: No space left on device";
        let judged = |text: &str| question.judge(text, Duration::ZERO);
        let text = full.to_owned();
        assert_eq!(
            judged(&format!("+OK\r\n{full}\r\n")),
            Answer::Other { text }
        );
        let text = "-WRONGPASS".to_owned();
        assert_eq!(judged("-WRONGPASS\r\n-NOAUTH\r\n"), Answer::Other { text });
        assert!(judged("+OK\r\n+PONG\r\n").is_good());
    }

    #[tokio::test]
    async fn an_answer_of_another_protocol_is_shown() {
        let (listener, probe) = listener().await;
        let (answer, ()) = tokio::join!(probe.ask(TIMEOUT), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 smtp ready\r\n").await.unwrap();
        });
        let text = "220 smtp ready".to_owned();
        assert_eq!(answer, Answer::Other { text });
    }
}
