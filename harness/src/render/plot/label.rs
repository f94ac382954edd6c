//! This module finds room for the labels above a chart.
//!
//! **In:** texts, each with the place it speaks of. **Out:** rows in which none overlaps another;
//! row 0 is nearest to the plot. **Units:** pixels.

/// Size of every label and tick.
pub(crate) const FONT_PX: f64 = 11.0;
/// Least distance between two labels of a row.
const GAP_PX: f64 = 8.0;
/// Distance of a label from the line it belongs to.
const ASIDE_PX: f64 = 4.0;
/// Rows above a chart; a label that fits in none of them is left out.
pub(crate) const ROWS_MAX: usize = 4;

/// Where a label stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
    Middle,
}

/// A label before it has a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub text: String,
    /// CSS class of its colour.
    pub class: &'static str,
    /// Pixel it speaks of.
    pub at: f64,
    pub side: Side,
}

/// A label with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub label: Label,
    pub row: usize,
    /// Left end.
    pub x: f64,
}

/// Width of a text without knowing the font: close enough to keep labels apart.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ' ' | '\u{a0}' | ':' | '\'' => 0.32,
        'm' | 'w' | 'M' | 'W' | '%' => 0.92,
        'A'..='Z' => 0.7,
        _ => 0.6,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// Places the labels in their order, within `0..width`.
pub(crate) fn place(labels: Vec<Label>, width: f64) -> Vec<Placed> {
    let mut rows: Vec<Vec<(f64, f64)>> = vec![Vec::new(); ROWS_MAX];
    let mut placed = Vec::new();
    for label in labels {
        let length = text_width(&label.text, FONT_PX);
        let x = left_end(&label, length, width);
        let free = |taken: &Vec<(f64, f64)>| {
            let mut taken = taken.iter();
            taken.all(|&(from, to)| x + length + GAP_PX <= from || to + GAP_PX <= x)
        };
        if let Some(row) = rows.iter().position(free) {
            rows[row].push((x, x + length));
            placed.push(Placed { label, row, x });
        }
    }
    placed
}

/// A label that would leave the picture changes sides or moves in.
fn left_end(label: &Label, length: f64, width: f64) -> f64 {
    let (left, right) = (label.at - ASIDE_PX - length, label.at + ASIDE_PX);
    match label.side {
        Side::Left if left >= 0.0 => left,
        Side::Right if right + length > width => left.max(0.0),
        Side::Left | Side::Right => right,
        Side::Middle => (label.at - length / 2.0).clamp(0.0, (width - length).max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str, at: f64, side: Side) -> Label {
        Label {
            text: text.to_owned(),
            class: "ink",
            at,
            side,
        }
    }

    #[test]
    fn labels_of_one_place_get_rows_of_their_own() {
        let same = || label("redis-down", 100.0, Side::Middle);
        let rows: Vec<usize> = place(vec![same(), same(), same()], 400.0)
            .iter()
            .map(|placed| placed.row)
            .collect();
        assert_eq!(rows, [0, 1, 2]);
    }

    #[test]
    fn a_label_at_the_edge_turns_inwards() {
        let placed = place(
            vec![
                label("impact", 2.0, Side::Left),
                label("recovered", 399.0, Side::Right),
            ],
            400.0,
        );
        assert!(placed[0].x >= 2.0);
        assert!(placed[1].x + text_width("recovered", FONT_PX) <= 400.0);
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        let many = (0..9)
            .map(|_| label("fault", 100.0, Side::Middle))
            .collect();
        assert_eq!(place(many, 400.0).len(), ROWS_MAX);
    }
}
