//! What the server must look like after each change: names, states and toxics, no sockets.

use super::talker::Talker;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create {
        proxy: Name,
        enabled: bool,
    },
    Update {
        proxy: Name,
        enabled: Option<bool>,
        upstream: Option<usize>,
    },
    Delete {
        proxy: Name,
    },
    Populate(Vec<(Name, usize, bool)>),
    Reset,
    AddToxic {
        proxy: Name,
        toxic: Toxic,
    },
    UpdateToxic {
        proxy: Name,
        name: Name,
        toxic: Toxic,
    },
    RemoveToxic {
        proxy: Name,
        name: Name,
    },
    ResetNow {
        proxy: Name,
    },
    /// Opens a connection that goes on talking.
    Talk {
        proxy: Name,
    },
    Wait {
        ms: u64,
    },
}

pub(super) type Name = &'static str;

const NAMES: [Name; 3] = ["a", "b", "c d"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Toxic {
    pub(super) name: Name,
    pub(super) kind: Name,
    pub(super) stream: Name,
    pub(super) toxicity: f32,
    pub(super) attributes: Vec<(Name, u32)>,
}

impl Toxic {
    pub(super) fn json(&self) -> Value {
        let attributes: BTreeMap<_, _> = self.attributes.iter().copied().collect();
        // The server writes whole toxicities as integers.
        let toxicity = match self.toxicity {
            0.0 => json!(0),
            1.0 => json!(1),
            other => json!(other),
        };
        json!({"name": self.name, "type": self.kind, "stream": self.stream,
               "toxicity": toxicity, "attributes": attributes})
    }

    /// Whether a connection may end because of it.
    fn kills(&self) -> bool {
        let lossless = [
            "noop",
            "latency",
            "bandwidth",
            "slow_close",
            "slicer",
            "slow_connect",
        ];
        !lossless.contains(&self.kind)
    }
}

pub(super) struct Proxy {
    pub(super) enabled: bool,
    pub(super) upstream: usize,
    pub(super) toxics: Vec<Toxic>,
    pub(super) talkers: Vec<Talker>,
}

impl Proxy {
    fn new(enabled: bool, upstream: usize) -> Self {
        Self {
            enabled,
            upstream,
            toxics: Vec::new(),
            talkers: Vec::new(),
        }
    }

    /// Every connection is closed.
    fn cut(&mut self) {
        self.talkers.drain(..).for_each(|talker| talker.may_end());
    }

    fn meet(&self, toxic: &Toxic) {
        if toxic.kills() {
            self.talkers.iter().for_each(Talker::may_end);
        }
    }

    /// Somebody is about to connect.
    pub(super) fn welcome(&mut self) -> Talker {
        let talker = Talker::default();
        if self.toxics.iter().any(Toxic::kills) {
            talker.may_end();
        }
        self.talkers.push(talker.clone());
        talker
    }
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) proxies: BTreeMap<Name, Proxy>,
}

impl Model {
    /// Carries the change out; answers the status the server must answer.
    pub(super) fn apply(&mut self, change: &Change) -> u16 {
        match change {
            Change::Create { proxy, enabled } => {
                if self.proxies.contains_key(proxy) {
                    return 409;
                }
                self.proxies.insert(proxy, Proxy::new(*enabled, 0));
                201
            }
            Change::Delete { proxy } => match self.proxies.remove(proxy) {
                Some(mut gone) => {
                    gone.cut();
                    204
                }
                None => 404,
            },
            Change::Populate(all) => {
                for (name, upstream, enabled) in all {
                    self.put(name, *upstream, *enabled);
                }
                201
            }
            Change::Reset => {
                for proxy in self.proxies.values_mut() {
                    proxy.enabled = true;
                    proxy.toxics.clear();
                }
                204
            }
            Change::Update { proxy, .. }
            | Change::AddToxic { proxy, .. }
            | Change::UpdateToxic { proxy, .. }
            | Change::RemoveToxic { proxy, .. }
            | Change::ResetNow { proxy } => match self.proxies.get_mut(proxy) {
                Some(proxy) => proxy.apply(change),
                None => 404,
            },
            Change::Talk { .. } | Change::Wait { .. } => 0,
        }
    }

    fn put(&mut self, name: Name, upstream: usize, enabled: bool) {
        let same = self
            .proxies
            .get(name)
            .is_some_and(|proxy| proxy.upstream == upstream);
        if same {
            return;
        }
        if let Some(mut replaced) = self.proxies.insert(name, Proxy::new(enabled, upstream)) {
            replaced.cut();
        }
    }
}

impl Proxy {
    fn apply(&mut self, change: &Change) -> u16 {
        match change {
            Change::Update {
                enabled, upstream, ..
            } => {
                let enabled = enabled.unwrap_or(self.enabled);
                let upstream = upstream.unwrap_or(self.upstream);
                if !enabled || upstream != self.upstream {
                    self.cut();
                }
                (self.enabled, self.upstream) = (enabled, upstream);
                200
            }
            Change::AddToxic { toxic, .. } => {
                if self.toxics.iter().any(|present| present.name == toxic.name) {
                    return 409;
                }
                self.meet(toxic);
                self.toxics.push(toxic.clone());
                self.toxics
                    .sort_by_key(|toxic| toxic.stream == "downstream");
                200
            }
            Change::UpdateToxic { name, toxic, .. } => {
                let Some(present) = self.toxics.iter_mut().find(|toxic| toxic.name == *name) else {
                    return 404;
                };
                // Merged by name; the rest of the update, its type included, does not count.
                for (attribute, value) in &mut present.attributes {
                    let given = toxic.attributes.iter().find(|(name, _)| name == attribute);
                    *value = given.map_or(*value, |(_, given)| *given);
                }
                present.toxicity = toxic.toxicity;
                let present = present.clone();
                self.meet(&present);
                if present.kind == "timeout" {
                    // Spared again, a connection goes on without what was dropped.
                    self.talkers.iter().for_each(Talker::may_lose_bytes);
                }
                200
            }
            Change::RemoveToxic { name, .. } => {
                let before = self.toxics.len();
                self.toxics.retain(|toxic| toxic.name != *name);
                if self.toxics.len() < before { 204 } else { 404 }
            }
            Change::ResetNow { .. } => {
                self.cut();
                200
            }
            _ => 0,
        }
    }
}

pub(super) fn any_change() -> impl Strategy<Value = Change> {
    let proxy = || select(&NAMES[..]);
    let half = || prop::option::of(any::<bool>());
    prop_oneof![
        4 => (proxy(), any::<bool>(), any::<bool>())
            .prop_map(|(proxy, first, second)| Change::Create { proxy, enabled: first || second }),
        2 => (proxy(), half(), prop::option::of(0_usize..2))
            .prop_map(|(proxy, enabled, upstream)| Change::Update { proxy, enabled, upstream }),
        1 => proxy().prop_map(|proxy| Change::Delete { proxy }),
        1 => prop::collection::btree_map(proxy(), (0_usize..2, any::<bool>()), 0..4).prop_map(|all| {
            let all = all.into_iter();
            Change::Populate(all.map(|(name, (upstream, enabled))| (name, upstream, enabled)).collect())
        }),
        1 => Just(Change::Reset),
        8 => (proxy(), any_toxic()).prop_map(|(proxy, toxic)| Change::AddToxic { proxy, toxic }),
        4 => (proxy(), proxy(), any_toxic())
            .prop_map(|(proxy, name, toxic)| Change::UpdateToxic { proxy, name, toxic }),
        3 => (proxy(), proxy()).prop_map(|(proxy, name)| Change::RemoveToxic { proxy, name }),
        1 => proxy().prop_map(|proxy| Change::ResetNow { proxy }),
        6 => proxy().prop_map(|proxy| Change::Talk { proxy }),
        3 => (0_u64..8).prop_map(|ms| Change::Wait { ms }),
    ]
}

/// An attribute and the values it takes here: all valid, none so large that a case takes long.
type Setting = (Name, std::ops::Range<u32>);

fn any_toxic() -> impl Strategy<Value = Toxic> {
    let kinds: Vec<(Name, Vec<Setting>)> = vec![
        ("noop", vec![]),
        ("latency", vec![("latency", 0..6), ("jitter", 0..6)]),
        ("bandwidth", vec![("rate", 0..2_000)]),
        ("slow_close", vec![("delay", 0..20)]),
        ("timeout", vec![("timeout", 0..20)]),
        ("reset_peer", vec![("timeout", 0..20)]),
        (
            "slicer",
            vec![
                ("average_size", 64..512),
                ("size_variation", 0..64),
                ("delay", 0..200),
            ],
        ),
        ("limit_data", vec![("bytes", 0..20_000)]),
        ("blackhole", vec![]),
        ("idle_timeout", vec![("timeout", 0..20)]),
        ("limit_time", vec![("time", 0..20)]),
        ("slow_connect", vec![("delay", 0..10)]),
        ("refuse", vec![("connections", 0..3)]),
        ("no_answer", vec![]),
    ];
    let settings = select(kinds).prop_flat_map(|(kind, attributes)| {
        let (names, ranges): (Vec<_>, Vec<_>) = attributes.into_iter().unzip();
        ranges.prop_map(move |values| (kind, names.iter().copied().zip(values).collect()))
    });
    (
        select(&NAMES[..]),
        settings,
        select(&["upstream", "downstream"][..]),
        select(&[0.0, 0.5, 1.0, 1.0][..]),
    )
        .prop_map(|(name, (kind, attributes), stream, toxicity)| Toxic {
            name,
            kind,
            stream,
            toxicity,
            attributes,
        })
}
