//! This module reads what a client answers by itself.
//!
//! **In:** `[[target.reply]]`. **Out:** [`Reply`]s.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, Taken};
use super::frame::{self, FrameMatch};
use super::open::{OpeningStep, capture};
use super::part::{NONE, TEXT_MAX};
use super::template::known;
use crate::scenario::problem::Problems;
use crate::scenario::section::Section;
use crate::scenario::value;

/// Most rules.
pub(crate) const REPLIES_MAX: usize = 16;

/// A frame of the server and what is said to it. Of several rules the first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reply {
    pub when: FrameMatch,
    /// Template of what is said; `None`: nothing, the frame passes by.
    pub send: Option<String>,
    /// Values of the frame that go into what is said, by the names of their places: where they stand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
}

/// Reads the rules; places that the opening captures are filled in them too.
pub(super) fn read(
    section: &mut Section<'_>,
    (open, columns): (&[OpeningStep], Columns<'_>),
    problems: &mut Problems,
) -> Vec<Reply> {
    let tables = section.tables(problems, "reply", REPLIES_MAX);
    let replies = tables
        .into_iter()
        .filter_map(|table| one(table, (open, columns), problems));
    replies.collect()
}

fn one(
    mut table: Section<'_>,
    (open, columns): (&[OpeningStep], Columns<'_>),
    problems: &mut Problems,
) -> Option<Reply> {
    let opened = open.iter().flat_map(|step| step.capture.keys());
    let mut taken = Taken {
        names: opened.cloned().collect(),
        columns,
    };
    let hint = "write which frame it answers: when = { type = \"ping\" }";
    let when = table.require(problems, "when", hint, frame::read);
    let capture = capture(&mut table, &mut taken, problems);
    let hint = "write what is said: send = '{\"type\":\"pong\"}', or send = \"none\"";
    let send = table.require(problems, "send", hint, |node| {
        let send = value::frame_text(TEXT_MAX)(node)?;
        let names = taken.names.iter().map(String::as_str);
        let filled: Vec<&str> = known().chain(names).collect();
        columns.check(&send, &filled, &[])?;
        Ok(send)
    });
    table.finish(problems);
    let send = send?.value;
    Some(Reply {
        when: when?.value,
        send: (send != NONE).then_some(send),
        capture,
    })
}
