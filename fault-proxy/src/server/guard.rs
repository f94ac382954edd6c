//! Who may ask: keeps web pages out, whatever a browser lets them send.
//!
//! **In:** a request's head, the names that are allowed beside the usual ones. **Out:** why it is
//! refused, if it is.
//!
//! A page reaches an API on its visitor's machine in two ways: from its own origin, which the browser
//! then names in `Origin` or `Sec-Fetch-Site`; or under a name of its own that it has made to point
//! here ("DNS rebinding"), which then stands in `Host`. An address cannot be made to point elsewhere,
//! `localhost` cannot either, and of the name of this machine and of `toxiproxy`, which containers call
//! this service by, no page is served. Whoever uses another name says so.
//!
//! **Source:** RFC 9110, 7.2 (`Host`); RFC 6454, 7 (`Origin`); W3C Fetch Metadata (`Sec-Fetch-Site`).

use hyper::{HeaderMap, Uri, Version, header, http::uri::Authority};
use std::net::{IpAddr, Ipv6Addr};

/// What Docker Compose files call this service.
const USUAL_NAME: &str = "toxiproxy";
/// Allows every name and every origin.
const ANY: &str = "*";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// None in HTTP/1.1, several, or none that is one.
    BadHost,
    /// Asked for by a name that anybody could have made point here.
    Host(String),
    /// Sent by a page from elsewhere.
    Origin(String),
}

/// The names the API may be asked by, beside addresses and `localhost`.
#[derive(Debug)]
pub(super) struct Guard {
    names: Vec<String>,
    open: bool,
}

impl Guard {
    pub(super) fn new(allowed: &[String]) -> Self {
        let own = std::fs::read_to_string(HOSTNAME).unwrap_or_default();
        let given = allowed.iter().map(String::as_str);
        let names = given.chain([own.trim(), USUAL_NAME]);
        Self {
            names: names.map(plain).filter(|name| !name.is_empty()).collect(),
            open: allowed.iter().any(|name| name == ANY),
        }
    }

    pub(super) fn check(
        &self,
        version: Version,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Stranger> {
        let host = host(version, headers)?;
        if self.open {
            return Ok(());
        }
        // A request line with a whole URL in it overrides the header.
        for authority in [host.as_ref(), uri.authority()].into_iter().flatten() {
            if !self.knows(authority.host()) {
                return Err(Stranger::Host(authority.host().to_owned()));
            }
        }
        for origin in headers.get_all(header::ORIGIN) {
            let named = origin.to_str().unwrap_or_default();
            let same = named.parse::<Uri>().is_ok_and(|origin| {
                let asked = uri.authority().or(host.as_ref());
                origin.authority().is_some() && origin.authority() == asked
            });
            if !same {
                let shown = String::from_utf8_lossy(origin.as_bytes());
                return Err(Stranger::Origin(shown.into_owned()));
            }
        }
        for site in headers.get_all("sec-fetch-site") {
            if !matches!(site.as_bytes(), b"same-origin" | b"none") {
                let shown = String::from_utf8_lossy(site.as_bytes());
                return Err(Stranger::Origin(shown.into_owned()));
            }
        }
        Ok(())
    }

    fn knows(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let is_address = match bare {
            // A zone, as in `fe80::1%eth0`, is the sender's own affair.
            Some(v6) => v6
                .split('%')
                .next()
                .is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()),
            None => host.parse::<IpAddr>().is_ok(),
        };
        let name = plain(host);
        is_address
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.names.contains(&name)
    }
}

/// The one `Host`; none is fine before HTTP/1.1.
fn host(version: Version, headers: &HeaderMap) -> Result<Option<Authority>, Stranger> {
    let mut all = headers.get_all(header::HOST).iter();
    match (all.next(), all.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(None),
        (Some(host), None) => match Authority::try_from(host.as_bytes()) {
            Ok(host) if !host.as_str().contains('@') => Ok(Some(host)),
            _ => Err(Stranger::BadHost),
        },
        _ => Err(Stranger::BadHost),
    }
}

/// A name as names are compared.
fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::http::{HeaderName, HeaderValue};

    fn ask(allowed: &[&str], uri: &str, headers: &[(&str, &str)]) -> Result<(), Stranger> {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::try_from(*name).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        Guard::new(&allowed).check(Version::HTTP_11, &uri.parse().unwrap(), &headers.collect())
    }

    #[test]
    fn addresses_and_names_nobody_else_owns_are_known() {
        for host in [
            "127.0.0.1:8474",
            "127.0.0.1",
            "10.1.2.3:8474",
            "[::1]:8474",
            "[::1]",
            "[::ffff:127.0.0.1]:1",
            "0.0.0.0:8474",
            "localhost",
            "LocalHost:3",
            "localhost.:3",
            "proxy.localhost:8474",
            "toxiproxy:8474",
        ] {
            assert_eq!(ask(&[], "/version", &[("host", host)]), Ok(()), "{host}");
        }
        let own = std::fs::read_to_string(HOSTNAME).unwrap();
        assert_eq!(ask(&[], "/version", &[("host", own.trim())]), Ok(()));
    }

    #[test]
    fn names_that_could_point_anywhere_are_not() {
        for host in [
            "evil",
            "evil.example:8474",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "toxiproxy.evil.example",
            "127.1",
            "2130706433",
            "0x7f000001",
        ] {
            let refused = ask(&[], "/version", &[("host", host)]);
            assert!(
                matches!(refused, Err(Stranger::Host(_))),
                "{host}: {refused:?}"
            );
        }
        for host in ["", "a b", "user@localhost", "[::1", "localhost, evil"] {
            let refused = ask(&[], "/version", &[("host", host)]);
            assert!(refused.is_err(), "{host}: {refused:?}");
        }
        assert_eq!(ask(&[], "/version", &[]), Err(Stranger::BadHost));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(ask(&[], "/version", &two), Err(Stranger::BadHost));
        let whole = ask(&[], "http://evil/version", &[("host", "localhost")]);
        assert_eq!(whole, Err(Stranger::Host("evil".to_owned())));
    }

    #[test]
    fn only_a_page_of_the_api_itself_may_ask() {
        let from = |name: &str, value: &str| {
            ask(&[], "/reset", &[("host", "127.0.0.1:8474"), (name, value)])
        };
        assert_eq!(from("origin", "http://127.0.0.1:8474"), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://127.0.0.1",
            "http://localhost:8474",
            "http://127.0.0.1:3000",
            "127.0.0.1:8474/",
            "file://",
        ] {
            let refused = from("origin", origin);
            assert!(
                matches!(refused, Err(Stranger::Origin(_))),
                "{origin}: {refused:?}"
            );
        }
        for site in ["cross-site", "same-site", "Cross-Site", ""] {
            let refused = from("sec-fetch-site", site);
            assert!(
                matches!(refused, Err(Stranger::Origin(_))),
                "{site}: {refused:?}"
            );
        }
        assert_eq!(from("sec-fetch-site", "same-origin"), Ok(()));
        assert_eq!(from("sec-fetch-site", "none"), Ok(()));
    }

    #[test]
    fn names_can_be_given_and_the_whole_check_left_out() {
        let proxy = [("host", "Proxy.Lab.Example:8474")];
        assert!(ask(&[], "/version", &proxy).is_err());
        assert_eq!(ask(&["proxy.lab.example"], "/version", &proxy), Ok(()));
        let page = [
            ("host", "proxy.lab.example"),
            ("origin", "http://evil.example"),
        ];
        assert!(ask(&["proxy.lab.example"], "/version", &page).is_err());
        assert_eq!(ask(&["*"], "/version", &page), Ok(()));
    }
}
