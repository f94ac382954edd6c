//! The routes Toxiproxy does not have.
//!
//! **In:** an extension, its method and body. **Out:** a [`Reply`], or a [`Refusal`].
//!
//! They live below `/extensions`, where a Toxiproxy answers 404: that is how a client tells the two
//! apart, and nothing here can be met by a client that does not look for it.

use super::{body, reply::Reply, route::Extension};
use crate::{
    engine::{Registry, Statistics},
    json::{Fields, mismatch, parse},
    refusal::Refusal,
    toxic::extensions,
};
use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Readers of the event stream at one time; each keeps a connection of the API.
const STREAMS_MAX: usize = 64;

pub(super) async fn handle(
    registry: &Registry,
    extension: Extension,
    method: Method,
    body: &[u8],
) -> Result<Reply, Refusal> {
    match extension {
        Extension::About => Ok(about()),
        Extension::Proxies if method == Method::GET => {
            let all = registry.statistics();
            let shown: BTreeMap<_, _> = all.iter().map(|(name, one)| (name, show(one))).collect();
            Ok(Reply::json(200, &shown))
        }
        // As `POST /proxies` does; from before that one took toxics.
        Extension::Proxies => {
            let created = registry.create(&body::one(body)?).await?;
            Ok(Reply::json(201, &created))
        }
        Extension::Proxy(name) => {
            let statistics = registry.find(&name)?.statistics();
            Ok(Reply::json(200, &show(&statistics)))
        }
        Extension::ResetNow(name) => {
            let connections = registry.find(&name)?.reset_now(share(body)?).await?;
            Ok(Reply::json(200, &json!({ "connections": connections })))
        }
        Extension::Events(proxy) => {
            if let Some(name) = &proxy {
                registry.find(name)?;
            }
            if registry.events().subscribers() >= STREAMS_MAX {
                let (what, max) = ("event streams", STREAMS_MAX);
                return Err(Refusal::TooMany { what, max });
            }
            Ok(Reply::events(registry.events().subscribe(proxy)))
        }
    }
}

/// Of the live connections; all where the body does not say.
fn share(body: &[u8]) -> Result<f32, Refusal> {
    if body.is_empty() {
        return Ok(1.0);
    }
    let body = parse(body)?;
    let fields = Fields::of(&body, "the reset")?;
    let share = fields.float("share")?.unwrap_or(1.0);
    if share > 0.0 && share <= 1.0 {
        return Ok(share);
    }
    let found = fields.value("share").unwrap_or(&Value::Null);
    Err(mismatch("share", "above 0 and at most 1", found))
}

fn about() -> Reply {
    let about = json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "toxics": extensions(),
    });
    Reply::json(200, &about)
}

/// A toxic with the number of connections it has affected.
#[derive(Serialize)]
struct ShownToxic<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    toxicity: f32,
    affected: u64,
}

/// Counters as JSON; `bytes` are of both ends of each direction.
fn show(statistics: &Statistics) -> Value {
    let Statistics { proxy, count } = statistics;
    let toxics = proxy.toxics.iter().map(|toxic| ShownToxic {
        name: &toxic.name,
        kind: toxic.type_name,
        toxicity: toxic.toxicity,
        affected: toxic.tally.affected(),
    });
    json!({
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "connections": count.connections,
        "bytes": count.bytes,
        "toxics": toxics.collect::<Vec<_>>(),
    })
}
