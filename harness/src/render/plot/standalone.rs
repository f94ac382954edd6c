//! This module makes a chart a file of its own.
//!
//! **In:** a drawn chart. **Out:** an SVG document with its colours inside: literal light values
//! first, dark ones by media query, so that viewers without CSS variables show the light picture.

use super::chart::{Chart, spoken};
use super::svg::escape;
use crate::format::{self, append};

const STYLE: &str = include_str!("standalone.css");
/// Height of the title and legend above the chart, and where they begin, in pixels.
const HEAD: i32 = 54;
const LEFT: i32 = 12;

/// The document: title, chart, and whose it is: the title of a run or a search.
pub(crate) fn document(chart: &Chart, of: &str) -> String {
    let title = format!("{} · {}", spoken(&chart.title), format::harmless(of));
    let (width, height) = size(&chart.wide);
    let inner = chart.wide.replacen(
        "<svg class=\"chart\"",
        &format!("<svg y=\"{HEAD}\" width=\"{width}\" height=\"{height}\" class=\"chart\""),
        1,
    );
    let inner = without_links(&inner);
    let total = height + HEAD;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {total}\" width=\"{width}\" height=\"{total}\" role=\"img\">\n\
         <title>{title}</title>\n<desc>{desc}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"f-card\" width=\"{width}\" height=\"{total}\"/>\n\
         <text class=\"f-ink\" x=\"{LEFT}\" y=\"22\" font-size=\"14\" font-weight=\"600\">{title}</text>\n\
         {legend}{inner}</svg>\n",
        title = escape(&title),
        desc = escape(&spoken(&chart.finding)),
        legend = legend(chart, width),
    )
}

/// What a link on the page leads to is not in this file.
fn without_links(picture: &str) -> String {
    let mut parts = picture.split("<a ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('>').unwrap_or_default();
        text.push_str(&rest.replacen("</a>", "", 1));
    }
    text
}

/// Width and height of the picture, from its own `viewBox`.
fn size(picture: &str) -> (i32, i32) {
    let numbers = picture
        .split_once("viewBox=\"0 0 ")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(numbers, _)| numbers);
    let mut numbers = numbers.split(' ').filter_map(|number| number.parse().ok());
    (
        numbers.next().unwrap_or(1040),
        numbers.next().unwrap_or(300),
    )
}

/// The legend in a row of its own under the title, as far as there is room.
fn legend(chart: &Chart, width: i32) -> String {
    let mut left = f64::from(LEFT);
    let mut markup = String::new();
    for key in &chart.keys {
        let next = left + 27.0 + super::label::text_width(&key.text, super::label::FONT_PX) + 16.0;
        if next > f64::from(width) {
            break;
        }
        let shape = if key.class.starts_with("f-") {
            "v-8h20v8z"
        } else {
            "m0 -4h20"
        };
        append(
            &mut markup,
            format_args!(
                "<path class=\"{}\" stroke-width=\"2\" d=\"M{left:.1} 42{shape}\"/><text class=\"f-text\" x=\"{:.1}\" y=\"42\" font-size=\"11\">{}</text>\n",
                key.class,
                left + 27.0,
                escape(&key.text)
            ),
        );
        left = next;
    }
    markup
}
