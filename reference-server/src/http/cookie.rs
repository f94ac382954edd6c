//! Cookies, both ways. **Source:** RFC 6265.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The value of a request cookie; nothing where it is there twice with different ones, one of which
/// somebody else has set.
pub(super) fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
}

/// What a browser may do with a cookie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// How long it keeps it.
    pub(super) life_s: u64,
    /// Whether the page may read it.
    pub(super) readable: bool,
    /// Whether it travels over TLS only.
    pub(super) secure: bool,
}

/// A `Set-Cookie` line. `value` is a token of ours: base64 and dots.
pub(super) fn set(name: &str, value: &str, scope: Scope) -> HeaderValue {
    let hidden = if scope.readable { "" } else { "; HttpOnly" };
    let secure = if scope.secure { "; Secure" } else { "" };
    let life_s = scope.life_s;
    let line = format!("{name}={value}; Path=/; Max-Age={life_s}; SameSite=Lax{hidden}{secure}");
    HeaderValue::try_from(line).expect("names and tokens are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; access_token=x.y=z"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(get(&headers, "access_token"), Some("x.y=z"));
        assert_eq!(get(&headers, "b"), Some("2"));
        assert_eq!(get(&headers, "token"), None);
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=3"));
        assert_eq!(get(&headers, "a"), Some("1"));
        assert_eq!(get(&headers, "b"), None, "which of the two?");
    }
}
