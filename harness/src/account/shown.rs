//! This module says how much of what a server sends may be shown.
//!
//! **In:** bodies, locations and texts of a server. **Out:** a line that is safe to print: short,
//! without control characters, and without what is or looks like a credential.

use serde_json::Value;

use super::percent::percent_encoded;
use crate::format;

/// As much of a body as is quoted.
const QUOTE_CHARS_MAX: usize = 120;
/// Words with a digit that are so long may be credentials: those of a refusal.
const REFUSED_WORD_CHARS: usize = 24;
/// Shorter secrets would mask ordinary words.
const SECRET_CHARS_MIN: usize = 4;
/// Words that are so long may be credentials without one.
const LONG_WORD_CHARS: usize = 40;

/// The first line of a refusal, safe to print: what looks like a credential is left out.
pub(crate) fn quoted(body: &[u8]) -> String {
    first_line(body, REFUSED_WORD_CHARS)
}

/// Words with a digit in them that have `least` characters or more are left out, and long ones
/// anyway.
pub(super) fn first_line(body: &[u8], least: usize) -> String {
    let text = String::from_utf8_lossy(body);
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let line = title(&text).unwrap_or(line);
    let mut shown = String::new();
    for word in line.split_inclusive(|c: char| !is_of_token(c)) {
        let end = word.find(|c| !is_of_token(c)).unwrap_or(word.len());
        let (word, mark) = word.split_at(end);
        let digits = word.contains(|c: char| c.is_ascii_digit());
        if word.len() >= LONG_WORD_CHARS || digits && word.len() >= least {
            shown.push_str("***");
        } else {
            shown.push_str(word);
        }
        shown.push_str(mark);
    }
    let shown = format::harmless(&shown);
    if shown.chars().count() <= QUOTE_CHARS_MAX {
        return shown;
    }
    shown.chars().take(QUOTE_CHARS_MAX).chain(['…']).collect()
}

/// Where an answer leads, without what may be a credential: user and query.
pub(crate) fn location(value: &str) -> String {
    let (place, rest) = match value.find(['?', '#']) {
        Some(at) => (&value[..at], "?…"),
        None => (value, ""),
    };
    let shown = match place.split_once("://") {
        Some((scheme, after)) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => place.to_owned(),
    };
    format!("{}{rest}", quoted(shown.as_bytes()))
}

/// Two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(DIGITS[usize::from(digit)]));
    digits.collect()
}

/// A text without these secrets, as they are and as they stand in a URL, in JSON or in hexadecimal digits.
pub(crate) fn masked(text: &str, secrets: &[&str]) -> String {
    let mut shown = text.to_owned();
    for secret in secrets
        .iter()
        .filter(|secret| secret.len() >= SECRET_CHARS_MIN)
    {
        let json = Value::from(*secret).to_string();
        let forms = [
            (*secret).to_owned(),
            percent_encoded(secret),
            json[1..json.len() - 1].to_owned(),
            // Bytes of a server that speaks in them.
            hex(secret.as_bytes()),
        ];
        for form in &forms {
            shown = shown.replace(form, "***");
        }
    }
    shown
}

/// The title of a page: its first line says nothing.
fn title(text: &str) -> Option<&str> {
    if !text.trim_start().starts_with('<') {
        return None;
    }
    // As long as the text: only letters of ASCII change.
    let lower = text.to_ascii_lowercase();
    let from = lower.find("<title>")? + "<title>".len();
    let length = lower[from..].find("</title>")?;
    Some(text[from..from + length].trim())
}

/// A character of base64 for URLs, or of a JWT.
const fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short() {
        let long = quoted(&[b'a', b' '].repeat(500));
        assert_eq!(long.chars().count(), QUOTE_CHARS_MAX + 1);
    }
}
