//! This module holds the `[[trial]]` entries as typed: experiments that are repeated beside the load.
//!
//! **In:** a section of the document. **Out:** [`Trial`]: what is tried, how often, and how often it must
//! have succeeded to say anything.
//!
//! Each kind is a file: its keys, what it promises, what it needs. Reader, plan, schema and checks follow
//! from there. To add one: a file here, its name in the list below, and the experiment in `trial/`.

mod answers;
mod broadcast;
mod close_code;
mod comeback;
mod expiry;
mod expiry_race;
mod flood;
mod heartbeat;
mod hostile;
mod keep_alive;
mod origin;
mod oversize;
mod participation;
mod polling;
mod refusal;
mod reply_lost;
mod resume;
mod retry;
pub(super) mod schema;
mod slow_reader;
mod spec;
mod token_age;
mod token_hoard;
mod token_log;
mod token_race;
mod token_reuse;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::spec::Spec as _;
pub(crate) use self::spec::{Need, Promise, Situation};
use super::keys::{Described, Keys as _};
use super::problem::{Located, Place, Problems};
use super::section::Section;
use super::value::{self, HOUR, MS};

/// Most trials of one scenario.
pub(super) const TRIALS_MAX: usize = 32;
/// Most experiments of one trial under way at once.
const CONCURRENCY_MAX: u16 = 1_000;
const SAMPLES_MAX: u64 = 10_000_000;

/// A kind without its numbers.
pub(super) struct Kind {
    pub name: &'static str,
    /// What is tried, in one sentence.
    pub about: &'static str,
    keys: fn() -> Vec<Described>,
    read: fn(&mut Section<'_>, &mut Problems) -> Option<TrialKind>,
}

macro_rules! kinds {
    ($($file:ident: $name:ident,)*) => {
        $( pub(crate) use $file::$name; )*

        /// What is tried.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", tag = "kind")]
        pub(crate) enum TrialKind {
            $( $name($name), )*
        }

        $( impl From<$name> for TrialKind {
            fn from(kind: $name) -> Self {
                Self::$name(kind)
            }
        } )*

        /// Every kind.
        pub(super) const KINDS: &[Kind] = &[
            $( Kind {
                name: $name::NAME,
                about: $name::ABOUT,
                keys: $name::describe,
                read: |section, problems| $name::read(section, problems).map(TrialKind::$name),
            }, )*
        ];

        impl TrialKind {
            /// As a scenario writes it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $( Self::$name(_) => $name::NAME, )* }
            }

            /// What a server has to keep.
            pub(crate) const fn promises(self) -> &'static [Promise] {
                match self { $( Self::$name(_) => $name::PROMISES, )* }
            }

            /// Without these it is not possible.
            pub(crate) const fn needs(self) -> &'static [Need] {
                match self { $( Self::$name(_) => $name::NEEDS, )* }
            }

            /// How long one experiment waits at least, in microseconds.
            pub(crate) fn waits_us(self) -> u64 {
                match self { $( Self::$name(kind) => kind.waits_us(), )* }
            }

            /// How long one experiment may take beside what all may take, in microseconds.
            pub(crate) fn longest_us(self) -> u64 {
                match self { $( Self::$name(kind) => kind.longest_us(), )* }
            }

            /// Its own keys, each with its value as a scenario writes it.
            pub(crate) fn print(self) -> Vec<(&'static str, toml::Value)> {
                match self { $( Self::$name(kind) => kind.print(), )* }
            }
        }
    };
}

kinds! {
    token_race: TokenRace,
    token_reuse: TokenReuse,
    reply_lost: ReplyLost,
    token_age: TokenAge,
    token_log: TokenLog,
    refusal: Refusal,
    origin: Origin,
    participation: Participation,
    flood: Flood,
    token_hoard: TokenHoard,
    hostile: Hostile,
    oversize: Oversize,
    heartbeat: Heartbeat,
    retry: Retry,
    expiry: Expiry,
    expiry_race: ExpiryRace,
    answers: Answers,
    keep_alive: KeepAlive,
    broadcast: Broadcast,
    resume: Resume,
    polling: Polling,
    close_code: CloseCode,
    comeback: Comeback,
    slow_reader: SlowReader,
}

/// One `[[trial]]`. A part is `None` where it was missing or wrong, which is a problem already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    /// Path of the entry: `trial[0]`.
    pub field: String,
    pub at: Place,
    pub name: Option<Located<String>>,
    pub kind: Option<TrialKind>,
    /// Experiments under way at once, each with an account of its own.
    pub concurrency: u16,
    /// Pause between two experiments of one account.
    pub interval: Duration,
    /// Experiments with a clear outcome that a run must have to say anything.
    pub min_samples: u64,
}

/// Reads all `[[trial]]` entries.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Vec<Trial> {
    let sections = root.tables(problems, "trial", TRIALS_MAX);
    sections
        .into_iter()
        .map(|section| one(section, problems))
        .collect()
}

fn one(mut section: Section<'_>, problems: &mut Problems) -> Trial {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let hint = format!(
        "write what is tried: kind = \"token-race\"; known: {}",
        names.join(", ")
    );
    let named = KINDS.iter().map(|kind| (kind.name, kind)).collect();
    let kind = section.require(problems, "kind", &hint, value::choice_of(named));
    let known = kind.is_some();
    let kind = kind.and_then(|kind| (kind.value.read)(&mut section, problems));
    let trial = Trial {
        field: section.path().to_owned(),
        at: section.at.clone(),
        name: section.read(problems, "name", value::plain_name),
        kind,
        concurrency: section
            .read_renamed(
                problems,
                ("concurrency", "at_once"),
                1,
                value::integer(1..=CONCURRENCY_MAX),
            )
            .value,
        interval: section
            .read_renamed(
                problems,
                ("interval", "every"),
                500 * MS,
                value::duration(MS..=HOUR),
            )
            .value,
        min_samples: section
            .read_renamed(
                problems,
                ("min_samples", "least"),
                1,
                value::integer(1..=SAMPLES_MAX),
            )
            .value,
    };
    // Which keys belong here depends on the kind: without one, nothing can be called unknown.
    if known {
        section.finish(problems);
    }
    trial
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, read};

    fn notes(keys: &str) -> (Option<u64>, Vec<String>, usize) {
        let text =
            format!("[load]\nclients = 1\nhold = \"5s\"\n[[trial]]\nkind = \"origin\"\n{keys}\n");
        let (file, problems) = read("a.toml", &text, &Overrides::default());
        let samples = file.trials.first().map(|trial| trial.min_samples);
        (samples, problems.notes(), problems.count())
    }

    #[test]
    fn a_name_of_before_is_read_with_a_note_and_never_beside_the_new_one() {
        assert_eq!(notes("min_samples = 7"), (Some(7), Vec::new(), 0));
        let note = "a.toml:6: trial[0].least: is called `min_samples` now; the old name is read in this release only";
        assert_eq!(notes("least = 7"), (Some(7), vec![note.to_owned()], 0));
        let (samples, told, problems) = notes("least = 7\nmin_samples = 8");
        assert_eq!((samples, told.len(), problems), (Some(8), 0, 1));
    }
}
