//! This module is what a run leaves in the folder of its parts, and the result that is made of it again.
//!
//! **In:** the folder. **Out:** for a run, two files: what it is, when the load is about to begin, and what it alone knows,
//! when the load is over. For a merge, [`Facts`]: the same as the run's, bit for bit; where a part, or the run, left
//! nothing, that is named and makes the result invalid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::attack::AttackOutcome;
use crate::plan::{Plan, hash, tick_us};
use crate::record::fault::FaultStamps;
use crate::record::recording::Recording;
use crate::record::trial::TrialRecord;
use crate::result::facts::Facts;
use crate::result::{Gauges, Generator, GooseCounts, Run};
use crate::shard::{Archive, ArchiveError, Glimpse, Leaf, Place, Roster, build};

/// How long a sign of life is waited for before a part, or the run, counts as ended: several of them.
const LOOK_FOR: Duration = Duration::from_secs(5);

/// What a run is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub plan: Plan,
    pub run: Run,
    pub roster: Roster,
}

/// What a run alone knows.
#[derive(Serialize, Deserialize)]
struct Known {
    /// Without what the parts brought.
    facts: Facts,
    /// Who brought nothing, by number, and why.
    missing: BTreeMap<u16, String>,
    started_wall_ns: u64,
}

/// Why nothing is merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("{}: no run has begun there", .0.display())]
    NoRun(PathBuf),
    #[error("{}: {by} is still under way there", shared.display())]
    UnderWay { shared: PathBuf, by: String },
    #[error("{}: {reason}", shared.display())]
    OtherBuild { shared: PathBuf, reason: String },
    #[error("{}: holds files of several runs: {what}", shared.display())]
    SeveralRuns { shared: PathBuf, what: String },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl MergeError {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::NoRun(_) => {
                "name the folder that was --shared, of parts that had met: before that there is nothing to add up"
            }
            Self::UnderWay { .. } => "wait for its end, or look at it: `harness watch DIR`",
            Self::OtherBuild { .. } | Self::Archive(_) => {
                "merge with the build of harness that the parts had, in a folder that can be read"
            }
            Self::SeveralRuns { .. } => {
                "a folder tells of one run: keep each in a folder of its own"
            }
        }
    }
}

/// Leaves what a run of a bundle is. What cannot be left is missing to a merge, and not to the run.
pub(super) fn begin(place: Option<&Place>, (plan, run): (&Plan, &Run), roster: Option<Roster>) {
    if let (Some(place), Some(roster)) = (place, roster) {
        let begun = Begun {
            plan: plan.clone(),
            run: run.clone(),
            roster,
        };
        told(Archive::at(&place.shared).keep(Leaf::Begun, &begun));
    }
}

/// Leaves what it alone knows: facts without what the parts brought.
pub(super) fn end(
    place: Option<&Place>,
    facts: Facts,
    (attack, started_wall_ns): (&AttackOutcome, u64),
) -> Facts {
    let Some(place) = place else {
        return facts;
    };
    let known = Known {
        facts,
        missing: attack.missing.clone(),
        started_wall_ns,
    };
    told(Archive::at(&place.shared).keep(Leaf::Facts, &known));
    known.facts
}

fn told(kept: Result<(), ArchiveError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "the shared folder does not take what a merge needs");
    }
}

/// The facts of a run with what its load brought.
pub(super) fn with(facts: Facts, attack: AttackOutcome) -> Facts {
    let mut given_up = attack.given_up;
    given_up.extend(facts.generator.given_up);
    Facts {
        recording: attack.recording,
        parts: attack.parts,
        goose: attack.goose,
        generator: Generator {
            given_up,
            ..facts.generator
        },
        ..facts
    }
}

/// What the run in a folder is; `None`: none has begun there.
///
/// # Errors
///
/// It is of another build.
pub(crate) fn begun(shared: &Path) -> Result<Option<Begun>, MergeError> {
    let Some(begun): Option<Begun> = Archive::at(shared).kept(Leaf::Begun)? else {
        return Ok(None);
    };
    let (parts, own) = (&begun.roster.build, build());
    if *parts != own {
        return Err(MergeError::OtherBuild {
            shared: shared.to_owned(),
            reason: format!("its parts were harness {parts}, and this is {own}"),
        });
    }
    Ok(Some(begun))
}

/// The facts of a run, of what it and its parts left in their folder, and its start: wall clock, nanoseconds since 1970.
///
/// # Errors
///
/// There is no run, it is not over, or what lies there does not belong together.
pub(super) fn facts(shared: &Path) -> Result<(Facts, u64), MergeError> {
    let archive = Archive::at(shared);
    let begun = begun(shared)?.ok_or_else(|| MergeError::NoRun(shared.to_owned()))?;
    let several = |what: &str| MergeError::SeveralRuns {
        shared: shared.to_owned(),
        what: what.to_owned(),
    };
    if hash(&begun.plan) != begun.run.plan_hash {
        return Err(several("the plan is not that of the run"));
    }
    let known: Option<Known> = archive.kept(Leaf::Facts)?;
    if known
        .as_ref()
        .is_some_and(|known| known.facts.run.id != begun.run.id)
    {
        return Err(several("one began there, and another ended there"));
    }
    over(&archive, &begun, known.is_some()).map_err(|by| MergeError::UnderWay {
        shared: shared.to_owned(),
        by,
    })?;
    let known = known.unwrap_or_else(|| Known {
        started_wall_ns: begun.roster.zero_wall_ns,
        missing: BTreeMap::new(),
        facts: unknown(begun.plan, begun.run),
    });
    let attack = archive.gather(&begun.roster, &known.missing);
    Ok((with(known.facts, attack), known.started_wall_ns))
}

/// Whether nobody is at it any more; else who is.
fn over(archive: &Archive, begun: &Begun, run_is_over: bool) -> Result<(), String> {
    if !run_is_over && Glimpse::run_beats(archive, LOOK_FOR) {
        return Err("the run".to_owned());
    }
    let silent = archive.silent(&begun.roster);
    let numbers: Vec<u16> = silent.iter().map(|member| member.number).collect();
    if Glimpse::any_beats(archive, &numbers, LOOK_FOR) {
        let named: Vec<&str> = silent.iter().map(|member| member.named.as_str()).collect();
        return Err(named.join(" or "));
    }
    Ok(())
}

/// What is known of a run that left nothing: nothing but that.
fn unknown(plan: Plan, run: Run) -> Facts {
    let end_us = plan.load.end_us();
    let sentence = "the run ended before it had left what it alone knows: of faults, trials, the server and the machine nothing is in this result";
    Facts {
        run: Run {
            duration_us: end_us,
            ..run
        },
        recording: Recording::default(),
        parts: Vec::new(),
        peak_open: 0,
        goose: GooseCounts::default(),
        stamps: plan.faults.iter().map(|_| FaultStamps::default()).collect(),
        trials: plan.trials.iter().map(|_| TrialRecord::default()).collect(),
        generator: Generator {
            given_up: vec![sentence.to_owned()],
            lanes: plan.load.lanes,
            tick_us: tick_us(&plan),
            ..Generator::default()
        },
        server: None,
        ended_processes: Vec::new(),
        gauges: Gauges::default(),
        processes: Vec::new(),
        accept_backlog: None,
        traffic: None,
        usage: Vec::new(),
        end_us,
        plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::result::{Status, example_plan};
    use crate::run::{identity, merge};
    use crate::scenario::Overrides;

    fn begun_of(plan: Plan) -> Begun {
        let roster = Roster {
            tag: "t".to_owned(),
            bundle: "b".to_owned(),
            build: build(),
            zero_wall_ns: 1,
            members: Vec::new(),
        };
        Begun {
            run: identity::run(&plan, "r-0a", "harness shard", 1, identity::host()),
            plan,
            roster,
        }
    }

    #[track_caller]
    fn shared(begun: &Begun) -> tempfile::TempDir {
        let shared = tempfile::tempdir().unwrap();
        std::fs::create_dir(shared.path().join("0001")).unwrap();
        Archive::at(shared.path()).keep(Leaf::Begun, begun).unwrap();
        shared
    }

    #[test]
    fn a_plan_with_every_key_comes_back_from_the_folder() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
        for name in ["every-key.toml", "every-key-of-a-target.toml"] {
            let text = std::fs::read_to_string(fixtures.join(name)).unwrap();
            let plan = compile(name, &text, &Overrides::default()).unwrap();
            let shared = shared(&begun_of(plan.clone()));
            assert_eq!(begun(shared.path()).unwrap().unwrap().plan, plan);
        }
    }

    #[test]
    fn what_a_run_left_that_is_gone_is_an_invalid_result_and_what_does_not_belong_together_none() {
        let mut one = begun_of(example_plan());
        let shared_by_one = shared(&one);
        let merged = merge(shared_by_one.path()).unwrap().result;
        assert_eq!(merged.verdict.status, Status::Invalid);
        let given_up = &merged.generator.given_up;
        assert!(
            given_up[0].starts_with("the run ended before"),
            "{given_up:?}"
        );
        let known = Known {
            facts: unknown(
                one.plan.clone(),
                Run {
                    id: "r-0b".to_owned(),
                    ..one.run.clone()
                },
            ),
            missing: BTreeMap::new(),
            started_wall_ns: 1,
        };
        Archive::at(shared_by_one.path())
            .keep(Leaf::Facts, &known)
            .unwrap();
        let refused = |shared: &tempfile::TempDir| merge(shared.path()).err().unwrap().to_string();
        assert!(refused(&shared_by_one).contains("files of several runs"));
        one.plan.seed += 1;
        assert!(refused(&shared(&one)).contains("the plan is not that of the run"));
        one.roster.build = "0.0.1".to_owned();
        assert!(refused(&shared(&one)).contains("its parts were harness 0.0.1, and this is"));
        let empty = tempfile::tempdir().unwrap();
        assert!(refused(&empty).contains("no run has begun there"));
    }
}
