//! Drives a fault proxy over Toxiproxy's HTTP API: the embedded one or a real Toxiproxy 2.x.
//!
//! **In:** a base URL and the wanted state. **Out:** the state the server confirmed, or a typed
//! error.
//!
//! Every change is read back before it counts as done, because a fault that is not really in force
//! makes a measurement wrong without a trace. Updates are sent by `POST`, which every 2.x server
//! understands (`PATCH` exists only since 2.6). There are no retries: whether a change may be
//! repeated is the caller's to know.

mod call;
mod confirm;
mod error;
mod extension;

pub use call::CALL_TIMEOUT;
pub use error::ClientError;

use crate::{ProxySpec, ProxyView, ToxicSpec, ToxicView};
use call::Api;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A handle on one fault proxy's API; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    api: Api,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Populated {
    #[serde(default)]
    proxies: Option<Vec<ProxyView>>,
}

impl Client {
    /// A client for the API at `base_url`, such as `http://127.0.0.1:8474`. Connects to nothing
    /// yet.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::over(base_url, reqwest::Client::builder())
    }

    /// The same over requests that were set up elsewhere; proxies and timeouts of theirs are not
    /// kept.
    pub fn over(base_url: &str, http: reqwest::ClientBuilder) -> Result<Self, ClientError> {
        Ok(Self {
            api: Api::new(base_url, http)?,
        })
    }

    /// The version the server claims; the embedded one names the Toxiproxy it is like.
    pub async fn version(&self) -> Result<String, ClientError> {
        let answer: Version = self.api.get(&["version"]).await?;
        Ok(answer.version)
    }

    /// All proxies, by name.
    pub async fn proxies(&self) -> Result<BTreeMap<String, ProxyView>, ClientError> {
        self.api.get(&["proxies"]).await
    }

    /// One proxy with its toxics.
    pub async fn proxy(&self, name: &str) -> Result<ProxyView, ClientError> {
        self.api.get(&["proxies", name]).await
    }

    /// Creates an enabled proxy. Port 0 in `listen` asks for a free port; the answer names it.
    pub async fn create(
        &self,
        name: &str,
        listen: &str,
        upstream: &str,
    ) -> Result<ProxyView, ClientError> {
        let spec = ProxySpec {
            name: name.to_owned(),
            listen: listen.to_owned(),
            upstream: upstream.to_owned(),
            enabled: true,
        };
        let created: ProxyView = self.api.send(Method::POST, &["proxies"], &spec).await?;
        let found = self.proxy(name).await?;
        confirm::created(&created, &spec, found)
    }

    /// Creates several proxies, or leaves those alone that already are as described (their
    /// `enabled` included). One with another address is replaced and loses its toxics.
    pub async fn populate(&self, specs: &[ProxySpec]) -> Result<Vec<ProxyView>, ClientError> {
        let answer: Populated = self.api.send(Method::POST, &["populate"], specs).await?;
        let created = answer.proxies.unwrap_or_default();
        let found = self.proxies().await?;
        confirm::populated(specs, &created, &found)?;
        Ok(created)
    }

    /// Takes a proxy down (its port refuses, all its connections are closed) or up again.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<ProxyView, ClientError> {
        let body = json!({ "enabled": enabled });
        let _: Value = self
            .api
            .send(Method::POST, &["proxies", name], &body)
            .await?;
        let found = self.proxy(name).await?;
        confirm::enabled(found, enabled)
    }

    /// Adds a toxic at the end of its direction's chain, on live connections too.
    pub async fn add_toxic(
        &self,
        proxy: &str,
        toxic: &ToxicSpec,
    ) -> Result<ToxicView, ClientError> {
        let path = ["proxies", proxy, "toxics"];
        let _: Value = self.api.send(Method::POST, &path, toxic).await?;
        confirm::toxic(self.toxic(proxy, &toxic.name).await?, toxic)
    }

    /// Gives an existing toxic the attributes and the toxicity of `toxic`; attributes it does not
    /// name keep their value. Kind and stream cannot be changed.
    pub async fn update_toxic(
        &self,
        proxy: &str,
        toxic: &ToxicSpec,
    ) -> Result<ToxicView, ClientError> {
        let body = json!({ "attributes": toxic.attributes, "toxicity": toxic.toxicity });
        let path = ["proxies", proxy, "toxics", toxic.name.as_str()];
        let _: Value = self.api.send(Method::POST, &path, &body).await?;
        confirm::toxic(self.toxic(proxy, &toxic.name).await?, toxic)
    }

    /// One toxic of a proxy.
    pub async fn toxic(&self, proxy: &str, name: &str) -> Result<ToxicView, ClientError> {
        self.api.get(&["proxies", proxy, "toxics", name]).await
    }

    /// Removes a toxic; the data it still held goes out at once.
    pub async fn remove_toxic(&self, proxy: &str, name: &str) -> Result<(), ClientError> {
        let path = ["proxies", proxy, "toxics", name];
        self.api.command(Method::DELETE, &path).await?;
        confirm::gone("removing the toxic", name, self.toxic(proxy, name).await)
    }

    /// Takes a proxy down and forgets it.
    pub async fn delete(&self, name: &str) -> Result<(), ClientError> {
        self.api.command(Method::DELETE, &["proxies", name]).await?;
        confirm::gone("deleting the proxy", name, self.proxy(name).await)
    }

    /// Enables every proxy and removes every toxic.
    pub async fn reset(&self) -> Result<(), ClientError> {
        self.api.command(Method::POST, &["reset"]).await?;
        confirm::pristine(&self.proxies().await?)
    }
}
