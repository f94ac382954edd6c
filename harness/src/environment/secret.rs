//! This module keeps passwords out of logs and finds those that are named, not written.
//!
//! **In:** the operating system's random bytes, and `${env:NAME}` in a plan. **Out:** [`Secret`],
//! which prints as `***`.

use std::env::VarError;
use std::fmt;

use miette::Diagnostic;

use super::machine::{MachineError, random};

const RANDOM_BYTES: usize = 24;

/// Why a secret that is named cannot be had.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum SecretError {
    #[error("{place}: `${{env:` is not closed by `}}`")]
    #[diagnostic(help("write `${{env:NAME}}`"))]
    Unclosed { place: &'static str },
    #[error("{place}: the environment variable {name} cannot be used: {source}")]
    #[diagnostic(help("export the variable before starting the run"))]
    Missing {
        place: &'static str,
        name: String,
        #[source]
        source: VarError,
    },
}

/// A text that must not reach a log, a report or an argument list.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// 48 hexadecimal digits from the operating system.
    pub(crate) fn random() -> Result<Self, MachineError> {
        let mut bytes = [0_u8; RANDOM_BYTES];
        random::fill(&mut bytes)?;
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(digits.concat()))
    }

    /// The text itself: for the wire, never for a message.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Replaces every `${env:NAME}` by the variable's value; `place` is the plan's field.
pub(crate) fn resolve(place: &'static str, text: &str) -> Result<String, SecretError> {
    const OPEN: &str = "${env:";
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        resolved.push_str(before);
        let (name, tail) = after
            .split_once('}')
            .ok_or(SecretError::Unclosed { place })?;
        let value = std::env::var(name).map_err(|source| SecretError::Missing {
            place,
            name: name.to_owned(),
            source,
        })?;
        resolved.push_str(&value);
        rest = tail;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn random_secrets_differ() {
        assert_ne!(
            Secret::random().unwrap().expose(),
            Secret::random().unwrap().expose()
        );
    }

    #[test]
    fn a_named_variable_is_put_in_place() {
        let home = std::env::var("PATH").unwrap();
        assert_eq!(
            resolve("redis", "a${env:PATH}b").unwrap(),
            format!("a{home}b")
        );
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let problem = resolve("redis", "${env:HARNESS_NO_SUCH}").unwrap_err();
        assert!(problem.to_string().contains("HARNESS_NO_SUCH"), "{problem}");
    }
}
