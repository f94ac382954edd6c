//! This module names the stretches of a load that can be looked at by themselves.
//!
//! **In:** the stages of a plan, and the names that a scenario gives them. **Out:** [`Part`]s: every stage with a name, and where
//! there are several holds every hold, as `hold-1`, `hold-2` and so on.
//!
//! **Units:** microseconds from load start.

use std::collections::BTreeMap;

use super::{LoadPlan, LoadStage};
use crate::scenario::load::Load;
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::stages::{Shape, Stage};

/// A stretch of the load with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    pub from_us: u64,
    pub to_us: u64,
}

/// The names by the place of the stage; none is there twice.
pub(super) fn names(
    load: &Load,
    stages: &[LoadStage],
    problems: &mut Problems,
) -> BTreeMap<u32, String> {
    let typed: Vec<&Stage> = load.stages.iter().flatten().collect();
    let usual = usual(&typed);
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    for (place, stage) in (0..).zip(&typed) {
        let Some(name) = &stage.name else { continue };
        let field = format!("{}.name", stage.field);
        let is_usual_of_another = usual.iter().any(|(other, usual)| {
            let unnamed = typed
                .get(*other as usize)
                .is_some_and(|of| of.name.is_none());
            *other != place && unnamed && *usual == name.value
        });
        if name.value == "ramp" {
            let complaint = Complaint::new("is what all ramps together are called");
            let hint = "give this stage a name of its own, such as \"to-4000\"";
            problems.add(&name.at, field, complaint.hint(hint));
        } else if is_usual_of_another || names.values().any(|other| *other == name.value) {
            let complaint = Complaint::new(format!("\"{}\" is there twice", name.value));
            let hint = "give each stage a name of its own; without names the holds are hold-1, hold-2 and so on";
            problems.add(&name.at, field, complaint.hint(hint));
        } else {
            names.insert(place, name.value.clone());
        }
    }
    // A ramp that was scaled to nothing looks like a hold: then each is called what it is.
    let is_flat = |(place, _): &(usize, &&Stage)| {
        let stage = stages.get(*place);
        stage.is_some_and(|stage| stage.from == stage.to)
    };
    let ramps = typed
        .iter()
        .enumerate()
        .filter(|(_, stage)| !is_hold(stage));
    let flat: Vec<usize> = ramps.filter(is_flat).map(|(place, _)| place).collect();
    if !flat.is_empty() {
        let ramps = flat.into_iter().map(|place| {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            (place, format!("ramp-{}", place + 1))
        });
        for (place, name) in usual.into_iter().chain(ramps) {
            names.entry(place).or_insert(name);
        }
    }
    names
}

const fn is_hold(stage: &Stage) -> bool {
    matches!(stage.shape, Shape::Hold { .. })
}

/// What holds without a name are called, by their place.
fn usual(typed: &[&Stage]) -> BTreeMap<u32, String> {
    let holds = (0..).zip(typed).filter(|(_, stage)| is_hold(stage));
    (1_u32..)
        .zip(holds)
        .map(|(number, (place, _))| (place, format!("hold-{number}")))
        .collect()
}

impl LoadPlan {
    /// The stretches that can be looked at by themselves, in order of time.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let holds = self.stages.iter().filter(|stage| stage.from == stage.to);
        let several = holds.count() > 1;
        let mut parts = Vec::new();
        let mut hold = 0_u32;
        for (place, stage) in (0..).zip(&self.stages) {
            let is_hold = stage.from == stage.to;
            hold += u32::from(is_hold);
            let usual = (is_hold && several).then(|| format!("hold-{hold}"));
            if let Some(name) = self.stage_names.get(&place).cloned().or(usual) {
                parts.push(Part {
                    name,
                    from_us: stage.start_us,
                    to_us: stage.start_us.saturating_add(stage.length_us),
                });
            }
        }
        parts
    }

    /// The stretch of that name.
    pub(crate) fn part(&self, name: &str) -> Option<Part> {
        self.parts().into_iter().find(|part| part.name == name)
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::compile;
    use crate::scenario::Overrides;

    const HEAD: &str = "# Why?\ntitle = \"t\"\n[load]\nmessage = { every = \"1s\" }\n";

    fn named(stages: &str) -> Vec<(String, u64, u64)> {
        let text = format!("{HEAD}stages = [{stages}]\n");
        let plan = compile("t.toml", &text, &Overrides::default()).unwrap();
        let parts = plan.load.parts().into_iter();
        let s = |us: u64| us / 1_000_000;
        parts
            .map(|part| (part.name, s(part.from_us), s(part.to_us)))
            .collect()
    }

    #[test]
    fn one_hold_needs_no_name_and_of_several_each_has_one() {
        assert!(named("{ ramp = \"2s\", to = 5 }, { hold = \"3s\" }").is_empty());
        let all = named(
            "{ ramp = \"2s\", to = 5, name = \"up\" }, { hold = \"3s\" }, { ramp = \"1s\", to = 9 }, { hold = \"4s\", name = \"at-9\" }, { hold = \"1s\" }",
        );
        let all: Vec<(&str, u64, u64)> = all
            .iter()
            .map(|(name, from, to)| (name.as_str(), *from, *to))
            .collect();
        assert_eq!(
            all,
            [
                ("up", 0, 2),
                ("hold-1", 2, 5),
                ("at-9", 6, 10),
                ("hold-3", 10, 11)
            ]
        );
    }

    #[test]
    fn a_ramp_that_is_scaled_to_nothing_takes_no_hold_s_name() {
        let stages = "{ ramp = \"2s\", to = 100 }, { hold = \"5s\" }, { ramp = \"2s\", to = 120 }, { hold = \"7s\" }";
        let text = format!("{HEAD}stages = [{stages}]\n");
        for clients in [None, Some(3)] {
            let overrides = Overrides {
                clients,
                ..Overrides::default()
            };
            let plan = compile("t.toml", &text, &overrides).unwrap();
            let second = plan.load.part("hold-2").unwrap();
            assert_eq!(
                (second.from_us, second.to_us),
                (9_000_000, 16_000_000),
                "{clients:?}"
            );
        }
    }

    #[test]
    fn a_name_that_another_hold_has_by_itself_is_refused() {
        let stages =
            "{ ramp = \"2s\", to = 5 }, { hold = \"3s\", name = \"hold-2\" }, { hold = \"3s\" }";
        let text = format!("{HEAD}stages = [{stages}]\n");
        let problems = compile("t.toml", &text, &Overrides::default()).unwrap_err();
        assert!(
            problems.to_string().contains("\"hold-2\" is there twice"),
            "{problems}"
        );
    }

    #[test]
    fn a_rule_on_a_stage_that_is_over_is_never_looked_at() {
        let rule = "[[abort_when]]\nwhat = \"lost\"\nwhen = \"up\"\nafter = \"3s\"\nat_least = 1\n";
        let text = format!(
            "{HEAD}stages = [{{ ramp = \"2s\", to = 5, name = \"up\" }}, {{ hold = \"9s\" }}]\n{rule}"
        );
        let problems = compile("t.toml", &text, &Overrides::default()).unwrap_err();
        assert!(
            problems
                .to_string()
                .contains("is never looked at: up ends at 2s"),
            "{problems}"
        );
    }

    #[test]
    fn a_name_that_is_there_twice_and_one_that_is_none_are_named() {
        let stages = "{ ramp = \"2s\", to = 5, name = \"a\" }, { hold = \"3s\", name = \"a\" }, { hold = \"3s\", name = \"ramp\" }";
        let text = format!(
            "{HEAD}stages = [{stages}]\n[[expect]]\nwhat = \"lost\"\nwhen = \"hold-7\"\nequals = 0\n"
        );
        let problems = compile("t.toml", &text, &Overrides::default()).unwrap_err();
        let problems = problems.to_string();
        for said in [
            "\"a\" is there twice",
            "is what all ramps together are called",
            "no stage is called \"hold-7\"",
        ] {
            assert!(problems.contains(said), "{said}: {problems}");
        }
    }
}
