//! What only a fault proxy of this crate can do; a real Toxiproxy answers 404 to all of it.

use super::{Client, ClientError, confirm};
use crate::{Extensions, ProxySpec, ProxyView, Statistics, ToxicSpec};
use reqwest::Method;
use serde::{Deserialize, Serialize};

const ROOT: &str = "extensions";

#[derive(Serialize)]
struct Equipped<'a> {
    name: &'a str,
    listen: &'a str,
    upstream: &'a str,
    enabled: bool,
    toxics: &'a [ToxicSpec],
}

#[derive(Serialize)]
struct ResetOf {
    share: f64,
}

#[derive(Deserialize)]
struct Reset {
    connections: u64,
}

impl Client {
    /// What the server can do beyond Toxiproxy; `None` if it is a real one.
    pub async fn extensions(&self) -> Result<Option<Extensions>, ClientError> {
        match self.api.get(&[ROOT]).await {
            Ok(extensions) => Ok(Some(extensions)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a proxy together with its toxics: its first connection meets them already.
    pub async fn create_with_toxics(
        &self,
        spec: &ProxySpec,
        toxics: &[ToxicSpec],
    ) -> Result<ProxyView, ClientError> {
        let equipped = Equipped {
            name: &spec.name,
            listen: &spec.listen,
            upstream: &spec.upstream,
            enabled: spec.enabled,
            toxics,
        };
        let path = [ROOT, "proxies"];
        let created: ProxyView = self.api.send(Method::POST, &path, &equipped).await?;
        let found = confirm::created(&created, spec, self.proxy(&spec.name).await?)?;
        confirm::equipped(&found, toxics)?;
        Ok(found)
    }

    /// Resets every live connection of a proxy at this moment, and answers how many there were. There
    /// is nothing to read back: they are gone when this returns.
    pub async fn reset_now(&self, proxy: &str) -> Result<u64, ClientError> {
        self.reset_some(proxy, 1.0).await
    }

    /// The same with that share of the live connections, above 0 and at most 1; the server's seed draws which.
    pub async fn reset_some(&self, proxy: &str, share: f64) -> Result<u64, ClientError> {
        let path = [ROOT, "proxies", proxy, "reset_now"];
        let asked = ResetOf { share };
        let reset: Reset = self.api.send(Method::POST, &path, &asked).await?;
        Ok(reset.connections)
    }

    /// What a proxy has carried, and what is open now.
    pub async fn statistics(&self, proxy: &str) -> Result<Statistics, ClientError> {
        self.api.get(&[ROOT, "proxies", proxy]).await
    }
}
