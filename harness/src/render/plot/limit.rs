//! This module draws the limits of a chart: where each is to hold, what it is, and whether it did.
//!
//! **In:** [`LimitLine`]s in the units of the axes. **Out:** lines for the inside of a frame, and labels that overlap
//! neither each other nor the edge of the plot; a label without room is left out, its line is not.

use super::frame::Frame;
use super::label::{FONT_PX, text_width};
use super::svg::{escape, px};
use crate::render::{append, format};
use crate::result::CheckStatus;

/// The series that all limits of a chart are.
pub(crate) const SERIES: &str = "limit";
/// Distance of a label from its line, and of labels from each other.
const LIFT_PX: f64 = 4.0;
const GAP_PX: f64 = 6.0;

/// A limit with where it is to hold.
#[derive(Clone, Debug)]
pub(crate) struct LimitLine {
    /// On the x axis.
    pub spans: Vec<(f64, f64)>,
    /// On the y axis.
    pub y: f64,
    pub text: String,
    pub status: CheckStatus,
}

/// The room that a label takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Room {
    left: f64,
    right: f64,
    /// Where its letters stand.
    base: f64,
}

impl Room {
    fn meets(self, other: Self) -> bool {
        let beside = self.right + GAP_PX <= other.left || other.right + GAP_PX <= self.left;
        !beside && (self.base - other.base).abs() < FONT_PX + 1.0
    }
}

impl LimitLine {
    const fn broke(&self) -> bool {
        matches!(self.status, CheckStatus::Broke)
    }

    /// `p99 < 200 ms, whole run ✗`
    fn label(&self) -> String {
        let mark = match self.status {
            CheckStatus::Broke => " ✗",
            CheckStatus::Inconclusive => " ?",
            CheckStatus::Held => "",
        };
        format!("{}{mark}", format::harmless(&self.text))
    }
}

impl Frame {
    /// The lines, for the inside of the plot.
    pub(super) fn limit_lines(&self, top: i32) -> String {
        if self.limits.is_empty() {
            return String::new();
        }
        let mut markup = format!("<g data-s=\"{SERIES}\">");
        for limit in &self.limits {
            let y = px(self.y_at(limit.y, top));
            let class = if limit.broke() {
                "k-limit k-over"
            } else {
                "k-limit"
            };
            append(&mut markup, format_args!("<path class=\"{class}\" d=\""));
            for &(from, to) in &limit.spans {
                let (from, to) = (self.x_at(from), self.x_at(to));
                append(
                    &mut markup,
                    format_args!("M{} {y}h{}", px(from), px(to - from)),
                );
            }
            markup.push_str("\"/>\n");
        }
        markup.push_str("</g>\n");
        markup
    }

    /// The labels, over everything else.
    pub(super) fn limit_labels(&self, top: i32) -> String {
        let placed = self.placed(top);
        if placed.is_empty() {
            return String::new();
        }
        let mut markup = format!("<g data-s=\"{SERIES}\" class=\"halo\" font-size=\"{FONT_PX}\">");
        for (limit, place) in placed {
            let class = if limit.broke() { "f-bad" } else { "f-text" };
            append(
                &mut markup,
                format_args!(
                    "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
                    px(place.left),
                    px(place.base),
                    escape(&limit.label())
                ),
            );
        }
        markup.push_str("</g>\n");
        markup
    }

    /// Labels at the right end of their line, over it, under it, or further left; broken ones choose first.
    fn placed(&self, top: i32) -> Vec<(&LimitLine, Room)> {
        let mut order: Vec<&LimitLine> = self.limits.iter().collect();
        order.sort_by_key(|limit| !limit.broke());
        let mut placed: Vec<(&LimitLine, Room)> = Vec::new();
        let (left, right) = (self.x_at(self.x.low), self.x_at(self.x.high));
        for limit in order {
            let Some(&(_, end)) = limit.spans.last() else {
                continue;
            };
            let y = self.y_at(limit.y, top);
            let width = text_width(&limit.label(), FONT_PX);
            let end = self.x_at(end).min(right);
            // A line that ends too far left for its label is told beyond its end.
            let start = if end - width < left {
                left
            } else {
                end - width
            };
            let further = start - width - GAP_PX;
            let rows = [y - LIFT_PX, y + FONT_PX];
            let places = [start, further].into_iter().flat_map(|left| {
                rows.map(|base| Room {
                    left,
                    right: left + width,
                    base,
                })
            });
            let inside = |place: &Room| {
                place.left >= left
                    && place.right <= right + 1.0
                    && place.base - FONT_PX >= f64::from(top)
                    && place.base <= f64::from(top + self.height)
            };
            let free = |place: &Room| placed.iter().all(|(_, other)| !place.meets(*other));
            if let Some(place) = places.filter(inside).find(free) {
                placed.push((limit, place));
            }
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Axis;
    use super::*;

    fn frame(limits: Vec<LimitLine>) -> Frame {
        Frame {
            id: "t",
            kind: "time",
            spoken: String::new(),
            width: 1040,
            height: 200,
            x: Axis::time(40_000_000, 9),
            y: Axis::latency(30_000.0, 1_000_000.0),
            x_name: "",
            bands: Vec::new(),
            marks: Vec::new(),
            limits,
        }
    }

    fn limit(us: f64, (from, to): (f64, f64), status: CheckStatus) -> LimitLine {
        LimitLine {
            spans: vec![(from, to)],
            y: us.log10(),
            text: format!("p99 < {us}"),
            status,
        }
    }

    #[test]
    fn limits_of_nearly_one_value_are_all_labelled_and_do_not_overlap() {
        let whole = |us| limit(us, (0.0, 40.0), CheckStatus::Held);
        let frame = frame(vec![whole(200_000.0), whole(201_000.0), whole(202_000.0)]);
        let placed = frame.placed(20);
        assert_eq!(placed.len(), 3);
        for (place, (_, one)) in placed.iter().enumerate() {
            for (_, other) in &placed[place + 1..] {
                assert!(!one.meets(*other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_limit_is_drawn_where_it_is_to_hold_and_red_where_it_did_not() {
        let broken = limit(200_000.0, (12.0, 20.0), CheckStatus::Broke);
        let frame = frame(vec![
            limit(100_000.0, (0.0, 40.0), CheckStatus::Held),
            broken,
        ]);
        let (from, to) = (frame.x_at(12.0), frame.x_at(20.0));
        let lines = frame.limit_lines(20);
        let over = lines.lines().find(|line| line.contains("k-over")).unwrap();
        assert!(over.contains(&format!("M{} ", px(from))), "{over}");
        assert!(over.contains(&format!("h{}\"", px(to - from))), "{over}");
        assert_eq!(lines.matches("k-over").count(), 1, "{lines}");
        let labels = frame.limit_labels(20);
        assert!(labels.contains("p99 &lt; 200000 ✗"), "{labels}");
        assert!(labels.contains("class=\"f-bad\""), "{labels}");
    }

    #[test]
    fn a_label_at_the_left_edge_stays_inside() {
        let early = limit(200_000.0, (0.0, 0.5), CheckStatus::Held);
        let frame = frame(vec![early]);
        let (_, place) = frame.placed(20)[0];
        assert!(place.left >= frame.x_at(0.0), "{place:?}");
    }
}
