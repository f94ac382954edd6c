//! This module finds what a person typed among the frames of a client, and what of a message is its id.
//!
//! **In:** a talk; the text that was typed, if that is known. **Out:** [`Messages`].

use std::collections::BTreeMap;
use std::ops::Range;

use super::leaf::{Kind, Leaf};
use super::shape::is_name;
pub(super) use super::talk::has_words;
use super::talk::{Said, body, is_of_people};

/// What fields with a text of people are called.
const OF_PEOPLE: [&str; 11] = [
    "message", "text", "content", "body", "msg", "prompt", "input", "question", "comment", "query",
    "value",
];
/// What ids are called, or end with.
const OF_IDS: [&str; 6] = ["id", "uuid", "ref", "nonce", "key", "seq"];
/// What is an id though nobody names it again.
const ALWAYS_IDS: [&str; 6] = ["id", "nonce", "uuid", "client_id", "clientid", "message_id"];
/// From this on a text is believed to be one of people.
const SCORE_MIN: i32 = 3;
/// Longest id.
const ID_BYTES_MAX: usize = 128;

/// What was said.
#[derive(Debug)]
pub(super) struct Messages {
    /// Which frames of the talk.
    pub(super) at: Vec<usize>,
    /// Where in them the text stands; `None`: it is all of the frame.
    pub(super) text: Option<String>,
    pub(super) id: Option<Id>,
    /// Other values that every message has anew, and no answer names.
    pub(super) fresh: Vec<String>,
}

/// What is told apart by.
#[derive(Debug)]
pub(super) struct Id {
    /// Where in a message it stands.
    pub(super) path: String,
    pub(super) is_number: bool,
    /// Frames of the server name it.
    pub(super) is_echoed: bool,
}

impl Messages {
    /// The frames after each message, up to the next one.
    pub(super) fn windows(&self, count: usize) -> Vec<Range<usize>> {
        let ends = self.at.iter().skip(1).copied().chain([count]);
        self.at
            .iter()
            .zip(ends)
            .map(|(at, end)| at + 1..end)
            .collect()
    }

    /// The id of each message.
    pub(super) fn ids<'f>(&self, frames: &'f [Said]) -> Vec<&'f str> {
        let Some(id) = &self.id else {
            return Vec::new();
        };
        let value = |at: &usize| frames[*at].leaf(&id.path).map(|leaf| leaf.value.as_str());
        self.at.iter().filter_map(value).collect()
    }
}

/// Finds the messages among the frames that `is_free` lets pass; `None`: nothing looks like one.
pub(super) fn messages(
    frames: &[Said],
    is_free: impl Fn(usize, &Said) -> bool,
    typed: Option<&str>,
) -> Option<Messages> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let client = frames.iter().enumerate();
    for (at, frame) in client.filter(|(at, frame)| frame.is_client && is_free(*at, frame)) {
        groups.entry(shape(frame)).or_default().push(at);
    }
    let scored = groups.into_values().filter_map(|at| {
        let (score, text) = best(frames, &at, typed)?;
        Some((score, at, text))
    });
    let (_, at, text) =
        scored.max_by_key(|(score, at, _)| (*score, at.len(), std::cmp::Reverse(at[0])))?;
    let mut messages = Messages {
        at,
        text,
        id: None,
        fresh: Vec::new(),
    };
    (messages.id, messages.fresh) = ids(frames, &messages);
    Some(messages)
}

/// What frames of one kind have in common: their beginning, their paths, and their names.
pub(super) fn shape(frame: &Said) -> String {
    let head = &frame.text[..frame.head.unwrap_or(0)];
    let first = frame.text.lines().next().unwrap_or_default();
    // Text that is no JSON is told apart by its first line, if that is a command of capitals.
    let is_command = |line: &str| line.chars().all(|c| c.is_ascii_uppercase());
    let first_word = first.split(' ').next().unwrap_or_default();
    let mut shape = match frame.head {
        None if frame.text.contains('\n') => first.to_owned(),
        None if is_command(first_word) => first_word.to_owned(),
        _ => head.to_owned(),
    };
    for leaf in frame
        .leaves
        .iter()
        .filter(|leaf| !leaf.is_nested || is_name(leaf))
    {
        let kind = match leaf.kind {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Word => "word",
        };
        let name = Some(leaf.value.as_str()).filter(|_| is_name(leaf));
        shape.extend(["|", &leaf.path, ":", kind, name.unwrap_or_default()]);
    }
    shape
}

/// The likeliest text of frames of one kind, and how likely it is; `None`: there is none.
fn best(frames: &[Said], at: &[usize], typed: Option<&str>) -> Option<(i32, Option<String>)> {
    let first = &frames[at[0]];
    if first.head.is_none() {
        let texts = at.iter().map(|at| body(&frames[*at].text));
        let score = |text: &str| match typed {
            Some(typed) if text.contains(typed) => 99,
            Some(_) => 0,
            None => of_people(text),
        };
        let score = texts.map(score).max()?;
        return (score >= SCORE_MIN).then_some((score, None));
    }
    let score = |leaf: &Leaf| {
        if let Some(typed) = typed {
            return if at.iter().any(|at| {
                frames[*at]
                    .leaf(&leaf.path)
                    .is_some_and(|leaf| leaf.value == typed)
            }) {
                99
            } else {
                0
            };
        }
        let mut values = at.iter().filter_map(|at| frames[*at].leaf(&leaf.path));
        let differs = values.any(|other| other.value != leaf.value);
        let named = if OF_PEOPLE.contains(&leaf.key()) {
            3
        } else {
            0
        };
        of_people(&leaf.value) + named + if differs { 2 } else { 0 }
    };
    let texts = first
        .leaves
        .iter()
        .filter(|leaf| leaf.kind == Kind::Text && !is_name(leaf));
    let scored = texts
        .map(|leaf| (score(leaf), leaf))
        .filter(|(score, _)| *score >= SCORE_MIN);
    let (score, leaf) = scored.max_by_key(|(score, leaf)| (*score, leaf.is_nested))?;
    Some((score, Some(leaf.path.clone())))
}

/// How much a text looks as if a person had written it.
fn of_people(text: &str) -> i32 {
    let has_letters = text.chars().any(char::is_alphabetic);
    let is_code = text.contains(['{', '}', '[', '<']) || super::secret::is_secret("", text);
    match (
        is_of_people(text),
        has_letters && !is_code && !is_id_like(text),
    ) {
        (true, _) => 3,
        (false, true) => 0,
        (false, false) => -4,
    }
}

/// Looks like something that a program made: digits among letters, or digits alone, and no blank.
fn is_id_like(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let has_digit = text.chars().any(|c| c.is_ascii_digit());
    let is_short = !text.is_empty() && text.len() <= ID_BYTES_MAX;
    is_short && text.chars().all(plain) && (has_digit || text.len() >= 16)
}

/// The id of messages, and what else each has anew.
fn ids(frames: &[Said], messages: &Messages) -> (Option<Id>, Vec<String>) {
    let windows = messages.windows(frames.len());
    let first = &frames[messages.at[0]];
    let (mut id, mut fresh): (Option<Id>, Vec<String>) = (None, Vec::new());
    for leaf in &first.leaves {
        let is_text = messages.text.as_ref() == Some(&leaf.path);
        if is_text || leaf.kind == Kind::Word || is_name(leaf) || leaf.value.len() > ID_BYTES_MAX {
            continue;
        }
        let values: Vec<&str> = messages
            .at
            .iter()
            .filter_map(|at| frames[*at].leaf(&leaf.path))
            .map(|leaf| leaf.value.as_str())
            .collect();
        let mut distinct = values.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let is_own = distinct.len() == messages.at.len() && distinct.len() > 1;
        let key = leaf.key().to_ascii_lowercase();
        let is_named = OF_IDS.iter().any(|name| key.ends_with(name));
        let is_first_heard = !frames[..messages.at[0]]
            .iter()
            .any(|frame| frame.holding(&leaf.value).next().is_some());
        let is_likely =
            is_named && is_first_heard && (is_id_like(&leaf.value) || leaf.kind == Kind::Number);
        if is_time(&leaf.value) || !(is_own || messages.at.len() == 1 && is_likely) {
            continue;
        }
        let echoed = |(value, window): (&&str, &Range<usize>)| {
            let mut heard = frames[window.clone()]
                .iter()
                .filter(|frame| !frame.is_client);
            heard.any(|frame| is_named_in(frame, value))
        };
        let is_echoed = values.iter().zip(&windows).all(echoed);
        // Of one message alone, what nobody names again is an id by its name only.
        if messages.at.len() == 1 && !is_echoed && !ALWAYS_IDS.contains(&key.as_str()) {
            continue;
        }
        let is_better = id.as_ref().is_none_or(|id| is_echoed && !id.is_echoed);
        if is_better && (is_echoed || leaf.kind == Kind::Text) {
            fresh.extend(id.take().map(|id| id.path));
            id = Some(Id {
                path: leaf.path.clone(),
                is_number: leaf.kind == Kind::Number,
                is_echoed,
            });
        } else if leaf.kind == Kind::Text {
            fresh.push(leaf.path.clone());
        }
    }
    // A place is filled as the id is: a text in a number's place would be no JSON.
    let is_number = id.as_ref().is_some_and(|id| id.is_number);
    (id, if is_number { Vec::new() } else { fresh })
}

/// Looks like a moment: milliseconds or seconds of these years, or a date.
fn is_time(value: &str) -> bool {
    let is_number = [10, 13].contains(&value.len())
        && value.starts_with('1')
        && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = value.len() >= 10 && value.get(4..5) == Some("-") && value.get(7..8) == Some("-");
    is_number || is_date && value.starts_with("20")
}

/// Whether a frame of the server names an id.
pub(super) fn is_named_in(frame: &Said, id: &str) -> bool {
    match frame.head {
        Some(_) => frame.holding(id).next().is_some(),
        None => frame.text.contains(id),
    }
}
