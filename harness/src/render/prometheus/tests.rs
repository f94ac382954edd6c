//! The file held to the rules of its reader, without the reader.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::render::sample::{Story, result};
use crate::scenario::expectation::Comparison;

fn text(result: &RunResult) -> String {
    String::from_utf8(Metrics.render(result).unwrap()).unwrap()
}

/// What `promtool check metrics` complains about, as rules.
#[track_caller]
fn clean(text: &str) {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped: BTreeSet<&str> = BTreeSet::new();
    let mut samples: BTreeSet<&str> = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name), "helped twice: {name}");
            assert!(!help.is_empty(), "{name}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "typed twice: {name}");
            assert!(helped.contains(name), "no help: {name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} {kind}");
            for reserved in ["_sum", "_count", "_bucket"] {
                assert!(!name.ends_with(reserved), "{name}");
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(samples.insert(sample), "told twice: {sample}");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        let name = sample.split('{').next().unwrap();
        let base = ["_sum", "_count"].into_iter().find_map(|end| {
            let base = name.strip_suffix(end)?;
            (kinds.get(base) == Some(&"summary")).then_some(base)
        });
        let kind = kinds.get(base.unwrap_or(name));
        let kind = kind.unwrap_or_else(|| panic!("no type: {name}"));
        let quantile = sample.contains("quantile=");
        assert_eq!(quantile, *kind == "summary" && base.is_none(), "{line}");
        assert!(
            sample.contains("run=\"") && sample.contains("scenario=\""),
            "{line}"
        );
    }
    assert!(samples.len() > 60, "{} samples", samples.len());
}

#[test]
fn every_story_is_clean_under_the_rules_of_promtool() {
    for story in [
        Story::Pass,
        Story::Fail,
        Story::Invalid,
        Story::Interrupted,
        Story::Inconclusive,
    ] {
        clean(&text(&result(story)));
    }
}

#[test]
fn two_runs_in_one_folder_share_no_sample() {
    let (one, mut other) = (result(Story::Pass), result(Story::Pass));
    other.run.id = "r-00000002".to_owned();
    let (one, other) = (text(&one), text(&other));
    let samples = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| line.rsplit_once(' '));
        names.map(|(sample, _)| sample.to_owned()).collect()
    };
    assert!(samples(&one).is_disjoint(&samples(&other)));
}

#[test]
fn two_bounds_on_one_quantity_are_two_samples() {
    let mut result = result(Story::Pass);
    let mut least = result.expectations[3].clone();
    least.expectation.bound.comparison = Comparison::AtLeast;
    result.expectations.push(least);
    let text = text(&result);
    clean(&text);
    let both = ["bound=\"equals\"", "bound=\"at_least\""];
    let told = |bound: &&str| {
        let mut lines = text.lines();
        lines.any(|line| {
            line.starts_with("harness_expectation_held{")
                && line.contains("what=\"lost\"")
                && line.contains(*bound)
        })
    };
    assert!(both.iter().all(told), "{text}");
}
