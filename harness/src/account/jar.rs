//! This module keeps the cookies that a server sets, as far as one client of one server needs that.
//!
//! **In:** `Set-Cookie` lines. **Out:** the `Cookie` of the next request. All go to one host, so path and domain make no
//! difference; a value goes back as it came. Bounded: what does not fit is not kept.
//!
//! **Source:** RFC 6265, sections 4.1 and 5.2.

use std::time::{Duration, UNIX_EPOCH};

/// Most cookies, and most bytes of them all.
const COOKIES_MAX: usize = 32;
const BYTES_MAX: usize = 8 * 1024;
/// Who takes a cookie back dates it to about the beginning of time.
const LONG_PAST: Duration = Duration::from_hours(48);

/// Cookies of one client, by name. All of them are secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jar(Vec<(Box<str>, Box<str>)>);

impl Jar {
    /// Takes what an answer sets.
    pub(crate) fn keep<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) {
        for line in lines {
            let mut parts = line.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() || !sendable(name) || !sendable(value) {
                continue;
            }
            self.0.retain(|(known, _)| **known != *name);
            let bytes: usize = self.0.iter().map(|(n, v)| n.len() + v.len() + 3).sum();
            let fits =
                self.0.len() < COOKIES_MAX && bytes + name.len() + value.len() + 3 <= BYTES_MAX;
            if fits && !parts.any(is_farewell) {
                self.0.push((name.into(), value.into()));
            }
        }
    }

    /// What goes with the next request; `None`: nothing.
    pub(crate) fn header(&self) -> Option<String> {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<String> = pairs.collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// All values: what nobody but the server may see.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| &**value)
    }

    /// A cookie.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }
}

/// Whether it can stand in a header.
fn sendable(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii() && !c.is_ascii_control())
}

/// An attribute that takes the cookie back.
fn is_farewell(attribute: &str) -> bool {
    let Some((name, value)) = attribute.split_once('=') else {
        return false;
    };
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    match &*name {
        "max-age" => value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
        "expires" => {
            httpdate::parse_http_date(value).is_ok_and(|date| date <= UNIX_EPOCH + LONG_PAST)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_cookie_goes_back_as_it_came() {
        let mut jar = Jar::default();
        assert_eq!(jar.header(), None);
        jar.keep([
            "sid=s%3Aabc.d+/=; Path=/; HttpOnly",
            "lang = de ;Secure",
            "no cookie",
            "=x",
        ]);
        assert_eq!(jar.header().as_deref(), Some("sid=s%3Aabc.d+/=; lang=de"));
        jar.keep(["sid=2; Expires=Thu, 03 Dec 2099 10:00:00 GMT; Max-Age=100"]);
        assert_eq!(jar.header().as_deref(), Some("lang=de; sid=2"));
        assert_eq!(jar.value("sid"), Some("2"));
    }

    #[test]
    fn a_cookie_that_is_taken_back_is_gone() {
        let mut jar = Jar::default();
        jar.keep(["a=1", "b=2", "c=3"]);
        jar.keep(["a=; Max-Age=0", "b=; expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(jar.header().as_deref(), Some("c=3"));
    }

    #[test]
    fn a_jar_is_never_full_to_the_brim_and_nothing_gets_into_a_header() {
        let mut jar = Jar::default();
        let many: Vec<String> = (0..100).map(|n| format!("c{n}=x")).collect();
        jar.keep(many.iter().map(String::as_str));
        assert_eq!(jar.header().unwrap().split("; ").count(), COOKIES_MAX);
        let mut jar = Jar::default();
        jar.keep([
            &*format!("big={}", "x".repeat(BYTES_MAX)),
            "a=1\r\nX: y",
            "b=\u{e9}",
        ]);
        assert_eq!(jar.header(), None);
    }
}
