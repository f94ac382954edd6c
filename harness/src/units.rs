//! This module reads and writes quantities: durations, shares, sizes and rates.
//!
//! **In:** what a person types (`500ms`, `1h 30min`, `5%`). **Out:** values with one unit each, and
//! back to a text that reads as the same value. What reports show is rounded elsewhere.
//!
//! **Units:** a duration is whole microseconds inside the harness; a share is 0..=1; sizes are bytes.
//! The casts between number types that can lose something are here and nowhere else.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const US_PER_MS: u64 = 1_000;
pub(crate) const US_PER_S: u64 = 1_000_000;
const US_PER_MIN: u64 = 60 * US_PER_S;
const US_PER_H: u64 = 60 * US_PER_MIN;

/// Names of the units of time, each with its length in microseconds.
const TIME_UNITS: [(&str, u64); 9] = [
    ("us", 1),
    ("µs", 1),
    ("μs", 1),
    ("ms", US_PER_MS),
    ("s", US_PER_S),
    ("sec", US_PER_S),
    ("min", US_PER_MIN),
    ("h", US_PER_H),
    ("d", 24 * US_PER_H),
];

/// Longest duration that is read: a year. Further bounds belong to the field.
const DURATION_US_MAX: u64 = 366 * 24 * US_PER_H;

/// Microseconds as seconds, for charts and Prometheus.
pub(crate) const fn seconds(us: u64) -> f64 {
    us as f64 / US_PER_S as f64
}

/// Why a text is not a quantity. Each reads as the second half of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UnitError {
    #[error("a duration, found nothing")]
    EmptyDuration,
    #[error("a duration with a unit, found \"{0}\"")]
    NoUnit(String),
    #[error("one of the units us, ms, s, min, h, d, found \"{0}\"")]
    UnknownUnit(String),
    #[error("a number before the unit, found \"{0}\"")]
    NoNumber(String),
    #[error("at most 366 days, found \"{0}\"")]
    TooLong(String),
    #[error("whole microseconds, found \"{0}\"")]
    TooFine(String),
}

/// Reads `500ms`, `5s`, `1.5 s`, `2min`, `1h 30min`: parts add up.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::EmptyDuration);
    }
    let mut total_us: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, remainder) = after.split_at(letters);
        if number.is_empty() {
            return Err(UnitError::NoNumber(text.to_owned()));
        }
        if unit.is_empty() {
            return Err(UnitError::NoUnit(text.to_owned()));
        }
        let unit_us = TIME_UNITS
            .iter()
            .find_map(|(name, us)| (*name == unit).then_some(*us))
            .ok_or_else(|| UnitError::UnknownUnit(unit.to_owned()))?;
        let part_us = scaled_us(number, unit_us, text)?;
        total_us = total_us.saturating_add(part_us);
        rest = remainder.trim_start();
    }
    if total_us > DURATION_US_MAX {
        return Err(UnitError::TooLong(text.to_owned()));
    }
    Ok(Duration::from_micros(total_us))
}

/// `number × unit_us`, in whole microseconds and without a detour through floating point.
fn scaled_us(number: &str, unit_us: u64, text: &str) -> Result<u64, UnitError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let dot_without_digits = number.contains('.') && fraction.is_empty();
    if dot_without_digits || fraction.contains('.') {
        return Err(UnitError::NoNumber(text.to_owned()));
    }
    let too_long = || UnitError::TooLong(text.to_owned());
    let too_fine = || UnitError::TooFine(text.to_owned());
    let read = |digits: &str| {
        digits.bytes().try_fold(0_u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
    };
    let whole_us = read(whole)
        .and_then(|whole| whole.checked_mul(unit_us))
        .ok_or_else(too_long)?;
    let fraction = fraction.trim_end_matches('0');
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|digits| 10_u128.checked_pow(digits));
    let (Some(numerator), Some(scale)) = (read(fraction), scale) else {
        return Err(too_fine());
    };
    let fraction_us = u128::from(numerator) * u128::from(unit_us);
    if fraction_us % scale != 0 {
        return Err(too_fine());
    }
    let fraction_us = u64::try_from(fraction_us / scale).unwrap_or(u64::MAX);
    whole_us.checked_add(fraction_us).ok_or_else(too_long)
}

/// Writes a duration so that [`parse_duration`] reads the same value: `1h 30min`, `1.5s`, `250ms`.
pub(crate) fn print_duration(duration: Duration) -> String {
    print_us(us(duration))
}

/// [`print_duration`] of a number of microseconds.
pub(crate) fn print_us(us: u64) -> String {
    if us == 0 {
        return "0s".to_owned();
    }
    if us < US_PER_MS {
        return format!("{us}us");
    }
    if us < US_PER_S {
        return decimal(us, US_PER_MS, "ms");
    }
    let mut parts = Vec::new();
    if us >= US_PER_H {
        parts.push(format!("{}h", us / US_PER_H));
    }
    if us % US_PER_H >= US_PER_MIN {
        parts.push(format!("{}min", us % US_PER_H / US_PER_MIN));
    }
    if !us.is_multiple_of(US_PER_MIN) {
        parts.push(decimal(us % US_PER_MIN, US_PER_S, "s"));
    }
    parts.join(" ")
}

/// `value / unit` with as many decimals as are needed to be exact; `unit` is a power of ten.
fn decimal(value: u64, unit: u64, name: &str) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return format!("{whole}{name}");
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
}

/// Writes a number of bytes in binary units with one decimal: `2.0 KiB`, `148.4 MiB`.
pub(crate) fn print_bytes(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < STEP {
            break;
        }
        value /= STEP;
        unit = next;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Writes a rate per second with three significant digits: `400/s`, `0.2/s`.
pub(crate) fn print_rate(per_s: f64) -> String {
    let decimals = if per_s >= 100.0 || per_s <= 0.0 {
        0
    } else {
        2 - floor_log10(per_s)
    };
    let text = format!("{per_s:.*}", usize::try_from(decimals).unwrap_or(0).min(9));
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}/s")
}

/// Whole microseconds; `u64::MAX` past half a million years.
pub(crate) fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The nearest whole number; 0 for what is negative or not a number, `u64::MAX` past the end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and that is what the doc comment promises"
)]
pub(crate) fn rounded(value: f64) -> u64 {
    value.round() as u64
}

/// A `u64` in 32 bits; `u32::MAX` where it does not fit.
pub(crate) fn saturating_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Exponent of the leading digit of a positive number: 2 for 400, −1 for 0.2.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite f64 lies between -324 and 309"
)]
fn floor_log10(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// A number of at most nine decimals: short in the file, and read back as it was written.
pub(crate) fn short(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// What a value that is observed of a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Microseconds,
    Messages,
    Sockets,
    Clients,
    Tokens,
    Conversations,
    Kibibytes,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected_us: u64) {
        assert_eq!(
            parse_duration(text),
            Ok(Duration::from_micros(expected_us)),
            "{text}"
        );
    }

    #[test]
    fn durations_are_read_in_every_unit() {
        check("500ms", 500_000);
        check("5s", 5_000_000);
        check("5 s", 5_000_000);
        check("2min", 120_000_000);
        check("1h 30min", 5_400_000_000);
        check("1h30min", 5_400_000_000);
        check("250us", 250);
        check("250µs", 250);
        check("1.5s", 1_500_000);
        check("0.25 ms", 250);
        check("0s", 0);
        check(".5s", 500_000);
        check("1d", 86_400_000_000);
    }

    #[test]
    fn what_is_not_a_duration_says_why() {
        let reason = |text: &str| parse_duration(text).unwrap_err().to_string();
        insta::assert_snapshot!(reason(""), @"a duration, found nothing");
        insta::assert_snapshot!(reason("5"), @r#"a duration with a unit, found "5""#);
        insta::assert_snapshot!(reason("5m"), @r#"one of the units us, ms, s, min, h, d, found "m""#);
        insta::assert_snapshot!(reason("soon"), @r#"a number before the unit, found "soon""#);
        insta::assert_snapshot!(reason("-5s"), @r#"a number before the unit, found "-5s""#);
        insta::assert_snapshot!(reason("1.5us"), @r#"whole microseconds, found "1.5us""#);
        insta::assert_snapshot!(reason("1..5s"), @r#"a number before the unit, found "1..5s""#);
        insta::assert_snapshot!(reason("5.s"), @r#"a number before the unit, found "5.s""#);
        insta::assert_snapshot!(reason("99999999999999999999s"), @r#"at most 366 days, found "99999999999999999999s""#);
        insta::assert_snapshot!(reason("400d"), @r#"at most 366 days, found "400d""#);
    }

    #[test]
    fn durations_are_written_in_the_largest_units_that_are_exact() {
        let text = |us| print_us(us);
        assert_eq!(text(0), "0s");
        assert_eq!(text(250), "250us");
        assert_eq!(text(1_500), "1.5ms");
        assert_eq!(text(800_000), "800ms");
        assert_eq!(text(1_500_000), "1.5s");
        assert_eq!(text(5_400_000_000), "1h 30min");
        assert_eq!(text(3_600_000_001), "1h 0.000001s");
    }

    #[test]
    fn sizes_and_rates_are_short() {
        assert_eq!(print_bytes(512), "512 B");
        assert_eq!(print_bytes(2_048), "2.0 KiB");
        assert_eq!(print_rate(400.0), "400/s");
        assert_eq!(print_rate(0.2), "0.2/s");
        assert_eq!(print_rate(12.345), "12.3/s");
        assert_eq!(print_rate(0.0), "0/s");
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(us in 0..=DURATION_US_MAX) {
            prop_assert_eq!(parse_duration(&print_us(us)), Ok(Duration::from_micros(us)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let read = parse_duration(&text);
            prop_assert!(read.is_err() || text.chars().any(|c| c.is_ascii_digit()));
        }
    }
}
