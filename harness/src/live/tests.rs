//! The live views of a made-up moment, and of a run that is over before it began.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::block::Block;
use super::expected::Expected;
use super::fact;
use super::history::History;
use super::lines::Lines;
use super::metrics::{Metrics, bounds_us};
use super::now::{FaultNow, MachineNow, Now};
use super::screen::Size;
use super::text::Text;
use super::timeline::Timeline;
use super::{Glyphs, Style, View, Watched, exporter, watch};
use crate::clock::RunClock;
use crate::fault::{FaultEvent, FaultMoment};
use crate::plan::{self, Plan};
use crate::record::counters::{Counters, Reader};
use crate::scenario::Overrides;
use crate::stage::Stage;

const SCENARIO: &str = r#"
# Does it come back?
title = "redis-outage"
seed = 7

[load]
clients = 2000
stages = [{ ramp = "10s", to = 2000 }, { hold = "50s" }]

[[fault]]
at = "20s"
for = "5s"
link = "redis"
kind = "down"

[[expect]]
what = "complete p99"
under = "173ms"
when = "outside faults"
"#;

fn plan() -> Arc<Plan> {
    Arc::new(plan::compile("x.toml", SCENARIO, &Overrides::default()).unwrap())
}

/// 27 s into the outage's recovery.
fn counters() -> Arc<Counters> {
    let counters = Counters::new(1);
    for (counter, value) in [
        (&counters.open, 1_959),
        (&counters.reconnecting, 41),
        (&counters.sent, 52_000),
        (&counters.completed, 42_796),
        (&counters.unavailable, 21_377),
        (&counters.oldest_us[0], 20_060_000),
        (&counters.lane_busy_permille[0], 310),
    ] {
        counter.store(value, Ordering::Relaxed);
    }
    (0..598).for_each(|_| counters.socket_cut(1_011));
    (0..8).for_each(|_| counters.socket_cut(1_006));
    counters.add_recent(|recent| {
        recent.lateness.record(400);
        for us in [2_440_000, 2_440_000, 3_100_000] {
            recent.response[Stage::Complete.index()].record(us);
        }
        // Those of before the fault, by which the scenario's limit is broken.
        for _ in 0..100 {
            recent.calm[Stage::Complete.index()].record(200_000);
        }
    });
    Arc::new(counters)
}

fn healed() -> FaultNow {
    FaultNow {
        injected_us: Some(20_004_000),
        confirmed_us: Some(20_061_000),
        healed_us: Some(25_006_000),
        heal_confirmed_us: Some(25_118_000),
        problem: None,
    }
}

fn now(at_us: u64) -> Now {
    let (plan, counters) = (plan(), counters());
    let mut history = History::from(at_us - 1_000_000);
    let recent = counters.take_recent(Reader::View);
    let mut expected = Expected::new(&plan);
    expected.add(&plan, &recent, (&[], at_us));
    history.look(&counters, recent, at_us);
    Now {
        expected: expected.standings(&plan, &counters),
        // Of this moment, and not of the process that runs the tests.
        machine: MachineNow {
            server: Some((0.38, 44_040_192)),
            own_cores: Some(0.06),
            idle: Some((0.12, 2.0)),
        },
        ..Now::take(&plan, &counters, &history, at_us)
    }
}

const fn style(glyphs: Glyphs) -> Style {
    Style {
        glyphs,
        color: false,
    }
}

/// Load and drain of the plan.
const TOTAL_US: u64 = 70_000_000;

fn plain(lines: Vec<Text>) -> Vec<String> {
    lines.iter().map(Text::plain).collect()
}

/// As a terminal of so many columns shows it.
fn block(glyphs: Glyphs, columns: usize) -> String {
    plain(lines(glyphs, columns)).join("\n")
}

fn lines(glyphs: Glyphs, columns: usize) -> Vec<Text> {
    let block = Block::new(plan(), "r-7f3a91c2", style(glyphs));
    let mut timeline = Timeline::new(TOTAL_US);
    for look in 1..108 {
        let mut now = Now {
            at_us: look * 250_000,
            ..Now::default()
        };
        if (80..100).contains(&look) {
            now.oldest_us = Some((look - 79) * 250_000);
        } else {
            now.latest.record(45_000 + 1_000 * look);
        }
        timeline.add(&now);
    }
    let now = now(27_000_000);
    timeline.add(&now);
    block.lines(&now, (&[healed()], &timeline), columns)
}

#[test]
fn the_block_lines_up_phase_fault_and_p99() {
    insta::assert_snapshot!("block", block(Glyphs::Blocks, 80));
}

#[test]
fn the_block_has_an_ascii_form_of_the_same_shape() {
    let (blocks, ascii) = (block(Glyphs::Blocks, 80), block(Glyphs::Ascii, 80));
    let lanes =
        |text: &str| -> Vec<String> { text.lines().skip(1).take(3).map(str::to_owned).collect() };
    assert!(lanes(&ascii).concat().is_ascii(), "{ascii}");
    let widths =
        |text: &str| -> Vec<usize> { text.lines().map(|line| line.chars().count()).collect() };
    assert_eq!(widths(&blocks), widths(&ascii));
    assert!(widths(&blocks).iter().all(|&width| width <= 80), "{blocks}");
}

#[test]
fn a_narrow_terminal_keeps_what_matters_and_no_line_is_longer_than_it() {
    for columns in [200, 120, 100, 80, 79, 60, 40, 30] {
        let shown = block(Glyphs::Blocks, columns);
        for line in shown.lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let always = [
            "redis-outage",
            "open",
            "sent",
            "complete p99",
            "✗",
            "unavailable 21,377",
        ];
        let from_60 = [
            "27.0 of 60 s",
            "45 % ends in 33 s",
            "1,959 open of 2,000",
            "606 cut (1011: 598)",
            "9,204 waiting, oldest 6.94 s",
            "redis-down healed, confirmed 1.88 s ago",
            "late p99 400 µs, lane 31 %",
            "12 % of 2 cores idle",
        ];
        let from_80 = [
            "r-7f3a91c2",
            "(+10 s drain)",
            "total 52,000 sent = 42,796 done + 9,204 waiting",
            "server 38 % cpu 42 MiB",
        ];
        let kept = always.into_iter();
        let kept = kept.chain(from_60.into_iter().filter(|_| columns >= 60));
        for kept in kept.chain(from_80.into_iter().filter(|_| columns >= 80)) {
            assert!(words.contains(kept), "{columns}: {kept} is not in\n{shown}");
        }
    }
    for columns in [40, 60, 120, 200] {
        let name = format!("block_of_{columns}_columns");
        insta::assert_snapshot!(name, block(Glyphs::Blocks, columns));
    }
}

#[test]
fn colors_are_beside_the_text_and_what_is_broken_is_red() {
    let painted = |line: &Text| line.painted();
    let lines = lines(Glyphs::Blocks, 100);
    let colored: Vec<String> = lines.iter().map(painted).collect();
    let text = colored.join("\n");
    for red in ["✗", "unavailable 21,377", "606 cut"] {
        let red = [" ", ""].map(|gap| format!("\u{1b}[31m{gap}{red}\u{1b}[0m"));
        assert!(
            red.iter().any(|red| text.contains(red)),
            "{red:?} is not in\n{text:?}"
        );
    }
    assert!(
        text.contains("\u{1b}[33m41 reconnecting\u{1b}[0m"),
        "{text:?}"
    );
    for (line, colored) in lines.iter().zip(&colored) {
        let mut bare = colored.clone();
        for code in [0, 1, 2, 31, 32, 33] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(line.plain(), bare);
    }
}

/// What a terminal that breaks its lines shows of the text: rows of `columns`, the cursor below the
/// last.
fn shown(texts: &[(String, usize)]) -> Vec<String> {
    // Lines as they were written, without their breaks.
    let mut lines: Vec<String> = vec!["$ harness run".to_owned()];
    for (text, columns) in texts {
        let rows_of = |line: &String| line.chars().count().div_ceil(*columns).max(1);
        let text = text.replace("\u{1b}[?7l", "").replace("\u{1b}[?7h", "");
        let mut text = text.as_str();
        if let Some((up, rest)) = text
            .strip_prefix("\u{1b}[")
            .and_then(|text| text.split_once("A\r"))
        {
            let mut up: usize = up.parse().unwrap();
            while up > 0 {
                up -= rows_of(&lines.pop().unwrap());
            }
            text = rest;
        }
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => lines.push(line.replace("\u{1b}[2K", "")),
                None => assert_eq!(line, "\u{1b}[J"),
            }
        }
    }
    lines
}

#[test]
fn a_drawing_takes_the_place_of_the_one_before_whatever_became_of_the_window() {
    let mut block = Block::new(plan(), "r-7f3a91c2", style(Glyphs::Blocks));
    let now = now(27_000_000);
    let timeline = Timeline::new(TOTAL_US);
    let seen = (&[FaultNow::default()][..], &timeline);
    let mut texts = Vec::new();
    for columns in [80, 80, 60, 45, 80, 30] {
        let size = Size { columns, rows: 50 };
        texts.push((block.draw(&now, seen, size), columns));
        let mut expected = vec!["$ harness run".to_owned()];
        expected.extend(plain(block.lines(&now, seen, columns)));
        assert_eq!(shown(&texts), expected, "{columns} columns");
    }
    let size = Size {
        columns: 30,
        rows: 50,
    };
    texts.push((block.erase(size), 30));
    assert_eq!(shown(&texts), ["$ harness run"]);
}

#[test]
fn a_line_is_erased_before_it_is_written_and_a_low_window_shows_its_beginning() {
    let mut block = Block::new(plan(), "r-7f3a91c2", style(Glyphs::Blocks));
    let now = now(27_000_000);
    let timeline = Timeline::new(TOTAL_US);
    let size = Size {
        columns: 80,
        rows: 6,
    };
    let text = block.draw(&now, (&[FaultNow::default()], &timeline), size);
    // Erasing to the end of a full line would take its last letter.
    assert!(!text.contains("\u{1b}[K"), "{text:?}");
    assert!(text.contains("r-7f3a91c2\n"), "{text:?}");
    assert_eq!(text.matches('\n').count(), 5, "{text:?}");
}

/// A plan of 5 s with answers at every second look, at a rate of one client.
#[test]
fn a_point_means_that_answers_are_missing_and_nothing_else() {
    let short = "# ?\n[load]\nclients = 1\nhold = \"5s\"\ndrain = \"5s\"\n";
    let plan = Arc::new(plan::compile("x.toml", short, &Overrides::default()).unwrap());
    let block = Block::new(plan, "r-7f3a91c2", style(Glyphs::Blocks));
    let mut timeline = Timeline::new(10_000_000);
    let mut lane = |from: u64, to: u64, answered: bool, oldest_us: Option<u64>| {
        for look in from..to {
            let mut now = Now {
                at_us: look * 250_000,
                oldest_us,
                ..Now::default()
            };
            if answered && look % 2 == 0 {
                now.latest.record(30_000);
            }
            timeline.add(&now);
        }
        let now = Now {
            at_us: (to - 1) * 250_000,
            ..Now::default()
        };
        let lines = block.lines(&now, (&[], &timeline), 80);
        plain(lines)
            .into_iter()
            .find(|line| line.starts_with(" p99"))
            .unwrap()
    };
    let healthy = lane(0, 12, true, Some(30_000));
    // All alike, so at the top of a scale that spans a decade.
    assert!(healthy.contains('█') && !healthy.contains('·'), "{healthy}");
    assert!(healthy.ends_with("  3.00 ms … 30.0 ms (log)"), "{healthy}");
    let outage = lane(12, 20, false, Some(2_000_000));
    assert!(outage.contains("█ ····"), "{outage}");
}

#[test]
fn the_drain_has_a_time_of_its_own_and_wants_nobody() {
    let plan = plan();
    let block = Block::new(Arc::clone(&plan), "r-7f3a91c2", style(Glyphs::Blocks));
    let now = now(62_500_000);
    let timeline = Timeline::new(TOTAL_US);
    let lines = plain(block.lines(&now, (&[FaultNow::default()], &timeline), 80));
    let header = "drain  2.5 of 10 s  25 %   ends within 8 s";
    assert!(lines[0].contains(header), "{}", lines[0]);
    assert!(lines[5].contains("1,959 open  "), "{}", lines[5]);
    let end = lines[1].chars().position(|letter| letter == '┊').unwrap();
    let lane = lines[1].chars().count() - 10;
    assert_eq!(end, 10 + lane * 60 / 70, "{}", lines[1]);
    let line = log().look(&now, &[]).unwrap();
    assert!(line.contains(" 62.5s drain open=1959 sent="), "{line}");
}

#[test]
fn a_fault_in_force_says_how_long_and_of_what_time() {
    let said = |at_us: u64, state: FaultNow| fact::fault(&plan(), &now(at_us), &[state]).plain();
    let injected = FaultNow {
        injected_us: Some(20_004_000),
        ..FaultNow::default()
    };
    let confirmed = FaultNow {
        confirmed_us: Some(20_061_000),
        ..injected.clone()
    };
    assert_eq!(
        said(20_054_000, injected),
        "redis-down in force for 50.0 ms of 5 s, not confirmed yet"
    );
    assert_eq!(
        said(21_504_000, confirmed),
        "redis-down in force for 1.50 s of 5 s, confirmed"
    );
    assert_eq!(
        said(29_618_000, healed()),
        "redis-down healed, confirmed 4.50 s ago"
    );
    assert_eq!(
        said(15_000_000, FaultNow::default()),
        "redis-down in 5.00 s"
    );
}

#[test]
fn lines_are_due_every_five_seconds_and_hold_no_control_characters() {
    let mut lines = log();
    assert_eq!(lines.look(&now(4_900_000), &[healed()]), None);
    let line = lines.look(&now(27_000_000), &[healed()]).unwrap();
    assert_eq!(
        line,
        "2026-11-29T18:40:27Z 27.0s hold open=1959/2000 sent=52000/s done=42796/s p50=2.44s p99=3.10s wait=9204 \
         oldest=6.94s faults=0 unavailable=21377 cut-1011=598 cut-1006=8\n"
    );
    assert_eq!(lines.look(&now(29_900_000), &[]), None);
    assert_eq!(
        lines.finished(&now(29_900_000)),
        "2026-11-29T18:40:29Z 29.9s finished sent=52000 done=42796 refused=0 unanswered=0 lost=0 wait=9204\n"
    );
    assert_eq!(
        lines.started(&plan(), "r-7f3a91c2"),
        "2026-11-29T18:40:00Z 0.0s started run=r-7f3a91c2 scenario=\"redis-outage\" clients=2000 load=60.0s drain=10.0s\n"
    );
}

#[test]
fn a_fault_stamp_is_a_line_with_its_delay() {
    let line = |moment| {
        let event = FaultEvent {
            fault: 0,
            at_us: 20_061_000,
            moment,
        };
        log().event(&plan(), &event)
    };
    let confirmed = line(FaultMoment::Confirmed).unwrap();
    assert_eq!(
        confirmed,
        "2026-11-29T18:40:20Z 20.1s fault=redis-down confirmed delay=61.0ms\n"
    );
    assert_eq!(line(FaultMoment::Injecting), None);
    let problem = line(FaultMoment::Problem("no\u{1b}[2J".to_owned())).unwrap();
    assert!(
        !problem.trim_end().contains(char::is_control),
        "{problem:?}"
    );
}

/// Lines of a load that began at 18:40 on a day in November.
fn log() -> Lines {
    Lines::new(RunClock::with_wall_zero(1_795_977_600_050_000_000))
}

fn watched(exporter: Option<tokio::net::TcpListener>) -> Watched {
    Watched {
        plan: plan(),
        run_id: "r-7f3a91c2".to_owned(),
        clock: RunClock::starting_in(std::time::Duration::ZERO),
        counters: counters(),
        view: View::Quiet,
        exporter,
        web: None,
    }
}

/// What `/metrics` tells of the made-up moment.
fn exposition() -> String {
    let watched = watched(None);
    let metrics = Metrics::new(
        watched.plan,
        watched.run_id,
        watched.clock,
        Arc::clone(&watched.counters),
    );
    metrics.add(&watched.counters.take_recent(Reader::View), &[healed()]);
    metrics.page().text().unwrap()
}

#[test]
fn histogram_bounds_include_the_expected_latency_exactly() {
    assert!(bounds_us(&plan(), Stage::Complete).contains(&173_000));
    assert!(!bounds_us(&plan(), Stage::Token).contains(&173_000));
    let text = exposition();
    for sample in [
        "harness_latency_seconds_bucket{stage=\"complete\",le=\"0.173\"} 0\n",
        "harness_latency_seconds_bucket{stage=\"complete\",le=\"2.5\"} 2\n",
        "harness_latency_seconds_count{stage=\"complete\"} 3\n",
        "harness_sessions_cut_total{code=\"1011\"} 598\n",
        "harness_messages_total{outcome=\"completed\"} 42796\n",
        "harness_fault_in_force{fault=\"redis-down\"} 0\n",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
}

#[test]
fn the_dashboard_asks_for_nothing_that_is_not_told() {
    let dashboard = include_str!("../../../deploy/grafana/dashboards/chat.json");
    let words = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("harness_")).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    let text = exposition();
    for name in asked {
        let told = |line: &str| line.split(['{', ' ']).next() == Some(name);
        assert!(text.lines().any(told), "{name} is not in\n{text}");
    }
}

#[tokio::test]
async fn metrics_are_served_until_the_load_is_over() {
    let listener = exporter::bind("--prometheus", "127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let taken = exporter::bind("--prometheus", address).await.unwrap_err();
    assert!(taken.to_string().contains(&address.to_string()), "{taken}");
    let (_events, faults) = mpsc::channel(4);
    let over = CancellationToken::new();
    let mut live = tokio::task::JoinSet::new();
    live.spawn(watch(watched(Some(listener)), faults, over.clone()));
    let answer = reqwest::get(format!("http://{address}/metrics"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("harness_run_info{run=\"r-7f3a91c2\""),
        "{text}"
    );
    let root = reqwest::get(format!("http://{address}/")).await.unwrap();
    assert_eq!(root.status(), 200);
    let text = root.text().await.unwrap();
    assert!(text.contains("<a href=\"/metrics\">"), "{text}");
    over.cancel();
    live.join_next().await.unwrap().unwrap();
    assert!(
        reqwest::get(format!("http://{address}/metrics"))
            .await
            .is_err()
    );
}
