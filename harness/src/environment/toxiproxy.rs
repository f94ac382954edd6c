//! This module calls the API of a fault proxy: it removes a proxy there, or puts one back.
//!
//! On a Toxiproxy that others use, a proxy is emptied and disabled before it is deleted: a real
//! Toxiproxy can hang for good when a proxy with a stuck client is deleted, so what cannot be
//! emptied is left in place and named.

use fault_proxy::client::{Client, ClientError};

use crate::route;
use crate::trust::with_trust;

const NOT_FOUND: u16 = 404;

/// The API of a fault proxy, over requests that need no certificates.
pub(crate) fn api_client(url: &str) -> Result<Client, ClientError> {
    Client::over(url, with_trust(route::http(), None))
}

/// What the names of everything start with that a run creates on a fault proxy.
pub(crate) fn own_prefix(run_id: &str) -> String {
    format!("harness-{run_id}-")
}

/// Takes this run's toxics off somebody else's proxy and enables it; `false` where nothing was to
/// be done. Nothing else of it is touched.
pub(crate) async fn restore_proxy(
    client: &Client,
    name: &str,
    prefix: &str,
) -> Result<bool, ClientError> {
    let found = match client.proxy(name).await {
        Ok(found) => found,
        Err(error) if error.status() == Some(NOT_FOUND) => return Ok(false),
        Err(error) => return Err(error),
    };
    let ours = found
        .toxics
        .iter()
        .filter(|toxic| toxic.name.starts_with(prefix));
    let mut changed = false;
    for toxic in ours {
        client.remove_toxic(name, &toxic.name).await?;
        changed = true;
    }
    if !found.enabled {
        client.set_enabled(name, true).await?;
        changed = true;
    }
    Ok(changed)
}

/// Empties, disables and deletes one proxy of ours; `false` when there was none.
pub(crate) async fn remove_proxy(client: &Client, name: &str) -> Result<bool, ClientError> {
    let found = match client.proxy(name).await {
        Ok(found) => found,
        Err(error) if error.status() == Some(NOT_FOUND) => return Ok(false),
        Err(error) => return Err(error),
    };
    for toxic in &found.toxics {
        client.remove_toxic(name, &toxic.name).await?;
    }
    if found.enabled {
        client.set_enabled(name, false).await?;
    }
    client.delete(name).await?;
    Ok(true)
}
