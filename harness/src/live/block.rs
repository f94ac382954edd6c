//! This module draws the block at the foot of the terminal, twice a second.
//!
//! **In:** what is seen now, and the size of the terminal. **Out:** text that replaces the one before. The three lanes share
//! one scale of time, so that phase, fault and p99 line up.

use std::sync::Arc;

use super::fact::{self, Progress};
use super::lane::Lanes;
use super::now::{FaultNow, Now};
use super::row::{Field, LEAD, Row};
use super::screen::Size;
use super::text::{Text, Tone, columns};
use super::timeline::{SLOTS, Timeline};
use super::view::{Glyphs, Style};
use crate::format;
use crate::plan::Plan;

/// Fewer columns than this are not drawn for; more than this are not read at a glance.
const WIDTH_MIN: usize = 30;
const WIDTH_MAX: usize = 200;
/// What is kept free behind a lane for the text of p99, where there is room for both.
const ASIDE: usize = 26;
/// A lane is never made shorter than this for it.
const LANE_MIN: usize = 30;
/// Between a lane and the text behind it.
const GAP: usize = 2;
/// A title is not made shorter than this for what else the first line says.
const TITLE_MIN: usize = 12;

/// The block between two drawings.
pub(super) struct Block {
    plan: Arc<Plan>,
    run_id: String,
    style: Style,
    /// Columns of each line of the drawing that stands on the terminal.
    drawn: Vec<usize>,
}

impl Block {
    pub(super) fn new(plan: Arc<Plan>, run_id: &str, style: Style) -> Self {
        Self {
            plan,
            run_id: run_id.to_owned(),
            style,
            drawn: Vec::new(),
        }
    }

    /// The block, drawn over the one before.
    pub(super) fn draw(&mut self, now: &Now, (faults, timeline): Seen<'_>, size: Size) -> String {
        let mut lines = self.lines(now, (faults, timeline), size.columns);
        // Where it does not fit, its beginning stays in sight.
        lines.truncate(size.rows.saturating_sub(1).max(1));
        // Wrapping is off while it is drawn, so that a terminal that just became narrower cuts
        // lines and the cursor finds its way back.
        let mut text = String::from("\u{1b}[?7l");
        text.push_str(&self.back(size));
        for line in &lines {
            // Erased before it is written: after a full line the cursor stands on its last letter.
            text.push_str("\u{1b}[2K");
            text.push_str(&if self.style.color {
                line.painted()
            } else {
                line.plain()
            });
            text.push('\n');
        }
        text.push_str("\u{1b}[J\u{1b}[?7h");
        self.drawn = lines.iter().map(Text::columns).collect();
        text
    }

    /// To the first line of the drawing. A terminal that became narrower has broken its lines, as
    /// nearly all do.
    fn back(&self, size: Size) -> String {
        let rows = |columns: &usize| columns.div_ceil(size.columns.max(1)).max(1);
        match self.drawn.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A\r"),
        }
    }

    /// Takes the block off the terminal: the summary follows in its place.
    pub(super) fn erase(&self, size: Size) -> String {
        format!("{}\u{1b}[J", self.back(size))
    }

    /// The lines for a terminal of so many columns: what has no room is continued below or shortened.
    pub(super) fn lines(
        &self,
        now: &Now,
        (faults, timeline): Seen<'_>,
        columns: usize,
    ) -> Vec<Text> {
        let width = columns.clamp(WIDTH_MIN, WIDTH_MAX);
        let room = width - LEAD;
        let lanes = Lanes {
            plan: &self.plan,
            total_us: total_us(&self.plan),
            glyphs: self.style.glyphs,
            width: room
                .saturating_sub(ASIDE)
                .max(LANE_MIN.min(room))
                .min(SLOTS),
        };
        let mut lines = vec![self.header(now, width)];
        lines.push(labelled("phase", &lanes.phase(now.at_us)));
        lines.extend(self.fault(now, (faults, &lanes), width));
        let glyphs = self.style.glyphs;
        let (lane, scale) = lanes.p99(&timeline.columns(lanes.width));
        let scale = scale.map(|scale| format::plain(&scale.text(glyphs)));
        lines.push(labelled("p99", &with_scale(lane, scale, room)));
        for row in fact::rows(now, glyphs) {
            lines.extend(row.lines(width));
        }
        let mark = match glyphs {
            Glyphs::Blocks => '…',
            Glyphs::Ascii => '~',
        };
        lines
            .into_iter()
            .map(|line| line.cut(width, mark))
            .collect()
    }

    /// Title, phase, time; how far it is, when it ends, and the run where there is room.
    fn header(&self, now: &Now, width: usize) -> Text {
        let progress = Progress::of(&self.plan, now);
        let mut said = format!(
            "  {}  {}  {}",
            progress.phase, progress.time, progress.percent
        );
        let title = format::harmless(&self.plan.title);
        let kept = columns(&title).min(TITLE_MIN);
        for (place, end) in progress.ends.iter().enumerate() {
            let gap = if place == 0 { "   " } else { " " };
            if kept + columns(&said) + gap.len() + columns(end) <= width {
                said = format!("{said}{gap}{end}");
            }
        }
        let room = width.saturating_sub(columns(&said));
        let title: String = title.chars().take(room.max(TITLE_MIN)).collect();
        let mut line = Text::of(Tone::Strong, title).and(Tone::Plain, &said);
        if line.columns() + GAP + columns(&self.run_id) <= width {
            line.pad(width - columns(&self.run_id));
            line.add(Tone::Dim, &self.run_id);
        }
        line
    }

    /// The lane, and beside it what it is about: behind its last mark, before its first, or below.
    fn fault(
        &self,
        now: &Now,
        (faults, lanes): (&[FaultNow], &Lanes<'_>),
        width: usize,
    ) -> Vec<Text> {
        let mut lane = lanes.fault(faults, now.at_us);
        let said = fact::fault(&self.plan, now, faults);
        let room = width - LEAD;
        if lane.is_empty() {
            return Row::new("fault", vec![Field::one(said)], 1).lines(width);
        }
        if lane.columns() + GAP + said.columns() <= room {
            lane.pad(lane.columns() + GAP);
            lane.join(&said);
            return vec![labelled("fault", &lane)];
        }
        let drawn = lane.plain();
        let first = columns(&drawn) - columns(drawn.trim_start());
        if said.columns() + GAP <= first {
            let mut line = said;
            line.pad(first);
            line.join(&lane.after(first));
            return vec![labelled("fault", &line)];
        }
        vec![labelled("fault", &lane), labelled("", &said)]
    }
}

/// What is seen beside the numbers of now.
pub(super) type Seen<'a> = (&'a [FaultNow], &'a Timeline);

/// Load and the longest drain there can be.
pub(super) fn total_us(plan: &Plan) -> u64 {
    (plan.load.load_us() + plan.load.drain_us).max(1)
}

fn labelled(label: &str, text: &Text) -> Text {
    let mut line = Text::from(format!(" {label:<9}"));
    line.join(text);
    line
}

/// The lane with the ends of its scale behind it, where they fit.
fn with_scale(mut lane: Text, scale: Option<String>, room: usize) -> Text {
    let Some(text) = scale else { return lane };
    let long = format!("{text} (log)");
    let free = room.saturating_sub(lane.columns() + GAP);
    let shown = [long, text].into_iter().find(|text| columns(text) <= free);
    if let Some(shown) = shown {
        lane.pad(lane.columns() + GAP);
        lane.add(Tone::Dim, &shown);
    }
    lane
}
