//! This module is a recording of a browser, and what is made of it.
//!
//! **In:** bytes. **Out:** nothing; a panic where what was made is no TOML, or means something else once it is printed.

use serde_json::{Value, json};

use super::edit::{EDITS_MAX, edit};
use crate::import;

/// Recordings that are changed.
const EXAMPLES: [&str; 6] = [
    include_str!("../../../fuzz/corpus/import/aiohttp"),
    include_str!("../../../fuzz/corpus/import/channels"),
    include_str!("../../../fuzz/corpus/import/fastapi"),
    include_str!("../../../fuzz/corpus/import/reference"),
    include_str!("../../../fuzz/corpus/import/socketio"),
    include_str!("../../../fuzz/corpus/import/ws"),
];
/// Most frames of a talk that is given by lines.
const FRAMES_MAX: usize = 256;
/// What a person may be said to have typed, where it is said.
const TYPED: &str = "hello there";

/// A recording of a browser: the archive itself, or changes of an example: the first line is its number, and each
/// line after it `>`, `<` and a frame that the client or the server says in place of those that are there, or an edit
/// as of a result.
///
/// # Panics
///
/// Where what was made of it is no scenario that can be read.
pub fn import(input: &[u8]) {
    let archive = if input.starts_with(b"{") {
        input.to_vec()
    } else {
        changed(&String::from_utf8_lossy(input))
    };
    for typed in [None, Some(TYPED)] {
        let imported = match import::import(&archive, typed, "users.csv") {
            Ok(imported) => imported,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "an error without words");
                continue;
            }
        };
        let text = &imported.text;
        let read = text.parse::<toml::Table>();
        assert!(read.is_ok(), "{read:?} of {text}");
        let is_plain = |note: &String| !note.contains(char::is_control);
        assert!(imported.notes.iter().all(is_plain), "{:?}", imported.notes);
        super::scenario(text.as_bytes());
    }
}

/// An example with changes.
fn changed(input: &str) -> Vec<u8> {
    let (first, rest) = input.split_once('\n').unwrap_or((input, ""));
    let number: usize = first.trim().parse().unwrap_or(0);
    let mut example: Value =
        serde_json::from_str(EXAMPLES[number % EXAMPLES.len()]).expect("an example is JSON");
    let frames = rest.lines().filter_map(frame).take(FRAMES_MAX);
    let frames: Vec<Value> = frames.collect();
    let entries = example["log"]["entries"].as_array_mut();
    let socket = entries.and_then(|entries| entries.last_mut());
    if let (Some(socket), false) = (socket, frames.is_empty()) {
        socket["_webSocketMessages"] = frames.into();
    }
    let edits = rest.lines().filter(|line| frame(line).is_none());
    for line in edits.take(EDITS_MAX) {
        edit(&mut example, line);
    }
    example.to_string().into_bytes()
}

/// A frame of a talk.
fn frame(line: &str) -> Option<Value> {
    let (side, said) = match (line.strip_prefix('>'), line.strip_prefix('<')) {
        (Some(said), _) => ("send", said),
        (None, Some(said)) => ("receive", said),
        (None, None) => return None,
    };
    Some(json!({ "type": side, "time": 1_700_000_000.5, "opcode": 1, "data": said }))
}
