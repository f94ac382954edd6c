//! This module is how the shards of a load that no one started together find each other: in a folder that they share.
//!
//! **In:** the folder, and which of how many this one is. **Out:** for the run, every other shard, there and of the same
//! bundle and build, with how far its clock may be from the run's; for a shard, the way to its run.
//!
//! A place in the folder can be taken once: a file is made that must not be there yet. So a shard that was started twice,
//! or again after it had failed, is found out before it does anything.
//!
//! **Clocks** are held against that of the file system, which dates every file that is written. A shard writes one, and
//! reads its own clock before and after: the difference is known to half of what that took and [`GRAIN_US`], for a kernel
//! may date by its last tick. Of [`TRIES`] the surest counts.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::try_join_all;

use super::channel::Channel;
use super::file::replace;
use super::hello::{ClockOffset, Hello};
use super::mailbox::{Mailbox, Pulse, ShardFolder};
use super::message::{FrameError, FromShard, decode, encode};
use crate::clock::wall_ns;

/// A kernel may date files by its last tick, a hundred times a second at the least.
const GRAIN_US: u64 = 10_000;
const TRIES: usize = 5;
/// Clocks that are certainly further apart than this are not used together: faults would be seen at different times.
const CLOCKS_APART_MAX_US: u64 = 50_000;
/// Nor are clocks of which less is known than this.
const CLOCK_ERROR_MAX_US: u64 = 250_000;
/// How often a shard looks whether the run has come.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Names of those that are missing, at most.
const NAMED_MAX: usize = 8;

/// Where shards meet, and which of them this one is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub shared: PathBuf,
    /// From 0; 0 is the run.
    pub index: u16,
    pub count: u16,
    /// SHA-256 of the bundle.
    pub bundle: String,
    /// How long the others are waited for.
    pub wait: Duration,
    /// What clients go to is reached from one machine alone.
    pub one_host: bool,
    /// Addresses that this one's sockets are opened from; none: as the plan has it.
    pub sources: Vec<IpAddr>,
}

/// Why shards did not meet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeetingError {
    #[error("{}: {source}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "shard {number} of {} was begun already ({by}): it was started twice, or again",
        shared.display()
    )]
    Taken {
        number: u16,
        shared: PathBuf,
        by: String,
    },
    #[error("{names} did not come to {} within {} s", shared.display(), wait.as_secs())]
    Missing {
        names: String,
        shared: PathBuf,
        wait: Duration,
    },
    #[error("shard {number} ({host}): {reason}")]
    Unfit {
        number: u16,
        host: String,
        reason: String,
    },
}

impl MeetingError {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Folder { .. } => {
                "--shared names a folder that every part may write to, with room for what they saw"
            }
            Self::Taken { .. } => {
                "a folder tells of one run: start all parts with a new one, --shared DIR"
            }
            Self::Missing { .. } => {
                "see whether its scheduler has started it with the same --shared, or raise --wait"
            }
            Self::Unfit { .. } => {
                "start all parts with one bundle and one build of harness, where clocks are kept by NTP; without a target that all reach, on one machine"
            }
        }
    }
}

/// All who met.
pub(crate) struct Met {
    /// All shards but the run's own, in their order.
    pub(super) arrived: Vec<Arrived>,
    /// What they have in common.
    pub(super) bundle: String,
    /// The folder of the run's own part, and the addresses its sockets are opened from; none: as the plan has it.
    pub(super) folder: ShardFolder,
    pub(super) sources: Vec<IpAddr>,
}

/// A shard that has come.
pub(super) struct Arrived {
    pub(super) hello: Hello,
    pub(super) mailbox: Mailbox,
    /// How far its clock may be from the run's.
    pub(super) clock_error_us: u64,
}

/// The run, waiting for its shards.
pub(crate) struct Meeting {
    place: Place,
    own: Hello,
    pulse: Arc<Pulse>,
}

impl Meeting {
    /// Takes the run's place; on a tokio runtime.
    ///
    /// # Errors
    ///
    /// It is taken, or nothing can be written there.
    pub(crate) fn open(place: Place) -> Result<Self, MeetingError> {
        let (own, folder) = claim(&place)?;
        // As every other part says it: for who adds up what they left.
        let hello = encode(&FromShard::Hello(Box::new(own.clone())))
            .map_err(|error| refused(&place.shared, io::Error::other(error)))?;
        replace(&folder.frame("from", 1), &[&hello])
            .map_err(|source| refused(&place.shared, source))?;
        let pulse = Pulse::start(&folder);
        Ok(Self { place, own, pulse })
    }

    /// Waits for all others.
    ///
    /// # Errors
    ///
    /// Who did not come in time, or is of another bundle, build or time: each by its number.
    pub(crate) async fn all(&self) -> Result<Met, MeetingError> {
        let Place { shared, count, .. } = &self.place;
        let coming = (2..=*count).map(|number| async move {
            let folder = ShardFolder::of(shared, number);
            folder.make().map_err(|source| refused(shared, source))?;
            let mut mailbox = Mailbox::of_run(&folder, &self.pulse, *count);
            let heard = tokio::time::timeout(self.place.wait, first(&mut mailbox)).await;
            let Ok(heard) = heard else {
                return Ok(Err(number));
            };
            let hello = heard.map_err(|reason| MeetingError::Unfit {
                number,
                host: folder.file("claim").display().to_string(),
                reason,
            })?;
            self.fit(number, &hello)?;
            Ok(Ok(Arrived {
                clock_error_us: hello.clock.error_us(self.own.clock),
                hello,
                mailbox,
            }))
        });
        let (mut arrived, mut missing) = (Vec::new(), Vec::new());
        for came in try_join_all(coming).await? {
            match came {
                Ok(shard) => arrived.push(shard),
                Err(number) => missing.push(number),
            }
        }
        if missing.is_empty() {
            return Ok(Met {
                arrived,
                bundle: self.own.bundle.clone(),
                folder: ShardFolder::of(shared, 1),
                sources: self.place.sources.clone(),
            });
        }
        Err(MeetingError::Missing {
            names: names(&missing),
            shared: shared.clone(),
            wait: self.place.wait,
        })
    }

    fn fit(&self, number: u16, hello: &Hello) -> Result<(), MeetingError> {
        let unfit = |reason: String| MeetingError::Unfit {
            number,
            host: hello.host.clone(),
            reason,
        };
        if hello.bundle != self.own.bundle {
            let own = &self.own.bundle;
            return Err(unfit(format!(
                "its bundle is {}, and that of the run {own}",
                hello.bundle
            )));
        }
        if hello.build != self.own.build {
            let own = &self.own.build;
            return Err(unfit(format!(
                "it is harness {}, and the run is {own}",
                hello.build
            )));
        }
        if self.place.one_host && hello.host != self.own.host {
            let own = &self.own.host;
            return Err(unfit(format!(
                "it is not on {own}, and what clients go to listens on loopback there"
            )));
        }
        let apart_us = hello.clock.apart_us(self.own.clock);
        if apart_us > CLOCKS_APART_MAX_US {
            return Err(unfit(format!(
                "its clock is at least {} ms from that of the run; {} ms are allowed",
                apart_us / 1_000,
                CLOCKS_APART_MAX_US / 1_000
            )));
        }
        let error_us = hello.clock.error_us(self.own.clock);
        if error_us > CLOCK_ERROR_MAX_US {
            return Err(unfit(format!(
                "its clock may be {} ms from that of the run; more than {} ms are not allowed",
                error_us / 1_000,
                CLOCK_ERROR_MAX_US / 1_000
            )));
        }
        Ok(())
    }
}

/// A shard's way to its run, once it has said what it is; on a tokio runtime.
///
/// # Errors
///
/// Its place is taken, or nothing can be written there.
pub(super) async fn come(place: &Place) -> Result<Channel, MeetingError> {
    let (own, folder) = claim(place)?;
    let failed = |source| refused(&place.shared, source);
    let pulse = Pulse::start(&folder);
    let run = ShardFolder::of(&place.shared, 1);
    let mut mailbox = Mailbox::of_shard(&folder, &run, &pulse, place.count);
    let frame = encode(&FromShard::Hello(Box::new(own)));
    let frame = frame.map_err(|error| failed(io::Error::other(error)))?;
    mailbox.send(frame).await.map_err(failed)?;
    let beats = async {
        while !run.file("pulse").exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(place.wait, beats).await.is_err() {
        return Err(MeetingError::Missing {
            names: names(&[1]),
            shared: place.shared.clone(),
            wait: place.wait,
        });
    }
    mailbox.begin();
    Ok(Channel::Folder(mailbox))
}

/// Takes a place in the folder.
fn claim(place: &Place) -> Result<(Hello, ShardFolder), MeetingError> {
    let number = place.index + 1;
    let folder = ShardFolder::of(&place.shared, number);
    let failed = |source| refused(&place.shared, source);
    folder.make().map_err(failed)?;
    let path = folder.file("claim");
    let hello = Hello {
        host: host(),
        pid: std::process::id(),
        bundle: place.bundle.clone(),
        build: build(),
        clock: offset(&folder.file("clock")).map_err(failed)?,
    };
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let by = std::fs::read_to_string(&path).unwrap_or_default();
            return Err(MeetingError::Taken {
                number,
                shared: place.shared.clone(),
                by: by.trim().chars().take(200).collect(),
            });
        }
        file => file.map_err(failed)?,
    };
    writeln!(file, "{}, pid {}", hello.host, hello.pid).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok((hello, folder))
}

/// The first thing that a shard says.
async fn first(mailbox: &mut Mailbox) -> Result<Hello, String> {
    loop {
        mailbox.begin();
        let Some(frame) = mailbox.next().await else {
            continue;
        };
        let heard = frame
            .map_err(FrameError::from)
            .and_then(|frame| decode(&frame));
        return match heard {
            Ok(FromShard::Hello(hello)) => Ok(*hello),
            Ok(_) => Err("it began with something else".to_owned()),
            Err(error) => Err(error.to_string()),
        };
    }
}

/// How far the clock of this machine is ahead of that of the file system.
fn offset(path: &Path) -> io::Result<ClockOffset> {
    let mut surest: Option<ClockOffset> = None;
    for _ in 0..TRIES {
        let before_us = wall_ns() / 1_000;
        let mut file = File::create(path)?;
        file.write_all(b"?")?;
        file.sync_all()?;
        let after_us = wall_ns() / 1_000;
        let dated = file.metadata()?.modified()?.duration_since(UNIX_EPOCH);
        let dated_us = dated.unwrap_or_default().as_micros();
        let middle_us = u64::midpoint(before_us, after_us);
        let ahead_us = i128::from(middle_us) - i128::try_from(dated_us).unwrap_or(0);
        let seen = ClockOffset {
            ahead_us: i64::try_from(ahead_us).unwrap_or(i64::MAX),
            bound_us: (after_us.saturating_sub(before_us)) / 2 + GRAIN_US,
        };
        if surest.is_none_or(|surest| seen.bound_us < surest.bound_us) {
            surest = Some(seen);
        }
    }
    surest.ok_or_else(|| io::Error::other("no file could be dated"))
}

fn refused(shared: &Path, source: io::Error) -> MeetingError {
    MeetingError::Folder {
        path: shared.to_owned(),
        source,
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

/// What must be the same on both sides of a frame.
pub(crate) fn build() -> String {
    let commit = option_env!("HARNESS_COMMIT").unwrap_or_default();
    format!("{} {commit}", env!("CARGO_PKG_VERSION"))
        .trim()
        .to_owned()
}

/// `shards 2, 5 and 7 more`.
fn names(numbers: &[u16]) -> String {
    let shown: Vec<String> = numbers.iter().take(NAMED_MAX).map(u16::to_string).collect();
    let word = if numbers.len() == 1 {
        "shard"
    } else {
        "shards"
    };
    let more = match numbers.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{word} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shared: &Path, index: u16) -> Place {
        Place {
            shared: shared.to_owned(),
            index,
            count: 3,
            bundle: "b".to_owned(),
            wait: Duration::from_millis(300),
            one_host: true,
            sources: Vec::new(),
        }
    }

    #[tokio::test]
    async fn who_comes_is_known_and_who_does_not_is_named() {
        let shared = tempfile::tempdir().unwrap();
        let meeting = Meeting::open(place(shared.path(), 0)).unwrap();
        let _second = come(&place(shared.path(), 1)).await.unwrap();
        let missing = meeting.all().await.err().unwrap().to_string();
        assert!(missing.starts_with("shard 3 did not come"), "{missing}");
        let _third = come(&place(shared.path(), 2)).await.unwrap();
        let arrived = meeting.all().await.unwrap().arrived;
        assert_eq!(arrived.len(), 2);
        assert!(
            arrived
                .iter()
                .all(|arrived| arrived.hello.pid == std::process::id())
        );
        assert!(
            arrived
                .iter()
                .all(|arrived| arrived.clock_error_us < 100_000)
        );
    }

    #[tokio::test]
    async fn a_place_is_taken_once() {
        let shared = tempfile::tempdir().unwrap();
        let _run = Meeting::open(place(shared.path(), 0)).unwrap();
        let _second = come(&place(shared.path(), 1)).await.unwrap();
        for index in 0..2 {
            let again = claim(&place(shared.path(), index)).err().unwrap();
            let number = index + 1;
            let pid = std::process::id();
            assert!(
                again
                    .to_string()
                    .starts_with(&format!("shard {number} of ")),
                "{again}"
            );
            assert!(again.to_string().contains(&format!("pid {pid}")), "{again}");
        }
    }

    #[tokio::test]
    async fn another_bundle_build_or_time_is_refused() {
        let shared = tempfile::tempdir().unwrap();
        let meeting = Meeting::open(place(shared.path(), 0)).unwrap();
        let told = |change: &dyn Fn(&mut Hello)| {
            let mut hello = meeting.own.clone();
            change(&mut hello);
            meeting.fit(2, &hello).map_err(|error| error.to_string())
        };
        assert_eq!(told(&|_| {}), Ok(()));
        assert!(
            told(&|hello| hello.bundle.push('x'))
                .unwrap_err()
                .contains("bundle")
        );
        assert!(
            told(&|hello| hello.build.push('x'))
                .unwrap_err()
                .contains("harness")
        );
        let late = told(&|hello| hello.clock.ahead_us += 500_000).unwrap_err();
        assert!(late.contains("its clock is at least 4"), "{late}");
        assert!(
            told(&|hello| hello.host.push('x'))
                .unwrap_err()
                .contains("loopback")
        );
        // Clocks about which too little is known are not called apart, and not used either.
        assert!(
            told(&|hello| hello.clock.bound_us += 500_000)
                .unwrap_err()
                .contains("its clock may be")
        );
    }
}
