//! Renderers against saved runs: what every artefact must be, whatever the run.
//!
//! The runs were made by `sample` and saved; `HARNESS_BLESS=1 cargo test -p harness --lib -- --test-threads=1` makes
//! them, and the example beside the reports, anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use quick_xml::events::Event;

use super::renderer::RenderError;
use super::sample::{self, Story};
use super::terminal::{Style, summary};
use super::{Format, file};
use crate::record::fault::FaultStamps;
use crate::result::store::{RESULT_FILE, RunDir};
use crate::result::verdict::judge;
use crate::result::{
    CheckStatus, ConditionResult, Consumer, EndedProcess, Heat, HeatStep, RunResult, UsageLine,
};
use crate::scenario::expectation::{Quantity, When};

pub(super) const STORIES: [(Story, &str); 5] = [
    (Story::Fail, "../reports/example"),
    (Story::Pass, "tests/it/fixtures/runs/pass"),
    (Story::Invalid, "tests/it/fixtures/runs/invalid"),
    (Story::Interrupted, "tests/it/fixtures/runs/interrupted"),
    (Story::Inconclusive, "tests/it/fixtures/runs/inconclusive"),
];
/// Most that a page may weigh.
const PAGE_BYTES_MAX: usize = 1_500_000;
/// What a hostile server or scenario could call something.
const HOSTILE: &str =
    "\"'><script>alert(1)</script><img src=http://evil.example/x>&\u{1b}[2J|`@all`[a](http://b)";

pub(super) fn folder(path: &str) -> RunDir {
    RunDir::at(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path))
}

fn blessing() -> bool {
    std::env::var_os("HARNESS_BLESS").is_some()
}

/// The saved run of that story.
fn saved(story: Story, path: &str) -> RunResult {
    if blessing() {
        let bytes = serde_json::to_vec(&sample::result(story)).unwrap();
        let folder = RunDir::create(folder(path).path()).unwrap();
        folder.write(RESULT_FILE, &bytes).unwrap();
    }
    folder(path).read().unwrap()
}

fn all(result: &RunResult, formats: &[Format]) -> Vec<(&'static str, String)> {
    let renderers = formats.iter().flat_map(|format| format.renderers());
    let drawn: Result<Vec<_>, RenderError> = renderers
        .map(|renderer| Ok((renderer.file(), renderer.render(result)?)))
        .collect();
    let text = |(file, bytes)| (file, String::from_utf8(bytes).unwrap());
    drawn.unwrap().into_iter().map(text).collect()
}

fn page(result: &RunResult) -> String {
    all(result, &[Format::Html]).remove(0).1
}

#[test]
fn the_page_names_every_file_that_lies_beside_it() {
    let formats = [Format::Json].into_iter().chain(Format::DRAWN);
    let drawn: BTreeSet<&str> = formats
        .flat_map(Format::renderers)
        .map(|renderer| renderer.file())
        .collect();
    let named = file::BESIDE_PAGE.into_iter().chain([file::PAGE]);
    let named = named.filter(|name| ![file::PLAN, file::LATENCIES].contains(name));
    assert_eq!(drawn, named.collect());
}

#[test]
fn a_saved_run_is_read_back_and_judged_the_same_again() {
    for (story, path) in STORIES {
        let result = saved(story, path);
        let mut again = result.clone();
        judge(&mut again);
        assert_eq!(again.verdict, result.verdict, "{path}");
        assert_eq!(again.exit_code, result.exit_code, "{path}");
    }
}

#[test]
fn the_example_is_what_these_renderers_draw() {
    let (story, path) = STORIES[0];
    let result = saved(story, path);
    let folder = folder(path);
    for (file, text) in all(&result, &Format::DRAWN) {
        if blessing() {
            folder.write(file, text.as_bytes()).unwrap();
        }
        let kept = std::fs::read_to_string(folder.file(file)).unwrap();
        assert!(
            kept == text,
            "{file} is not what is drawn now: HARNESS_BLESS=1 draws it anew"
        );
    }
}

/// Reads the whole document; an error names what is wrong.
#[track_caller]
fn well_formed(name: &str, xml: &str) {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut depth = 0_i32;
    loop {
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{name}: {error}\n{xml}"))
        {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{name}");
}

#[track_caller]
fn sound(result: &RunResult) {
    for (file, text) in all(result, &Format::DRAWN) {
        assert!(!text.is_empty(), "{file}");
        for never in ["NaN", "inf\"", "Infinity"] {
            assert!(!text.contains(never), "{file} holds {never}");
        }
        match file.rsplit('.').next() {
            Some("svg" | "xml") => well_formed(file, &text),
            Some("json") => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
            Some("jsonl") => {
                for line in text.lines() {
                    let _: serde_json::Value = serde_json::from_str(line).unwrap();
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_artefact_of_every_story_is_sound() {
    for (story, path) in STORIES {
        sound(&saved(story, path));
    }
}

#[test]
fn a_run_in_which_nothing_happened_is_drawn_all_the_same() {
    let mut result = saved(STORIES[1].0, STORIES[1].1);
    let step_us = result.series.step_us;
    result.series = crate::result::Series {
        step_us,
        second_us: step_us,
        ..Default::default()
    };
    result.latency.clear();
    result.windows.clear();
    result.views.clear();
    result.distributions.clear();
    result.faults.clear();
    result.expectations.clear();
    result.checks.clear();
    result.closes.clear();
    result.lateness = None;
    result.run.duration_us = 0;
    sound(&result);
    assert!(page(&result).contains("No message was completed."));
    assert!(summary(&result, &Style::default()).contains("no message was completed"));
}

#[test]
fn a_page_loads_nothing_and_runs_only_its_own_script() {
    for (story, path) in STORIES {
        let page = page(&saved(story, path));
        assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
        for never in [
            "src=",
            "@import",
            "url(",
            "unsafe-inline",
            "href=\"http",
            "//cdn",
        ] {
            assert!(!page.contains(never), "{path}: {never}");
        }
        assert_eq!(page.matches("<script").count(), 2, "{path}");
    }
}

/// Without the fenced block of Markdown, in which everything is text.
fn without_fence(text: &str) -> String {
    let mut closing: Option<&str> = None;
    let mut outside = String::new();
    for line in text.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match closing {
            Some(fence) if line == fence => closing = None,
            Some(_) => {}
            None if ticks.len() >= 3 => closing = Some(ticks),
            None => {
                outside.push_str(line);
                outside.push('\n');
            }
        }
    }
    assert_eq!(closing, None, "a fence is left open");
    outside
}

#[test]
fn the_command_in_markdown_is_the_command_whatever_it_holds() {
    let mut result = saved(STORIES[0].0, STORIES[0].1);
    for name in [
        "a`;touch PWNED;`.toml",
        "```",
        "````\u{2028}```",
        "$(x) '\"' | @all <b>",
    ] {
        result.run.command = format!("harness run '{name}' --seed 1");
        let text = all(&result, &[Format::Md]).remove(0).1;
        assert!(
            text.contains(&format!("\n{}\n", result.run.command)),
            "{text}"
        );
        assert!(!without_fence(&text).contains("harness run"), "{text}");
    }
}

#[test]
fn names_from_outside_stay_text_in_every_artefact() {
    let mut result = saved(STORIES[0].0, STORIES[0].1);
    let hostile = || HOSTILE.to_owned();
    result.run.title = hostile();
    result.run.question = hostile();
    result.run.command = hostile();
    result.run.host.target = hostile();
    result.faults[0].name = hostile();
    result.faults[0].what = hostile();
    result.windows[2].name = hostile();
    result.expectations[0].name = hostile();
    result.expectations[0].when = hostile();
    result.examples[0].client_message_id = hostile();
    result.examples[0].what = hostile();
    result.checks[0].finding = hostile();
    result.verdict.sentence = hostile();
    result.conditions.push(ConditionResult {
        name: hostile(),
        what: hostile(),
        planned_us: 0,
        stamps: FaultStamps {
            problem: Some(hostile()),
            ..FaultStamps::default()
        },
        confirmed: false,
    });
    result.ended_processes.push(EndedProcess {
        what: hostile(),
        seen_us: 1,
        fact: None,
    });
    result.errors.insert(hostile(), 1);
    sound(&result);
    for (file, text) in all(&result, &Format::DRAWN) {
        assert!(!text.contains('\u{1b}'), "{file} holds an escape code");
        let markup = ["html", "svg", "md"].iter().any(|end| file.ends_with(end));
        for never in ["<script>alert", "<img"] {
            assert!(!markup || !without_fence(&text).contains(never), "{file}");
        }
    }
    let md = without_fence(&all(&result, &[Format::Md])[0].1);
    assert!(!md.contains("@all") && !md.contains("[a](http"), "{md}");
    assert!(!summary(&result, &Style::default()).contains('\u{1b}'));
}

#[test]
fn a_condition_and_a_death_are_told_wherever_a_person_or_a_machine_looks() {
    let mut result = saved(STORIES[1].0, STORIES[1].1);
    result.conditions.push(ConditionResult {
        name: "middlebox".to_owned(),
        what: "link from clients to server cut after 4s of silence, all the time".to_owned(),
        planned_us: 0,
        stamps: FaultStamps {
            confirmed_us: Some(4_011_000),
            heal_confirmed_us: Some(30_000_000),
            ..FaultStamps::default()
        },
        confirmed: true,
    });
    result.ended_processes.push(EndedProcess {
        what: "the reference server".to_owned(),
        seen_us: 9_250_000,
        fact: None,
    });
    judge(&mut result);
    sound(&result);
    let text = |format| crate::format::plain(&all(&result, &[format]).remove(0).1);
    let terminal = crate::format::plain(&summary(&result, &Style::default()));
    for told in [terminal, text(Format::Html), text(Format::Md)] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("middlebox"), "{told}");
        assert!(told.contains("cut after 4s of silence"), "{told}");
        assert!(told.contains("4.011"), "{told}");
        assert!(
            told.contains("the reference server ended by itself"),
            "{told}"
        );
    }
    assert!(text(Format::Junit).contains("the reference server ended by itself"));
    let events = text(Format::Events);
    for event in ["condition_planned", "condition_confirmed", "process_gone"] {
        assert!(events.contains(event), "{event}");
    }
}

#[test]
fn a_run_of_twenty_minutes_fits_into_one_page() {
    /// As many as a series has at most.
    fn tile<T: Clone>(values: &mut Vec<T>, length: usize) {
        *values = values.iter().cycle().take(length).cloned().collect();
    }
    let mut result = saved(STORIES[0].0, STORIES[0].1);
    let series = &mut result.series;
    for values in [
        &mut series.complete_p50_us,
        &mut series.complete_p99_us,
        &mut series.complete_max_us,
        &mut series.lateness_p50_us,
        &mut series.lateness_p99_us,
        &mut series.lateness_max_us,
    ] {
        tile(values, 1_200);
    }
    tile(&mut series.open, 1_200);
    series.step_us *= 4;
    tile(&mut series.in_flight, 1_200);
    series.in_flight.extend((0..1_200_u64).map(|at| at % 700));
    let heat = |place: u64| HeatStep {
        first_row: 24,
        counts: (0..24).map(|row| (place * 7 + row * row) % 97).collect(),
    };
    series.heat = Some(Heat {
        step_us: 5_000_000,
        rows_per_decade: 8,
        steps: (0..240).map(heat).collect(),
    });
    let used = |what| UsageLine {
        what,
        cpu_cores: (0..1_200_u32)
            .map(|at| Some(f64::from(at % 17) / 10.0))
            .collect(),
        rss_bytes: (0..1_200_u64)
            .map(|at| Some((50 + at % 13) << 20))
            .collect(),
    };
    series.usage = vec![
        used(Consumer::Server),
        used(Consumer::Redis),
        used(Consumer::Harness),
    ];
    tile(&mut series.complete_p999_us, 1_200);
    tile(&mut series.per_second, 1_200);
    for (place, row) in (0..).zip(&mut series.per_second) {
        row.at_us = place * 1_000_000;
        row.delivery.refused += place % 2;
        let kinds =
            ["unavailable", "token 503", "upgrade 502"].map(|kind| (kind.to_owned(), place % 40));
        row.errors.extend(kinds);
    }
    result.run.duration_us *= 20;
    let page = page(&result);
    assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
    assert!(
        page.contains("the first 600 rows, 600 more are in"),
        "the table stops at 600 rows"
    );
}

#[test]
fn the_summary_keeps_to_eighty_columns() {
    for (story, path) in STORIES {
        let text = summary(&saved(story, path), &Style::default());
        for line in text.lines().filter(|line| !line.starts_with("again")) {
            assert!(line.chars().count() <= 80, "{path}: {line}");
            assert_eq!(line, line.trim_end(), "{path}");
        }
    }
}

#[test]
fn a_summary_for_a_narrow_terminal_is_wrapped_and_says_the_same() {
    for (story, path) in STORIES {
        let result = saved(story, path);
        for width in [40, 60, 79] {
            let style = Style {
                width,
                ..Style::default()
            };
            let text = summary(&result, &style);
            for line in text.lines().filter(|line| !line.starts_with("again")) {
                assert!(line.chars().count() <= width, "{path}, {width}: {line}");
            }
            let words = |text: &str| -> BTreeSet<String> {
                text.split([' ', '\n', ',']).map(str::to_owned).collect()
            };
            // The heads of the table go with it.
            let heads = ["expectation", "when", "observed", "limit", "of"];
            let wide = words(&summary(&result, &Style::default()));
            let narrow = words(&text);
            let lost: Vec<&String> = wide.difference(&narrow).collect();
            assert!(
                lost.iter().all(|word| heads.contains(&word.as_str())),
                "{lost:?}\n{text}"
            );
        }
    }
}

#[test]
fn a_limit_that_was_not_met_is_named_on_the_chart_with_the_statistic_that_broke_it() {
    let mut result = saved(STORIES[1].0, STORIES[1].1);
    let row = &mut result.expectations[0];
    row.expectation.bound.value = 50_000.0;
    row.status = CheckStatus::Broke;
    let page = crate::format::plain(&page(&result));
    assert!(page.contains(">p99 &lt; 50 ms, outside faults ✗</text>"));
    assert!(page.contains("<g data-s=\"p99\">"));
    // Where it is to hold: not within the fault and its recovery.
    let over = page.split("k-limit k-over\" d=\"").nth(1).unwrap();
    let over = over.split('"').next().unwrap();
    assert_eq!(over.matches('M').count(), 2, "{over}");
}

#[test]
fn only_the_fault_whose_recovery_broke_is_marked() {
    let mut result = saved(STORIES[1].0, STORIES[1].1);
    let mut second = result.faults[0].clone();
    second.name = "redis-down-2".to_owned();
    result.faults.push(second);
    let recovery = &mut result.expectations[2];
    assert_eq!(recovery.expectation.what, Quantity::Recovery);
    recovery.expectation.when = When::During {
        fault: "redis-down-2".to_owned(),
    };
    recovery.when = "after redis-down-2".to_owned();
    recovery.status = CheckStatus::Broke;
    let page = page(&result);
    let marked = |fault: &str| {
        let row = page.split("rowheader").find(|row| {
            row.contains("data-h=\"Budget burned\"")
                && row.contains(&format!(" scope=\"row\">{fault}<"))
        });
        row.unwrap().contains("data-h=\"Recovered\" class=\"bad\"")
    };
    assert_eq!(
        [marked("redis-down"), marked("redis-down-2")],
        [false, true]
    );
}

#[test]
fn the_slowest_answer_is_told_only_where_answers_were_too_slow() {
    let mut result = saved(STORIES[0].0, STORIES[0].1);
    let mut slowest = result.examples[0].clone();
    slowest.what = crate::record::subject::Subject::Slowest.text().to_owned();
    result.stories = vec![slowest];
    assert!(!page(&result).contains("Sessions worth a look"));
    result.expectations[0].status = CheckStatus::Broke;
    assert!(page(&result).contains("Sessions worth a look"));
}

#[test]
fn a_page_says_how_many_messages_went_wrong_and_where_the_rest_is() {
    let mut result = saved(STORIES[0].0, STORIES[0].1);
    assert!(
        page(&result)
            .contains("The first 6 of 42, in the order of their intended send; all are in")
    );
    result.generator.examples_dropped = 100;
    assert!(
        page(&result)
            .contains("The first 6 of 142, in the order of their intended send; 42 are in")
    );
}

#[test]
fn every_entry_of_a_legend_has_a_line_and_every_reading_an_entry() {
    for (story, path) in STORIES {
        let page = page(&saved(story, path));
        for figure in page.split("<figure ").skip(1) {
            let figure = figure.split("</figure>").next().unwrap();
            for key in figure.split("data-s=\"").skip(1) {
                let series = key.split('"').next().unwrap();
                let drawn = format!("<g data-s=\"{series}\"");
                assert!(figure.contains(&drawn), "{path}: {series}");
                let empty = format!("<g data-s=\"{series}\"></g>");
                assert!(!figure.contains(&empty), "{path}: {series} has no line");
            }
        }
        let data = page.split("id=\"data\">").nth(1).unwrap();
        let data: serde_json::Value =
            serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
        for (chart, columns) in data.as_object().unwrap() {
            let figure = page
                .split(&format!("<figure id=\"{chart}\""))
                .nth(1)
                .unwrap();
            let figure = figure.split("</figure>").next().unwrap();
            for column in columns.as_array().unwrap() {
                // Hidden with its line by the entry of that name.
                let entry = format!("data-s={} aria-pressed", column["s"]);
                assert!(figure.contains(&entry), "{path}, {chart}: {column}");
                let values = column["v"].as_array().unwrap();
                assert!(
                    values.iter().any(|value| !value.is_null()),
                    "{path}, {chart}: {}",
                    column["n"]
                );
            }
        }
    }
}

#[test]
fn a_stage_says_how_many_samples_it_stands_for_and_has_a_p99_only_with_enough() {
    let mut result = saved(STORIES[1].0, STORIES[1].1);
    for window in &mut result.windows {
        if let Some(ready) = window.latency.get_mut("session_ready") {
            ready.count = if window.name == "ramp" { 40 } else { 1 };
        }
    }
    let page = crate::format::plain(&page(&result));
    assert!(page.contains("Opening a session, from its intended start: ramp"));
    assert!(page.contains("One message, from its intended send: after redis-down"));
    assert!(page.contains(" · – · n 40</text>"));
}

#[test]
fn a_pull_request_summary_has_twenty_lines_before_the_details() {
    for (story, path) in STORIES {
        let text = all(&saved(story, path), &[Format::Md]).remove(0).1;
        let (head, details) = text.split_once("<details>").unwrap();
        assert!(head.lines().count() <= 20, "{path}:\n{head}");
        assert!(details.contains("</details>"), "{path}");
    }
}

/// Written anew with `HARNESS_BLESS=1 cargo test -p harness`.
#[test]
fn the_schemas_beside_the_reports_are_those_of_the_files() {
    let schemas = [
        (
            "gate.schema.json",
            schemars::schema_for!(crate::gate::comparison::Decision),
        ),
        (
            "baseline.schema.json",
            schemars::schema_for!(crate::gate::baseline::Baseline),
        ),
        (
            "trend.schema.json",
            schemars::schema_for!(crate::gate::trend::Trend),
        ),
    ];
    let capacity = schemars::schema_for!(crate::capacity::account::Answer);
    let audit = schemars::schema_for!(crate::audit::Audit);
    let further = [
        ("capacity.schema.json", capacity),
        ("audit.schema.json", audit),
    ];
    for (file, schema) in schemas.into_iter().chain(further) {
        let text = format!("{:#}\n", schema.as_value());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../reports")
            .join(file);
        if std::env::var_os("HARNESS_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{file}");
    }
}
