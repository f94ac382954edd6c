//! What the reports of a comparison say: as snapshots, and what others must be able to read.

use super::annotation;
use super::{Artifact, markdown, terminal};
use crate::gate::comparison::{Decision, Outcome};
use crate::gate::decision::decide;
use crate::gate::rules::{Pairing, Rules};
use crate::gate::sides::Named;
use crate::gate::synthetic::{Dice, Truth, pairs};
use crate::render::terminal::Style;

fn decision(
    count: usize,
    factor: f64,
    change: impl Fn(&mut Vec<crate::gate::facts::RunFacts>),
) -> Decision {
    let new = Truth {
        factor,
        ..Truth::calm()
    };
    let [base, mut new] = pairs(&mut Dice::new(3), count, Truth::calm(), new);
    change(&mut new);
    let named = |name: &str, runs| Named {
        name: name.to_owned(),
        runs,
    };
    decide(
        &named("main", &base),
        &named("reports/new", &new),
        Pairing::ByTime,
        &Rules::default(),
    )
}

fn slower() -> Decision {
    decision(10, 1.5, |_| ())
}

fn refused() -> Decision {
    decision(4, 1.0, |runs| {
        for run in runs {
            run.host.cores = 64;
        }
    })
}

fn text(of: Artifact, decision: &Decision) -> String {
    String::from_utf8(of.render(decision).unwrap()).unwrap()
}

#[test]
fn the_terminal_says_what_decided() {
    let told = |decision: &Decision| terminal::text(decision, &Style::default(), false);
    insta::assert_snapshot!("gate_terminal_slower", told(&slower()));
    insta::assert_snapshot!("gate_terminal_refused", told(&refused()));
    let open = decision(4, 1.0, |_| ());
    assert_eq!(open.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!("gate_terminal_inconclusive", told(&open));
    let wide = told(&slower());
    let widest = wide.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{wide}");
}

#[test]
fn a_comment_begins_with_its_marker_and_has_ten_lines_of_table() {
    let comment = markdown::text(&slower());
    insta::assert_snapshot!("gate_comment", comment);
    assert!(comment.starts_with("<!-- harness-gate: smoke -->\n"));
    let before = comment.split("<details>").next().unwrap();
    assert!(before.lines().filter(|line| line.starts_with('|')).count() <= 10);
    let other = markdown::text(&refused());
    assert_eq!(
        other.lines().next(),
        comment.lines().next(),
        "a bot finds its comment by it"
    );
}

#[test]
fn annotations_stand_at_the_line_of_the_expectation() {
    let mut found = slower();
    insta::assert_snapshot!("gate_annotations", annotation::text(&found));
    found.scenario = "a,b:c%\n.toml".to_owned();
    let text = annotation::text(&found);
    assert!(text.contains("file=a%2Cb%3Ac%25%0A.toml,line="), "{text}");
    let lines = text.lines().count();
    assert_eq!(
        lines,
        text.matches("::error ").count(),
        "one line each: {text}"
    );
}

#[test]
fn gitlab_gets_a_fingerprint_that_stays() {
    let one = text(Artifact::Codequality, &slower());
    insta::assert_snapshot!("gate_quality", one);
    let prints = |text: &str| -> Vec<String> {
        let found: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        found
            .iter()
            .map(|one| one["fingerprint"].to_string())
            .collect()
    };
    let later = text(Artifact::Codequality, &decision(12, 1.7, |_| ()));
    assert!(prints(&later).contains(&prints(&one)[0]));
    let passed = text(Artifact::Codequality, &decision(10, 0.5, |_| ()));
    assert_eq!(passed, "[]\n");
}

#[test]
fn junit_counts_what_it_holds() {
    let slower = text(Artifact::Junit, &slower());
    insta::assert_snapshot!("gate_junit", slower);
    let refused = text(Artifact::Junit, &refused());
    assert!(refused.contains("errors=\"1\"") && refused.contains("<error type=\"gate\""));
}

#[test]
fn gate_json_reads_back() {
    for decision in [slower(), refused()] {
        let bytes = Artifact::Json.render(&decision).unwrap();
        let back: Decision = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(back.outcome, decision.outcome);
        assert_eq!(back.rows.len(), decision.rows.len());
    }
}

#[test]
fn the_page_is_whole_and_hostile_names_stay_text() {
    let mut decision = slower();
    decision.title = "<script>alert(1)</script>".to_owned();
    decision.new.name = "<img src=x>".to_owned();
    decision.sentence = "<b>\u{1b}[2J".to_owned();
    let page = text(Artifact::Html, &decision);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("data-id=\"change\""));
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x>"));
    assert!(!page.contains('\u{1b}'));
    let comment = markdown::text(&decision);
    assert!(!comment.contains("<script>") && !comment.contains("<img"));
    assert!(!terminal::text(&decision, &Style::default(), true).contains('\u{1b}'));
}
