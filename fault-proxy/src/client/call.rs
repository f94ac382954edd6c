//! One HTTP call of the API: sent, timed, and its answer told apart from its errors.
//!
//! **In:** method, path segments, JSON. **Out:** a typed answer or a [`ClientError`].
//!
//! A real Toxiproxy labels its JSON errors `text/plain`, so the content type is not looked at.

use super::error::ClientError;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The longest answer read, in bytes: thousands of proxies fit.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long one call may take, connecting included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Unused connections are dropped before the server's own idle limit can cut them mid-request.
const IDLE_KEPT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(super) struct Api {
    base: Url,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Api {
    pub(super) fn new(base_url: &str, http: reqwest::ClientBuilder) -> Result<Self, ClientError> {
        let refuse = |reason: String| ClientError::BadUrl { reason };
        let base = Url::parse(base_url).map_err(|e| refuse(e.to_string()))?;
        if base.scheme() != "http" || base.host_str().is_none() {
            return Err(refuse("the scheme must be http, with a host".to_owned()));
        }
        let http = http
            .no_proxy()
            .timeout(CALL_TIMEOUT)
            .pool_idle_timeout(IDLE_KEPT)
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { base, http })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        let url = self.url(path)?;
        let call = Call::new(Method::GET, &url);
        let body = call.run(self.http.get(url.clone())).await?;
        call.parse(&body)
    }

    pub(super) async fn send<B, T>(
        &self,
        method: Method,
        path: &[&str],
        body: &B,
    ) -> Result<T, ClientError>
    where
        B: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        let url = self.url(path)?;
        let call = Call::new(method.clone(), &url);
        let answer = call
            .run(self.http.request(method, url.clone()).json(body))
            .await?;
        call.parse(&answer)
    }

    /// A call whose success has no body.
    pub(super) async fn command(&self, method: Method, path: &[&str]) -> Result<(), ClientError> {
        let url = self.url(path)?;
        let call = Call::new(method.clone(), &url);
        call.run(self.http.request(method, url.clone())).await?;
        Ok(())
    }

    /// Names are percent-encoded as single segments, so that no name can reach another route.
    fn url(&self, path: &[&str]) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => {
                return Err(ClientError::BadUrl {
                    reason: "it cannot have a path".to_owned(),
                });
            }
        };
        Ok(url)
    }
}

/// One call's name in error messages.
struct Call {
    method: Method,
    path: String,
}

impl Call {
    fn new(method: Method, url: &Url) -> Self {
        Self {
            method,
            path: url.path().to_owned(),
        }
    }

    async fn run(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let mut response = request.send().await.map_err(|e| self.broken(e))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| self.broken(e))? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(self.refused(status.as_u16(), "the answer is too long".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(body);
        }
        let message = serde_json::from_slice(&body).map_or_else(
            |_| String::from_utf8_lossy(&body).trim().to_owned(),
            |refusal: Refusal| refusal.error,
        );
        Err(self.refused(status.as_u16(), message))
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|source| ClientError::Unreadable {
            method: self.method.clone(),
            path: self.path.clone(),
            source,
        })
    }

    fn refused(&self, status: u16, message: String) -> ClientError {
        ClientError::Refused {
            method: self.method.clone(),
            path: self.path.clone(),
            status,
            message,
        }
    }

    fn broken(&self, source: reqwest::Error) -> ClientError {
        let (method, path) = (self.method.clone(), self.path.clone());
        if source.is_timeout() {
            let waited = CALL_TIMEOUT;
            return ClientError::Timeout {
                method,
                path,
                waited,
            };
        }
        ClientError::Unreachable {
            method,
            path,
            source,
        }
    }
}
