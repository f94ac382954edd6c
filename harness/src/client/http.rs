//! This module asks one question over HTTP, and reads what every answer may say.
//!
//! **In:** a request. **Out:** [`Answer`]: status and body, or that there is none. For examinations and
//! trials; clients of the load ask through goose.
//!
//! **Source:** RFC 9110, section 10.2.3 (`Retry-After`).

use std::error::Error;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use tokio::time::timeout;

use super::problem::{dial_problem, tls_problem};
use super::wire::wait_us;
use crate::account::{BODY_BYTES_MAX, retry_after};
use crate::clock::wall_ns;
use crate::failure::{DialProblem, RequestProblem};

use crate::trust::{causes, innermost, tls_error};

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer {
    Status {
        status: u16,
        body: Vec<u8>,
        headers: Box<HeaderMap>,
    },
    /// Nothing, in time.
    None,
    /// The connection broke, or what came is no HTTP; the innermost reason.
    Broken(String),
}

pub(crate) async fn ask(request: RequestBuilder, patience: Duration) -> Answer {
    let asking = async {
        let mut response = request.timeout(patience).send().await?;
        let status = response.status().as_u16();
        let headers = Box::new(std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend(part);
            if body.len() > BODY_BYTES_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>(Answer::Status {
            status,
            body,
            headers,
        })
    };
    match timeout(patience, asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_timeout() => Answer::None,
        Ok(Err(error)) => Answer::Broken(innermost(&error)),
        Err(_) => Answer::None,
    }
}

/// What became of a request that has no answer, or no whole one; and the words for it.
pub(crate) fn request_problem(error: &reqwest::Error) -> (RequestProblem, String) {
    if tls_error(error).is_some() {
        return (RequestProblem::Tls(tls_problem(error)), innermost(error));
    }
    let problem = causes(error).find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            // One with a cause of its own is told by that.
            return match error {
                error if error.is_parse_too_large() => Some(RequestProblem::TooLong),
                error if error.is_parse() => Some(RequestProblem::NotHttp),
                error
                    if error.is_incomplete_message()
                        || error.is_canceled()
                        || error.is_closed() =>
                {
                    Some(RequestProblem::Closed)
                }
                _ => None,
            };
        }
        let system = cause.downcast_ref::<io::Error>()?;
        // A wrapper has no number of its own.
        system.raw_os_error()?;
        Some(match dial_problem(system) {
            problem if error.is_connect() => RequestProblem::Dial(problem),
            DialProblem::Local(number) => RequestProblem::Dial(DialProblem::Local(number)),
            _ => RequestProblem::Reset,
        })
    });
    match problem {
        Some(problem) => (problem, innermost(error)),
        None if error.is_builder() => (RequestProblem::Unsent, innermost(error)),
        None if error.is_timeout() => (RequestProblem::Timeout, String::new()),
        // The proxy's answer is no error of the system.
        None if error.is_connect() && !causes(error).any(<dyn Error>::is::<io::Error>) => {
            (RequestProblem::Tunnel, innermost(error))
        }
        None if error.is_connect() => (
            RequestProblem::Dial(DialProblem::System(0)),
            innermost(error),
        ),
        None => (RequestProblem::Closed, innermost(error)),
    }
}

/// What a `Retry-After` asks for, seconds or a date, in microseconds from now.
pub(crate) fn retry_after_us(value: &str) -> Option<u64> {
    let now = UNIX_EPOCH + Duration::from_nanos(wall_ns());
    wait_us(retry_after(value, now)?.as_secs_f64())
}
