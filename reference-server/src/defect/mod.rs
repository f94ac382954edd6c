//! What is wrong on purpose, so that a detector can be shown to catch it.
//!
//! One file per defect; each is one decision at the place named in its documentation. Everything is off
//! by default. To add one: a file, a variant of [`Defect`], and the lines the compiler then asks for.

mod chunk_reorder;
mod complete_missing;
mod connect_hang;
mod duplicate_on_resume;
mod expiry_too_short;
mod group_leak;
mod jwt_expiry_cut;
mod lost_while_away;
mod no_rate_limit;
mod no_resubscribe;
mod no_server_ping;
mod not_a_participant;
mod origin_unchecked;
mod oversize_accepted;
mod ping_as_chat;
mod pubsub_only;
mod retry_runs_twice;
mod silent_1006;
pub(crate) mod token_double_spend;
mod token_endpoint_hang;
pub(crate) mod token_immortal;
mod token_in_log;
pub(crate) mod token_reusable;
pub(crate) mod token_ttl_drift;
mod unbounded_outbox;
mod wrong_conversation;

pub(crate) use chunk_reorder::ChunkReorder;
pub(crate) use complete_missing::CompleteMissing;
pub(crate) use wrong_conversation::WrongConversation;

/// The defects, in the order of the contract's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    TokenDoubleSpend,
    TokenReusable,
    TokenImmortal,
    TokenTtlDrift,
    TokenInLog,
    Silent1006,
    ConnectHang,
    TokenEndpointHang,
    NoServerPing,
    PingAsChat,
    NoResubscribe,
    DuplicateOnResume,
    LostWhileAway,
    GroupLeak,
    UnboundedOutbox,
    ExpiryTooShort,
    OriginUnchecked,
    NotAParticipant,
    NoRateLimit,
    OversizeAccepted,
    JwtExpiryCut,
    ChunkReorder,
    CompleteMissing,
    WrongConversation,
    PubsubOnly,
    RetryRunsTwice,
}

/// What there is to say of a defect.
pub(crate) struct Entry {
    /// Its row in the contract's table.
    row: u8,
    /// The contract's name.
    name: &'static str,
    /// What goes wrong, in one clause.
    wrong: &'static str,
    /// What somebody in front of the client sees of it.
    seen: &'static str,
    /// Share of the answers that show it where no rate is given; `None` for what is always so.
    rate: Option<f64>,
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
    /// A rate where there is none.
    #[error("`{0}` is always so once it is on: it takes no rate")]
    NoRate(&'static str),
}

impl Defect {
    const ALL: [Self; 26] = [
        Self::TokenDoubleSpend,
        Self::TokenReusable,
        Self::TokenImmortal,
        Self::TokenTtlDrift,
        Self::TokenInLog,
        Self::Silent1006,
        Self::ConnectHang,
        Self::TokenEndpointHang,
        Self::NoServerPing,
        Self::PingAsChat,
        Self::NoResubscribe,
        Self::DuplicateOnResume,
        Self::LostWhileAway,
        Self::GroupLeak,
        Self::UnboundedOutbox,
        Self::ExpiryTooShort,
        Self::OriginUnchecked,
        Self::NotAParticipant,
        Self::NoRateLimit,
        Self::OversizeAccepted,
        Self::JwtExpiryCut,
        Self::ChunkReorder,
        Self::CompleteMissing,
        Self::WrongConversation,
        Self::PubsubOnly,
        Self::RetryRunsTwice,
    ];

    fn entry(self) -> &'static Entry {
        match self {
            Self::TokenDoubleSpend => &token_double_spend::ENTRY,
            Self::TokenReusable => &token_reusable::ENTRY,
            Self::TokenImmortal => &token_immortal::ENTRY,
            Self::TokenTtlDrift => &token_ttl_drift::ENTRY,
            Self::TokenInLog => &token_in_log::ENTRY,
            Self::Silent1006 => &silent_1006::ENTRY,
            Self::ConnectHang => &connect_hang::ENTRY,
            Self::TokenEndpointHang => &token_endpoint_hang::ENTRY,
            Self::NoServerPing => &no_server_ping::ENTRY,
            Self::PingAsChat => &ping_as_chat::ENTRY,
            Self::NoResubscribe => &no_resubscribe::ENTRY,
            Self::DuplicateOnResume => &duplicate_on_resume::ENTRY,
            Self::LostWhileAway => &lost_while_away::ENTRY,
            Self::GroupLeak => &group_leak::ENTRY,
            Self::UnboundedOutbox => &unbounded_outbox::ENTRY,
            Self::ExpiryTooShort => &expiry_too_short::ENTRY,
            Self::OriginUnchecked => &origin_unchecked::ENTRY,
            Self::NotAParticipant => &not_a_participant::ENTRY,
            Self::NoRateLimit => &no_rate_limit::ENTRY,
            Self::OversizeAccepted => &oversize_accepted::ENTRY,
            Self::JwtExpiryCut => &jwt_expiry_cut::ENTRY,
            Self::ChunkReorder => &chunk_reorder::ENTRY,
            Self::CompleteMissing => &complete_missing::ENTRY,
            Self::WrongConversation => &wrong_conversation::ENTRY,
            Self::PubsubOnly => &pubsub_only::ENTRY,
            Self::RetryRunsTwice => &retry_runs_twice::ENTRY,
        }
    }
}

/// The switches, as set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Defects {
    /// One bit for each that is on.
    on: u32,
    /// Row 24.
    pub(crate) chunk_reorder: ChunkReorder,
    /// Row 25.
    pub(crate) complete_missing: CompleteMissing,
    /// Row 26.
    pub(crate) wrong_conversation: WrongConversation,
}

impl Defects {
    /// Whether a defect is on.
    pub(crate) fn has(self, defect: Defect) -> bool {
        self.on & (1 << defect as u32) != 0
    }

    /// Reads `NAME` and `NAME=RATE`.
    pub(crate) fn parse(switches: &[String]) -> Result<Self, DefectError> {
        let mut defects = Self::default();
        for switch in switches {
            let (name, rate) = match switch.split_once('=') {
                Some((name, rate)) => (name, Some(rate)),
                None => (switch.as_str(), None),
            };
            let mut all = Defect::ALL.into_iter();
            let defect = all.find(|defect| defect.entry().name == name);
            let defect = defect.ok_or_else(|| DefectError::Unknown(name.to_owned()))?;
            let share = defect.share(rate)?;
            defects.on |= 1 << defect as u32;
            match defect {
                Defect::ChunkReorder => defects.chunk_reorder = ChunkReorder::new(share),
                Defect::CompleteMissing => defects.complete_missing = CompleteMissing::new(share),
                Defect::WrongConversation => {
                    defects.wrong_conversation = WrongConversation::new(share);
                }
                _ => {}
            }
        }
        Ok(defects)
    }

    /// The table that `--list-defects` prints.
    pub(crate) fn list() -> String {
        use std::fmt::Write as _;
        let mut table = String::new();
        for Entry {
            row,
            name,
            wrong,
            seen,
            rate,
        } in Defect::ALL.map(Defect::entry)
        {
            let rate = rate.map_or_else(String::new, |rate| format!(" (rate {rate})"));
            let line = writeln!(
                table,
                "{row:>2} {name:<20} {wrong}{rate}\n{:24}seen: {seen}",
                ""
            );
            line.expect("a string takes every write");
        }
        table
    }
}

impl Defect {
    fn share(self, given: Option<&str>) -> Result<Share, DefectError> {
        let Entry { name, rate, .. } = self.entry();
        match (given, rate) {
            (None, rate) => Ok(Share::of(rate.unwrap_or_default())),
            (Some(_), None) => Err(DefectError::NoRate(name)),
            (Some(text), Some(_)) => {
                let share = text.parse().ok().and_then(Share::checked);
                share.ok_or_else(|| DefectError::Rate {
                    name: (*name).to_owned(),
                    rate: text.to_owned(),
                })
            }
        }
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
        check("token-reusable", "ok");
        check(
            "token-reusable=0.5",
            "`token-reusable` is always so once it is on: it takes no rate",
        );
        for rate in ["0", "1.5", "-1", "NaN", "x", ""] {
            check(
                &format!("chunk-reorder={rate}"),
                &format!("`chunk-reorder={rate}`: the rate is a number over 0 and up to 1"),
            );
        }
    }

    #[test]
    fn a_switch_turns_on_itself_and_nothing_else() {
        for defect in Defect::ALL {
            let on = Defects::parse(&[defect.entry().name.to_owned()]).unwrap();
            let others = Defect::ALL.into_iter().filter(|other| on.has(*other));
            assert_eq!(others.collect::<Vec<_>>(), [defect]);
        }
        let rows: Vec<u8> = Defect::ALL.map(|defect| defect.entry().row).to_vec();
        assert!(rows.is_sorted() && rows.len() == 26, "{rows:?}");
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
