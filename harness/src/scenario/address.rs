//! This module checks addresses and the secrets named in them.
//!
//! **In:** a URL as typed. **Out:** nothing, or a complaint. No name is looked up.

use reqwest::Url;

use super::document::shortened;
use super::problem::Complaint;
use super::value::SECRET_OPEN;

const EXAMPLE: &str = "write it like \"ws://127.0.0.1:8000\"";

/// Reads `scheme://host[:port]` with one of `schemes`, nothing before and nothing behind.
pub(crate) fn base_url(text: &str, schemes: &[&str]) -> Result<Url, Complaint> {
    let url = parse(text, schemes)?;
    if !url.username().is_empty() || url.password().is_some() {
        let fact = "must not hold a user name or a password";
        return Err(Complaint::new(fact).hint("clients log in with environment.users"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        let fact = format!("must end after the port, found \"{}\"", shortened(text));
        let authority = text.split('/').take(3).collect::<Vec<_>>().join("/");
        return Err(Complaint::new(fact).hint(format!("write \"{}\"", shortened(&authority))));
    }
    Ok(url)
}

/// Holds for `redis://[:${env:NAME}@]host[:port][/database]`.
pub(super) fn check_redis_url(text: &str) -> Result<(), Complaint> {
    let url = parse(text, &["redis"])?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Complaint::new("must end after the database"));
    }
    let user_info = text
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'))
        .map(|(user_info, _)| user_info);
    let Some(user_info) = user_info else {
        return Ok(());
    };
    let (_, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    if password.is_empty() {
        let fact = "has an empty password";
        return Err(Complaint::new(fact).hint(
            "write redis://:${env:REDIS_PASSWORD}@host:6379, or leave out what stands before @",
        ));
    }
    check_secret(password, "REDIS_PASSWORD")
}

/// Holds for `${env:NAME}` with a name that the environment can have.
pub(crate) fn check_secret(text: &str, example: &str) -> Result<(), Complaint> {
    let hint = &format!("write `${{env:{example}}}` and set that variable");
    let Some(inner) = text.strip_prefix(SECRET_OPEN) else {
        // What was typed is not quoted back: it may be the secret itself.
        return Err(Complaint::new("a password must not be written down here").hint(hint));
    };
    let Some(name) = inner.strip_suffix('}') else {
        return Err(Complaint::new("`${env:` is not closed by `}`").hint(hint));
    };
    let start = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if start && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let fact = format!(
        "no environment variable can be named \"{}\"",
        shortened(name)
    );
    Err(Complaint::new(fact).hint(hint))
}

/// Host of a URL that was checked, as it was typed; `None` for what is not a URL.
pub(crate) fn host(text: &str) -> Option<String> {
    Url::parse(text).ok()?.host_str().map(str::to_owned)
}

/// Whether a host is this machine by its name alone: `localhost`, 127.0.0.0/8, `::1`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<std::net::IpAddr, _> = bare.parse();
    address.map_or(bare == "localhost", |address| address.is_loopback())
}

fn parse(text: &str, schemes: &[&str]) -> Result<Url, Complaint> {
    let scheme = schemes.first().unwrap_or(&"http");
    let (found, rest) = text.split_once("://").unwrap_or(("", text));
    let hint = format!("write \"{scheme}://{}\"", shortened(rest));
    if !schemes.contains(&found) {
        let known = schemes.join("://, ");
        let fact = format!(
            "expected a URL with {known}://, found \"{}\"",
            shortened(text)
        );
        return Err(Complaint::new(fact).hint(hint));
    }
    let url = Url::parse(text)
        .map_err(|error| Complaint::new(format!("not a URL: {error}")).hint(EXAMPLE))?;
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(Complaint::new("has no host and port to connect to").hint(EXAMPLE));
    }
    Ok(url)
}
