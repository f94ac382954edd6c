//! This module reads what other numbers of instances take.
//!
//! **In:** `--beside`, folders of searches that were done. **Out:** what each found.

use std::path::PathBuf;

use super::place;
use crate::capacity::question::Question;
use crate::capacity::scale_out::Together;
use crate::capacity::search::Found;
use crate::cli::failure::Failure;
use crate::exit::Exit;
use crate::plan::{self, Plan};

/// What other numbers of instances take, by the answers in these folders.
pub(super) fn beside(
    folders: &[PathBuf],
    (plan, question): (&Plan, &Question),
) -> Result<Vec<Together>, Failure> {
    let each = folders.iter().map(|folder| {
        let answer = place::account(folder)?;
        let asked = &answer.asked;
        // The same but for the number of instances.
        let mut alike = plan.clone();
        alike.environment.server.instances = asked.instances;
        let same = (asked.axis, &asked.plan_hash, &asked.target)
            == (question.axis, &plan::hash(&alike), &question.target);
        let wrong = |fact: &str| {
            let fact = format!("--beside {}: {fact}", folder.display());
            Err(Failure::new(Exit::Usage, fact).hint(
                "name the answer of the same search with another --set environment.server.instances=N",
            ))
        };
        if !same {
            return wrong("was asked something else: another axis, scenario or target");
        }
        if let Some((fact, _)) = place::unlike(asked, question) {
            return wrong(&fact);
        }
        if Exit::of(answer.exit_code) != Exit::Pass {
            return wrong("has no confirmed answer");
        }
        if asked.instances == question.instances {
            return wrong("is of as many instances as this search");
        }
        let (held, broke) = match answer.found {
            Found::Between { held, broke } => (held, Some(broke)),
            Found::AtLeast { .. } | Found::GeneratorFull { .. } | Found::LessThan { .. } | Found::Unclear => {
                return wrong("did not find between which loads the limit lies");
            }
        };
        Ok(Together {
            instances: u64::from(asked.instances),
            held,
            broke,
        })
    });
    each.collect()
}
