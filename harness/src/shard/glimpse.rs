//! This module looks at a run from outside: how far its parts are, by what lies in the folder that they share.
//!
//! **In:** the folder and who is of the load. **Out:** counters of all parts together, who is silent, the faults as parts
//! were told of them. It writes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::archive::{Archive, Roster};
use super::file::{Sign, content};
use super::mailbox::{SILENCE_MAX, since};
use super::message::{FromShard, ToShard, decode};
use crate::clock::monotonic_ns;
use crate::record::counters::Counters;
use crate::record::fault::FaultSpan;
use crate::record::tally::Tally;

/// A part, as it was seen last.
#[derive(Default)]
struct Seen {
    path: PathBuf,
    beat: u64,
    posted: u64,
    changed_ns: u64,
    last: Tally,
    /// It was said that it is silent.
    is_silent: bool,
}

/// The parts of a run, looked at from outside.
pub(crate) struct Glimpse {
    archive: Archive,
    seen: Vec<Seen>,
    counters: Arc<Counters>,
    lanes: usize,
    /// Frames to the second part that were read.
    told: u32,
    /// The run's sign of life, and when it changed.
    run: (u64, u64),
}

/// A part that began or ceased to be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its place in the roster.
    pub place: usize,
    pub is_silent: bool,
}

impl Glimpse {
    /// `counters` has so many lanes for each part, in their order.
    pub(crate) fn of(
        archive: &Archive,
        roster: &Roster,
        counters: &Arc<Counters>,
        lanes: usize,
    ) -> Self {
        let seen = roster.members.iter().map(|member| {
            // The run's own part is a process of it: it has no pulse, and the run tells its word.
            let name = if member.number == 1 { "told" } else { "pulse" };
            Seen {
                path: archive.folder(member.number).file(name),
                changed_ns: monotonic_ns(),
                ..Seen::default()
            }
        });
        Self {
            archive: archive.clone(),
            seen: seen.collect(),
            counters: Arc::clone(counters),
            lanes,
            told: 1,
            run: (0, monotonic_ns()),
        }
    }

    /// Looks at every part, and adds what is new to the counters.
    pub(crate) fn look(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let pulse = self.archive.folder(1).file("pulse");
        if let Ok(Some(sign)) = Sign::read(&pulse)
            && sign.beat != self.run.0
        {
            self.run = (sign.beat, monotonic_ns());
        }
        for (place, seen) in self.seen.iter_mut().enumerate() {
            // One that is replaced meanwhile is looked at again; who is silent too long is silent all the same.
            if let Ok(Some(sign)) = Sign::read(&seen.path)
                && sign.beat != seen.beat
            {
                (seen.beat, seen.changed_ns) = (sign.beat, monotonic_ns());
                let is_new = sign.posted != std::mem::replace(&mut seen.posted, sign.posted);
                if is_new && let Ok(FromShard::Tally(told)) = decode(&sign.frame) {
                    let (tally, recent) = *told;
                    tally.add_to(&self.counters, &seen.last, place * self.lanes);
                    seen.last = tally;
                    // Nobody else adds to these.
                    self.counters.add_recent(|all| all.merge(&recent));
                }
            }
            let is_silent = since(seen.changed_ns) > SILENCE_MAX;
            if is_silent != std::mem::replace(&mut seen.is_silent, is_silent) {
                changes.push(Change { place, is_silent });
            }
        }
        changes
    }

    /// The run gives no sign of life any more.
    pub(crate) fn run_is_gone(&self) -> bool {
        since(self.run.1) > SILENCE_MAX
    }

    /// The faults as the second part was told of them last, where that is new.
    pub(crate) fn faults(&mut self) -> Option<Vec<FaultSpan>> {
        let mut last = None;
        loop {
            let path = self.archive.folder(2).frame("to", self.told + 1);
            let Ok(Some(frame)) = content(&path) else {
                return last;
            };
            self.told += 1;
            if let Ok(ToShard::Faults { spans, .. }) = decode(&frame) {
                last = Some(spans);
            }
        }
    }

    /// Whether the run gives a sign of life within `patience`.
    pub(crate) fn run_beats(archive: &Archive, patience: Duration) -> bool {
        is_alive(&[archive.folder(1).file("pulse")], patience)
    }

    /// Whether one of these parts gives a sign of life within `patience`.
    pub(crate) fn any_beats(archive: &Archive, numbers: &[u16], patience: Duration) -> bool {
        let numbers = numbers.iter().filter(|number| **number > 1);
        let pulses: Vec<PathBuf> = numbers
            .map(|number| archive.folder(*number).file("pulse"))
            .collect();
        is_alive(&pulses, patience)
    }
}

/// Whether one of these changes within `patience`.
fn is_alive(pulses: &[PathBuf], patience: Duration) -> bool {
    let beats = || -> Vec<Option<u64>> {
        let signs = pulses.iter().map(|path| Sign::read(path).ok().flatten());
        signs.map(|sign| sign.map(|sign| sign.beat)).collect()
    };
    let (begun_ns, first) = (monotonic_ns(), beats());
    if first.iter().all(Option::is_none) {
        return false;
    }
    while since(begun_ns) < patience {
        std::thread::sleep(Duration::from_millis(250));
        if beats() != first {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::file::sign;
    use super::super::gathering::Member;
    use super::super::message::encode;
    use super::*;
    use crate::record::counters::Recent;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_parts_tell_is_added_up_once_and_who_is_silent_is_known() {
        let shared = tempfile::tempdir().unwrap();
        let archive = Archive::at(shared.path());
        let members = (1..=2).map(|number| Member {
            number,
            clients: 1,
            named: String::new(),
            host: None,
            clock_error_us: None,
        });
        let roster = Roster {
            tag: String::new(),
            bundle: String::new(),
            build: String::new(),
            zero_wall_ns: 0,
            members: members.collect(),
        };
        let counters = Arc::new(Counters::new(2));
        let mut glimpse = Glimpse::of(&archive, &roster, &counters, 1);
        let say = |number: u16, name: &str, (beat, sent): (u64, u64)| {
            let own = Counters::new(1);
            own.sent.store(sent, Ordering::Relaxed);
            let told = FromShard::Tally(Box::new((Tally::of(&own), Recent::default())));
            let folder = archive.folder(number);
            folder.make().unwrap();
            sign(&folder.file(name), (beat, beat), &encode(&told).unwrap()).unwrap();
        };
        say(1, "told", (1, 5));
        say(2, "pulse", (1, 7));
        assert_eq!(glimpse.look(), []);
        assert_eq!(glimpse.look(), []);
        assert_eq!(counters.sent.load(Ordering::Relaxed), 12);
        say(2, "pulse", (2, 9));
        assert_eq!(glimpse.look(), []);
        assert_eq!(counters.sent.load(Ordering::Relaxed), 14);
        let long_ns = u64::try_from(SILENCE_MAX.as_nanos()).unwrap() * 2;
        glimpse.seen[1].changed_ns = monotonic_ns().saturating_sub(long_ns);
        let silent = Change {
            place: 1,
            is_silent: true,
        };
        assert_eq!(glimpse.look(), [silent]);
        assert_eq!(glimpse.look(), [], "it is said once");
        say(2, "pulse", (3, 9));
        assert_eq!(glimpse.look().len(), 1, "and when it is back");
        assert!(!Glimpse::run_beats(&archive, Duration::ZERO));
    }
}
