//! This module holds the folder of a search: new, or one to go on with, and nobody else's meanwhile.
//!
//! **In:** `--out` or `--resume`, what is asked. **Out:** a [`Place`], and what an earlier search has seen there.
//!
//! **Source:** flock(2), of the folder itself: nothing of it is left behind, and what is written anew in it does not end it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::capacity::account::{Answer, SCHEMA};
use crate::capacity::question::Question;
use crate::cli::claim;
use crate::cli::failure::Failure;
use crate::exit::Exit;
use crate::gate::facts::HostClass;
use crate::intake::{self, reason};
use crate::render::capacity as render;

/// Largest account that is read.
const BYTES_MAX: u64 = 64 << 20;

/// The folder of a search, held as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    pub path: PathBuf,
    held: File,
}

impl Place {
    /// The folder of a new search.
    pub(super) fn fresh(path: PathBuf) -> Result<Self, Failure> {
        claim::empty(&path)?;
        fs::create_dir_all(&path).map_err(|error| {
            let (shown, reason) = (path.display(), reason(&error));
            let fact = format!("--out {shown}: cannot be written: {reason}");
            Failure::new(Exit::Storage, fact)
                .hint("name a folder that can be written to, with --out")
        })?;
        let place = Self::hold("--out", path)?;
        // Between the look and now somebody may have come and gone.
        claim::empty(&place.path)?;
        Ok(place)
    }

    /// The folder of an earlier search, which was asked the same, and what it has seen.
    pub(super) fn resumed(path: &Path, question: &Question) -> Result<(Self, Answer), Failure> {
        // Before the lock, so that a folder that is not there is told by its file.
        account(path)?;
        let place = Self::hold("--resume", path.to_owned())?;
        let earlier = account(path)?;
        check(path, &earlier.asked, question)?;
        Ok((place, earlier))
    }

    fn hold(flag: &str, path: PathBuf) -> Result<Self, Failure> {
        let shown = path.display();
        let unheld = |error: std::io::Error| {
            let fact = format!("{flag} {shown}: cannot be locked: {}", reason(&error));
            Failure::new(Exit::Storage, fact).hint("name a folder on a disk of this machine")
        };
        let held = File::open(&path).map_err(unheld)?;
        match held.try_lock() {
            Ok(()) => Ok(Self { path, held }),
            Err(TryLockError::WouldBlock) => {
                let fact = format!("{flag} {shown}: a search is under way there");
                Err(Failure::new(Exit::Usage, fact)
                    .hint("name another folder, or wait for its end"))
            }
            Err(TryLockError::Error(error)) => Err(unheld(error)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A run that is just being started has a copy, which alone would hold the folder a moment longer.
        drop(self.held.unlock());
    }
}

/// The account of an earlier search.
pub(super) fn account(folder: &Path) -> Result<Answer, Failure> {
    let path = folder.join(render::JSON);
    let shown = path.display();
    let unread = |fact: String| {
        Failure::new(Exit::Storage, fact).hint("name the folder of an earlier search")
    };
    let bytes = intake::bytes(&path, BYTES_MAX)
        .map_err(|error| unread(format!("{shown}: cannot be read: {error}")))?;
    let earlier: Answer = serde_json::from_slice(&bytes)
        .map_err(|error| unread(format!("{shown}: is no account of a search: {error}")))?;
    if earlier.schema != SCHEMA {
        let fact = format!(
            "{shown}: has the format \"{}\", and this harness reads \"{SCHEMA}\"",
            earlier.schema
        );
        return Err(unread(fact));
    }
    Ok(earlier)
}

/// Probes of both may stand beside each other. How finely, how often and how far may be asked anew.
fn check(folder: &Path, earlier: &Question, now: &Question) -> Result<(), Failure> {
    let shown = folder.display();
    let refused = |fact: String, hint: String| {
        let fact = format!("--resume {shown}: {fact}");
        Err(Failure::new(Exit::Usage, fact).hint(hint))
    };
    let same = (earlier.axis, &earlier.plan_hash, &earlier.target)
        == (now.axis, &now.plan_hash, &now.target);
    if !same {
        return refused(
            "was asked something else: another axis, scenario or target".to_owned(),
            format!("its command was: {}", earlier.command),
        );
    }
    unlike(earlier, now).map_or(Ok(()), |(fact, hint)| refused(fact, hint.to_owned()))
}

/// Why probes of both may not stand beside each other, though they were asked the same; and what to do about it.
pub(super) fn unlike(earlier: &Question, now: &Question) -> Option<(String, &'static str)> {
    let class = |question: &Question| question.host.as_ref().map(HostClass::of);
    if let Some((theirs, ours)) = class(earlier).zip(class(now))
        && !theirs.is_like(&ours)
    {
        return Some((
            format!("its probes were done on another machine ({theirs}), and this is {ours}"),
            "go on with it there, or search anew here, with --out",
        ));
    }
    let servers = earlier.server_sha256.as_ref();
    let (theirs, ours) = servers.zip(now.server_sha256.as_ref())?;
    (theirs != ours).then(|| {
        (
            "its probes were done with another build of the server".to_owned(),
            "name that binary with --server, or search anew, with --out",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_searched_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let place = Place::fresh(path.clone()).unwrap();
        let second = Place::hold("--resume", path.clone()).unwrap_err();
        assert!(second.to_string().contains("under way"), "{second}");
        let third = Place::fresh(path.clone()).unwrap_err();
        assert!(third.to_string().contains("under way"), "{third}");
        drop(place);
        drop(Place::hold("--resume", path.clone()).unwrap());
        // Nothing is left of it.
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
}
