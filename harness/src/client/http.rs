//! This module asks one question over HTTP.
//!
//! **In:** a request. **Out:** [`Answer`]: status and body, or that there is none. For examinations and
//! trials; clients of the load ask through goose.

use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::time::timeout;

use crate::trust::innermost;

/// Longest answer that is read; what comes after it is not needed.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer {
    Status {
        status: u16,
        body: Vec<u8>,
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
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend(part);
            if body.len() > BODY_BYTES_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>(Answer::Status { status, body })
    };
    match timeout(patience, asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_timeout() => Answer::None,
        Ok(Err(error)) => Answer::Broken(innermost(&error)),
        Err(_) => Answer::None,
    }
}
