//! Counts what goes through a proxy, while it goes.
//!
//! **In:** connections as they come and end, bytes as they are read and written. **Out:** a
//! [`Count`] at any moment. The counts last as long as the proxy, over restarts and new addresses.

use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The client ended it or went away.
    Client,
    /// The upstream did.
    Upstream,
    /// The upstream could not be connected to.
    Unreached,
    /// A toxic.
    Toxic,
    /// `reset_now`.
    ResetNow,
    /// The proxy was disabled, moved or deleted.
    Down,
    /// The process carried as many as it can.
    Full,
    /// It had come through too many proxies of this server.
    Loop,
}

impl Reason {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Client, "client"),
        (Self::Upstream, "upstream"),
        (Self::Unreached, "unreached"),
        (Self::Toxic, "toxic"),
        (Self::ResetNow, "reset_now"),
        (Self::Down, "down"),
        (Self::Full, "full"),
        (Self::Loop, "loop"),
    ];
}

/// The bytes of one direction, from its source and to its destination.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Flow {
    pub(super) fn receive(&self, bytes: usize) {
        add(&self.received, bytes);
    }

    pub(super) fn send(&self, bytes: usize) {
        add(&self.sent, bytes);
    }

    fn count(&self) -> FlowCount {
        FlowCount {
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    accepted: AtomicU64,
    /// Numbers of those that are open.
    open: Mutex<BTreeSet<u64>>,
    closed: [AtomicU64; Reason::ALL.len()],
    pub(super) upstream: Flow,
    pub(super) downstream: Flow,
}

impl Traffic {
    /// A connection was accepted; answers its number, from 0.
    pub(super) fn accept(self: &Arc<Self>) -> (u64, Open) {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number);
        let open = Open {
            traffic: Arc::clone(self),
            number,
        };
        (number, open)
    }

    /// Numbers of the connections that are open, ascending.
    pub(super) fn open_now(&self) -> Vec<u64> {
        self.open().iter().copied().collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self, reason: Reason) {
        let index = Reason::ALL.iter().position(|(one, _)| *one == reason);
        if let Some(counter) = index.and_then(|index| self.closed.get(index)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> Count {
        let closed = Reason::ALL.iter().zip(&self.closed);
        Count {
            connections: ConnectionCount {
                open: u64::try_from(self.open().len()).unwrap_or(u64::MAX),
                accepted: self.accepted.load(Ordering::Relaxed),
                closed: closed
                    .map(|((_, name), counter)| (*name, counter.load(Ordering::Relaxed)))
                    .collect(),
            },
            bytes: ByteCount {
                upstream: self.upstream.count(),
                downstream: self.downstream.count(),
            },
        }
    }
}

/// Counts a connection as open until it is dropped, however its task ends.
#[derive(Debug)]
pub(super) struct Open {
    traffic: Arc<Traffic>,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.traffic.open().remove(&self.number);
    }
}

/// What a proxy has carried up to a moment.
#[derive(Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) connections: ConnectionCount,
    pub(crate) bytes: ByteCount,
}

#[derive(Debug, Serialize)]
pub(crate) struct ConnectionCount {
    pub(crate) open: u64,
    pub(crate) accepted: u64,
    /// By [`Reason`].
    pub(crate) closed: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ByteCount {
    pub(crate) upstream: FlowCount,
    pub(crate) downstream: FlowCount,
}

#[derive(Debug, Serialize)]
pub(crate) struct FlowCount {
    /// Read from the direction's source.
    pub(crate) received: u64,
    /// Written to its destination.
    pub(crate) sent: u64,
}
