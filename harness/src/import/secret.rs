//! This module knows what must not stand in a scenario, and takes it out.
//!
//! **In:** names and values of a recording. **Out:** whether one is a secret; a text without any.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use toml::Value;

use super::leaf::in_quotes;
use crate::account::percent_encoded;

/// Shortest value that is looked for within texts: a shorter one is found everywhere.
const WITHIN_BYTES_MIN: usize = 6;
/// From this on, a value of digits and letters is believed to be made by a machine.
const RANDOM_BYTES_MIN: usize = 16;
/// Digits and letters in one word of this length are no word.
const MIXED_BYTES_MIN: usize = 10;
/// In place of a secret that no variable can stand for.
pub(super) const REMOVED: &str = "REMOVED";
/// What names of secrets hold.
const PARTS: [&str; 15] = [
    "token",
    "authoriz",
    "jwt",
    "secret",
    "passw",
    "passcode",
    "pwd",
    "apikey",
    "authkey",
    "ticket",
    "session",
    "credential",
    "bearer",
    "signature",
    "captcha",
];
/// What a secret may be called, and nothing more.
const NAMES: [&str; 4] = ["auth", "key", "xauth", "otp"];
/// The same of fields and of parts of an address, where ids of messages do not stand.
const NAMES_OF_FIELDS: [&str; 9] = [
    "access", "sig", "sid", "code", "hash", "totp", "pin", "nonce", "state",
];
/// Keys under which names and words stand that are no values of the recording.
const OWN_WORDS: [&str; 13] = [
    "protocol", "matching", "ids", "method", "body", "user", "password", "field", "query",
    "cookie", "expect", "fields", "name",
];
/// How web tokens of JSON begin, and the same once more in base64.
const WEB_TOKENS: [&str; 2] = ["eyJ", "ZXlK"];
/// What stands before a token.
const SCHEMES: [&str; 4] = ["bearer", "token", "basic", "jwt"];

/// What was found to be secret.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: BTreeSet<String>,
    /// As they may stand within texts, the longest first.
    written: OnceCell<Vec<String>>,
}

impl Secrets {
    pub(super) fn add(&mut self, value: &str) {
        let value = bare(value);
        if !value.is_empty() && self.known.insert(value.to_owned()) {
            self.written.take();
        }
    }

    /// A cookie: most of them are no secrets, and words that stand everywhere.
    pub(super) fn add_cookie(&mut self, value: &str) {
        let is_long = value.len() >= RANDOM_BYTES_MIN;
        let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
        if is_long || value.len() >= WITHIN_BYTES_MIN && has_digit {
            self.add(value);
        }
    }

    pub(super) fn holds(&self, value: &str) -> bool {
        self.known.contains(value)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    fn spellings(&self) -> Vec<String> {
        let secrets = self.known.iter();
        let within = secrets.filter(|secret| secret.len() >= WITHIN_BYTES_MIN);
        let mut written: Vec<String> = within.flat_map(|secret| spellings(secret)).collect();
        written.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        written.dedup();
        written
    }

    /// A text of the recording without them, however they are written, and whether there were any.
    pub(super) fn remove(&self, text: &str) -> (String, bool) {
        if self.holds(text) {
            return (REMOVED.to_owned(), true);
        }
        let mut removed = text.to_owned();
        for secret in self.written.get_or_init(|| self.spellings()) {
            if removed.contains(secret.as_str()) {
                removed = removed.replace(secret.as_str(), REMOVED);
            }
        }
        let removed = without_web_tokens(&removed);
        let is_other = removed != text;
        (removed, is_other)
    }
}

/// Takes secrets out of what was recorded; words of the harness are left. `true`: there were some.
pub(super) fn redact(value: &mut Value, secrets: &Secrets) -> bool {
    match value {
        Value::String(text) if text == "none" || text.starts_with("${env:") => false,
        Value::String(text) => {
            let (left, is_other) = secrets.remove(text);
            *text = left;
            is_other
        }
        Value::Array(list) => list
            .iter_mut()
            .fold(false, |other, value| redact(value, secrets) | other),
        Value::Table(table) => {
            let own = table
                .iter_mut()
                .filter(|(key, _)| !OWN_WORDS.contains(&key.as_str()));
            own.fold(false, |other, (_, value)| redact(value, secrets) | other)
        }
        _ => false,
    }
}

/// A secret as it may stand in other texts.
fn spellings(secret: &str) -> Vec<String> {
    let quoted = in_quotes(secret);
    let decoded = percent_encoding::percent_decode_str(secret).decode_utf8_lossy();
    vec![
        secret.to_owned(),
        in_quotes(&quoted),
        quoted,
        percent_encoded(secret),
        decoded.into_owned(),
    ]
}

/// Web tokens are secret wherever they stand.
fn without_web_tokens(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut left = String::new();
    let mut rest = text;
    while let Some(at) = WEB_TOKENS.iter().filter_map(|mark| rest.find(mark)).min() {
        let token = &rest[at..];
        let end = token.find(|c| !plain(c)).unwrap_or(token.len());
        left.push_str(&rest[..at]);
        left.push_str(if end >= RANDOM_BYTES_MIN {
            REMOVED
        } else {
            &token[..end]
        });
        rest = &token[end..];
    }
    left + rest
}

/// A value without the scheme before it.
pub(super) fn bare(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, rest)) if SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) => {
            rest.trim()
        }
        _ => value,
    }
}

/// Whether what is called so, or looks so, is a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let plain = |c: &char| c.is_ascii_alphanumeric();
    let name: String = name.to_ascii_lowercase().chars().filter(plain).collect();
    // An id of a session is no secret, where it is not a cookie.
    let is_id = name.ends_with("id");
    let is_named =
        !is_id && (NAMES.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part)));
    let value = bare(value);
    let is_word = !value.is_empty() && !value.contains(char::is_whitespace);
    let is_web_token =
        WEB_TOKENS.iter().any(|mark| value.starts_with(mark)) && value.len() >= RANDOM_BYTES_MIN;
    is_web_token || is_named && (is_word || name.contains("secret"))
}

/// The same of a field of a form, or of a part of an address.
pub(super) fn is_secret_field(name: &str, value: &str) -> bool {
    let small = name.to_ascii_lowercase();
    is_secret(name, value)
        || NAMES_OF_FIELDS.contains(&small.as_str())
        || is_secret(small.trim_end_matches("id"), value)
}

/// Looks like what a machine made to be guessed by nobody.
pub(super) fn is_random(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c);
    let is_uuid = value.len() == 36 && value.matches('-').count() == 4;
    // Words and versions that hyphens join are names.
    let mixed = |part: &str| {
        let has = |kind: fn(&u8) -> bool| part.bytes().any(|byte| kind(&byte));
        part.len() >= MIXED_BYTES_MIN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let is_plain = value.len() >= RANDOM_BYTES_MIN && !is_uuid && value.chars().all(plain);
    is_plain && value.split(['-', '_', '.']).any(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_by_look() {
        for (name, value) in [
            ("X-Api-Key", "abcd"),
            ("access_token", "abcd"),
            ("token", "Bearer abc"),
            ("q", "eyJhbGciOiJIUzI1.x.y"),
            ("secretKey", "two words"),
            ("auth", "x"),
        ] {
            assert!(is_secret(name, value), "{name} {value}");
        }
        for (name, value) in [
            ("room", "lobby"),
            ("author", "anna"),
            ("session_id", "s-1"),
            ("text", "my token"),
        ] {
            assert!(!is_secret(name, value), "{name} {value}");
        }
        assert!(is_secret_field("code", "123") && is_secret_field("sessionid", "x"));
    }

    #[test]
    fn names_of_rooms_and_protocols_are_not_taken_for_secrets() {
        for name in [
            "actioncable-v1-json",
            "general-chat-room-2024",
            "beb8f3f1-d601-48f2-b228-323a95a5522f",
            "graphql-transport-ws",
        ] {
            assert!(!is_random(name), "{name}");
        }
        assert!(is_random("tick-9f8e7d6c5b4a3f2e"));
    }

    #[test]
    fn a_secret_is_taken_out_however_it_is_written() {
        let mut secrets = Secrets::default();
        for secret in [
            "abcdef", "abcdefgh", "Bearer x", "p\"w\\99", "a+/==9", "s%3Aabc",
        ] {
            secrets.add(secret);
        }
        let left = |text: &str| secrets.remove(text).0;
        assert_eq!(left("x abcdefgh abcdef"), "x REMOVED REMOVED");
        assert_eq!(left("x"), "REMOVED");
        assert_eq!(left("ax"), "ax");
        assert_eq!(left(r#"{"p":"p\"w\\99"}"#), r#"{"p":"REMOVED"}"#);
        assert_eq!(left("/ws/a%2B%2F%3D%3D9"), "/ws/REMOVED");
        assert_eq!(left("s:abc"), "REMOVED");
        assert_eq!(left("Token eyJhbGciOiJIUzI1NiJ9.e30.x!"), "Token REMOVED!");
    }

    #[test]
    fn cookies_that_are_words_are_no_secrets() {
        let mut secrets = Secrets::default();
        for cookie in ["true", "message", "none", "example"] {
            secrets.add_cookie(cookie);
        }
        assert_eq!(secrets.remove("message").0, "message");
    }
}
