//! This module holds lines of text whose parts have a tone.
//!
//! **In:** parts of a line. **Out:** the line as plain text, or with the colours of a terminal. Columns are counted without
//! colours.

use serde::Serialize;

use crate::format;

/// What a part of a line means to who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    #[default]
    Plain,
    Strong,
    /// Beside the point.
    Dim,
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// The number of ECMA-48's "select graphic rendition".
    const fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Strong => Some(1),
            Self::Dim => Some(2),
            Self::Good => Some(32),
            Self::Warn => Some(33),
            Self::Bad => Some(31),
        }
    }
}

/// Columns of a text.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// A line, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Text(Vec<(Tone, String)>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::of(Tone::Plain, text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::of(Tone::Plain, text)
    }
}

impl Text {
    pub(super) fn of(tone: Tone, text: impl Into<String>) -> Self {
        let mut line = Self::default();
        line.add(tone, &text.into());
        line
    }

    /// Adds a part; its no-break spaces become ordinary ones, as terminals have them.
    pub(super) fn add(&mut self, tone: Tone, text: &str) {
        if text.is_empty() {
            return;
        }
        let text = format::plain(text);
        match self.0.last_mut() {
            Some((last, line)) if *last == tone => line.push_str(&text),
            _ => self.0.push((tone, text)),
        }
    }

    /// The same with a part more.
    pub(super) fn and(mut self, tone: Tone, text: &str) -> Self {
        self.add(tone, text);
        self
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (tone, text) in &other.0 {
            self.add(*tone, text);
        }
    }

    /// Spaces up to this column.
    pub(super) fn pad(&mut self, column: usize) {
        let gap = column.saturating_sub(self.columns());
        self.add(Tone::Plain, &" ".repeat(gap));
    }

    pub(super) fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| columns(text)).sum()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many columns; what is cut off leaves `mark` behind. No spaces at the end.
    pub(super) fn cut(self, width: usize, mark: char) -> Self {
        let is_long = self.columns() > width;
        let mut room = if is_long {
            width.saturating_sub(1)
        } else {
            width
        };
        let mut line = Self::default();
        for (tone, text) in self.0 {
            let part: String = text.chars().take(room).collect();
            room -= columns(&part);
            line.add(tone, &part);
        }
        if is_long && width > 0 {
            line.add(Tone::Dim, &mark.to_string());
        }
        while let Some((_, last)) = line.0.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            line.0.pop();
        }
        line
    }

    /// Without its first columns.
    pub(super) fn after(&self, mut columns: usize) -> Self {
        let mut rest = Self::default();
        for (tone, text) in &self.0 {
            let part: String = text.chars().skip(columns).collect();
            columns = columns.saturating_sub(text.chars().count());
            rest.add(*tone, &part);
        }
        rest
    }

    pub(super) fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// With the colours of a terminal.
    pub(super) fn painted(&self) -> String {
        let mut line = String::new();
        for (tone, text) in &self.0 {
            match tone.code() {
                Some(code) => {
                    format::append(&mut line, format_args!("\u{1b}[{code}m{text}\u{1b}[0m"));
                }
                None => line.push_str(text),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_takes_no_column_and_ends_with_its_part() {
        let line = Text::of(Tone::Bad, "lost 3")
            .and(Tone::Plain, "  ")
            .and(Tone::Dim, "rest");
        assert_eq!(line.columns(), 12);
        assert_eq!(line.plain(), "lost 3  rest");
        assert_eq!(
            line.painted(),
            "\u{1b}[31mlost 3\u{1b}[0m  \u{1b}[2mrest\u{1b}[0m"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let line = || Text::from("lost 3").and(Tone::Good, "  held  ");
        assert_eq!(line().cut(20, '…').plain(), "lost 3  held");
        assert_eq!(line().cut(9, '…').plain(), "lost 3  …");
        assert_eq!(line().cut(4, '…').plain(), "los…");
        assert_eq!(line().cut(0, '…').plain(), "");
    }
}
