//! Attributes and toxicity as typed.

use serde_json::{Number, Value};

/// The numbers that JSON's readers hold exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// `latency=1000`: a number where it is one, else a text.
pub(super) fn pair(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), self::value(value))),
        _ => Err("write NAME=VALUE, such as latency=1000".to_owned()),
    }
}

fn value(text: &str) -> Value {
    if let Ok(truth) = text.parse::<bool>() {
        return truth.into();
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let Ok(number) = text.parse::<f64>() else {
        return text.into();
    };
    // Go writes 1e3 as 1000, and a whole number is what servers take.
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within bounds")]
        let whole = number as i64;
        return whole.into();
    }
    Number::from_f64(number).map_or_else(|| text.into(), Value::Number)
}

pub(super) fn toxicity(text: &str) -> Result<f32, String> {
    let ratio = text.parse().ok();
    ratio
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "write a share of the connections from 0 to 1, such as 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{pair, toxicity};
    use serde_json::json;

    #[test]
    fn numbers_are_numbers_and_texts_are_texts() {
        let value = |text: &str| pair(text).unwrap().1;
        assert_eq!(value("a=1000"), json!(1000));
        assert_eq!(value("a=1e3"), json!(1000));
        assert_eq!(value("a=-0.5"), json!(-0.5));
        assert_eq!(value("a=b=c"), json!("b=c"));
        assert_eq!(value("a=true"), json!(true));
        assert_eq!(value("a=inf"), json!("inf"));
        assert_eq!(value("a="), json!(""));
        assert!(pair("a").is_err() && pair("=1").is_err());
    }

    #[test]
    fn a_toxicity_is_a_share() {
        assert_eq!(toxicity("0.25"), Ok(0.25));
        assert!(toxicity("1.1").is_err() && toxicity("NaN").is_err() && toxicity("x").is_err());
    }
}
