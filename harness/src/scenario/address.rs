//! This module checks addresses and the secrets named in them.
//!
//! **In:** a URL as typed. **Out:** nothing, or a complaint, in which no more of a URL stands than [`shown`] leaves of
//! it. No name is looked up.

use reqwest::Url;

use super::problem::Complaint;
use crate::route::Via;

/// Marks where a secret is named instead of written: `${env:NAME}`.
pub(super) const SECRET_OPEN: &str = "${env:";

const EXAMPLE: &str = "write it like \"ws://127.0.0.1:8000\"";

/// Reads `scheme://host[:port]` with one of `schemes`, nothing before and nothing behind.
pub(crate) fn base_url(text: &str, schemes: &[&str]) -> Result<Url, Complaint> {
    let url = parse(text, schemes)?;
    if !url.username().is_empty() || url.password().is_some() {
        let fact = "must not hold a user name or a password";
        return Err(Complaint::new(fact).hint("clients log in with environment.users"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        let fact = format!("must end after the port, found \"{}\"", shown(text));
        let base = shown(text).trim_end_matches("/…").to_owned();
        return Err(Complaint::new(fact).hint(format!("write \"{base}\"")));
    }
    Ok(url)
}

/// Holds for `redis://[:${env:NAME}@]host[:port][/database]`.
pub(super) fn check_redis_url(text: &str) -> Result<(), Complaint> {
    let url = parse(text, &["redis"])?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Complaint::new("must end after the database"));
    }
    let database = url.path().trim_matches('/');
    if !database.is_empty() && database.parse::<u16>().is_err() {
        let fact = "what stands behind the port is no number of a database";
        return Err(Complaint::new(fact).hint("write redis://127.0.0.1:6379 or …:6379/0"));
    }
    match password(text) {
        None => Ok(()),
        Some("") => {
            let fact = "has an empty password";
            Err(Complaint::new(fact).hint(
                "write redis://:${env:REDIS_PASSWORD}@host:6379, or leave out what stands before @",
            ))
        }
        Some(password) => check_secret(password, "REDIS_PASSWORD"),
    }
}

/// Holds for `http://[user:${env:NAME}@]host:port` of a proxy.
pub(crate) fn check_via(text: &str) -> Result<(), Complaint> {
    const EXAMPLE: &str = "PROXY_PASSWORD";
    // What was typed may hold a password: it is not repeated.
    let via = Via::parse(text).map_err(|why| {
        Complaint::new(format!("names no HTTP proxy: {why}")).hint("write \"http://proxy.example.org:3128\", or with credentials \"http://user:${env:PROXY_PASSWORD}@proxy.example.org:3128\"")
    })?;
    let Some((user, password)) = &via.credentials else {
        return Ok(());
    };
    check_named(user, "PROXY_USER")?;
    check_secret(password, EXAMPLE)
}

/// The password of a URL, empty where there is a user alone; `None`: nothing stands before an `@`.
fn password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (user_info, _) = rest.rsplit_once('@')?;
    Some(
        user_info
            .split_once(':')
            .map_or("", |(_, password)| password),
    )
}

/// What of an address, rightly written or not, may be repeated: scheme, host and port. A password may stand anywhere
/// else, a token in the query.
pub(crate) fn shown(text: &str) -> String {
    let is_scheme = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric());
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), text),
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => ("***@", host),
        None => ("", authority),
    };
    // Without a scheme a single word may be anything.
    let is_address = is_host(host) && (!scheme.is_empty() || host.contains([':', '.']));
    // A password that holds a slash has not ended here.
    if !is_address || behind.contains('@') {
        return format!("{scheme}…");
    }
    let behind = if matches!(behind, "" | "/") {
        ""
    } else {
        "/…"
    };
    format!("{scheme}{user}{host}{behind}")
}

/// `host`, `host:port`, `[::1]:port`.
fn is_host(text: &str) -> bool {
    let digits = |port: &str| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let of_address = |c: char| c.is_ascii_hexdigit() || ".:".contains(c);
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = port.strip_prefix(':').unwrap_or(port);
        return address.chars().all(of_address) && digits(port);
    }
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !host.is_empty() && host.chars().all(of_name) && digits(port)
}

/// Whether what is called so is a credential, or an address that may hold one.
pub(super) fn names_a_secret(name: &str) -> bool {
    const MARKS: [&str; 10] = [
        "authorization",
        "cookie",
        "token",
        "key",
        "secret",
        "password",
        "url",
        "redis",
        "target",
        "via",
    ];
    let name = name.to_ascii_lowercase();
    MARKS.iter().any(|mark| name.contains(mark))
}

/// Holds for a text in which every `${env:NAME}` is closed and has such a name.
pub(super) fn check_named(text: &str, example: &str) -> Result<(), Complaint> {
    let mut rest = text;
    while let Some(start) = rest.find(SECRET_OPEN) {
        let (_, named) = rest.split_at(start);
        let end = named.find('}').map_or(named.len(), |end| end + 1);
        let (named, behind) = named.split_at(end);
        check_secret(named, example)?;
        rest = behind;
    }
    Ok(())
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
    // Nor is this: `${env:NAME:-default}` is a habit of shells.
    let fact = "what stands in `${env:…}` cannot be the name of an environment variable";
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
    let (found, _) = text.split_once("://").unwrap_or(("", text));
    if !schemes.contains(&found) {
        let known = schemes.join("://, ");
        let found = shown(text);
        let fact = format!("expected a URL with {known}://, found \"{found}\"");
        let host = found.rsplit("://").next().unwrap_or_default();
        let hint = if host.contains('…') {
            EXAMPLE.to_owned()
        } else {
            format!("write \"{scheme}://{host}\"")
        };
        return Err(Complaint::new(fact).hint(hint));
    }
    let url = Url::parse(text)
        .map_err(|error| Complaint::new(format!("not a URL: {error}")).hint(EXAMPLE))?;
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(Complaint::new("has no host and port to connect to").hint(EXAMPLE));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_its_password_path_and_query_are_not_repeated() {
        for (typed, repeated) in [
            ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000"),
            ("ws://u:pw@[::1]:8000/", "ws://***@[::1]:8000"),
            ("ws://h:1/x?token=pw", "ws://h:1/…"),
            ("ws://h:1#pw", "ws://h:1/…"),
            ("ws://u:p/pw@h:1", "ws://…"),
            ("ws://h/?a=b@pw", "ws://…"),
            ("redis://:pw", "redis://…"),
            ("redis://pw:pw", "redis://…"),
            ("ws:u:pw@h:1", "***@h:1"),
            ("ws:/u:pw@h", "…"),
            ("u:pw", "…"),
            ("pw", "…"),
            ("localhost:8000", "localhost:8000"),
            ("ws://u:p w@h ", "ws://…"),
        ] {
            assert_eq!(shown(typed), repeated, "{typed}");
        }
    }

    #[test]
    fn no_complaint_about_an_address_repeats_a_secret() {
        for typed in [
            "ws://u:hunter2@h:1",
            "ws://hunter2@h:1",
            "ws://h:1/?token=hunter2",
            "ws://h:1/hunter2",
            "ftp://u:hunter2@h:1",
            "u:hunter2@h",
            "ws://u:hunter2@h:99999",
            "ws://u:hunter2@",
            "ws://[u:hunter2@h",
            "ws://u:p/hunter2@h:1",
            "hunter2",
        ] {
            let complaint = base_url(typed, &["ws"]).unwrap_err();
            let redis = check_redis_url(&typed.replace("ws:", "redis:")).err();
            for complaint in [Some(complaint), redis].into_iter().flatten() {
                let told = format!("{} {:?}", complaint.fact, complaint.hint);
                assert!(!told.contains("hunter2"), "{typed}: {told}");
            }
        }
    }
}
