//! Renderers against made-up runs: what every artefact must be, whatever the run.

use super::sample::{Story, result};
use super::terminal::{Color, Style, summary};
use super::{Format, RenderError};
use crate::result::RunResult;

const STORIES: [Story; 5] = [
    Story::Pass,
    Story::Fail,
    Story::Invalid,
    Story::Interrupted,
    Story::Inconclusive,
];

fn all(result: &RunResult) -> Vec<(&'static str, String)> {
    let formats = Format::DRAWN.into_iter().chain([Format::Json]);
    let renderers = formats.flat_map(Format::renderers);
    let drawn: Result<Vec<_>, RenderError> = renderers
        .map(|renderer| Ok((renderer.file(), renderer.render(result)?)))
        .collect();
    let text = |(file, bytes)| (file, String::from_utf8(bytes).unwrap());
    drawn.unwrap().into_iter().map(text).collect()
}

#[test]
fn dev() {
    for story in STORIES {
        let dir = std::path::Path::new("/tmp/render-dev").join(format!("{story:?}").to_lowercase());
        std::fs::create_dir_all(&dir).unwrap();
        let result = result(story);
        for (file, text) in all(&result) {
            std::fs::write(dir.join(file), text).unwrap();
        }
        std::fs::write(
            dir.join("summary.txt"),
            summary(
                &result,
                &Style {
                    color: Color::None,
                    report: Some("reports/r-7f3a91c2/report.html".to_owned()),
                },
            ),
        )
        .unwrap();
    }
}
