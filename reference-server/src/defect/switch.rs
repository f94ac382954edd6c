//! What a defect says of itself, and which are on.

/// What there is to say of a defect.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its row in the contract's table.
    pub(super) row: u8,
    /// The contract's name.
    pub(super) name: &'static str,
    /// What goes wrong, in one clause.
    pub(super) wrong: &'static str,
    /// What somebody in front of the client sees of it.
    pub(super) seen: &'static str,
    /// Share of the answers that show it where no rate is given; `None` for what is always so.
    pub(super) rate: Option<f64>,
}

/// The switches that are on: the row of each, and the share of the tasks that show it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defects(Vec<(u8, Share)>);

impl Defects {
    /// Turns a defect on.
    pub(super) fn turn_on(&mut self, defect: &Spec, share: Share) {
        self.0.retain(|(row, _)| *row != defect.row);
        self.0.push((defect.row, share));
    }

    /// Whether a defect is on.
    pub(super) fn has(&self, defect: &Spec) -> bool {
        self.0.iter().any(|(row, _)| *row == defect.row)
    }

    /// Whether a defect is on and this task shows it.
    pub(super) fn strikes(&self, defect: &Spec, task: u64) -> bool {
        let mut on = self.0.iter();
        on.any(|(row, share)| *row == defect.row && share.holds(task))
    }
}

/// A share of all tasks, decided by the task's number: the same task shows it every time it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share(f64);

impl Share {
    /// Every task.
    pub(super) const ALL: Self = Self(1.0);

    /// The share of that rate, which is over 0 and at most 1.
    pub(super) fn new(rate: f64) -> Option<Self> {
        (rate > 0.0 && rate <= 1.0).then_some(Self(rate))
    }

    /// Whether this task is one of the share. Task numbers are random already.
    fn holds(self, task: u64) -> bool {
        const RANGE: f64 = (1_u64 << 53) as f64;
        ((task >> 11) as f64) < self.0 * RANGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_met() {
        let tasks: Vec<u64> = (0..10_000_u64)
            .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect();
        let count = |share: Share| tasks.iter().filter(|task| share.holds(**task)).count();
        assert_eq!(count(Share::ALL), 10_000);
        assert!((80..=120).contains(&count(Share::new(0.01).unwrap())));
    }
}
