//! This module decides how this process speaks to its terminal.
//!
//! **In:** the streams and the environment variables `NO_COLOR`, `FORCE_COLOR`, `CLICOLOR_FORCE`, `TERM`, `LC_ALL`, `LC_CTYPE`
//! and `LANG`. **Out:** whether to color, how wide, and which live view there is; notes on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

use crate::format;
use crate::live::{Glyphs, Style, View};
use crate::render::column::Color;
use crate::render::terminal::{WIDTH, WIDTH_MIN};
use crate::route;

/// To the beginning of the line, and nothing on it.
const ERASE: &str = "\r\u{1b}[2K";

/// What is there of the environment so far, on a line that is not ended.
static STARTING: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Tells whoever reads stderr, and the log of a run under way.
pub(super) fn say(line: &str) {
    tracing::info!("{line}");
    over_starting(&format!("{}\n", format::harmless(line)));
}

/// Writes whole lines to stderr, above the line of what is being started, if there is one.
pub(super) fn over_starting(text: &str) {
    let Ok(starting) = STARTING.lock() else {
        return;
    };
    let text = match starting.as_slice() {
        [] => text.to_owned(),
        parts => format!("{ERASE}{text}{}", starting_line(parts)),
    };
    tell(&text);
}

/// Where nobody reads stderr, nobody is told.
fn tell(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
}

/// Shows that another part of the environment is there, where a line can be overwritten.
pub(super) fn step(quiet: bool) -> fn(&str) {
    if quiet || !overwrites() {
        return |_| ();
    }
    |part| {
        let Ok(mut parts) = STARTING.lock() else {
            return;
        };
        parts.push(part.to_owned());
        tell(&format!("{ERASE}{}", starting_line(&parts)));
    }
}

fn starting_line(parts: &[String]) -> String {
    let between = match glyphs() {
        Glyphs::Blocks => " · ",
        Glyphs::Ascii => ", ",
    };
    format!("starting  {} …", parts.join(between))
}

/// Everything is there, or nothing will be: what is written next begins a line.
pub(super) fn started() {
    let Ok(mut parts) = STARTING.lock() else {
        return;
    };
    if !parts.is_empty() {
        parts.clear();
        tell(ERASE);
    }
}

/// Says once that no proxy of the environment variables is used, where they name one.
pub(super) fn say_direct() {
    let variables = route::proxy_variables();
    if !variables.is_empty() {
        let (names, is) = match variables.as_slice() {
            [one] => ((*one).to_owned(), "is"),
            several => (several.join(", "), "are"),
        };
        say(&format!(
            "note: {names} {is} set, and not obeyed: a proxy on the way to the target is named by --via or environment.via"
        ));
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A terminal that understands nothing but text, or says so by leaving `TERM` out.
fn dumb() -> bool {
    variable("TERM").is_none_or(|term| term == "dumb")
}

/// Whether stdout takes color.
pub(super) fn color() -> Color {
    if is_colored(std::io::stdout().is_terminal() && !dumb(), variable) {
        Color::Ansi
    } else {
        Color::None
    }
}

/// `NO_COLOR` outranks `FORCE_COLOR` and `CLICOLOR_FORCE`, and those what is known of the terminal.
fn is_colored(is_able: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let forced = ["FORCE_COLOR", "CLICOLOR_FORCE"].into_iter();
    let forced: Vec<String> = forced.filter_map(&variable).collect();
    match forced.as_slice() {
        _ if variable("NO_COLOR").is_some() => false,
        [] => is_able,
        values if values.iter().any(|value| value != "0") => true,
        // Forced not to be.
        _ if variable("FORCE_COLOR").is_some() => false,
        _ => is_able,
    }
}

/// Columns for what is written to stdout: those of its terminal, as far as they are used.
pub(super) fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(WIDTH, |(columns, _)| {
        usize::from(columns.0).clamp(WIDTH_MIN, WIDTH)
    })
}

/// Whether a line on stderr can be overwritten by the next one.
pub(super) fn overwrites() -> bool {
    std::io::stderr().is_terminal() && !dumb()
}

/// How a run under way is shown on stderr.
pub(super) fn view(quiet: bool) -> View {
    if quiet {
        View::Quiet
    } else if overwrites() {
        View::Block(Style {
            glyphs: glyphs(),
            color: is_colored(true, variable),
        })
    } else {
        View::Lines
    }
}

/// The first of these that is set names the character set.
fn glyphs() -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if utf8 { Glyphs::Blocks } else { Glyphs::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_as_the_variables_have_them_and_else_as_the_terminal_can() {
        let colored = |set: &[(&str, &str)], is_able: bool| {
            is_colored(is_able, |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(colored(&[], true) && !colored(&[], false));
        assert!(!colored(&[("NO_COLOR", "1")], true));
        assert!(colored(&[("FORCE_COLOR", "1")], false));
        assert!(colored(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!colored(&[("CLICOLOR_FORCE", "0")], false));
        assert!(colored(&[("CLICOLOR_FORCE", "0")], true));
        assert!(!colored(&[("FORCE_COLOR", "0")], true));
        let both = [("NO_COLOR", "1"), ("FORCE_COLOR", "1")];
        assert!(!colored(&both, true));
    }
}
