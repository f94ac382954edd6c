//! This module reads how frames stand in messages of a socket, and where in a frame a value stands.
//!
//! **In:** `frames` of `[target]`; paths and patterns. **Out:** [`Framing`]; a complaint about what leads nowhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::document::Node;
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::section::Section;
use crate::scenario::value;

/// Longest mark between frames.
const MARK_CHARS_MAX: usize = 16;
const PATH_CHARS_MAX: usize = 200;
/// Where in a pattern the value stands.
pub(crate) const PLACE: char = '*';

/// Several frames in one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    /// What stands between two of the server; the client sends one a message.
    Separator(String),
    /// What every frame ends with, those of the client too.
    Terminator(String),
}

impl Framing {
    /// What frames are told apart by.
    pub(crate) fn mark(&self) -> &str {
        match self {
            Self::Separator(mark) | Self::Terminator(mark) => mark,
        }
    }
}

/// Reads `frames`; `None`: a message is a frame.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> Option<Framing> {
    let mut table = section.table(problems, "frames");
    let mark = || value::frame_text(MARK_CHARS_MAX);
    let separator = table.read(problems, "separator", mark());
    let terminator = table.read(problems, "terminator", mark());
    if table.is_present() && table.has("separator") == table.has("terminator") {
        let fact = "frames are told apart in one way";
        let complaint = Complaint::new(fact).hint(
            "write separator = \"\\n\" where it stands between frames of the server, or terminator = \"\\u001e\" where every frame ends with it, those of the client too",
        );
        problems.add(&table.at, table.path(), complaint);
    }
    table.finish(problems);
    let separator = separator.map(|mark| Framing::Separator(mark.value));
    separator.or_else(|| terminator.map(|mark| Framing::Terminator(mark.value)))
}

/// Where in a frame a value stands: a path, or a pattern with what stands around it.
pub(super) fn place(node: &Node) -> Result<String, Complaint> {
    let place = value::frame_text(PATH_CHARS_MAX)(node)?;
    match place.matches(PLACE).count() {
        0 if place.chars().any(char::is_control) || place.split('.').any(str::is_empty) => {
            let complaint = Complaint::new(format!("{place:?} is no path to a field"));
            Err(complaint.hint(
                "write it like \"data.items.0.id\"; \"body\" is the whole text; with one `*` it is what stands around the value: \"id:*\\n\"",
            ))
        }
        0 => Ok(place),
        1 if place.len() > PLACE.len_utf8() => Ok(place),
        1 => {
            let complaint = Complaint::new("nothing stands around the value");
            Err(complaint.hint("\"body\" is the whole text; \"*\\n\" is its first line"))
        }
        several => {
            let complaint = Complaint::new(format!("{several} places for one value"));
            Err(complaint.hint("write one `*` where the value stands: \"id:*\\n\""))
        }
    }
}
