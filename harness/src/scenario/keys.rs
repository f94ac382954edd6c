//! The keys that belong to one kind of fault or trial: each is declared once, and read, printed and described
//! from there.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, json};
use toml::Value;

use super::document::Node;
use super::problem::{Complaint, Problems};
use super::schema::part;
use super::section::Section;
use super::value;
use crate::units;

/// One key, for editors.
pub(super) struct Described {
    pub key: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// As a scenario writes it; `None` for a key that must be written.
    pub default: Option<Value>,
    pub schema: serde_json::Value,
}

/// What is so where a key is not written.
pub(crate) enum Presence<T> {
    Default(T),
    /// It must be written; a hint says what.
    Required(&'static str),
}

fn read<T>(
    section: &mut Section<'_>,
    problems: &mut Problems,
    (key, presence): (&'static str, Presence<T>),
    parse: impl FnOnce(&Node) -> Result<T, Complaint>,
) -> Option<T> {
    let read = match presence {
        Presence::Default(default) => Some(section.read_or(problems, key, default, parse)),
        Presence::Required(hint) => section.require(problems, key, hint, parse),
    };
    read.map(|read| read.value)
}

/// What a key holds.
pub(crate) trait KeyType {
    /// As declared.
    type Typed;
    /// As planned.
    type Stored: Copy;

    fn store(typed: Self::Typed) -> Self::Stored;

    /// Reads the key, or has its default; `None` where there is none.
    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        key: (&'static str, Presence<Self::Typed>),
        range: RangeInclusive<Self::Typed>,
    ) -> Option<Self::Stored>;

    /// As a scenario writes it.
    fn print(stored: Self::Stored) -> Value;

    fn schema(range: &RangeInclusive<Self::Typed>) -> serde_json::Value;
}

/// A duration; planned in microseconds.
pub(crate) struct Time;

impl KeyType for Time {
    type Typed = Duration;
    type Stored = u64;

    fn store(typed: Duration) -> u64 {
        units::us(typed)
    }

    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        key: (&'static str, Presence<Duration>),
        range: RangeInclusive<Duration>,
    ) -> Option<u64> {
        read(section, problems, key, value::duration(range)).map(units::us)
    }

    fn print(stored: u64) -> Value {
        units::print_us(stored).into()
    }

    fn schema(_: &RangeInclusive<Duration>) -> serde_json::Value {
        part::duration()
    }
}

/// A whole number.
pub(crate) struct Count<T>(PhantomData<T>);

impl<T> KeyType for Count<T>
where
    T: Copy + PartialOrd + Display + TryFrom<i64> + TryInto<i64>,
{
    type Typed = T;
    type Stored = T;

    fn store(typed: T) -> T {
        typed
    }

    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        key: (&'static str, Presence<T>),
        range: RangeInclusive<T>,
    ) -> Option<T> {
        read(section, problems, key, value::integer(range))
    }

    fn print(stored: T) -> Value {
        as_written(stored).into()
    }

    fn schema(range: &RangeInclusive<T>) -> serde_json::Value {
        let (least, most) = (as_written(*range.start()), as_written(*range.end()));
        json!({ "type": "integer", "minimum": least, "maximum": most })
    }
}

fn as_written(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A share of a whole, above nothing; planned in millionths, so that one can be told from another.
pub(crate) struct Share;

impl KeyType for Share {
    type Typed = u32;
    type Stored = u32;

    fn store(typed: u32) -> u32 {
        typed
    }

    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        key: (&'static str, Presence<u32>),
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        read(section, problems, key, value::share_ppm(range))
    }

    fn print(stored: u32) -> Value {
        value::share_text(stored).into()
    }

    fn schema(_: &RangeInclusive<u32>) -> serde_json::Value {
        part::part_of_all()
    }
}

/// The keys of one kind.
pub(super) trait Keys: Sized {
    /// What is tried, in one sentence.
    const ABOUT: &str;

    /// `None` where a key that must be written is missing or wrong.
    fn read(section: &mut Section<'_>, problems: &mut Problems) -> Option<Self>;

    /// Each with its value as a scenario writes it.
    fn print(&self) -> Vec<(&'static str, Value)>;

    fn describe() -> Vec<Described>;
}

/// Adds the keys of `kinds` (each with its name) to the properties of their table; a key that several kinds have says
/// what it is for each.
pub(super) fn describe(
    properties: &mut Map<String, serde_json::Value>,
    kinds: impl Iterator<Item = (&'static str, Vec<Described>)>,
) {
    for (kind, keys) in kinds {
        for key in keys {
            let usual = match &key.default {
                Some(Value::String(text)) => format!("Default {text}."),
                Some(other) => format!("Default {other}."),
                None => "Required.".to_owned(),
            };
            let about = format!("kind = {kind}: {} {usual}", key.about.trim());
            match properties.get_mut(key.key) {
                Some(known) => widen(known, &key.schema, &about),
                None => {
                    properties.insert(key.key.to_owned(), part::described(key.schema, &about));
                }
            }
        }
    }
}

/// Has a key hold what another kind takes as well.
fn widen(known: &mut serde_json::Value, other: &serde_json::Value, about: &str) {
    let bound = |schema: &serde_json::Value, name: &str| schema[name].as_i64();
    let bounds = [
        ("minimum", i64::min as fn(i64, i64) -> i64),
        ("maximum", i64::max),
    ];
    for (name, wider) in bounds {
        if let (Some(mine), Some(theirs)) = (bound(known, name), bound(other, name)) {
            known[name] = wider(mine, theirs).into();
        }
    }
    let before = known["description"].as_str().unwrap_or_default();
    known["description"] = format!("{before} {about}").into();
}

/// A kind with its keys, each with one sentence: `field "key": type = default, range;`, or
/// `field "key": type => "hint", range;` for one that must be written. A key that came later is left out of a plan where it is
/// the default, by a serde attribute: plans from before it keep their hash.
macro_rules! keys {
    (
        #[doc = $about:literal]
        pub(crate) struct $name:ident {}
    ) => {
        #[doc = $about]
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub(crate) struct $name {}

        impl $crate::scenario::keys::Keys for $name {
            const ABOUT: &str = $about;

            fn read(
                _: &mut $crate::scenario::section::Section<'_>,
                _: &mut $crate::scenario::problem::Problems,
            ) -> Option<Self> {
                Some(Self {})
            }

            fn print(&self) -> Vec<(&'static str, toml::Value)> {
                Vec::new()
            }

            fn describe() -> Vec<$crate::scenario::keys::Described> {
                Vec::new()
            }
        }
    };
    (
        #[doc = $about:literal]
        pub(crate) struct $name:ident {
            $( #[doc = $doc:literal] $( #[serde $serde:tt] )? $field:ident $key:literal: $kind:ty
                $( = $default:expr )? $( => $hint:literal )?, $range:expr; )+
        }
    ) => {
        #[doc = $about]
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub(crate) struct $name {
            $( #[doc = $doc] $( #[serde $serde] )? pub $field: <$kind as $crate::scenario::keys::KeyType>::Stored, )+
        }

        impl $crate::scenario::keys::Keys for $name {
            const ABOUT: &str = $about;

            fn read(
                section: &mut $crate::scenario::section::Section<'_>,
                problems: &mut $crate::scenario::problem::Problems,
            ) -> Option<Self> {
                use $crate::scenario::keys::KeyType as _;
                // All are read before one that is missing ends it: a user is told of all at once.
                $( let presence =
                    $( $crate::scenario::keys::Presence::Default($default) )?
                    $( $crate::scenario::keys::Presence::Required($hint) )?;
                let $field = <$kind>::read(section, problems, ($key, presence), $range); )+
                Some(Self { $( $field: $field?, )+ })
            }

            fn print(&self) -> Vec<(&'static str, toml::Value)> {
                use $crate::scenario::keys::KeyType as _;
                vec![ $( ($key, <$kind>::print(self.$field)), )+ ]
            }

            fn describe() -> Vec<$crate::scenario::keys::Described> {
                use $crate::scenario::keys::KeyType as _;
                vec![ $( $crate::scenario::keys::Described {
                    key: $key,
                    about: $doc,
                    default: None::<toml::Value>
                        $( .or(Some(<$kind>::print(<$kind>::store($default)))) )?,
                    schema: <$kind>::schema(&$range),
                }, )+ ]
            }
        }
    };
}

pub(super) use keys;
