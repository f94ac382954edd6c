//! This module is a set of processors, as Linux writes it: `0`, `0-2,5`.
//!
//! **In:** text. **Out:** [`Cpus`], never empty, ascending, each once.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest number of a processor: what the kernel's set holds without more ado.
const CPU_MAX: u16 = 1_023;

/// Some of this machine's processors, by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) struct Cpus(Vec<u16>);

/// A text that is no set of processors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected processors such as \"0\" or \"0-2,5\", numbers up to {CPU_MAX}, found \"{0}\"")]
pub(crate) struct NoCpus(String);

impl Cpus {
    /// The processors; `None` of none.
    pub(crate) fn of(numbers: impl IntoIterator<Item = u16>) -> Option<Self> {
        let mut numbers: Vec<u16> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// Ascending.
    pub(crate) fn numbers(&self) -> &[u16] {
        &self.0
    }
}

impl FromStr for Cpus {
    type Err = NoCpus;

    fn from_str(text: &str) -> Result<Self, NoCpus> {
        let wrong = || NoCpus(text.chars().take(40).collect());
        let number = |text: &str| {
            let number = text.trim().parse::<u16>().ok();
            number.filter(|number| *number <= CPU_MAX).ok_or_else(wrong)
        };
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (number(from)?, number(to)?);
            if from > to {
                return Err(wrong());
            }
            numbers.extend(from..=to);
        }
        Self::of(numbers).ok_or_else(wrong)
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(from) = rest.next() {
            let mut last = from;
            while let Some(next) = rest.next_if(|next| *next == last + 1) {
                last = next;
            }
            match last - from {
                0 => write!(to, "{comma}{from}")?,
                _ => write!(to, "{comma}{from}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl TryFrom<String> for Cpus {
    type Error = NoCpus;

    fn try_from(text: String) -> Result<Self, NoCpus> {
        text.parse()
    }
}

impl From<Cpus> for String {
    fn from(cpus: Cpus) -> Self {
        cpus.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_and_written_as_linux_does() {
        for (text, written) in [
            ("0", "0"),
            ("2,0-1", "0-2"),
            (" 5, 1-2 ,7", "1-2,5,7"),
            ("3,3", "3"),
        ] {
            assert_eq!(text.parse::<Cpus>().unwrap().to_string(), written);
        }
        for text in ["", ",", "a", "-1", "2-1", "1-", "1024", "0-99999"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }
}
