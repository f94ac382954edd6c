//! Compares what was asked for with what the server says it has.
//!
//! **In:** the wanted state and the state read back. **Out:** the latter, or
//! [`ClientError::Unconfirmed`] with both.

use super::ClientError;
use crate::{ProxySpec, ProxyView, ToxicSpec, ToxicView};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Display};

/// Toxicity travels as a 32-bit float through two languages' number formats.
const TOXICITY_TOLERANCE: f32 = 1e-6;

pub(super) fn created(
    created: &ProxyView,
    spec: &ProxySpec,
    found: ProxyView,
) -> Result<ProxyView, ClientError> {
    let same = found.upstream == spec.upstream
        && found.enabled == spec.enabled
        && found.listen == created.listen;
    if same {
        return Ok(found);
    }
    Err(unconfirmed(
        format!("creating the proxy {} for {}", spec.name, spec.upstream),
        describe(&found),
    ))
}

pub(super) fn equipped(found: &ProxyView, toxics: &[ToxicSpec]) -> Result<(), ClientError> {
    for spec in toxics {
        let Some(is) = found.toxic(&spec.name) else {
            let change = format!("creating {} with the toxic {}", found.name, spec.name);
            return Err(unconfirmed(change, "without it"));
        };
        toxic(is.clone(), spec)?;
    }
    Ok(())
}

pub(super) fn populated(
    specs: &[ProxySpec],
    created: &[ProxyView],
    found: &BTreeMap<String, ProxyView>,
) -> Result<(), ClientError> {
    if created.len() != specs.len() {
        return Err(unconfirmed(
            format!("populating {} proxies", specs.len()),
            format!("{} proxies", created.len()),
        ));
    }
    for spec in specs {
        let change = || format!("populating the proxy {} for {}", spec.name, spec.upstream);
        match found.get(&spec.name) {
            Some(proxy) if proxy.upstream == spec.upstream => {}
            Some(proxy) => return Err(unconfirmed(change(), describe(proxy))),
            None => return Err(unconfirmed(change(), "missing")),
        }
    }
    Ok(())
}

pub(super) fn enabled(found: ProxyView, wanted: bool) -> Result<ProxyView, ClientError> {
    if found.enabled == wanted {
        return Ok(found);
    }
    Err(unconfirmed(
        format!("setting enabled = {wanted} on {}", found.name),
        describe(&found),
    ))
}

pub(super) fn toxic(found: ToxicView, spec: &ToxicSpec) -> Result<ToxicView, ClientError> {
    let attributes_match = spec.attributes.iter().all(|(name, wanted)| {
        found
            .attributes
            .get(name)
            .is_some_and(|is| equal(is, wanted))
    });
    let same = found.kind == spec.kind
        && found.stream == spec.stream
        && (found.toxicity - spec.toxicity).abs() <= TOXICITY_TOLERANCE
        && attributes_match;
    if same {
        return Ok(found);
    }
    Err(unconfirmed(
        format!("toxic {} ({} on {})", spec.name, spec.kind, spec.stream),
        format!(
            "{} on {}, toxicity {}, {}",
            found.kind,
            found.stream,
            found.toxicity,
            Value::Object(found.attributes)
        ),
    ))
}

pub(super) fn gone<T>(
    change: &str,
    name: &str,
    read_back: Result<T, ClientError>,
) -> Result<(), ClientError> {
    match read_back {
        Err(error) if error.status() == Some(404) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(unconfirmed(format!("{change} {name}"), "still there")),
    }
}

pub(super) fn pristine(proxies: &BTreeMap<String, ProxyView>) -> Result<(), ClientError> {
    let spoilt = proxies
        .values()
        .find(|proxy| !proxy.enabled || !proxy.toxics.is_empty());
    match spoilt {
        None => Ok(()),
        Some(proxy) => Err(unconfirmed("the reset", describe(proxy))),
    }
}

/// Numbers are equal by value: one side may write `100`, the other `100.0`.
fn equal(is: &Value, wanted: &Value) -> bool {
    is == wanted || (is.is_number() && wanted.is_number() && is.as_f64() == wanted.as_f64())
}

fn describe(proxy: &ProxyView) -> String {
    format!(
        "{} on {} for {}, enabled = {}, {} toxics",
        proxy.name,
        proxy.listen,
        proxy.upstream,
        proxy.enabled,
        proxy.toxics.len()
    )
}

fn unconfirmed(change: impl Display, found: impl Display) -> ClientError {
    ClientError::Unconfirmed {
        change: change.to_string(),
        found: found.to_string(),
    }
}
