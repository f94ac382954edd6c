//! This module prints every number of every report, so that the same quantity looks the same
//! everywhere.
//!
//! **In:** values with one unit each. **Out:** text with three significant digits and the unit that
//! fits, the two joined by a no-break space: `125 µs`, `46.3 ms`, `6.88 s`, `2 min 05 s`.
//!
//! **Units:** percent exists here and nowhere else; everything that comes in is a ratio (0..=1),
//! microseconds, bytes or a count.

use std::fmt::Write as _;

/// Joins a number and its unit.
pub(crate) const NBSP: char = '\u{a0}';
/// What is printed where there is no value.
pub(crate) const NONE: &str = "–";

const US_PER_MS: f64 = 1e3;
const US_PER_S: f64 = 1e6;
/// From here seconds are told in minutes.
const MINUTES_FROM_US: f64 = 99.95e6;
const HOURS_FROM_US: f64 = 3_599.5e6;

/// `125 µs`, `46.3 ms`, `6.88 s`, `2 min 05 s`, `1 h 05 min`.
pub(crate) fn duration(us: u64) -> String {
    duration_f64(us as f64)
}

/// As [`duration`], for a mean.
pub(crate) fn duration_f64(us: f64) -> String {
    if !us.is_finite() || us < 0.0 {
        return NONE.to_owned();
    }
    if us < 999.5 {
        format!("{us:.0}{NBSP}µs")
    } else if us < 999_500.0 {
        format!("{}{NBSP}ms", three_digits(us / US_PER_MS))
    } else if us < MINUTES_FROM_US {
        format!("{}{NBSP}s", three_digits(us / US_PER_S))
    } else if us < HOURS_FROM_US {
        let (minutes, seconds) = split_by_60(us / US_PER_S);
        format!("{minutes:.0}{NBSP}min{NBSP}{seconds:02.0}{NBSP}s")
    } else {
        let (hours, minutes) = split_by_60(us / US_PER_S / 60.0);
        format!("{hours:.0}{NBSP}h{NBSP}{minutes:02.0}{NBSP}min")
    }
}

/// Whole sixties and the rest of a rounded value.
fn split_by_60(value: f64) -> (f64, f64) {
    let value = value.round();
    let large = (value / 60.0).floor();
    (large, value - large * 60.0)
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A duration, or [`NONE`].
pub(crate) fn duration_or_none(us: Option<u64>) -> String {
    us.map_or_else(|| NONE.to_owned(), duration)
}

/// A duration as a limit is written, exact and without zeros at its end: `250 ms`, `1.5 s`.
pub(crate) fn round_duration(us: f64) -> String {
    let (value, unit) = if us < US_PER_MS {
        (us, "µs")
    } else if us < US_PER_S {
        (us / US_PER_MS, "ms")
    } else {
        (us / US_PER_S, "s")
    };
    format!("{value}{NBSP}{unit}")
}

/// A time that had not come when it was last looked for: `> 29.9 s`.
pub(crate) fn beyond(us: u64) -> String {
    format!(">{NBSP}{}", duration(us))
}

/// A time that is found to a step only: `< 250 ms` below it.
pub(crate) fn at_best(us: u64, step_us: u64) -> String {
    if us < step_us {
        format!("<{NBSP}{}", round_duration(step_us as f64))
    } else {
        duration(us)
    }
}

/// `99,834`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The name with its first letter large: `Recovery of redis-down`.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A count that is kept as a float because it is compared with a bound.
pub(crate) fn count_f64(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return NONE.to_owned();
    }
    if value.fract() > 1e-9 {
        return three_digits(value);
    }
    // Exact below 2^53, and no count of a run comes near that.
    format!("{value:.0}")
        .parse()
        .map_or_else(|_| NONE.to_owned(), count)
}

/// `2,013/s`.
pub(crate) fn rate(per_second: u64) -> String {
    format!("{}/s", count(per_second))
}

/// A share: `32 %`; one decimal below 1 %.
pub(crate) fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NONE.to_owned();
    }
    let percent = ratio * 100.0;
    if percent > 0.0 && percent < 0.05 {
        return format!("<{NBSP}0.1{NBSP}%");
    }
    let decimals = usize::from(percent > 0.0 && percent < 0.95);
    format!("{percent:.decimals$}{NBSP}%")
}

/// A change as a share: `+12 %`, `−3.4 %`, `0 %`; one decimal below 10 %.
pub(crate) fn change(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NONE.to_owned();
    }
    let percent = ratio * 100.0;
    let size = percent.abs();
    let sign = match percent {
        _ if size < 0.05 => return format!("0{NBSP}%"),
        percent if percent < 0.0 => '−',
        _ => '+',
    };
    let decimals = usize::from(size < 9.95);
    format!("{sign}{size:.decimals$}{NBSP}%")
}

/// A share of a plan with one decimal, rounded down: `100.0 %` only when all of it was met.
pub(crate) fn percent_of_plan(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    format!("{}.{}{NBSP}%", tenths / 10, tenths % 10)
}

/// `61 MiB`, `9.5 MiB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1023.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && size < 9.95);
    format!("{size:.decimals$}{NBSP}{}", UNITS[unit])
}

/// Processor time: `14.2 s`.
pub(crate) fn seconds(value: f64) -> String {
    duration_f64(value * US_PER_S)
}

/// A moment in seconds since load start, with milliseconds: `20.061`.
pub(crate) fn stamp(us: u64) -> String {
    let ms = us.saturating_add(500) / 1000;
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// A moment in seconds since load start, with tenths: `20.1`.
pub(crate) fn rough_stamp(us: u64) -> String {
    let tenths = us.saturating_add(50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The signed distance of `to_us` from `from_us`: `+61 ms`, `−3 ms`.
pub(crate) fn delta(from_us: u64, to_us: u64) -> String {
    let sign = if to_us < from_us { '−' } else { '+' };
    let us = to_us.abs_diff(from_us);
    if us < 999_500 {
        // Stamps have milliseconds; so has their difference.
        format!("{sign}{}{NBSP}ms", us.saturating_add(500) / 1000)
    } else {
        format!("{sign}{}", duration(us))
    }
}

/// The text with ordinary spaces, for terminals and plain files.
pub(crate) fn plain(text: &str) -> String {
    text.replace(NBSP, " ")
}

/// The text without control characters: a name from outside must not move a cursor.
pub(crate) fn harmless(text: &str) -> String {
    let safe = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(safe).collect()
}

/// Adds to a text. Writing into a string does not fail; were it to, the text would say so.
pub(crate) fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    if text.write_fmt(more).is_err() {
        text.push('\u{fffd}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(us: u64, expected: &str) {
        assert_eq!(plain(&duration(us)), expected);
    }

    #[test]
    fn durations_have_three_digits_and_the_unit_that_fits() {
        check(0, "0 µs");
        check(125, "125 µs");
        check(999, "999 µs");
        check(1_000, "1.00 ms");
        check(9_995, "10.0 ms");
        check(46_300, "46.3 ms");
        check(99_960, "100 ms");
        check(999_499, "999 ms");
        check(999_500, "1.00 s");
        check(6_880_000, "6.88 s");
        check(60_000_000, "60.0 s");
        check(125_000_000, "2 min 05 s");
        check(3_599_400_000, "59 min 59 s");
        check(3_900_000_000, "1 h 05 min");
    }

    #[test]
    fn limits_are_written_as_the_scenario_wrote_them() {
        let text = |us| plain(&round_duration(us));
        assert_eq!(text(250_000.0), "250 ms");
        assert_eq!(text(5_000_000.0), "5 s");
        assert_eq!(text(12_345.0), "12.345 ms");
    }

    #[test]
    fn counts_shares_and_sizes_read_as_the_report_says() {
        assert_eq!(count(99_834), "99,834");
        assert_eq!(count(100), "100");
        assert_eq!(rate(2_013), "2,013/s");
        assert_eq!(plain(&percent(0.324)), "32 %");
        assert_eq!(plain(&percent(1.376)), "138 %");
        assert_eq!(plain(&percent(0.004)), "0.4 %");
        assert_eq!(plain(&percent(0.000_01)), "< 0.1 %");
        assert_eq!(plain(&percent(0.0)), "0 %");
        assert_eq!(plain(&percent_of_plan(99_833, 99_834)), "99.9 %");
        assert_eq!(plain(&percent_of_plan(99_834, 99_834)), "100.0 %");
        assert_eq!(plain(&bytes(64_000_000)), "61 MiB");
        assert_eq!(plain(&bytes(10_000_000)), "9.5 MiB");
        assert_eq!(plain(&bytes(12)), "12 B");
        assert_eq!(plain(&beyond(29_900_000)), "> 29.9 s");
        assert_eq!(plain(&at_best(0, 250_000)), "< 250 ms");
        assert_eq!(plain(&at_best(249_999, 250_000)), "< 250 ms");
        assert_eq!(plain(&at_best(250_000, 250_000)), "250 ms");
    }

    #[test]
    fn stamps_are_seconds_with_milliseconds_and_deltas_are_signed() {
        assert_eq!(stamp(20_060_600), "20.061");
        assert_eq!(rough_stamp(20_061_000), "20.1");
        assert_eq!(plain(&delta(20_000_000, 20_061_000)), "+61 ms");
        assert_eq!(plain(&delta(20_000_000, 19_997_000)), "−3 ms");
        assert_eq!(plain(&delta(0, 6_880_000)), "+6.88 s");
    }

    #[test]
    fn a_name_from_outside_cannot_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }

    /// Reads back `46.3 ms` as microseconds.
    fn read(text: &str) -> f64 {
        let parts: Vec<&str> = text.split(NBSP).collect();
        let number = |at: usize| parts[at].parse::<f64>().unwrap();
        match parts[1..] {
            ["µs"] => number(0),
            ["ms"] => number(0) * 1e3,
            ["s"] => number(0) * 1e6,
            ["min", _, "s"] => (number(0) * 60.0 + number(2)) * 1e6,
            ["h", _, "min"] => (number(0) * 60.0 + number(2)) * 60e6,
            _ => panic!("{text}"),
        }
    }

    proptest! {
        #[test]
        fn a_printed_duration_is_within_a_half_of_its_last_digit(us in 100_u64..20_000_000_000) {
            let text = duration(us);
            let off = (read(&text) - us as f64).abs() / us as f64;
            prop_assert!(off <= 0.0085, "{us} printed as {text}");
        }

        #[test]
        fn no_duration_has_more_than_three_digits_below_a_minute(us in 0_u64..99_000_000) {
            let text = duration(us);
            let digits = text.chars().filter(char::is_ascii_digit).count();
            prop_assert!(digits <= 3, "{text}");
        }

        #[test]
        fn a_count_keeps_its_digits(value in any::<u64>()) {
            prop_assert_eq!(count(value).replace(',', ""), value.to_string());
        }
    }
}
