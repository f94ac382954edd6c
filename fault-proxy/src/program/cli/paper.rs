//! What a command writes: plain for scripts, with colors for a terminal.
//!
//! Names come from a server: a control character of theirs must not reach a terminal, nor a line break a script.

use std::env;

/// Colors of a terminal's own palette.
#[derive(Debug, Clone, Copy)]
pub(super) enum Color {
    Red,
    Green,
    Yellow,
    Blue,
    Purple,
}

impl Color {
    /// That of a proxy that is up, or down.
    pub(super) fn of(enabled: bool) -> Self {
        if enabled { Self::Green } else { Self::Red }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Red => "\x1b[31m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Blue => "\x1b[34m",
            Self::Purple => "\x1b[35m",
        }
    }
}

/// Lines as they are put together.
pub(super) struct Paper {
    text: String,
    /// Somebody looks at it.
    pub(super) is_terminal: bool,
    has_colors: bool,
}

impl Paper {
    pub(super) fn new(is_terminal: bool) -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            text: String::new(),
            is_terminal,
            has_colors: is_terminal && wanted,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn put(&mut self, text: &str) {
        self.text.extend(text.chars().map(shown));
    }

    pub(super) fn colored(&mut self, color: Color, text: &str) {
        if self.has_colors {
            self.text.push_str(color.code());
        }
        self.put(text);
        if self.has_colors {
            self.text.push_str("\x1b[0m");
        }
    }

    pub(super) fn tab(&mut self) {
        self.text.push('\t');
    }

    /// Room up to the next column.
    pub(super) fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    pub(super) fn end(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn line(&mut self, parts: &[&str]) {
        for part in parts {
            self.put(part);
        }
        self.end();
    }

    /// What to do next; scripts are not told.
    pub(super) fn hint(&mut self, text: &str) {
        if self.is_terminal {
            self.end();
            self.line(&["hint: ", text]);
        }
    }
}

/// A server's characters that would steer a terminal are not shown.
pub(super) fn shown(character: char) -> char {
    if character.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use super::{Color, Paper};

    #[test]
    fn colors_and_hints_are_for_terminals_only() {
        let mut paper = Paper::new(false);
        paper.colored(Color::Red, "a\x1b[2J\nb");
        paper.hint("c");
        assert_eq!(paper.text(), "a\u{fffd}[2J\u{fffd}b");
        let mut paper = Paper {
            has_colors: true,
            ..Paper::new(true)
        };
        paper.colored(Color::Red, "a");
        paper.hint("c");
        assert_eq!(paper.text(), "\x1b[31ma\x1b[0m\nhint: c\n");
    }
}
