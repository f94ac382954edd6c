//! This module is what a run and its parts leave in the folder that they share.
//!
//! **In:** the folder. **Out:** who is of the load, and the last word of each part, added up one at a time.
//!
//! ```text
//! SHARED/0001/begun          by the run: its plan and who is of it, when the load is about to begin
//! SHARED/0001/facts          by the run: what it alone knows, when the load is over
//! SHARED/NNNN/from/000001    of each part, the run's own too: which bundle and build it is of
//! SHARED/NNNN/from/…         and its last word, the last file there
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::file::{content, replace};
use super::gathering::{Gathering, Member};
use super::mailbox::ShardFolder;
use super::message::{Done, FrameError, FromShard, decode, encode};
use crate::load::attack::AttackOutcome;

/// What a run leaves beside its parts' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Begun,
    Facts,
}

impl Leaf {
    const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Facts => "facts",
        }
    }
}

/// All who drive a load, and what they must have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Roster {
    /// Names the run's conversations and messages: no other run has it.
    pub tag: String,
    /// SHA-256 of the bundle.
    pub bundle: String,
    /// Version and commit of their build.
    pub build: String,
    /// When the load begins, by the run's wall clock, nanoseconds since 1970.
    pub zero_wall_ns: u64,
    /// In their order.
    pub members: Vec<Member>,
}

/// Why a file of the folder tells nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("{}: {source}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: is not of this build of harness, or damaged: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    shared: PathBuf,
}

impl Archive {
    pub(crate) fn at(shared: &Path) -> Self {
        Self {
            shared: shared.to_owned(),
        }
    }

    /// Keeps something of the run, whole or not at all.
    ///
    /// # Errors
    ///
    /// The folder is full, read-only or gone.
    pub(crate) fn keep(&self, leaf: Leaf, what: &impl Serialize) -> Result<(), ArchiveError> {
        let path = self.folder(1).file(leaf.name());
        let bytes = encode(what).map_err(|error| unreadable(&path, &error))?;
        replace(&path, &[&bytes]).map_err(|source| ArchiveError::Folder { path, source })
    }

    /// What was kept of the run; `None`: nothing.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is of another build.
    pub(crate) fn kept<T: DeserializeOwned>(&self, leaf: Leaf) -> Result<Option<T>, ArchiveError> {
        let path = self.folder(1).file(leaf.name());
        let bytes = content(&path).map_err(|source| ArchiveError::Folder {
            path: path.clone(),
            source,
        })?;
        let read = bytes.map(|bytes| decode(&bytes).map_err(|error| unreadable(&path, &error)));
        read.transpose()
    }

    /// Whether the run has left all it leaves.
    pub(crate) fn is_over(&self) -> bool {
        self.folder(1).file(Leaf::Facts.name()).exists()
    }

    pub(super) fn folder(&self, number: u16) -> ShardFolder {
        ShardFolder::of(&self.shared, number)
    }

    /// Adds up what the parts left; of whom nothing is there, for the reason that is known, or that it is so.
    pub(crate) fn gather(&self, roster: &Roster, known: &BTreeMap<u16, String>) -> AttackOutcome {
        let mut gathering = Gathering::default();
        for member in &roster.members {
            let left = match self.last_word(roster, member.number) {
                Ok(Some(done)) => Ok(done),
                Ok(None) => Err(known.get(&member.number).cloned().unwrap_or_else(|| {
                    "it has left no last word: what it saw is not in this result".to_owned()
                })),
                Err(reason) => Err(reason),
            };
            gathering.add(member, left);
        }
        gathering.whole()
    }

    /// Who has left no last word.
    pub(crate) fn silent<'a>(&self, roster: &'a Roster) -> Vec<&'a Member> {
        let members = roster.members.iter();
        let silent = members.filter(|member| {
            let last = self.last_word(roster, member.number);
            last.is_ok_and(|done| done.is_none())
        });
        silent.collect()
    }

    /// The last word of a part; `None`: it has not said it.
    fn last_word(&self, roster: &Roster, number: u16) -> Result<Option<Done>, String> {
        let folder = self.folder(number);
        let first = folder.frame("from", 1);
        let Some(FromShard::Hello(hello)) = frame(&first)? else {
            return Ok(None);
        };
        if hello.bundle != roster.bundle {
            return Err(format!(
                "what it left is of the bundle {}, and the run of {}",
                hello.bundle, roster.bundle
            ));
        }
        if hello.build != roster.build {
            return Err(format!(
                "what it left is of harness {}, and the run of {}",
                hello.build, roster.build
            ));
        }
        let last = last_number(&folder.file("from")).map_err(|error| error.to_string())?;
        match frame(&folder.frame("from", last))? {
            Some(FromShard::Done(done)) if done.tag == roster.tag => Ok(Some(*done)),
            Some(FromShard::Done(_)) => Err("what it left is of another run".to_owned()),
            Some(_) | None => Ok(None),
        }
    }
}

fn unreadable(path: &Path, error: &FrameError) -> ArchiveError {
    ArchiveError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A frame that lies there.
fn frame(path: &Path) -> Result<Option<FromShard>, String> {
    let shown = path.display();
    let bytes = content(path).map_err(|error| format!("{shown}: {error}"))?;
    let read = bytes.map(|bytes| decode(&bytes).map_err(|error| format!("{shown}: {error}")));
    read.transpose()
}

/// The largest number of a frame in a folder; 0: there is none.
fn last_number(folder: &Path) -> io::Result<u32> {
    let mut last = 0;
    for entry in folder.read_dir()? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

#[cfg(test)]
mod tests;
