//! The keys that belong to one kind of trial: each is declared once, and read, printed and described from there.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;
use toml::Value;

use crate::scenario::problem::Problems;
use crate::scenario::schema::part;
use crate::scenario::section::Section;
use crate::scenario::value;
use crate::units;

/// One key, for editors.
pub(in crate::scenario) struct Described {
    pub key: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// As a scenario writes it.
    pub default: Value,
    pub schema: serde_json::Value,
}

/// What a key holds.
pub(crate) trait KeyType {
    /// As declared.
    type Typed;
    /// As planned.
    type Stored: Copy;

    fn store(typed: Self::Typed) -> Self::Stored;

    /// Reads the key, or has its default.
    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        key: (&'static str, Self::Typed),
        range: RangeInclusive<Self::Typed>,
    ) -> Self::Stored;

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
        (key, default): (&'static str, Duration),
        range: RangeInclusive<Duration>,
    ) -> u64 {
        let read = section.read_or(problems, key, default, value::duration(range));
        units::us(read.value)
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
    T: Copy + PartialOrd + Display + TryFrom<i64> + Into<i64>,
{
    type Typed = T;
    type Stored = T;

    fn store(typed: T) -> T {
        typed
    }

    fn read(
        section: &mut Section<'_>,
        problems: &mut Problems,
        (key, default): (&'static str, T),
        range: RangeInclusive<T>,
    ) -> T {
        let read = section.read_or(problems, key, default, value::integer(range));
        read.value
    }

    fn print(stored: T) -> Value {
        stored.into().into()
    }

    fn schema(range: &RangeInclusive<T>) -> serde_json::Value {
        let (least, most): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
        json!({ "type": "integer", "minimum": least, "maximum": most })
    }
}

/// The keys of one kind.
pub(super) trait Keys: Sized {
    /// What is tried, in one sentence.
    const ABOUT: &str;

    fn read(section: &mut Section<'_>, problems: &mut Problems) -> Self;

    /// Each with its value as a scenario writes it.
    fn print(&self) -> Vec<(&'static str, Value)>;

    fn describe() -> Vec<Described>;
}

/// A kind with its keys: `field "key": type = default, range;`, each with one sentence.
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

        impl $crate::scenario::trial::keys::Keys for $name {
            const ABOUT: &str = $about;

            fn read(
                _: &mut $crate::scenario::section::Section<'_>,
                _: &mut $crate::scenario::problem::Problems,
            ) -> Self {
                Self {}
            }

            fn print(&self) -> Vec<(&'static str, toml::Value)> {
                Vec::new()
            }

            fn describe() -> Vec<$crate::scenario::trial::keys::Described> {
                Vec::new()
            }
        }
    };
    (
        #[doc = $about:literal]
        pub(crate) struct $name:ident {
            $( #[doc = $doc:literal] $field:ident $key:literal: $kind:ty = $default:expr, $range:expr; )+
        }
    ) => {
        #[doc = $about]
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub(crate) struct $name {
            $( #[doc = $doc] pub $field: <$kind as $crate::scenario::trial::keys::KeyType>::Stored, )+
        }

        impl $crate::scenario::trial::keys::Keys for $name {
            const ABOUT: &str = $about;

            fn read(
                section: &mut $crate::scenario::section::Section<'_>,
                problems: &mut $crate::scenario::problem::Problems,
            ) -> Self {
                use $crate::scenario::trial::keys::KeyType as _;
                Self {
                    $( $field: <$kind>::read(section, problems, ($key, $default), $range), )+
                }
            }

            fn print(&self) -> Vec<(&'static str, toml::Value)> {
                use $crate::scenario::trial::keys::KeyType as _;
                vec![ $( ($key, <$kind>::print(self.$field)), )+ ]
            }

            fn describe() -> Vec<$crate::scenario::trial::keys::Described> {
                use $crate::scenario::trial::keys::KeyType as _;
                vec![ $( $crate::scenario::trial::keys::Described {
                    key: $key,
                    about: $doc,
                    default: <$kind>::print(<$kind>::store($default)),
                    schema: <$kind>::schema(&$range),
                }, )+ ]
            }
        }
    };
}

pub(super) use keys;
