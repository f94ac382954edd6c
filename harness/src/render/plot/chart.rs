//! This module holds what a chart is once it is drawn: the picture in both widths, and what the page says around it.

use std::borrow::Cow;

/// A chart in both widths, with what the page says around it.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Unique on its page.
    pub id: Cow<'static, str>,
    /// May hold `code`.
    pub title: String,
    /// The finding, with its numbers.
    pub finding: String,
    pub keys: Vec<Key>,
    /// Values under the cursor.
    pub readings: Vec<Reading>,
    pub wide: String,
    pub narrow: String,
}

/// One entry of a legend.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub text: String,
    /// Class of the sample: `k-c1` is a line, `f-fault` an area.
    pub class: String,
    /// The series it hides; `None` for what cannot be hidden.
    pub series: Option<&'static str>,
}

impl Key {
    pub(super) fn new(text: &str, class: &str, series: Option<&'static str>) -> Self {
        Self {
            text: text.to_owned(),
            class: class.to_owned(),
            series,
        }
    }
}

/// A series as the cursor reads it: value *i* covers `i*step` up to the next.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub name: String,
    /// The series of the legend that shows it.
    pub series: &'static str,
    pub unit: ReadingUnit,
    pub step: f64,
    pub values: Vec<Option<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadingUnit {
    Microseconds,
    Count,
    /// Of a count, to be printed as tenths.
    Tenths,
    Percent,
    Mebibytes,
}

/// One of the two widths in which every chart is drawn, so that text stays readable on a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Wide,
    Narrow,
}

impl Width {
    pub(super) const fn pick<T: Copy>(self, wide: T, narrow: T) -> T {
        match self {
            Self::Wide => wide,
            Self::Narrow => narrow,
        }
    }
}

/// The finding as the description of the picture: without the marks of code.
pub(super) fn spoken(finding: &str) -> String {
    finding.replace('`', "")
}
