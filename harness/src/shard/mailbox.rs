//! This module carries frames through a folder that two machines share: a network file system, or a mounted store.
//!
//! **In:** frames, and the folder of one shard. **Out:** the same frames on the other side, in order.
//!
//! Every frame is a file of its own, numbered, written under another name and renamed: nobody reads half of one, nothing is
//! appended to and nothing is locked. Beside them each side has one file that it writes anew about once a second, its
//! *pulse*: by it the other side knows that it lives, and what was posted last is in it.
//!
//! ```text
//! SHARED/0003/to/000001      from the run to shard 3
//! SHARED/0003/from/000001    from shard 3 to the run
//! SHARED/0003/pulse          of shard 3; that of the run is SHARED/0001/pulse
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::bytes::Bytes;

use super::file::{Sign, content, replace, sign};
use crate::clock::monotonic_ns;

/// Between two beats of a pulse, and between two looks at that of the other side.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Without a beat for as long the other side counts as gone: longer than a file system may hide what changed.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Between two looks for a frame.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The same where there are many: so much for each, of the run, which reads from all, and of each part, for one server of
/// files answers them all.
const LOOK_EVERY_EACH: Duration = Duration::from_micros(200);

/// Files that this process reads and writes for others at once, however many they are: what is in them is held meanwhile.
static FILES: Semaphore = Semaphore::const_new(16);

/// The folder of one shard.
#[derive(Clone, Debug)]
pub(super) struct ShardFolder {
    path: PathBuf,
}

impl ShardFolder {
    /// That of the shard with this number, from 1.
    pub(super) fn of(shared: &Path, number: u16) -> Self {
        Self {
            path: shared.join(format!("{number:04}")),
        }
    }

    /// A frame of one direction, `to` or `from` the shard, by its number, from 1.
    pub(super) fn frame(&self, direction: &str, number: u32) -> PathBuf {
        self.path.join(direction).join(format!("{number:06}"))
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes it, with what is in it.
    pub(super) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(self.file("to"))?;
        fs::create_dir_all(self.file("from"))
    }
}

/// One side of the way between a run and a shard.
#[derive(Debug)]
pub(super) struct Mailbox {
    out: PathBuf,
    inbox: PathBuf,
    /// The other side's.
    pulse: PathBuf,
    /// Frames sent and read so far.
    sent: u32,
    read: u32,
    seen: Seen,
    look_every: Duration,
    own: Arc<Pulse>,
}

/// What was seen of the other side's pulse.
#[derive(Debug)]
struct Seen {
    beat: u64,
    posted: u64,
    changed_ns: u64,
    looked_ns: Option<u64>,
}

impl Mailbox {
    /// The run's side of the shard whose folder that is; one of `count`.
    pub(super) fn of_run(folder: &ShardFolder, own: &Arc<Pulse>, count: u16) -> Self {
        let ways = (folder.file("to"), folder.file("from"), folder.file("pulse"));
        Self::new(ways, own, count)
    }

    /// The shard's side, one of `count`; `run` is the folder of the run.
    pub(super) fn of_shard(
        folder: &ShardFolder,
        run: &ShardFolder,
        own: &Arc<Pulse>,
        count: u16,
    ) -> Self {
        let ways = (folder.file("from"), folder.file("to"), run.file("pulse"));
        Self::new(ways, own, count)
    }

    fn new((out, inbox, pulse): (PathBuf, PathBuf, PathBuf), own: &Arc<Pulse>, count: u16) -> Self {
        Self {
            out,
            inbox,
            pulse,
            sent: 0,
            read: 0,
            seen: Seen {
                beat: 0,
                posted: 0,
                changed_ns: monotonic_ns(),
                looked_ns: None,
            },
            look_every: LOOK_EVERY.max(LOOK_EVERY_EACH * u32::from(count)),
            own: Arc::clone(own),
        }
    }

    /// The other side is not looked for before now.
    pub(super) fn begin(&mut self) {
        self.seen.changed_ns = monotonic_ns();
    }

    /// # Errors
    ///
    /// The folder is full, read-only or gone.
    pub(super) async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        self.sent += 1;
        let path = self.out.join(format!("{:06}", self.sent));
        in_turn(move || replace(&path, &[&frame])).await
    }

    /// Lets the frame travel with the next beats.
    pub(super) fn post(&self, frame: Bytes) {
        let mut posted = self.own.lock();
        *posted = (posted.0 + 1, frame);
    }

    /// The next frame, or what was posted last; `None`: the other side is gone. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            match self.look().await {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) if since(self.seen.changed_ns) > SILENCE_MAX => return None,
                Ok(None) => tokio::time::sleep(self.look_every).await,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn look(&mut self) -> io::Result<Option<Bytes>> {
        let path = self.inbox.join(format!("{:06}", self.read + 1));
        if let Some(frame) = in_turn(move || content(&path)).await? {
            self.read += 1;
            self.seen.changed_ns = monotonic_ns();
            return Ok(Some(frame));
        }
        if self.seen.looked_ns.is_some_and(|ns| since(ns) < BEAT_EVERY) {
            return Ok(None);
        }
        self.seen.looked_ns = Some(monotonic_ns());
        let path = self.pulse.clone();
        // One that was replaced while it was read is looked at again; who is silent too long is gone all the same.
        let Ok(Some(sign)) = in_turn(move || Sign::read(&path)).await else {
            return Ok(None);
        };
        if sign.beat != self.seen.beat {
            (self.seen.beat, self.seen.changed_ns) = (sign.beat, monotonic_ns());
        }
        let is_new = sign.posted != std::mem::replace(&mut self.seen.posted, sign.posted);
        Ok(Some(sign.frame).filter(|frame| is_new && !frame.is_empty()))
    }
}

/// The sign of life of one side, written until it is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    /// What is posted, and the how-manieth that is.
    posted: Arc<Mutex<(u64, Bytes)>>,
    /// Ends with this.
    _beating: JoinSet<()>,
}

impl Pulse {
    /// In the folder of that side; on a tokio runtime.
    pub(super) fn start(folder: &ShardFolder) -> Arc<Self> {
        let posted = Arc::new(Mutex::new((0_u64, Bytes::new())));
        let (path, told) = (folder.file("pulse"), Arc::clone(&posted));
        let mut beating = JoinSet::new();
        beating.spawn(async move {
            let mut every = tokio::time::interval(BEAT_EVERY);
            for beat in 1_u64.. {
                every.tick().await;
                let (number, frame) = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let path = path.clone();
                let written = blocking(move || sign(&path, (beat, number), &frame));
                // Without it the other side gives this one up, and says so.
                if let Err(error) = written.await {
                    tracing::warn!(%error, "the shared folder does not take a sign of life");
                }
            }
        });
        Arc::new(Self {
            posted,
            _beating: beating,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, Bytes)> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn since(ns: u64) -> Duration {
    Duration::from_nanos(monotonic_ns().saturating_sub(ns))
}

/// The same, as long as no more than so many do.
async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let _turn = FILES.acquire().await.map_err(io::Error::other)?;
    blocking(work).await
}

/// A file system that hangs must not hold up what is timed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, ShardFolder, ShardFolder) {
        let shared = tempfile::tempdir().unwrap();
        let [run, shard] = [1, 2].map(|number| ShardFolder::of(shared.path(), number));
        run.make().unwrap();
        shard.make().unwrap();
        (shared, run, shard)
    }

    #[tokio::test]
    async fn frames_arrive_in_order_and_what_is_posted_beside_them() {
        let (_shared, run, shard) = folders();
        let (of_run, of_shard) = (Pulse::start(&run), Pulse::start(&shard));
        let mut here = Mailbox::of_run(&shard, &of_run, 2);
        let mut there = Mailbox::of_shard(&shard, &run, &of_shard, 2);
        for text in ["one", "two"] {
            there.send(text.into()).await.unwrap();
        }
        there.post("posted".into());
        here.send("back".into()).await.unwrap();
        for expected in ["one", "two", "posted"] {
            assert_eq!(here.next().await.unwrap().unwrap(), expected);
        }
        assert_eq!(there.next().await.unwrap().unwrap(), "back");
    }

    #[tokio::test]
    async fn a_side_without_a_pulse_is_gone_and_one_with_it_is_not() {
        let (_shared, run, shard) = folders();
        let (of_run, of_shard) = (Pulse::start(&run), Pulse::start(&shard));
        let mut here = Mailbox::of_run(&shard, &of_run, 2);
        let silence_ns = u64::try_from(SILENCE_MAX.as_nanos()).unwrap();
        let long_ago = monotonic_ns().saturating_sub(2 * silence_ns);
        while !shard.file("pulse").exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        here.seen.changed_ns = long_ago;
        assert!(here.look().await.unwrap().is_none());
        assert!(here.seen.changed_ns > long_ago, "it beats");
        drop(of_shard);
        drop(of_run);
        (here.seen.changed_ns, here.seen.looked_ns) = (long_ago, Some(monotonic_ns()));
        assert!(here.next().await.is_none());
    }
}
