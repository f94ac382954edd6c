//! This module reads single values: durations, whole numbers, names from a list, shares, texts.
//!
//! **In:** a [`Node`]. **Out:** a typed value within its bounds, or a complaint that says what was
//! expected, what was found and what to write.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::address::SECRET_OPEN;
use super::cpus::{Cpus, NoCpus};
use super::document::{Node, Value, shortened};
use super::problem::Complaint;
use super::suggest;
use crate::units;

/// Longest set of processors, in characters.
const CPUS_CHARACTERS_MAX: usize = 200;
/// Longest address, in characters.
const ADDRESS_CHARACTERS_MAX: usize = 64;
/// Longest name of a fault or a trial, in characters.
const NAME_CHARACTERS_MAX: usize = 40;

/// A whole, in millionths.
const SHARE_ALL: f64 = 1e6;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);

/// A duration such as `"500ms"` within `range`.
pub(super) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&Node) -> Result<Duration, Complaint> {
    move |node| {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Integer(number) => {
                let fact = format!("expected a duration in quotes, found {number}");
                return Err(
                    Complaint::new(fact).hint(format!("write \"{number}s\" or \"{number}ms\""))
                );
            }
            other => {
                let fact = format!(
                    "expected a duration such as \"5s\", found {}",
                    other.found()
                );
                return Err(Complaint::new(fact));
            }
        };
        let duration = units::parse_duration(text).map_err(|error| {
            let complaint = Complaint::new(format!("expected {}", shortened(&error.to_string())));
            complaint.hint("write \"500ms\", \"5s\", \"2min\" or \"1h 30min\"")
        })?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = (range.start(), range.end());
        let fact = format!(
            "must lie between {} and {}, found {}",
            units::print_duration(*least),
            units::print_duration(*most),
            units::print_duration(duration)
        );
        Err(Complaint::new(fact))
    }
}

/// A whole number within `range`.
pub(super) fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Node) -> Result<T, Complaint>
where
    T: Copy + PartialOrd + std::fmt::Display + TryFrom<i64>,
{
    move |node| {
        let Value::Integer(number) = node.value else {
            let fact = format!("expected a whole number, found {}", node.value.found());
            return Err(Complaint::new(fact).hint(whole_number_hint(&node.value)));
        };
        match T::try_from(number) {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => Err(Complaint::new(format!(
                "must lie between {} and {}, found {number}",
                range.start(),
                range.end()
            ))),
        }
    }
}

fn whole_number_hint(value: &Value) -> String {
    match value {
        Value::Text(text) if text.trim().parse::<i64>().is_ok() => {
            format!("write {} without quotes", text.trim())
        }
        Value::Float(number) if number.is_finite() && *number >= 0.0 => {
            format!("write {}", units::rounded(*number))
        }
        _ => "write digits, such as 200".to_owned(),
    }
}

/// A number, whole or not, within `range`.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&Node) -> Result<f64, Complaint> {
    move |node| {
        let value = match node.value {
            Value::Float(value) => value,
            Value::Integer(value) => value as f64,
            ref other => {
                let fact = format!("expected a number, found {}", other.found());
                return Err(Complaint::new(fact));
            }
        };
        if range.contains(&value) {
            return Ok(value);
        }
        let (least, most) = (range.start(), range.end());
        Err(Complaint::new(format!(
            "must lie between {least} and {most}, found {value}"
        )))
    }
}

/// `true` or `false`.
/// `"50%"` or `0.5`, in millionths.
pub(super) fn share_ppm(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<u32, Complaint> {
    move |node| {
        let hint = "write a share such as \"50%\"";
        let ratio = match &node.value {
            Value::Float(value) => Some(*value),
            Value::Integer(value) => Some(*value as f64),
            Value::Text(text) => percentage(text),
            Value::Boolean(_) | Value::Other(_) | Value::List(_) | Value::Table(_) => None,
        };
        let Some(ratio) = ratio else {
            let fact = format!("expected a share, found {}", node.value.found());
            return Err(Complaint::new(fact).hint(hint));
        };
        let ppm = units::saturating_u32(units::rounded(ratio * SHARE_ALL));
        if ratio > 0.0 && range.contains(&ppm) {
            return Ok(ppm);
        }
        let (least, most) = (share_text(*range.start()), share_text(*range.end()));
        let fact = format!(
            "must lie between {least} and {most}, found {}",
            node.value.found()
        );
        Err(Complaint::new(fact).hint(hint))
    }
}

fn percentage(text: &str) -> Option<f64> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    let percent: f64 = number.parse().ok()?;
    Some(percent / 100.0)
}

/// The same as a scenario writes it.
pub(super) fn share_text(ppm: u32) -> String {
    format!("{}%", f64::from(ppm) / 1e4)
}

pub(super) fn truth(node: &Node) -> Result<bool, Complaint> {
    match node.value {
        Value::Boolean(value) => Ok(value),
        ref other => {
            let fact = format!("expected true or false, found {}", other.found());
            Err(Complaint::new(fact))
        }
    }
}

/// One of some names, each standing for a value.
pub(super) fn choice<T: Copy>(
    names: &'static [(&'static str, T)],
) -> impl Fn(&Node) -> Result<T, Complaint> {
    choice_of(names.to_vec())
}

/// The same, of a list that is made for it.
pub(super) fn choice_of<T: Copy>(
    names: Vec<(&'static str, T)>,
) -> impl Fn(&Node) -> Result<T, Complaint> {
    move |node| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let Value::Text(text) = &node.value else {
            let fact = format!("expected a name in quotes, found {}", node.value.found());
            return Err(Complaint::new(fact).hint(format!("known: {}", known.join(", "))));
        };
        let found = names.iter().find(|(name, _)| name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let fact = format!("unknown value \"{}\"", shortened(text));
            let complaint = Complaint::new(fact);
            match suggest::nearest(text, &known) {
                Some(name) => complaint.hint(format!(
                    "did you mean \"{name}\"? known: {}",
                    known.join(", ")
                )),
                None => complaint.hint(format!("known: {}", known.join(", "))),
            }
        })
    }
}

/// The name that stands for a value in such a list: the first, where there are several.
pub(crate) fn name_of<T: Copy + PartialEq>(
    names: &'static [(&'static str, T)],
    value: T,
) -> &'static str {
    let found = names.iter().find(|(_, other)| *other == value);
    found.map_or("", |(name, _)| name)
}

/// A name that can stand in `when = "during NAME"`, in file names and in metric labels.
pub(super) fn plain_name(node: &Node) -> Result<String, Complaint> {
    let name = text(NAME_CHARACTERS_MAX)(node)?;
    if is_plain(&name) {
        Ok(name)
    } else {
        let complaint = Complaint::new(format!("expected a plain name, found \"{name}\""));
        Err(complaint.hint("use small letters, digits and `-`, such as \"redis-down\""))
    }
}

/// Small letters, digits, and `-`, `_`, `.`.
pub(super) fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    name.chars().all(allowed)
}

/// A text of 1 to `most` characters on one line, without a secret in it.
pub(super) fn text(most: usize) -> impl Fn(&Node) -> Result<String, Complaint> {
    move |node| open_text(&any_text(most)(node)?)
}

/// `"0-2,5"`.
pub(super) fn cpus(node: &Node) -> Result<Cpus, Complaint> {
    let written = text(CPUS_CHARACTERS_MAX)(node)?;
    written
        .parse()
        .map_err(|error: NoCpus| Complaint::new(error.to_string()))
}

/// `"192.0.2.7"`.
pub(super) fn source(node: &Node) -> Result<IpAddr, Complaint> {
    let written = text(ADDRESS_CHARACTERS_MAX)(node)?;
    written.parse().map_err(|_error| {
        let fact = format!("expected an address of this machine, found {written:?}");
        Complaint::new(fact).hint("write it without a port: \"192.0.2.7\"")
    })
}

/// The same where a secret is named; what stands there instead is not quoted.
pub(super) fn secret_text(most: usize) -> impl Fn(&Node) -> Result<String, Complaint> {
    move |node| match node.value {
        Value::Text(_) => any_text(most)(node),
        ref other => {
            let fact = format!("expected a text in quotes, found {}", other.kind());
            Err(Complaint::new(fact))
        }
    }
}

/// A text of 1 to `most` characters on one line.
pub(super) fn any_text(most: usize) -> impl Fn(&Node) -> Result<String, Complaint> {
    move |node| {
        let text = bounded(node, most)?;
        if text.trim().is_empty() {
            return Err(Complaint::new(EMPTY));
        }
        if text.chars().any(char::is_control) {
            return Err(Complaint::new(
                "must stand on one line, without control characters",
            ));
        }
        Ok(text.to_owned())
    }
}

/// What stands in a frame, 1 to `most` characters: line ends and control characters too.
pub(super) fn frame_text(most: usize) -> impl Fn(&Node) -> Result<String, Complaint> {
    move |node| open_text(bounded(node, most)?)
}

const EMPTY: &str = "must not be empty";

fn bounded(node: &Node, most: usize) -> Result<&str, Complaint> {
    let Value::Text(text) = &node.value else {
        let fact = format!("expected a text in quotes, found {}", node.value.found());
        return Err(Complaint::new(fact));
    };
    if text.is_empty() {
        return Err(Complaint::new(EMPTY));
    }
    let characters = text.chars().count();
    if characters > most {
        return Err(Complaint::new(format!(
            "at most {most} characters, found {characters}"
        )));
    }
    Ok(text)
}

/// A text that names no secret.
fn open_text(text: &str) -> Result<String, Complaint> {
    if text.contains(SECRET_OPEN) {
        let fact = "a secret has no place here";
        return Err(Complaint::new(fact)
            .hint("`${env:NAME}` works in environment.users.password, in the password of environment.redis, and in target.headers"));
    }
    Ok(text.to_owned())
}

/// A list of at most `most` values, each read by `parse`; the first wrong one is complained about.
pub(super) fn list<T>(
    most: usize,
    parse: impl Fn(&Node) -> Result<T, Complaint>,
) -> impl FnOnce(&Node) -> Result<Vec<T>, Complaint> {
    move |node| {
        let Value::List(items) = &node.value else {
            let fact = format!("expected a list, found {}", node.value.found());
            return Err(Complaint::new(fact).hint("write it in brackets: [\"…\"]"));
        };
        if items.len() > most {
            let fact = format!("at most {most} entries, found {}", items.len());
            return Err(Complaint::new(fact));
        }
        items.iter().map(parse).collect()
    }
}
