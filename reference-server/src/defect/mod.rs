//! What is wrong on purpose, so that a detector can be shown to catch it.
//!
//! One file per defect; each is one decision at the place named in its documentation. Everything is off
//! by default. To add one: a file, a variant of [`Defect`], and the lines the compiler then asks for.

mod chunk_reorder;
mod complete_missing;

pub(crate) use chunk_reorder::ChunkReorder;
pub(crate) use complete_missing::CompleteMissing;

/// The defects of this build, by the contract's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Row 24.
    ChunkReorder,
    /// Row 25.
    CompleteMissing,
}

/// A switch that cannot be set as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefectError {
    /// No such switch.
    #[error("`{0}` is not a defect of this build; --list-defects prints them")]
    Unknown(String),
    /// A rate outside 0 to 1.
    #[error("`{name}={rate}`: the rate is a number over 0 and up to 1")]
    Rate {
        /// The defect.
        name: String,
        /// What was given.
        rate: String,
    },
}

impl Defect {
    const ALL: [Self; 2] = [Self::ChunkReorder, Self::CompleteMissing];

    /// The contract's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChunkReorder => "chunk-reorder",
            Self::CompleteMissing => "complete-missing",
        }
    }

    /// What goes wrong, in one sentence.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::ChunkReorder => "two chunks of an answer arrive in the wrong order",
            Self::CompleteMissing => "now and then `complete` never comes",
        }
    }

    /// Share of the answers that show it, where no rate is given.
    pub(crate) fn default_rate(self) -> f64 {
        match self {
            Self::ChunkReorder | Self::CompleteMissing => 1.0 / 100.0,
        }
    }
}

/// The switches, as set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Defects {
    /// Row 24.
    pub(crate) chunk_reorder: ChunkReorder,
    /// Row 25.
    pub(crate) complete_missing: CompleteMissing,
}

impl Defects {
    /// Reads `NAME` and `NAME=RATE`.
    pub(crate) fn parse(switches: &[String]) -> Result<Self, DefectError> {
        let mut defects = Self::default();
        for switch in switches {
            let (name, rate) = match switch.split_once('=') {
                Some((name, rate)) => (name, Some(rate)),
                None => (switch.as_str(), None),
            };
            let defect = Defect::ALL.into_iter().find(|defect| defect.name() == name);
            let defect = defect.ok_or_else(|| DefectError::Unknown(name.to_owned()))?;
            let share =
                match rate {
                    None => Share::of(defect.default_rate()),
                    Some(text) => text.parse().ok().and_then(Share::checked).ok_or_else(|| {
                        DefectError::Rate {
                            name: name.to_owned(),
                            rate: text.to_owned(),
                        }
                    })?,
                };
            match defect {
                Defect::ChunkReorder => defects.chunk_reorder = ChunkReorder::new(share),
                Defect::CompleteMissing => defects.complete_missing = CompleteMissing::new(share),
            }
        }
        Ok(defects)
    }

    /// The table that `--list-defects` prints.
    pub(crate) fn list() -> String {
        use std::fmt::Write as _;
        let mut table = String::new();
        for defect in Defect::ALL {
            let rate = defect.default_rate();
            let line = writeln!(
                table,
                "{:<20} {} (rate {rate})",
                defect.name(),
                defect.describe()
            );
            line.expect("a string takes every write");
        }
        table
    }
}

/// A share of all tasks, decided by the task's number: the same task shows it every time it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    fn of(rate: f64) -> Self {
        Self(rate)
    }

    fn checked(rate: f64) -> Option<Self> {
        (rate > 0.0 && rate <= 1.0).then_some(Self(rate))
    }

    /// Whether this task is one of the share. Task numbers are random already.
    pub(crate) fn holds(self, task: u64) -> bool {
        const RANGE: f64 = (1_u64 << 53) as f64;
        self.0 > 0.0 && ((task >> 11) as f64) < self.0 * RANGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(switch: &str, expected: &str) {
        let got = match Defects::parse(&[switch.to_owned()]) {
            Ok(_) => "ok".to_owned(),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(got, expected, "{switch}");
    }

    #[test]
    fn switches_are_read_or_refused_with_a_hint() {
        check("chunk-reorder", "ok");
        check("complete-missing=1", "ok");
        check("complete-missing=0.01", "ok");
        check(
            "nonsense",
            "`nonsense` is not a defect of this build; --list-defects prints them",
        );
        for rate in ["0", "1.5", "-1", "NaN", "x", ""] {
            check(
                &format!("chunk-reorder={rate}"),
                &format!("`chunk-reorder={rate}`: the rate is a number over 0 and up to 1"),
            );
        }
    }

    #[test]
    fn a_share_is_met_and_is_off_by_default() {
        let tasks: Vec<u64> = (0..10_000_u64)
            .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect();
        let count = |share: Share| tasks.iter().filter(|task| share.holds(**task)).count();
        assert_eq!(count(Share::default()), 0);
        assert_eq!(count(Share::of(1.0)), 10_000);
        assert!((80..=120).contains(&count(Share::of(0.01))));
    }
}
