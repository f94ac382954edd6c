//! This module decides how this process speaks to its terminal.
//!
//! **In:** the streams and the environment variables `NO_COLOR`, `TERM`, `LC_ALL`, `LC_CTYPE` and
//! `LANG`. **Out:** whether to color, how wide, and which live view there is; notes on stderr.

use std::io::{IsTerminal as _, Write as _};

use crate::format;
use crate::live::{Glyphs, View};
use crate::render::column::Color;
use crate::render::terminal::{WIDTH, WIDTH_MIN};
use crate::route;

/// Tells whoever reads stderr, and the log of a run under way.
pub(super) fn say(line: &str) {
    tracing::info!("{line}");
    // Where nobody reads stderr, nobody is told.
    drop(writeln!(std::io::stderr(), "{}", format::harmless(line)));
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
    if std::io::stdout().is_terminal() && !dumb() && variable("NO_COLOR").is_none() {
        Color::Ansi
    } else {
        Color::None
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
    } else if std::io::stderr().is_terminal() && !dumb() {
        View::Block(glyphs())
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
