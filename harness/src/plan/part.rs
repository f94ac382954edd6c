//! This module names the stretches of a load that can be looked at by themselves.
//!
//! **In:** the stages of a plan, and the names that a scenario gives them. **Out:** [`Part`]s: every stage with a name, and where
//! there are several holds every hold, as `hold-1`, `hold-2` and so on.
//!
//! **Units:** microseconds from load start.

use std::collections::BTreeMap;

use super::LoadPlan;
use crate::scenario::load::Load;
use crate::scenario::problem::{Complaint, Problems};

/// A stretch of the load with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    pub from_us: u64,
    pub to_us: u64,
}

/// The names by the place of the stage; none is there twice.
pub(super) fn names(load: &Load, problems: &mut Problems) -> BTreeMap<u32, String> {
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    for (place, stage) in (0..).zip(load.stages.iter().flatten()) {
        let Some(name) = &stage.name else { continue };
        let field = format!("{}.name", stage.field);
        if name.value == "ramp" {
            let complaint = Complaint::new("is what all ramps together are called");
            let hint = "give this stage a name of its own, such as \"to-4000\"";
            problems.add(&name.at, field, complaint.hint(hint));
        } else if names.values().any(|other| *other == name.value) {
            let complaint = Complaint::new(format!("\"{}\" is there twice", name.value));
            problems.add(
                &name.at,
                field,
                complaint.hint("give each stage a name of its own"),
            );
        } else {
            names.insert(place, name.value.clone());
        }
    }
    names
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
