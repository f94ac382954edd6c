//! The kinds of fault: each is a file with its keys, what it acts on and how it is caused. Reader, plan, schema and
//! driver follow from there.
//!
//! To add one: a file here, its module and its line in the list below. A toxic that only the fault proxy has is a
//! file there too.

mod bandwidth;
mod blackhole;
mod corrupt;
mod down;
mod idle_timeout;
mod latency;
mod limit_data;
mod limit_time;
mod no_answer;
mod redis_flush;
mod redis_kill;
mod redis_pause;
mod redis_restart;
mod refuse;
mod reset_now;
mod reset_peer;
mod server_kill;
mod server_pause;
mod server_restart;
mod slicer;
mod slow_close;
mod slow_connect;
mod spec;
mod timeout;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::spec::Spec as _;
pub(crate) use self::spec::{Mechanism, ProcessAction, Reach, Sign};
use super::Link;
use crate::scenario::keys::{Described, Keys as _};
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::section::Section;

/// The keys of a kind that acts on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct On<Keys> {
    pub link: Link,
    #[serde(flatten)]
    pub keys: Keys,
}

/// Reads the keys of a kind; `None` where one of them is missing or wrong, or the link of one that acts on a link.
type Read = fn(&mut Section<'_>, Option<Link>, &mut Problems) -> Option<FaultKind>;

/// A kind without its numbers; one is the other where the names are the same.
#[derive(Debug)]
pub(crate) struct Kind {
    /// As a scenario writes it.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub about: &'static str,
    pub reach: Reach,
    pub is_moment: bool,
    pub(in crate::scenario) keys: fn() -> Vec<Described>,
    pub(in crate::scenario) read: Read,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

fn read_keys<Keys: spec::Spec>(section: &mut Section<'_>, problems: &mut Problems) -> Option<Keys> {
    let keys = Keys::read(section, problems)?;
    match keys.check() {
        Ok(()) => Some(keys),
        Err((key, complaint)) => {
            refuse(section, key, complaint, problems);
            None
        }
    }
}

fn refuse(
    section: &mut Section<'_>,
    key: &'static str,
    complaint: Complaint,
    problems: &mut Problems,
) {
    let at = match section.node(key) {
        Some(node) => &node.at,
        None => &section.at,
    };
    problems.add(at, section.field(key), complaint);
}

macro_rules! kinds {
    (
        links { $($link_file:ident: $link:ident,)* }
        processes { $($file:ident: $name:ident,)* }
    ) => {
        $( pub(crate) use $link_file::$link; )*
        $( pub(crate) use $file::$name; )*

        /// What goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case", tag = "kind")]
        pub(crate) enum FaultKind {
            $( $link(On<$link>), )*
            $( $name($name), )*
        }

        $( impl $link {
            /// This kind on a link.
            #[cfg(test)]
            pub(crate) const fn on(self, link: Link) -> FaultKind {
                FaultKind::$link(On { link, keys: self })
            }
        } )*

        /// Every kind.
        pub(crate) const KINDS: &[Kind] = &[
            $( Kind {
                name: $link::NAME,
                about: $link::ABOUT,
                reach: $link::REACH,
                is_moment: $link::IS_MOMENT,
                keys: $link::describe,
                read: |section, link, problems| {
                    let keys = read_keys(section, problems)?;
                    Some(FaultKind::$link(On { link: link?, keys }))
                },
            }, )*
            $( Kind {
                name: $name::NAME,
                about: $name::ABOUT,
                reach: $name::REACH,
                is_moment: $name::IS_MOMENT,
                keys: $name::describe,
                read: |section, _, problems| read_keys(section, problems).map(FaultKind::$name),
            }, )*
        ];

        impl FaultKind {
            /// The link it acts on; `None` for faults of a process.
            pub(crate) const fn link(self) -> Option<Link> {
                match self { $( Self::$link(on) => Some(on.link), )* $( Self::$name(_) => None, )* }
            }

            /// As a scenario writes it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $( Self::$link(_) => $link::NAME, )* $( Self::$name(_) => $name::NAME, )* }
            }

            /// What it acts on.
            pub(crate) const fn reach(self) -> Reach {
                match self { $( Self::$link(_) => $link::REACH, )* $( Self::$name(_) => $name::REACH, )* }
            }

            /// It acts at one moment and lasts no time.
            pub(crate) const fn is_moment(self) -> bool {
                match self { $( Self::$link(_) => $link::IS_MOMENT, )* $( Self::$name(_) => $name::IS_MOMENT, )* }
            }

            /// Only the harness's own fault proxy can cause it.
            pub(crate) const fn needs_own_proxy(self) -> bool {
                match self { $( Self::$link(_) => $link::OWN_PROXY, )* $( Self::$name(_) => $name::OWN_PROXY, )* }
            }

            /// It ends connections that are open.
            pub(crate) const fn ends_connections(self) -> bool {
                match self { $( Self::$link(_) => $link::ENDS_CONNECTIONS, )* $( Self::$name(_) => $name::ENDS_CONNECTIONS, )* }
            }

            /// It changes what is carried: what a client then sees proves nothing about the server.
            pub(crate) const fn damages(self) -> bool {
                match self { $( Self::$link(_) => $link::DAMAGES, )* $( Self::$name(_) => $name::DAMAGES, )* }
            }

            /// What it does, as the end of a sentence on the link or process.
            pub(crate) fn effect(self) -> String {
                match self { $( Self::$link(on) => on.keys.effect(), )* $( Self::$name(keys) => keys.effect(), )* }
            }

            /// How it is caused.
            pub(crate) fn mechanism(self) -> Mechanism {
                match self { $( Self::$link(on) => on.keys.mechanism(), )* $( Self::$name(keys) => keys.mechanism(), )* }
            }

            /// How long a connection must be under it before anything is seen, in microseconds.
            pub(crate) fn acts_after_us(self) -> u64 {
                match self { $( Self::$link(on) => on.keys.acts_after_us(), )* $( Self::$name(keys) => keys.acts_after_us(), )* }
            }

            /// How much later everything arrives, in microseconds.
            pub(crate) fn delays_us(self) -> u64 {
                match self { $( Self::$link(on) => on.keys.delays_us(), )* $( Self::$name(keys) => keys.delays_us(), )* }
            }

            /// Nothing passes while it is in force.
            pub(crate) fn stops_everything(self) -> bool {
                match self { $( Self::$link(on) => on.keys.stops_everything(), )* $( Self::$name(keys) => keys.stops_everything(), )* }
            }

            /// Its own keys, each with its value as a scenario writes it.
            pub(crate) fn print(self) -> Vec<(&'static str, toml::Value)> {
                match self { $( Self::$link(on) => on.keys.print(), )* $( Self::$name(keys) => keys.print(), )* }
            }
        }
    };
}

kinds! {
    links {
        down: Down,
        latency: Latency,
        timeout: Timeout,
        reset_peer: ResetPeer,
        bandwidth: Bandwidth,
        slow_close: SlowClose,
        slicer: Slicer,
        limit_data: LimitData,
        corrupt: Corrupt,
        idle_timeout: IdleTimeout,
        limit_time: LimitTime,
        blackhole: Blackhole,
        reset_now: ResetNow,
        slow_connect: SlowConnect,
        refuse: Refuse,
        no_answer: NoAnswer,
    }
    processes {
        redis_kill: RedisKill,
        redis_pause: RedisPause,
        redis_restart: RedisRestart,
        redis_flush: RedisFlush,
        server_kill: ServerKill,
        server_pause: ServerPause,
        server_restart: ServerRestart,
    }
}
