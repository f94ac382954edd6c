//! This module sets text in lines of a given width, and in colour.
//!
//! **In:** labels and texts. **Out:** lines; a word that is wider than a line has one of its own.

use crate::format;

/// Where the text of a labelled paragraph begins.
pub(crate) const INDENT: usize = 10;

pub(super) const RED: u8 = 31;
pub(super) const GREEN: u8 = 32;
pub(super) const YELLOW: u8 = 33;

/// Whether escape codes may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    Ansi,
    #[default]
    None,
}

/// What is written, line by line.
#[derive(Debug)]
pub(crate) struct Column {
    pub text: String,
    pub width: usize,
}

impl Column {
    pub(crate) const fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            width,
        }
    }

    /// A label and a text, wrapped under itself.
    pub(crate) fn paragraph(&mut self, label: &str, text: &str, indent: usize) {
        let text = format::harmless(text);
        let width = self.width.saturating_sub(indent);
        for (place, part) in wrap(&text, width).into_iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            self.line(format!("{label:<indent$}{part}").trim_end());
        }
    }

    /// A label and a text that must stay in one piece, to be copied.
    pub(crate) fn labelled(&mut self, label: &str, text: &str) {
        self.line(&format!("{label:<INDENT$}{text}"));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// Columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Splits at spaces into lines of at most `width` columns; a longer word gets a line of its own.
/// No-break spaces hold numbers and units together until the lines are made.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last().map_or(0, |line| columns(line));
        if last > 0 && last + 1 + columns(word) > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| format::plain(&line)).collect()
}

pub(super) fn paint(text: &str, code: u8, color: Color) -> String {
    match color {
        Color::Ansi => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
        Color::None => text.to_owned(),
    }
}
