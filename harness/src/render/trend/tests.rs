//! What the reports of a history say: as snapshots.

use super::{files, terminal};
use crate::gate::trend::tests::sample;
use crate::render::terminal::Style;

#[test]
fn the_terminal_says_where_a_metric_changed() {
    let text = terminal::text(&sample(), &Style::default(), false);
    insta::assert_snapshot!("trend_terminal", text);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn the_files_hold_the_same_points() {
    let files = files(&sample());
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8(bytes.as_ref().unwrap().clone()).unwrap()
    };
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["trend.json", "trend.html", "series-1.csv", "otava.yaml"];
    assert_eq!(names, expected);
    insta::assert_snapshot!("trend_otava", text("otava.yaml"));
    let table = text("series-1.csv");
    assert_eq!(table.lines().count(), 25, "{table}");
    let page = text("trend.html");
    assert_eq!(page.matches("<figure").count(), 8, "of so few metrics all");
    assert!(page.contains("point 16"), "the change, as people count");
    assert!(!page.contains("NaN"));
}
