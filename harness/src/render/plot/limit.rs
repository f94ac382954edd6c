//! This module draws the limits of a chart: where each is to hold, what it is, and whether it did.
//!
//! **In:** [`LimitLine`]s in the units of the axes. **Out:** lines for the inside of a plot, and labels that overlap
//! neither each other nor the edge of the plot; a label without room is left out, its line is not.

use super::axis::Plane;
use super::chart::{Key, Width};
use super::label::{FONT_PX, text_width};
use super::svg::{escape, px};
use crate::format::{self, append};
use crate::render::view::Limit;
use crate::result::{CheckStatus, bound_text};

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
    /// `p99 < 200 ms, whole run`; without the place where there is little room.
    pub(super) fn new(limit: &Limit<'_>, width: Width, spans: Vec<(f64, f64)>) -> Self {
        let what = format!("{} {}", limit.statistic.name(), bound_text(limit.row));
        Self {
            spans,
            y: limit.value_us.max(1.0).log10(),
            text: match width {
                Width::Wide => format!("{what}, {}", limit.row.when),
                Width::Narrow => what,
            },
            status: limit.row.status,
        }
    }

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

/// The legend: limits that were met, and those that were not.
pub(super) fn keys(limits: &[LimitLine]) -> Vec<Key> {
    let key = |text, class| Key::new(text, class, Some(SERIES));
    let met = limits.iter().any(|limit| !limit.broke());
    let over = limits.iter().any(LimitLine::broke);
    let met = met.then(|| key("limit", "k-limit"));
    let over = over.then(|| key("limit, not met", "k-limit k-over"));
    met.into_iter().chain(over).collect()
}

/// The lines, for the inside of the plot.
pub(super) fn lines(limits: &[LimitLine], plane: &Plane<'_>) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let mut markup = format!("<g data-s=\"{SERIES}\">");
    for limit in limits {
        let y = px(plane.y_at(limit.y));
        let class = if limit.broke() {
            "k-limit k-over"
        } else {
            "k-limit"
        };
        append(&mut markup, format_args!("<path class=\"{class}\" d=\""));
        for &(from, to) in &limit.spans {
            let (from, to) = (plane.x_at(from), plane.x_at(to));
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
pub(super) fn labels(limits: &[LimitLine], plane: &Plane<'_>) -> String {
    let placed = placed(limits, plane);
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
fn placed<'a>(limits: &'a [LimitLine], plane: &Plane<'_>) -> Vec<(&'a LimitLine, Room)> {
    let mut order: Vec<&LimitLine> = limits.iter().collect();
    order.sort_by_key(|limit| !limit.broke());
    let mut placed: Vec<(&LimitLine, Room)> = Vec::new();
    let (left, right) = (plane.x_at(plane.x.low), plane.x_at(plane.x.high));
    for limit in order {
        let Some(&(_, end)) = limit.spans.last() else {
            continue;
        };
        let y = plane.y_at(limit.y);
        let width = text_width(&limit.label(), FONT_PX);
        let end = plane.x_at(end).min(right);
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
                && place.base - FONT_PX >= f64::from(plane.top)
                && place.base <= f64::from(plane.top + plane.height)
        };
        let free = |place: &Room| placed.iter().all(|(_, other)| !place.meets(*other));
        if let Some(place) = places.filter(inside).find(free) {
            placed.push((limit, place));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::super::axis::Axis;
    use super::*;

    const LEFT: i32 = 58;

    fn on<T>(draw: impl FnOnce(&Plane<'_>) -> T) -> T {
        draw(&Plane {
            x: &Axis::time(40_000_000, 9),
            y: &Axis::latency(30_000.0, 1_000_000.0),
            left: LEFT,
            top: 20,
            width: 964,
            height: 200,
        })
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
        let limits = [whole(200_000.0), whole(201_000.0), whole(202_000.0)];
        let placed = on(|plane| placed(&limits, plane));
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
        let limits = [limit(100_000.0, (0.0, 40.0), CheckStatus::Held), broken];
        let (from, to) = on(|plane| (plane.x_at(12.0), plane.x_at(20.0)));
        let lines = on(|plane| lines(&limits, plane));
        let over = lines.lines().find(|line| line.contains("k-over")).unwrap();
        assert!(over.contains(&format!("M{} ", px(from))), "{over}");
        assert!(over.contains(&format!("h{}\"", px(to - from))), "{over}");
        assert_eq!(lines.matches("k-over").count(), 1, "{lines}");
        let labels = on(|plane| labels(&limits, plane));
        assert!(labels.contains("p99 &lt; 200000 ✗"), "{labels}");
        assert!(labels.contains("class=\"f-bad\""), "{labels}");
    }

    #[test]
    fn a_label_at_the_left_edge_stays_inside() {
        let early = [limit(200_000.0, (0.0, 0.5), CheckStatus::Held)];
        let (_, place) = on(|plane| placed(&early, plane)[0]);
        assert!(place.left >= f64::from(LEFT), "{place:?}");
    }
}
