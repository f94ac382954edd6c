//! These tests hold what is added up from a folder to what its parts left there.

use super::super::hello::{ClockOffset, Hello};
use super::super::meeting::build;
use super::super::message::{Count, Usage};
use super::*;
use crate::record::recording::Recording;

fn roster(count: u16) -> Roster {
    let members = (1..=count).map(|number| Member {
        number,
        clients: 10,
        named: format!("shard {number} (node, pid {number})"),
        host: (number > 1).then(|| "node".to_owned()),
        clock_error_us: None,
    });
    Roster {
        tag: "t1".to_owned(),
        bundle: "b1".to_owned(),
        build: build(),
        zero_wall_ns: 1,
        members: members.collect(),
    }
}

fn hello(bundle: &str) -> FromShard {
    FromShard::Hello(Box::new(Hello {
        host: "node".to_owned(),
        pid: 7,
        bundle: bundle.to_owned(),
        build: build(),
        clock: ClockOffset {
            ahead_us: 0,
            bound_us: 1,
        },
    }))
}

fn done(tag: &str, sends: u64) -> FromShard {
    let mut recording = Recording {
        planned_sends: sends,
        ..Recording::default()
    };
    (0..sends).for_each(|us| recording.dispatch_delay.record(us + 1));
    FromShard::Done(Box::new(Done {
        tag: tag.to_owned(),
        outcome: Ok(AttackOutcome {
            recording,
            ..AttackOutcome::default()
        }),
        usage: Usage::default(),
        count: Count {
            actual_sends: sends,
            frames_received: 0,
        },
    }))
}

fn say(archive: &Archive, number: u16, frames: &[FromShard]) {
    let folder = archive.folder(number);
    folder.make().unwrap();
    for (place, said) in (1..).zip(frames) {
        replace(&folder.frame("from", place), &[&encode(said).unwrap()]).unwrap();
    }
}

#[test]
fn last_words_add_up_once_and_who_has_none_is_named() {
    let shared = tempfile::tempdir().unwrap();
    let archive = Archive::at(shared.path());
    let roster = roster(6);
    say(&archive, 1, &[hello("b1"), done("t1", 3)]);
    say(&archive, 2, &[hello("b1"), FromShard::Ready, done("t1", 4)]);
    // Killed while it drove its part; of another bundle; of another run; never came.
    say(&archive, 3, &[hello("b1"), FromShard::Ready]);
    say(&archive, 4, &[hello("b2"), done("t1", 100)]);
    say(&archive, 5, &[hello("b1"), done("t0", 100)]);
    let known = BTreeMap::from([(3, "it ended early".to_owned())]);
    let all = archive.gather(&roster, &known);
    assert_eq!(all.recording.planned_sends, 7);
    let numbers = all.parts.iter().map(|(account, _)| account.number);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(all.given_up.len(), 4, "{:?}", all.given_up);
    let told = [
        "shard 3 (node, pid 3): it ended early",
        "shard 4 (node, pid 4): what it left is of the bundle b2, and the run of b1",
        "shard 5 (node, pid 5): what it left is of another run",
        "shard 6 (node, pid 6): it has left no last word",
    ];
    for (sentence, expected) in all.given_up.iter().zip(told) {
        assert!(sentence.starts_with(expected), "{sentence}");
    }
    let silent = archive.silent(&roster);
    let silent = silent.iter().map(|member| member.number);
    assert_eq!(silent.collect::<Vec<_>>(), [3, 6]);
}

#[test]
fn a_word_that_is_damaged_is_named_and_not_counted() {
    let shared = tempfile::tempdir().unwrap();
    let archive = Archive::at(shared.path());
    say(&archive, 1, &[hello("b1"), done("t1", 3)]);
    let path = archive.folder(1).frame("from", 2);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let all = archive.gather(&roster(1), &BTreeMap::new());
    assert_eq!(all.recording.planned_sends, 0);
    assert!(all.given_up[0].contains("000002"), "{:?}", all.given_up);
    assert!(archive.kept::<Roster>(Leaf::Begun).unwrap().is_none());
    archive.keep(Leaf::Begun, &roster(2)).unwrap();
    assert_eq!(archive.kept(Leaf::Begun).unwrap(), Some(roster(2)));
    assert!(archive.kept::<Vec<u64>>(Leaf::Begun).is_err());
}
