//! Proxies as requests and configuration files describe them.
//!
//! **In:** JSON in Toxiproxy's format. **Out:** [`Wanted`], or what is wrong with it in the words of the
//! API. Its `toxics` count, which Toxiproxy ignores.

use crate::{
    engine::{TOXICS_MAX, Wanted},
    json::{Fields, mismatch, parse},
    refusal::Refusal,
};
use serde_json::Value;

/// One proxy, complete.
pub(super) fn one(body: &[u8]) -> Result<Wanted, Refusal> {
    let wanted = wanted(&parse(body)?)?;
    require(&wanted, "")?;
    Ok(wanted)
}

/// A list of proxies, each of them complete.
pub(super) fn list(body: &[u8]) -> Result<Vec<Wanted>, Refusal> {
    let body = parse(body)?;
    let entries = match &body {
        Value::Array(entries) => entries.as_slice(),
        Value::Null => &[],
        other => return Err(mismatch("the body", "an array of proxies", other)),
    };
    let all: Vec<Wanted> = entries.iter().map(wanted).collect::<Result<_, _>>()?;
    for (index, entry) in all.iter().enumerate() {
        require(entry, &format!(" at proxy {}", index + 1))?;
    }
    Ok(all)
}

fn wanted(body: &Value) -> Result<Wanted, Refusal> {
    let fields = Fields::of(body, "the proxy")?;
    Ok(Wanted {
        name: fields.text("name")?.unwrap_or_default(),
        listen: fields.text("listen")?.unwrap_or_default(),
        upstream: fields.text("upstream")?.unwrap_or_default(),
        enabled: fields.truth("enabled")?.unwrap_or(true),
        half_close: fields.truth("half_close")?,
        toxics: toxics(fields)?,
    })
}

fn toxics(fields: Fields<'_>) -> Result<Vec<Value>, Refusal> {
    match fields.value("toxics") {
        None => Ok(Vec::new()),
        Some(Value::Array(toxics)) if toxics.len() <= TOXICS_MAX => Ok(toxics.clone()),
        Some(other) => {
            let wanted = format!("an array of at most {TOXICS_MAX} toxics");
            Err(mismatch("toxics", &wanted, other))
        }
    }
}

fn require(wanted: &Wanted, place: &str) -> Result<(), Refusal> {
    for (field, value) in [("name", &wanted.name), ("upstream", &wanted.upstream)] {
        if value.is_empty() {
            return Err(Refusal::MissingField(format!("{field}{place}")));
        }
    }
    is_no_url(&wanted.upstream, place)
}

/// Toxiproxy takes a URL, and then no connection ever reaches it.
pub(super) fn is_no_url(upstream: &str, place: &str) -> Result<(), Refusal> {
    let Some((_, rest)) = upstream.split_once("://") else {
        return Ok(());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_whole = host
        .rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    Err(Refusal::UpstreamUrl {
        place: place.to_owned(),
        likely: is_whole.then(|| host.to_owned()),
    })
}
