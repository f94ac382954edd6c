//! Every kind of toxic against arbitrary settings and data, in virtual time.

use super::{Active, Chunk, Inbox, Kind, Line, Moment, Step};
use crate::json::{Fields, parse};
use bytes::Bytes;
use proptest::prelude::*;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::Instant;

const KINDS: [&str; 10] = [
    "noop",
    "latency",
    "bandwidth",
    "slow_close",
    "timeout",
    "reset_peer",
    "slicer",
    "limit_data",
    "blackhole",
    "packet_loss",
];
const ATTRIBUTES: [&str; 9] = [
    "latency",
    "jitter",
    "rate",
    "delay",
    "timeout",
    "average_size",
    "size_variation",
    "bytes",
    "loss_rate",
];

/// Steps one toxic until it ends, stalls, or has taken too many steps to be sane.
fn run(kind: &Kind, chunks: &[Vec<u8>], change_to: &Kind) -> (Vec<u8>, Option<Duration>) {
    const STEPS_MAX: usize = 100_000;
    let start = Instant::now();
    let mut now = start;
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut active = Active::start(kind, now);
    let mut inbox = Inbox::default();
    let mut output = Vec::new();
    for chunk in chunks {
        inbox.push(Chunk {
            bytes: Bytes::copy_from_slice(chunk),
            at: now,
        });
    }
    inbox.end();
    for step in 0..STEPS_MAX {
        if step == 3 {
            active.change(change_to, now);
        }
        let moment = Moment {
            now,
            line: &Line::default(),
            abandoned: false,
            chance: &mut chance,
        };
        match active.step(&mut inbox, moment) {
            Step::Pass(chunk) => output.extend_from_slice(&chunk.bytes),
            Step::Wait(due) => {
                assert!(due > now, "waiting for the past");
                now = due;
            }
            Step::Idle => return (output, None),
            Step::End | Step::Reset => return (output, Some(now - start)),
        }
    }
    panic!("{kind:?} does not come to an end");
}

fn kind_with(name: &str, attributes: &Map<String, Value>) -> Option<Kind> {
    let (kind, _) = Kind::named(name)?;
    let attributes = Value::Object(attributes.clone());
    kind.merged(Fields::of(&attributes, "attributes").ok()?)
        .ok()
}

fn attribute_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0_i64..2_000).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::from(i64::MAX / 1_000_000)),
        1 => Just(Value::from(-1)),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let entry = (prop::sample::select(&ATTRIBUTES[..]), attribute_value());
    prop::collection::vec(entry, 0..6).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect()
    })
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3_000), 0..5)
}

proptest! {
    #[test]
    fn accepted_settings_never_panic_and_never_damage_the_stream(
        name in prop::sample::select(&KINDS[..]),
        first in attributes(),
        second in attributes(),
        chunks in chunks(),
    ) {
        let Some(kind) = kind_with(name, &first) else { return Ok(()) };
        let changed = kind_with(name, &second).unwrap_or(kind);
        let (output, _) = run(&kind, &chunks, &changed);
        let input = chunks.concat();
        let in_order = if name == "packet_loss" {
            is_part_of(&output, &input)
        } else {
            input.starts_with(&output)
        };
        prop_assert!(in_order, "{name} invented or reordered data");
        let passes_all = ["noop", "latency", "slow_close", "slicer"].contains(&name);
        prop_assert!(!passes_all || output == input, "{name} lost data");
    }

    #[test]
    fn any_bytes_are_json_or_a_refusal(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = parse(&body) {
            let fields = Fields::of(&value, "body");
            prop_assert!(fields.is_ok() || !value.is_object());
        }
    }
}

/// Whether every byte is there, in this order, with others between them.
fn is_part_of(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

#[track_caller]
fn check_duration(name: &str, attribute: &str, value: i64, bytes: usize, expected_ms: u64) {
    let attributes = Map::from_iter([(attribute.to_owned(), Value::from(value))]);
    let kind = kind_with(name, &attributes).unwrap();
    let (output, took) = run(&kind, &[vec![7; bytes]], &kind);
    assert_eq!(
        (output.len(), took),
        (bytes, Some(Duration::from_millis(expected_ms)))
    );
}

#[test]
fn times_are_exact_when_nothing_interferes() {
    check_duration("latency", "latency", 250, 10, 250);
    check_duration("slow_close", "delay", 70, 10, 70);
    check_duration("bandwidth", "rate", 10, 500, 50);
}

#[test]
fn bandwidth_cuts_what_takes_longer_than_a_tenth_of_a_second() {
    let attributes = Map::from_iter([("rate".to_owned(), Value::from(1))]);
    let kind = kind_with("bandwidth", &attributes).unwrap();
    let mut inbox = Inbox::default();
    let now = Instant::now();
    inbox.push(Chunk {
        bytes: Bytes::from(vec![7; 250]),
        at: now,
    });
    let mut active = Active::start(&kind, now);
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut pieces = Vec::new();
    for ms in (0..=300).step_by(10) {
        let moment = Moment {
            now: now + Duration::from_millis(ms),
            line: &Line::default(),
            abandoned: false,
            chance: &mut chance,
        };
        if let Step::Pass(chunk) = active.step(&mut inbox, moment) {
            pieces.push((ms, chunk.bytes.len()));
        }
    }
    let lengths: Vec<usize> = pieces.iter().map(|(_, length)| *length).collect();
    assert_eq!((pieces[0].0, lengths), (100, vec![100, 100, 50]));
}
