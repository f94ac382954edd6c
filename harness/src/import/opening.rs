//! This module finds what a client says by itself: steps before it is ready, heartbeats, answers to pings.
//!
//! **In:** a talk, and where its first message is. **Out:** [`Opening`]: the keys `open`, `reply` and `send.heartbeat`.

use std::collections::{BTreeMap, BTreeSet};

use super::base::{Base, Meaning};
use super::leaf::Leaf;
use super::says;
use super::shape::{Sign, is_name, sign};
use super::talk::{Said, has_words};
use super::template::Known;
use crate::scenario::target::STEPS_MAX;

/// An answer to a ping comes at once.
const AT_ONCE_MS: f64 = 250.0;
/// What beats are called.
const BEATS: [&str; 4] = ["ping", "heartbeat", "keepalive", "beat"];
const PONGS: [&str; 4] = ["pong", "heartbeat", "keepalive", "beat"];
/// Longest beat that is no JSON.
const BEAT_BYTES_MAX: usize = 40;
/// Shortest pause between heartbeats that a scenario may have.
const PAUSE_MIN_MS: f64 = 100.0;

/// What a client says by itself.
#[derive(Debug, Default)]
pub(super) struct Opening {
    pub(super) steps: Vec<Step>,
    pub(super) replies: Vec<Reply>,
    pub(super) heartbeat: Option<Heartbeat>,
    /// Steps past the most that a scenario may have.
    pub(super) left_out: usize,
    /// Frames that are spoken for.
    pub(super) aside: BTreeSet<usize>,
}

/// `[[target.open]]`.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// The frame that is said.
    pub(super) said: Option<usize>,
    /// The frame that is waited for, and by what it is known.
    pub(super) awaited: Option<(usize, toml::Value)>,
}

/// `[[target.reply]]`.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) when: Sign,
    pub(super) said: usize,
}

#[derive(Debug)]
pub(super) struct Heartbeat {
    /// The frame that is said.
    pub(super) said: usize,
    /// `None`: nothing answers it.
    pub(super) pong: Option<Sign>,
    /// `None`: it was said once.
    pub(super) every_ms: Option<f64>,
}

/// The beats and answers to pings of a talk; `base`: what ships and knows of some.
pub(super) fn beats(frames: &[Said], base: Option<&Base>, field: Option<&str>) -> Opening {
    let mut opening = Opening::default();
    for (at, frame) in frames.iter().enumerate() {
        let is_known = base.is_some_and(|base| {
            let is_pong = || base.meaning(frame) == Meaning::Pong;
            if frame.is_client {
                base.says(frame)
            } else {
                is_pong()
            }
        });
        if is_known {
            opening.aside.insert(at);
        }
    }
    reply(frames, base, field, &mut opening);
    heartbeat(frames, field, &mut opening);
    opening
}

fn is_called(frame: &Said, names: &[&str]) -> bool {
    let has = |text: &str| {
        words(text)
            .iter()
            .any(|word| names.contains(&word.as_str()))
    };
    // What is so, and who says it, is not what it is.
    let is_kind =
        |leaf: &Leaf| is_name(leaf) && !["status", "name", "target"].contains(&leaf.key());
    if frame.head.is_none() {
        let first = frame.text.lines().next().unwrap_or_default();
        return !has_words(frame) && first.len() <= BEAT_BYTES_MAX && has(first);
    }
    let mut leaves = frame.leaves.iter();
    leaves.any(|leaf| is_kind(leaf) && has(&leaf.value))
}

/// The words of a name, in small letters: of `keepAlive` and `keep_alive` both, and `keepalive`.
fn words(text: &str) -> Vec<String> {
    let small: String = text
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_ascii_lowercase();
    let mut words = vec![small];
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if (!c.is_alphanumeric() || c.is_uppercase()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// A client's answer to a ping: said at once after it.
fn reply(frames: &[Said], base: Option<&Base>, field: Option<&str>, opening: &mut Opening) {
    for (at, pair) in frames.windows(2).enumerate() {
        let [ping, answer] = pair else { continue };
        let is_answer =
            !ping.is_client && answer.is_client && answer.at_ms - ping.at_ms <= AT_ONCE_MS;
        if !is_answer
            || opening.aside.contains(&(at + 1))
            || !is_called(ping, &BEATS)
            || has_words(answer)
        {
            continue;
        }
        // One that the protocol lets pass by is answered by nobody.
        if base.is_some_and(|base| base.meaning(ping) == Meaning::Aside) {
            continue;
        }
        let when = sign(ping, field);
        opening.aside.extend([at, at + 1]);
        if !opening.replies.iter().any(|reply| reply.when == when) {
            opening.replies.push(Reply { when, said: at + 1 });
        }
    }
}

/// What a client says again and again, or calls a ping.
fn heartbeat(frames: &[Said], field: Option<&str>, opening: &mut Opening) {
    let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let client = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.is_client);
    for (at, frame) in client.filter(|(at, _)| !opening.aside.contains(at)) {
        same.entry(says::shape(frame)).or_default().push(at);
    }
    let beat = same
        .into_values()
        .filter(|at| is_called(&frames[at[0]], &BEATS));
    let Some(beat) = beat.max_by_key(Vec::len) else {
        return;
    };
    let after = frames
        .iter()
        .enumerate()
        .skip(beat[0] + 1)
        .find(|(_, frame)| !frame.is_client);
    let pong = after.filter(|(_, frame)| is_called(frame, &PONGS));
    let pong = pong.map(|(_, frame)| sign(frame, field));
    let is_pong = |frame: &Said| {
        pong.as_ref()
            .is_some_and(|pong| !frame.is_client && sign(frame, field) == *pong)
    };
    let pongs = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| is_pong(frame));
    let pongs: Vec<usize> = pongs.map(|(at, _)| at).collect();
    opening
        .aside
        .extend(pongs.into_iter().chain(beat.iter().copied()));
    let span = frames[beat[beat.len() - 1]].at_ms - frames[beat[0]].at_ms;
    let every_ms = span / (beat.len() - 1).max(1) as f64;
    opening.heartbeat = Some(Heartbeat {
        said: beat[0],
        pong,
        every_ms: (every_ms >= PAUSE_MIN_MS).then_some(every_ms),
    });
}

/// The steps before the frame at `ready`.
pub(super) fn steps(
    frames: &[Said],
    ready: usize,
    base: Option<&Base>,
    signs: &[Sign],
    opening: &mut Opening,
) {
    let later: BTreeSet<&Sign> = (ready..frames.len())
        .filter(|at| !frames[*at].is_client)
        .map(|at| &signs[at])
        .collect();
    let mut steps: Vec<Step> = Vec::new();
    let greets = base.is_some_and(|base| base.dialect.events.connected.is_some());
    for (at, frame) in frames[..ready].iter().enumerate() {
        if opening.aside.contains(&at) {
            continue;
        }
        if frame.is_client {
            steps.push(Step {
                said: Some(at),
                awaited: None,
            });
            continue;
        }
        if greets && base.is_some_and(|base| base.meaning(frame) == Meaning::Aside) {
            continue;
        }
        let kind = &signs[at];
        // What comes again and again, whoever is there, opens nothing; a protocol that ships knows what it waits for.
        let last = steps.last().and_then(|step| step.said);
        let is_told = last.and_then(|said| base?.awaits(&frames[said])).is_some();
        if !base.is_some_and(|base| base.meaning(frame) == Meaning::Aside)
            && !is_told
            && later.contains(kind)
        {
            continue;
        }
        let awaited = (at, kind.toml());
        match steps.last_mut() {
            None => steps.push(Step {
                said: None,
                awaited: Some(awaited),
            }),
            Some(step) if step.awaited.is_none() => {
                let own = step.said.and_then(|said| base?.awaits(&frames[said]));
                step.awaited = match own {
                    None => Some(awaited),
                    Some((meant, written))
                        if base.is_some_and(|base| base.is_met(meant, frame)) =>
                    {
                        Some((at, written))
                    }
                    // It waits for another one.
                    Some((meant, _)) => {
                        let mut later = frames[at..ready].iter();
                        let comes =
                            later.any(|frame| base.is_some_and(|base| base.is_met(meant, frame)));
                        (!comes).then_some(awaited)
                    }
                };
            }
            Some(_) => {}
        }
    }
    opening
        .aside
        .extend(steps.iter().filter_map(|step| step.said));
    opening.left_out = steps.len().saturating_sub(STEPS_MAX);
    steps.truncate(STEPS_MAX);
    opening.steps = steps;
}

/// Has the steps wait for every frame from which something is taken.
pub(super) fn await_captures(known: &Known, signs: &[Sign], opening: &mut Opening) {
    for capture in &known.captured {
        let has = |step: &Step| {
            step.awaited
                .as_ref()
                .is_some_and(|(at, _)| *at == capture.at)
        };
        if opening.steps.iter().any(has) {
            continue;
        }
        let awaited = Some((capture.at, signs[capture.at].toml()));
        let earlier = |step: &Step| {
            step.said.is_some_and(|said| said < capture.at)
                || step
                    .awaited
                    .as_ref()
                    .is_some_and(|(at, _)| *at < capture.at)
        };
        let place = opening
            .steps
            .iter()
            .take_while(|step| earlier(step))
            .count();
        opening.steps.insert(
            place,
            Step {
                said: None,
                awaited,
            },
        );
    }
}
