//! This module says what the frames of a server mean to the messages of a client: acknowledgement, parts, answer, or nothing.
//!
//! **In:** a talk, its messages, what a protocol that ships knows of it. **Out:** [`Heard`]: the keys `events` and `fields`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::base::{Base, Meaning};
use super::leaf::Kind;
use super::says::{Messages, is_named_in};
use super::shape::Sign;
use super::talk::Said;
use crate::account::between;

/// What parts of an answer are called.
const PARTS: [&str; 5] = ["chunk", "delta", "token", "stream", "partial"];
/// Most names by which a message is followed.
const NAMES_MAX: usize = 32;
const CODES: [&str; 4] = ["code", "error_code", "reason", "error"];

/// What is heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Kinds by role: `answer`, `queued`, ….
    pub(super) roles: BTreeMap<&'static str, Sign>,
    pub(super) ignored: BTreeSet<Sign>,
    pub(super) fields: BTreeMap<&'static str, String>,
    /// A protocol that ships knows all of it already.
    pub(super) is_known: bool,
    /// How answers find their messages.
    pub(super) matching: Matching,
}

/// How answers find their messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Matching {
    /// They name an id.
    Id,
    /// The id stands before the text, and comes back with it.
    Mark,
    /// They come in order, as far as is known.
    #[default]
    Order,
}

/// What is listened with.
#[derive(Clone, Copy)]
pub(super) struct Ears<'a> {
    pub(super) frames: &'a [Said],
    pub(super) base: Option<&'a Base>,
    /// By what each of them is known.
    pub(super) signs: &'a [Sign],
    /// Frames that are spoken for: of the opening, pongs, pings.
    pub(super) aside: &'a BTreeSet<usize>,
}

/// Listens. `Err`: nothing came after a message.
pub(super) fn heard(ears: Ears<'_>, messages: &Messages) -> Result<Heard, ()> {
    let windows = messages.windows(ears.frames.len());
    let mut heard = Heard {
        matching: match &messages.id {
            Some(id) if id.is_echoed => Matching::Id,
            _ => Matching::Order,
        },
        is_known: ears.base.is_some_and(|base| is_known(ears, base, messages)),
        ..Heard::default()
    };
    let ids = messages.ids(ears.frames);
    let id = |index: usize| {
        ids.get(index)
            .copied()
            .filter(|_| heard.matching == Matching::Id)
    };
    let first = first(ears.frames);
    let answers = windows.iter().enumerate();
    let answers = answers.map(|(index, window)| answers_in(ears, window, id(index), &first));
    let answers: Vec<Vec<usize>> = answers.collect();
    if answers.iter().all(Vec::is_empty) {
        return Err(());
    }
    if !heard.is_known {
        roles(ears, &answers, &mut heard);
        fields(ears, (messages, &answers), &mut heard);
    }
    if heard.matching == Matching::Order
        && let Some(place) = marked(ears.frames, messages, &answers)
    {
        heard.fields.insert("id", place);
        heard.matching = Matching::Mark;
    }
    ignore(ears, &mut heard);
    Ok(heard)
}

/// Whether the protocol that ships finds an end to each message, and its id, and nothing that it does not know.
fn is_known(ears: Ears<'_>, base: &Base, messages: &Messages) -> bool {
    let ids = messages.ids(ears.frames);
    let is_echoed = messages.id.as_ref().is_some_and(|id| id.is_echoed);
    let windows = messages.windows(ears.frames.len());
    windows.into_iter().enumerate().all(|(index, window)| {
        let heard = ears.frames[window].iter().filter(|frame| !frame.is_client);
        let heard: Vec<&Said> = heard.collect();
        let meanings: Vec<Meaning> = heard.iter().map(|frame| base.meaning(frame)).collect();
        let id = ids.get(index).filter(|_| is_echoed);
        let is_found = id.is_none_or(|id| {
            heard
                .iter()
                .any(|frame| base.id(frame).as_deref() == Some(*id))
        });
        meanings.contains(&Meaning::Answer) && !meanings.contains(&Meaning::Unknown) && is_found
    })
}

/// The frames that have to do with a message: those that name its id, or what was named beside it; without an id, all.
fn answers_in(
    ears: Ears<'_>,
    window: &Range<usize>,
    id: Option<&str>,
    first: &First<'_>,
) -> Vec<usize> {
    let meaning = |at: usize| ears.base.map(|base| base.meaning(&ears.frames[at]));
    let is_free = |at: &usize| {
        let is_other = matches!(meaning(*at), Some(Meaning::Pong | Meaning::Error));
        !ears.frames[*at].is_client && !ears.aside.contains(at) && !is_other
    };
    let is_error = |at: &usize| is_error(&ears.signs[*at]);
    let all = window.clone().filter(is_free).filter(|at| !is_error(at));
    let all: Vec<usize> = all.collect();
    // What a protocol lets pass by is an answer where nothing else is.
    let is_aside = |at: &usize| meaning(*at) == Some(Meaning::Aside);
    let free: Vec<usize> = all.iter().copied().filter(|at| !is_aside(at)).collect();
    let found = related(ears, window, (&free, id), first);
    if found.is_empty() {
        related(ears, window, (&all, id), first)
    } else {
        found
    }
}

/// Of these frames those that name an id.
fn related(
    ears: Ears<'_>,
    window: &Range<usize>,
    (free, id): (&[usize], Option<&str>),
    first: &First<'_>,
) -> Vec<usize> {
    let Some(id) = id else {
        return free.to_vec();
    };
    let mut names: BTreeSet<&str> = BTreeSet::from([id]);
    let mut found = Vec::new();
    for &at in free {
        let frame = &ears.frames[at];
        let is_named = match frame.head {
            Some(_) => frame
                .leaves
                .iter()
                .any(|leaf| names.contains(leaf.value.as_str())),
            None => names.iter().any(|name| is_named_in(frame, name)),
        };
        if !is_named {
            continue;
        }
        // What the server calls it goes on where the client's own id does not.
        let others = frame.leaves.iter().filter(|leaf| {
            leaf.kind == Kind::Text && leaf.key().to_ascii_lowercase().ends_with("id")
        });
        let is_new = |value: &str| first.get(value).is_none_or(|first| *first >= window.start);
        let others = others.map(|leaf| leaf.value.as_str());
        let others = others.filter(|value| is_new(value));
        names.extend(others.take(NAMES_MAX.saturating_sub(names.len())));
        found.push(at);
    }
    found
}

/// In which frame each value stands first.
type First<'a> = BTreeMap<&'a str, usize>;

fn first(frames: &[Said]) -> First<'_> {
    let mut first = First::new();
    for (at, frame) in frames.iter().enumerate() {
        for leaf in &frame.leaves {
            first.entry(&leaf.value).or_insert(at);
        }
    }
    first
}

/// Which kind is what.
fn roles(ears: Ears<'_>, answers: &[Vec<usize>], heard: &mut Heard) {
    let kind = |at: &usize| ears.signs[*at].clone();
    let longest = answers.iter().max_by_key(|answers| answers.len());
    let in_all = |sign: &Sign| {
        let mut answered = answers.iter().filter(|answers| !answers.is_empty());
        answered.all(|answers| answers.iter().any(|at| ears.signs[*at] == *sign))
    };
    let order = longest.into_iter().flatten().map(kind);
    let order: Vec<Sign> = order.filter(|sign| in_all(sign)).collect();
    let Some(last_kind) = order.last() else {
        // No two answers have anything in common: the last of each is what it ends with.
        let ends = answers.iter().filter_map(|answers| answers.last());
        heard
            .roles
            .extend(ends.map(kind).next().map(|end| ("answer", end)));
        return;
    };
    let last_kind = last_kind.clone();
    let mut kinds: Vec<Sign> = Vec::new();
    for sign in &order {
        if !kinds.contains(sign) {
            kinds.push(sign.clone());
        }
    }
    let is_part = |sign: &Sign| {
        let name = sign.name().to_ascii_lowercase();
        order.iter().filter(|other| *other == sign).count() > 1
            || PARTS.iter().any(|part| name.contains(part))
    };
    let last = kinds
        .iter()
        .position(|kind| *kind == last_kind)
        .unwrap_or(kinds.len() - 1);
    kinds.truncate(last + 1);
    let chunk = kinds.iter().position(is_part).filter(|chunk| *chunk < last);
    let ends = match chunk {
        Some(chunk) => vec![("chunk", &kinds[chunk]), ("complete", &kinds[last])],
        None => vec![("answer", &kinds[last])],
    };
    let before = &kinds[..chunk.unwrap_or(last)];
    let before = ["queued", "started"].into_iter().zip(before);
    let roles = before.chain(ends).map(|(role, sign)| (role, sign.clone()));
    heard.roles.extend(roles);
}

/// Where ids and numbers stand.
fn fields(ears: Ears<'_>, (messages, answers): (&Messages, &[Vec<usize>]), heard: &mut Heard) {
    let frames = ears.frames;
    let of_role = |role: &str, at: &usize| heard.roles.get(role) == Some(&ears.signs[*at]);
    let first: &[usize] = answers
        .iter()
        .find(|answers| !answers.is_empty())
        .map_or(&[], Vec::as_slice);
    let mut fields = BTreeMap::new();
    let ids = messages.ids(frames);
    if let Some(id) = ids.first().filter(|_| heard.matching == Matching::Id) {
        let told = first
            .iter()
            .filter(|at| ["queued", "answer"].iter().any(|role| of_role(role, at)));
        let place = told
            .clone()
            .find_map(|at| frames[*at].holding(id).find(|leaf| !leaf.is_nested));
        let place = place.map(|leaf| leaf.path.clone());
        let place = place.or_else(|| told.clone().find_map(|at| pattern_of(&frames[*at], id)));
        if place.is_none() {
            heard.matching = Matching::Order;
        }
        fields.extend(place.map(|place| ("id", place)));
    }
    if heard.roles.contains_key("chunk") {
        let in_all = |value: &str| {
            first
                .iter()
                .all(|at| frames[*at].holding(value).next().is_some())
        };
        let own = first.first().map_or(&[][..], |at| &frames[*at].leaves);
        let task = own
            .iter()
            .find(|leaf| leaf.kind == Kind::Text && leaf.value.len() > 3 && in_all(&leaf.value));
        fields.extend(
            task.filter(|leaf| fields.get("id") != Some(&leaf.path))
                .map(|leaf| ("task", leaf.path.clone())),
        );
        let chunks: Vec<usize> = first
            .iter()
            .copied()
            .filter(|at| of_role("chunk", at))
            .collect();
        let counts = |path: &str| {
            let mut numbers = chunks.iter().enumerate();
            numbers.all(|(index, at)| {
                frames[*at]
                    .leaf(path)
                    .is_some_and(|leaf| leaf.value == index.to_string())
            })
        };
        let numbers = chunks.first().map_or(&[][..], |at| &frames[*at].leaves);
        let seq = numbers
            .iter()
            .find(|leaf| leaf.kind == Kind::Number && counts(&leaf.path));
        fields.extend(seq.map(|leaf| ("seq", leaf.path.clone())));
        let end = first.iter().find(|at| of_role("complete", at));
        let count = chunks.len().to_string();
        let end = end.and_then(|at| {
            frames[*at]
                .holding(&count)
                .find(|leaf| leaf.kind == Kind::Number)
        });
        fields.extend(end.map(|leaf| ("chunks", leaf.path.clone())));
    }
    heard.fields = fields;
}

/// Where in frames of the server the text of a message stands again, so that an id before it would be found.
fn marked(frames: &[Said], messages: &Messages, answers: &[Vec<usize>]) -> Option<String> {
    let mut place = None;
    for (at, answers) in messages.at.iter().zip(answers) {
        let leaf = messages.text.as_ref().map(|path| frames[*at].leaf(path));
        let typed = match leaf {
            Some(leaf) => leaf?.value.as_str(),
            None => frames[*at].text.as_str(),
        };
        let own = answers
            .iter()
            .find_map(|at| pattern_of(&frames[*at], typed))?;
        if place.as_ref().is_some_and(|place| *place != own) {
            return None;
        }
        place = Some(own);
    }
    // The id ends where the text begins.
    place.map(|place| format!("{} ", place.trim_end_matches(['"', '}', ']'])))
}

/// What stands around a value in a frame.
fn pattern_of(frame: &Said, value: &str) -> Option<String> {
    let pattern = match frame.holding(value).find(|leaf| !leaf.is_nested) {
        Some(leaf) => {
            let before = &frame.text[..leaf.span.start];
            // From the name of its field on, as the server writes it.
            let key = format!("\"{}\"", leaf.key());
            let start = before.rfind(&key).map_or(before.len() - 1, |key| key);
            format!("{}*\"", &before[start..])
        }
        None if frame.head.is_none() => {
            let at = frame.text.find(value)?;
            let before = &frame.text[..at];
            let start = before
                .char_indices()
                .rev()
                .take(8)
                .last()
                .map_or(at, |(start, _)| start);
            format!("{}*", &before[start..])
        }
        None => return None,
    };
    let found = between(&frame.text, &pattern)?;
    (pattern.matches('*').count() == 1 && (found == value || frame.head.is_none()))
        .then_some(pattern)
}

/// It is called a refusal.
fn is_error(kind: &Sign) -> bool {
    let name = kind.name().to_ascii_lowercase();
    name.starts_with("err") || name.contains("_error") || name.contains("exception")
}

/// What passes by: kinds that have no role, and that the protocol does not know.
fn ignore(ears: Ears<'_>, heard: &mut Heard) {
    for (at, frame) in ears
        .frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| !frame.is_client)
    {
        let kind = ears.signs[at].clone();
        let meaning = ears
            .base
            .map_or(Meaning::Unknown, |base| base.meaning(frame));
        // What a protocol takes for an answer is none where something else is.
        let is_new = |meaning| match meaning {
            Meaning::Unknown => true,
            Meaning::Part | Meaning::Answer => !heard.is_known,
            Meaning::Aside | Meaning::Pong | Meaning::Error => false,
        };
        if is_error(&kind) && meaning == Meaning::Unknown {
            let code = frame.leaves.iter().find(|leaf| CODES.contains(&leaf.key()));
            heard
                .fields
                .extend(code.map(|leaf| ("code", leaf.path.clone())));
            heard.roles.insert("error", kind);
        } else if is_new(meaning)
            && !heard.roles.values().any(|role| *role == kind)
            && !ears.aside.contains(&at)
        {
            heard.ignored.insert(kind);
        }
    }
}
