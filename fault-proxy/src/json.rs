//! Reads JSON as leniently, and as strictly, as Go's `encoding/json` does.
//!
//! **In:** a request body. **Out:** [`Fields`], read one by one into typed values.
//!
//! Keys match in any case, unknown ones are ignored, `null` leaves the default, only the first
//! value of the body counts, and a number with a fraction is not a whole number. Toxiproxy's
//! clients in eight languages have grown around exactly that.

use crate::refusal::Refusal;
use serde_json::{Deserializer, Map, Value, error::Category};

/// A name or an address; every answer repeats it.
const TEXT_BYTES_MAX: usize = 1_024;

/// The fields of one JSON object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
}

/// Parses the first JSON value of `body`.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    match Deserializer::from_slice(body).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        None => Err(Refusal::BadBody("EOF".to_owned())),
        Some(Err(error)) if error.classify() == Category::Eof => {
            Err(Refusal::BadBody("unexpected EOF".to_owned()))
        }
        Some(Err(error)) => Err(Refusal::BadBody(error.to_string())),
    }
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which `name` names in errors; `null` has none.
    pub(crate) fn of(value: &'a Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Object(object) => Ok(Self {
                object: Some(object),
            }),
            Value::Null => Ok(Self { object: None }),
            other => Err(mismatch(name, "an object", other)),
        }
    }

    fn get(self, name: &str) -> Option<&'a Value> {
        let object = self.object?;
        let found = object.get(name).or_else(|| {
            let same = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(name);
            object.iter().find(same).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    /// The field as it is; `null` is as good as absent.
    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.get(name)
    }

    pub(crate) fn text(self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text.clone())),
            Some(long @ Value::String(_)) => {
                let wanted = format!("a string of at most {TEXT_BYTES_MAX} bytes");
                Err(mismatch(name, &wanted, long))
            }
            Some(other) => Err(mismatch(name, "a string", other)),
        }
    }

    pub(crate) fn truth(self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(other) => Err(mismatch(name, "true or false", other)),
        }
    }

    pub(crate) fn whole(self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(mismatch(name, "a whole number of 64 bits", value)),
            },
        }
    }

    pub(crate) fn float(self, name: &str) -> Result<Option<f32>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked for overflow below"
        )]
        let float = value.as_f64().map(|wide| wide as f32);
        match float {
            Some(float) if float.is_finite() => Ok(Some(float)),
            _ => Err(mismatch(name, "a number of 32 bits", value)),
        }
    }

    pub(crate) fn double(self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(mismatch(name, "a number of 64 bits", value)),
            },
        }
    }

    pub(crate) fn object(self, name: &str) -> Result<Self, Refusal> {
        match self.get(name) {
            None => Ok(Self { object: None }),
            Some(value) => Self::of(value, name),
        }
    }
}

/// The message names the field, what it takes, and what was found, cut to a readable length.
pub(crate) fn mismatch(name: &str, wanted: &str, found: &Value) -> Refusal {
    const SHOWN_CHARS_MAX: usize = 40;
    let mut shown: String = match found {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found
            .to_string()
            .chars()
            .take(SHOWN_CHARS_MAX + 1)
            .collect(),
    };
    if shown.chars().count() > SHOWN_CHARS_MAX {
        shown.pop();
        shown.push('…');
    }
    Refusal::BadBody(format!("json: {name} must be {wanted}, found {shown}"))
}
