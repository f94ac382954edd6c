//! This module refuses numbers that no run comes to, before anything is computed with them.
//!
//! **In:** the JSON of a result, which may come from anywhere. **Out:** nothing, or an error at its line and column.
//! What passes can be added up and multiplied by what the renderers multiply with, and still is a moment of a calendar.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// As large as JSON carries a whole number without loss: 285 years in microseconds, 8 PiB.
const MOST: u64 = 1 << 53;
/// What is shown as it is, and may be any number.
const ANY: [&str; 2] = ["seed", "file_limit"];

/// JSON of whose numbers none is too large; its content is passed over.
pub(super) struct Plausible;

impl<'de> Deserialize<'de> for Plausible {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Plausible {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number of up to {MOST}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self, E> {
        if number > MOST {
            let fact = format!("{number} is more than a run comes to");
            return Err(E::custom(fact));
        }
        Ok(self)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self, E> {
        self.visit_u64(number.unsigned_abs())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self, E> {
        if number.abs() > MOST as f64 {
            let fact = format!("{number:e} is more than a run comes to");
            return Err(E::custom(fact));
        }
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self, A::Error> {
        while let Some(key) = pairs.next_key::<String>()? {
            if ANY.contains(&key.as_str()) {
                pairs.next_value::<IgnoredAny>()?;
            } else {
                pairs.next_value::<Self>()?;
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_run_comes_to_is_refused_where_it_stands() {
        let read = |text: &str| serde_json::from_str::<Plausible>(text);
        for good in [
            r#"{"seed": 18446744073709551615, "a": [0, -1, 0.5, null, true, "x"]}"#,
            r#"{"a_us": 9007199254740992}"#,
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in [
            "9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "-9223372036854775808",
            "1e308",
            "-1e17",
            "99999999999999999999999999",
        ] {
            let error = read(&format!("{{\"a\":\n[{bad}]}}")).err().unwrap();
            assert_eq!(error.line(), 2, "{error}");
            assert!(error.to_string().contains("more than a run"), "{error}");
        }
    }
}
