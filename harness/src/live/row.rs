//! This module sets fields into the rows of the block.
//!
//! **In:** a label, fields with a long and a short form, and how wide the terminal is. **Out:** as few lines as they need, and
//! no more than the row may have: then fields are shortened, and at last those at the end are left out.

use super::text::Text;

/// Where the text behind a label begins.
pub(super) const LEAD: usize = 10;
/// Between two fields, where there is room, and where there is little.
const GAPS: [usize; 2] = [4, 2];

/// One fact.
#[derive(Clone, Debug)]
pub(super) struct Field {
    long: Text,
    short: Text,
}

impl Field {
    pub(super) fn new(long: impl Into<Text>, short: impl Into<Text>) -> Self {
        Self {
            long: long.into(),
            short: short.into(),
        }
    }

    /// One that has no short form.
    pub(super) fn one(text: impl Into<Text>) -> Self {
        let long = text.into();
        Self {
            short: long.clone(),
            long,
        }
    }
}

/// A label with its fields, the most important first.
#[derive(Clone, Debug)]
pub(super) struct Row {
    label: &'static str,
    fields: Vec<Field>,
    lines_max: usize,
}

impl Row {
    pub(super) const fn new(label: &'static str, fields: Vec<Field>, lines_max: usize) -> Self {
        Self {
            label,
            fields,
            lines_max,
        }
    }

    pub(super) const fn label(&self) -> &'static str {
        self.label
    }

    /// Every field, in its long form.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.fields.iter().map(|field| &field.long)
    }

    pub(super) fn lines(&self, width: usize) -> Vec<Text> {
        let room = width.saturating_sub(LEAD);
        let long: Vec<&Text> = self.fields.iter().map(|field| &field.long).collect();
        for gap in GAPS {
            let lines = wrap(&long, gap, room);
            if lines.len() <= 1 && fits(&lines, room) {
                return self.labelled(lines);
            }
        }
        let [_, near] = GAPS;
        let lines = wrap(&long, near, room);
        if lines.len() <= self.lines_max && fits(&lines, room) {
            return self.labelled(lines);
        }
        let mut short: Vec<&Text> = self.fields.iter().map(|field| &field.short).collect();
        let mut lines = wrap(&short, near, room);
        while lines.len() > self.lines_max && short.pop().is_some() {
            lines = wrap(&short, near, room);
        }
        self.labelled(lines)
    }

    fn labelled(&self, lines: Vec<Text>) -> Vec<Text> {
        let place = |(place, line): (usize, Text)| {
            let label = if place == 0 { self.label } else { "" };
            let mut labelled = Text::from(format!(" {label:<9}"));
            labelled.join(&line);
            labelled
        };
        lines.into_iter().enumerate().map(place).collect()
    }
}

fn fits(lines: &[Text], room: usize) -> bool {
    lines.iter().all(|line| line.columns() <= room)
}

/// Fields in lines of at most `room` columns; one that is wider has a line of its own.
pub(super) fn wrap(fields: &[&Text], gap: usize, room: usize) -> Vec<Text> {
    let mut lines: Vec<Text> = Vec::new();
    for field in fields {
        match lines.last_mut() {
            Some(line) if line.columns() + gap + field.columns() <= room => {
                line.pad(line.columns() + gap);
                line.join(field);
            }
            _ => lines.push((*field).clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fields: &[(&str, &str)], lines_max: usize, width: usize) -> Vec<String> {
        let fields = fields.iter().map(|(long, short)| Field::new(*long, *short));
        let row = Row::new("clients", fields.collect(), lines_max);
        row.lines(width).iter().map(Text::plain).collect()
    }

    #[test]
    fn fields_come_closer_then_take_lines_then_are_short_and_then_the_last_go() {
        let fields = [
            ("299 open of 300", "299/300 open"),
            ("7 reconnecting", "7 again"),
            ("0 cut", "0 cut"),
        ];
        assert_eq!(
            shown(&fields, 1, 60),
            [" clients  299 open of 300    7 reconnecting    0 cut"]
        );
        assert_eq!(
            shown(&fields, 1, 49),
            [" clients  299 open of 300  7 reconnecting  0 cut"]
        );
        assert_eq!(
            shown(&fields, 2, 44),
            [
                " clients  299 open of 300  7 reconnecting",
                "          0 cut"
            ]
        );
        assert_eq!(
            shown(&fields, 1, 44),
            [" clients  299/300 open  7 again  0 cut"]
        );
        assert_eq!(shown(&fields, 1, 32), [" clients  299/300 open  7 again"]);
    }
}
