//! What one fault does to one link: one file per kind.
//!
//! **In:** chunks in an [`Inbox`], the present moment. **Out:** a [`Step`]: pass, wait, end, reset.
//!
//! A toxic is a state machine without sockets, tasks or clocks: its link asks it for one step at a
//! time and never while the next stage has no room. All data a toxic holds stays in its inbox, so
//! that removing the toxic loses nothing. Each file has the settings (what the API stores, zeros
//! where nothing was given) and the `Active` state (what one connection remembers).
//!
//! Extensions (types Toxiproxy does not know) may act on the whole connection instead, or before it
//! has an upstream; [`Reach`] says which. Those have settings only, and the engine asks them when.
//!
//! **Source:** semantics measured on Toxiproxy 2.12. Attributes that would crash it (a negative
//! rate, slices of zero bytes, sums that overflow) are refused when they are set.

mod bandwidth;
mod blackhole;
mod corrupt;
mod idle_timeout;
mod inbox;
mod kind;
mod latency;
mod limit_data;
mod limit_time;
mod line;
mod no_answer;
mod noop;
mod packet_loss;
mod refuse;
mod reset_peer;
mod slicer;
mod slow_close;
mod slow_connect;
#[cfg(test)]
mod tests;
mod timeout;

pub(crate) use inbox::{Chunk, Inbox, Moment, Step};
pub(crate) use kind::{Opening, Reach, Removal};
pub(crate) use line::Line;

use self::kind::{Attributes, Passing, Settings, Work};
use crate::{Stream, json::Fields, refusal::Refusal};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::time::Instant;

/// A toxic as the API stores it. Immutable: an update makes a new one with the same `id`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Toxic {
    pub(crate) attributes: Kind,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_name: &'static str,
    /// The stream as it was typed: `UPSTREAM` is echoed as `UPSTREAM`.
    #[serde(rename = "stream")]
    pub(crate) stream_text: String,
    #[serde(serialize_with = "shortest")]
    pub(crate) toxicity: f32,
    #[serde(skip)]
    pub(crate) stream: Stream,
    /// Grows with every toxic of the proxy.
    #[serde(skip)]
    pub(crate) id: u64,
    #[serde(skip)]
    pub(crate) tally: Arc<Tally>,
    /// What the connections share that it affects.
    #[serde(skip)]
    pub(crate) line: Arc<Line>,
}

/// How many connections a toxic has affected, over all its updates.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    affected: AtomicU64,
    /// What `affected` was when the attributes were last set.
    since_set: AtomicU64,
}

impl Tally {
    pub(crate) fn affected(&self) -> u64 {
        self.affected.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) {
        self.affected.fetch_add(1, Ordering::Relaxed);
    }

    /// The attributes were set anew.
    pub(crate) fn restart(&self) {
        self.since_set.store(self.affected(), Ordering::Relaxed);
    }
}

impl Toxic {
    /// Whether both have the name, the type and the stream in common.
    pub(crate) fn is_kin(&self, other: &Self) -> bool {
        self.name == other.name && self.type_name == other.type_name && self.stream == other.stream
    }

    /// This toxic with the settings of another, or itself if it has them already.
    pub(crate) fn gone_on(self: &Arc<Self>, as_other: &Self) -> Arc<Self> {
        let same = self.toxicity.to_bits() == as_other.toxicity.to_bits()
            && self.attributes.attributes() == as_other.attributes.attributes();
        if same {
            return Arc::clone(self);
        }
        self.tally.restart();
        Arc::new(Self {
            attributes: as_other.attributes,
            toxicity: as_other.toxicity,
            // At the new rate nobody has anything booked.
            line: Arc::default(),
            ..Self::clone(self)
        })
    }

    /// Counts one more connection as refused, if this toxic still refuses any.
    pub(crate) fn refuses_one_more(&self) -> bool {
        let Kind::Refuse(settings) = self.attributes else {
            return false;
        };
        let since_set = self.tally.since_set.load(Ordering::Relaxed);
        let counted =
            self.tally
                .affected
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |affected| {
                    let earlier = affected.saturating_sub(since_set);
                    settings.applies_after(earlier).then_some(affected + 1)
                });
        counted.is_ok()
    }
}

macro_rules! kinds {
    ($($name:literal => $variant:ident($settings:ty),)*) => {
        /// The settings of one toxic.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Kind {
            $($variant($settings),)*
        }

        /// A toxic at work on one stream.
        #[derive(Debug)]
        pub(crate) enum Active {
            /// It spares the connection.
            Spared(Passing),
            $($variant(<$settings as Settings>::Active),)*
        }

        /// The types, each with whether Toxiproxy does not have it.
        const TYPES: &[(&str, bool)] = &[$(($name, <$settings>::IS_EXTENSION),)*];

        impl Kind {
            /// The toxic of that type with every attribute zero, and the name of the type.
            pub(crate) fn named(name: &str) -> Option<(Self, &'static str)> {
                match name {
                    $($name => Some((Self::$variant(<$settings>::default()), $name)),)*
                    _ => None,
                }
            }

            /// These settings with the given attributes in place of the old ones.
            pub(crate) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
                match self {
                    $(Self::$variant(settings) => settings.merged(fields).map(Self::$variant),)*
                }
            }

            fn attributes(&self) -> Attributes {
                match self {
                    $(Self::$variant(settings) => settings.attributes(),)*
                }
            }

            pub(crate) fn reach(&self) -> Reach {
                match self {
                    $(Self::$variant(_) => <$settings>::REACH,)*
                }
            }

            /// When an [`Reach::Connection`] toxic closes a connection it met at `since`; `None` for never,
            /// and for all others.
            pub(crate) fn closes_at(&self, since: Instant, last_byte: Instant) -> Option<Instant> {
                match self {
                    $(Self::$variant(settings) => settings.closes_at(since, last_byte),)*
                }
            }

            /// What an [`Reach::Opening`] toxic does; `None` for all others.
            pub(crate) fn opening(&self) -> Option<Opening> {
                match self {
                    $(Self::$variant(settings) => settings.opening(),)*
                }
            }
        }

        impl Active {
            /// It spares the connection.
            pub(crate) const SPARED: Self = Self::Spared(Passing);

            pub(crate) fn start(kind: &Kind, now: Instant) -> Self {
                match kind {
                    $(Kind::$variant(settings) => Self::$variant(Work::start(*settings, now)),)*
                }
            }

            /// New settings for a toxic that goes on; what it remembers of the connection stays.
            pub(crate) fn change(&mut self, kind: &Kind, now: Instant) {
                match kind {
                    $(Kind::$variant(settings) => if let Self::$variant(active) = self {
                        active.change(*settings, now);
                    } else {
                        *self = Self::start(kind, now);
                    },)*
                }
            }

            pub(crate) fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
                match self {
                    Self::Spared(_) => inbox.pass(),
                    $(Self::$variant(active) => Work::<$settings>::step(active, inbox, moment),)*
                }
            }

            pub(crate) fn removal(&self) -> Removal {
                match self {
                    Self::Spared(_) => Removal::Flush,
                    $(Self::$variant(active) => Work::<$settings>::removal(active),)*
                }
            }

            /// The inbox takes more as long as it holds less than this.
            pub(crate) fn inbox_bytes_max(&self) -> usize {
                match self {
                    Self::Spared(_) => <Passing as Work<noop::Noop>>::INBOX_BYTES_MAX,
                    $(Self::$variant(_) => <<$settings as Settings>::Active as Work<$settings>>::INBOX_BYTES_MAX,)*
                }
            }
        }
    };
}

kinds! {
    "noop" => Noop(noop::Noop),
    "latency" => Latency(latency::Latency),
    "bandwidth" => Bandwidth(bandwidth::Bandwidth),
    "slow_close" => SlowClose(slow_close::SlowClose),
    "timeout" => Timeout(timeout::Timeout),
    "reset_peer" => ResetPeer(reset_peer::ResetPeer),
    "slicer" => Slicer(slicer::Slicer),
    "limit_data" => LimitData(limit_data::LimitData),
    "packet_loss" => PacketLoss(packet_loss::PacketLoss),
    "corrupt" => Corrupt(corrupt::Corrupt),
    "blackhole" => Blackhole(blackhole::Blackhole),
    "idle_timeout" => IdleTimeout(idle_timeout::IdleTimeout),
    "limit_time" => LimitTime(limit_time::LimitTime),
    "slow_connect" => SlowConnect(slow_connect::SlowConnect),
    "refuse" => Refuse(refuse::Refuse),
    "no_answer" => NoAnswer(no_answer::NoAnswer),
}

/// The types that Toxiproxy does not have.
pub(crate) fn extensions() -> Vec<&'static str> {
    let own = TYPES.iter().filter(|(_, is_extension)| *is_extension);
    own.map(|(name, _)| *name).collect()
}

impl Serialize for Kind {
    /// The attributes alone, as in a toxic's `"attributes"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attributes = self.attributes().into_iter();
        let object: Map<String, Value> = attributes
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        object.serialize(serializer)
    }
}

/// Writes `1` rather than `1.0`, as Go does: some clients read whole toxicities as integers.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn shortest<S: Serializer>(toxicity: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
    let whole = *toxicity as i32;
    #[expect(clippy::float_cmp, reason = "equal only if nothing was cut off")]
    if whole as f32 == *toxicity {
        serializer.serialize_i32(whole)
    } else {
        serializer.serialize_f32(*toxicity)
    }
}
