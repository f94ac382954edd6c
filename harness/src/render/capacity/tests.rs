//! What the reports of a search say: as snapshots.

use super::{files, terminal};
use crate::capacity::account::{Answer, End};
use crate::capacity::axis::Axis;
use crate::capacity::probe::{Little, Probe};
use crate::capacity::question::Question;
use crate::capacity::search::{Bounds, Came, Why};
use crate::capacity::uses::Use;
use crate::render::terminal::Style;

fn question() -> Question {
    Question {
        title: "capacity-chat".to_owned(),
        scenario: "scenarios/capacity-chat.toml".to_owned(),
        target: "the reference server".to_owned(),
        instances: 1,
        beside: Vec::new(),
        axis: Axis::MessageRate,
        bounds: Bounds {
            from: 50,
            to: 3_200,
            precision_ratio: 0.05,
            confirm: 2,
        },
        expected: vec!["complete p99 < 200 ms".to_owned(), "lost = 0".to_owned()],
        command: "harness capacity scenarios/capacity-chat.toml --axis message-rate".to_owned(),
        plan_hash: "a".repeat(64),
        started_at: "2026-11-21T06:00:00.000Z".to_owned(),
        harness_version: "0.1.0".to_owned(),
        want: Some(5_000),
        spare: 1,
        price_per_hour: Some(0.34),
        host: None,
        server_sha256: None,
    }
}

fn uses() -> Vec<Use> {
    let of = |what: &str, text: &str, share_ratio: Option<f64>, generator: bool| Use {
        what: what.to_owned(),
        text: text.to_owned(),
        share_ratio,
        generator,
    };
    vec![
        of(
            "this machine's processors",
            "0.88 cores of 2.00 cores",
            Some(0.44),
            true,
        ),
        of(
            "the server's processor",
            "0.61 cores of 2.00 cores",
            Some(0.305),
            false,
        ),
        of(
            "the target's accept backlog",
            "3 of 1,024 connections",
            Some(0.003),
            false,
        ),
        of("the target's task queue", "71 waiting at most", None, false),
        of(
            "network, sockets of the clients",
            "412 KiB/s to them, 61 KiB/s from them",
            None,
            false,
        ),
    ]
}

/// A service that answers 620 a second at most.
fn probe((place, load): (usize, u64)) -> Probe {
    let rate = (load as f64).min(620.0);
    let is_over = load > 590;
    let in_flight = rate
        * if is_over {
            0.4
        } else {
            0.032 + 0.03 / (625.0 - rate)
        };
    let mut probe = Probe::without((load, Why::Step), Came::Held, "All held.".to_owned());
    probe.folder = format!("probe-{:03}", place + 1);
    probe.run = format!("r-{place:08x}");
    probe.came = if is_over { Came::Broke } else { Came::Held };
    if is_over {
        "P99 of complete answers was 431 ms; the limit is < 200 ms."
            .clone_into(&mut probe.sentence);
    }
    probe.clients = Some(200);
    probe.offered_per_s = Some(load as f64);
    probe.answered_per_s = Some(rate);
    probe.p50_us = Some(33_000);
    probe.p99_us = Some(if is_over {
        431_000
    } else {
        36_000 + load * 100
    });
    probe.mean_us = Some(in_flight / rate * 1e6);
    probe.in_flight = Some(in_flight);
    probe.little = Some(Little {
        in_flight,
        expected: in_flight,
        holds: true,
    });
    probe.server_bytes = Some(21 << 20);
    probe.uses = uses();
    probe
}

fn answer(end: End) -> Answer {
    let loads = [
        50, 100, 200, 400, 800, 566, 673, 617, 591, 578, 590, 590, 591,
    ];
    let probes = loads.into_iter().enumerate().map(probe);
    Answer::of(question(), (probes.collect(), None), end)
}

#[test]
fn the_terminal_says_where_the_limit_lies() {
    let text = terminal::text(&answer(End::Done), &Style::default());
    insta::assert_snapshot!("capacity_terminal", text);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let broken_off = terminal::text(&answer(End::Interrupted), &Style::default());
    assert!(
        broken_off.contains("So far, for it was interrupted"),
        "{broken_off}"
    );
    assert!(broken_off.contains("exit 130"), "{broken_off}");
}

#[test]
fn of_a_target_that_was_not_started_it_is_said_what_is_not_known() {
    let known = answer(End::Done);
    let mut probes = known.probes.clone();
    for probe in &mut probes {
        probe.server_bytes = None;
    }
    let attached = Answer::of(question(), (probes, None), End::Done);
    let says = |answer: &Answer| {
        let notes = answer.notes.join("; ");
        notes.contains("its processors, memory and files are not known")
    };
    assert!(says(&attached) && !says(&known), "{:?}", attached.notes);
    // That nothing was full cannot be said where the processors are not known.
    let rules_out = |answer: &Answer| {
        answer
            .sentence
            .contains("Nothing that can be read was full")
    };
    assert!(
        rules_out(&known) && !rules_out(&attached),
        "{}",
        attached.sentence
    );
}

#[test]
fn a_load_without_a_run_has_no_numbers() {
    let mut probes = answer(End::Done).probes;
    let lack = "1,600 clients need more open files.".to_owned();
    probes.push(Probe::without((1_600, Why::Step), Came::Full, lack));
    let answer = Answer::of(question(), (probes, None), End::Done);
    let row = "| 1,600 | – | – | – | – | generator full |";
    let files = files(&answer).unwrap();
    let (_, text) = files
        .iter()
        .find(|(file, _)| file == "capacity.md")
        .unwrap();
    let text = String::from_utf8(text.clone()).unwrap();
    assert!(text.contains(row), "{text}");
}

#[test]
fn the_page_opens_what_was_used_at_the_limit() {
    let answer = answer(End::Done);
    let files = files(&answer).unwrap();
    let (_, page) = files
        .iter()
        .find(|(file, _)| file == "capacity.html")
        .unwrap();
    let page = String::from_utf8(page.clone()).unwrap();
    assert_eq!(page.matches("<details").count(), answer.probes.len());
    let (_, open) = page.split_once("<details open>").unwrap();
    assert!(!open.contains("<details open>"));
    let summary = open.split("</summary>").next().unwrap();
    assert!(
        summary.contains("591") && summary.contains("broke"),
        "{summary}"
    );
}

#[test]
fn the_files_hold_every_probe() {
    let answer = answer(End::Done);
    let files = files(&answer).unwrap();
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(file, _)| *file == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    for chart in ["latency.svg", "throughput.svg"] {
        let chart = text(chart);
        assert!(chart.starts_with("<svg") && chart.contains("capacity-chat"));
    }
    insta::assert_snapshot!("capacity_markdown", text("capacity.md"));
    let read: Answer = serde_json::from_str(&text("capacity.json")).unwrap();
    // Numbers are not read back to the last digit.
    assert_eq!(
        (read.found, &read.sentence),
        (answer.found, &answer.sentence)
    );
    assert_eq!(read.probes.len(), answer.probes.len());
    let page = text("capacity.html");
    assert_eq!(page.matches("/report.html").count(), answer.probes.len());
    assert!(page.contains("holds at 590") && page.contains("not at 591"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
}
