//! This module says who may ask: it keeps pages from elsewhere out, whatever a browser lets them send.
//!
//! **In:** a request's head. **Out:** whether it is answered.
//!
//! A page reaches a server on its visitor's machine under a name of its own that it has made to point here ("DNS rebinding"),
//! which then stands in `Host`; or from its own origin, which a browser names. An address cannot be made to point elsewhere, nor
//! can `localhost`, and of the name of this machine no page is served.
//!
//! **Source:** RFC 9110, 7.2 (`Host`); RFC 6454, 7 (`Origin`); W3C Fetch Metadata (`Sec-Fetch-Site`).

use std::net::{IpAddr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use subtle::ConstantTimeEq as _;

use crate::environment::Secret;

const HOSTNAME: &str = "/proc/sys/kernel/hostname";
const SITE: &str = "sec-fetch-site";

/// The host is one that nobody else can have made point here.
pub(super) fn is_known(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(host) = host(headers) else {
        return false;
    };
    // A request line with a whole URL in it overrides the header.
    let asked = [Some(&host), uri.authority()].into_iter().flatten();
    let own = std::fs::read_to_string(HOSTNAME).unwrap_or_default();
    let own = plain(own.trim());
    asked.map(Authority::host).all(|host| {
        let name = plain(host);
        let bare = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let is_address = match bare {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => host.parse::<IpAddr>().is_ok(),
        };
        let is_local = name == "localhost" || name.ends_with(".localhost");
        is_address || is_local || (!own.is_empty() && name == own)
    })
}

/// Asked by the page itself, or by no page at all.
pub(super) fn is_own_page(headers: &HeaderMap) -> bool {
    let host = host(headers);
    let same = |origin: &str| {
        let origin = origin.parse::<Uri>().ok();
        let authority = origin.as_ref().and_then(Uri::authority);
        authority.is_some() && authority == host.as_ref()
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let mut sites = headers.get_all(SITE).iter();
    origins.all(|origin| origin.to_str().is_ok_and(same))
        && sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// Whether the token stands in the head (`Authorization: Bearer …`) or in the query (`token=…`). How long it takes to
/// say no says nothing of the token.
pub(super) fn has_token(uri: &Uri, headers: &HeaderMap, token: &Secret) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut given = bearer
        .into_iter()
        .chain(pairs.filter_map(|pair| pair.strip_prefix("token=")));
    given.any(|given| given.as_bytes().ct_eq(token.expose().as_bytes()).into())
}

/// The one `Host`.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut all = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (all.next(), all.next()) else {
        return None;
    };
    let host = Authority::try_from(host.as_bytes()).ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

/// A name as names are compared.
fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn head(headers: &[(&str, &str)]) -> HeaderMap {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::try_from(*name).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        headers.collect()
    }

    fn known(uri: &str, host: &str) -> bool {
        is_known(&uri.parse().unwrap(), &head(&[("host", host)]))
    }

    #[test]
    fn addresses_and_names_nobody_else_owns_are_known_and_no_others() {
        for host in [
            "127.0.0.1:8080",
            "10.1.2.3:8080",
            "[::1]:8080",
            "[::1]",
            "localhost",
            "LocalHost:3",
            "localhost.:3",
            "run.localhost:3",
        ] {
            assert!(known("/events", host), "{host}");
        }
        for host in [
            "",
            "evil",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.1",
            "2130706433",
            "user@localhost",
            "localhost, evil",
        ] {
            assert!(!known("/events", host), "{host}");
        }
        assert!(!known("http://evil/events", "localhost"));
        assert!(!is_known(&Uri::from_static("/"), &head(&[])));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert!(!is_known(&Uri::from_static("/"), &head(&two)));
    }

    #[test]
    fn only_the_page_itself_and_who_is_no_page_may_ask() {
        let own = |name: &str, value: &str| {
            is_own_page(&head(&[("host", "127.0.0.1:8080"), (name, value)]))
        };
        assert!(own("accept", "*/*"));
        assert!(own("origin", "http://127.0.0.1:8080"));
        assert!(own(SITE, "same-origin") && own(SITE, "none"));
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://127.0.0.1",
            "http://127.0.0.1:1",
        ] {
            assert!(!own("origin", origin), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!own(SITE, site), "{site}");
        }
    }

    #[test]
    fn the_token_is_taken_from_head_or_query_whole_and_as_it_is() {
        let token = Secret::new("a1b2".to_owned());
        let has = |uri: &str, headers: &[(&str, &str)]| {
            has_token(&uri.parse().unwrap(), &head(headers), &token)
        };
        assert!(has("/stop", &[("authorization", "Bearer a1b2")]));
        assert!(has("/stop?token=a1b2", &[]) && has("/stop?a=b&token=a1b2", &[]));
        for uri in [
            "/stop",
            "/stop?token=",
            "/stop?token=a1b",
            "/stop?token=a1b2c",
            "/stop?token=A1B2",
        ] {
            assert!(!has(uri, &[]), "{uri}");
        }
        for given in ["Bearer a1b", "Bearer ", "a1b2", "bearer a1b2 "] {
            assert!(!has("/stop", &[("authorization", given)]), "{given}");
        }
    }
}
