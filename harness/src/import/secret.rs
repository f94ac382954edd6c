//! This module knows what must not stand in a scenario, and takes it out.
//!
//! **In:** names and values of a recording. **Out:** whether one is a secret; a text without any.

/// Shortest value that is looked for in texts: a shorter one is found everywhere.
const BYTES_MIN: usize = 4;
/// In place of a secret that no variable can stand for.
pub(super) const REMOVED: &str = "REMOVED";
/// What names of secrets hold.
const PARTS: [&str; 13] = [
    "token",
    "authoriz",
    "jwt",
    "secret",
    "passw",
    "passcode",
    "pwd",
    "apikey",
    "ticket",
    "session",
    "credential",
    "bearer",
    "signature",
];
/// What a secret may be called, and nothing more.
const NAMES: [&str; 2] = ["auth", "key"];
/// How web tokens of JSON begin.
const WEB_TOKEN: &str = "eyJ";

/// What was found to be secret.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn add(&mut self, value: &str) {
        if value.len() >= BYTES_MIN && !self.0.iter().any(|known| known == value) {
            self.0.push(value.to_owned());
        }
    }

    /// The text without them, and whether there were any.
    pub(super) fn remove(&self, text: &str) -> (String, bool) {
        let mut longest: Vec<&String> = self.0.iter().collect();
        longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let removed = longest.into_iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), REMOVED)
        });
        let is_other = removed != text;
        (removed, is_other)
    }
}

/// Whether what is called so, or looks so, is a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let plain = |c: &char| c.is_ascii_alphanumeric();
    let name: String = name.to_ascii_lowercase().chars().filter(plain).collect();
    let is_named = NAMES.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part));
    let is_word = value.len() >= BYTES_MIN && !value.contains(char::is_whitespace);
    is_word && (is_named || value.starts_with(WEB_TOKEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_by_look_and_taken_out_longest_first() {
        assert!(is_secret("X-Api-Key", "abcd"));
        assert!(is_secret("access_token", "abcd"));
        assert!(is_secret("q", "eyJhbGci.x.y"));
        assert!(!is_secret("room", "lobby"));
        assert!(!is_secret("author", "anna"));
        let mut secrets = Secrets::default();
        for secret in ["abcd", "abcdef", "x"] {
            secrets.add(secret);
        }
        assert_eq!(
            secrets.remove("x abcdef abcd"),
            ("x REMOVED REMOVED".to_owned(), true)
        );
        assert_eq!(secrets.remove("x"), ("x".to_owned(), false));
    }
}
