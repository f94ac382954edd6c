//! The toxics that end one open connection as a whole: when it is idle, when its time is up.
//!
//! **In:** the toxics in force, when the last byte came. **Out:** when the connection is to be closed.
//! They stand beside the streams, so that a stream that is held up does not hold them up.

use super::stage::Identity;
use crate::toxic::Toxic;
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Limits(Vec<Limit>);

#[derive(Debug)]
struct Limit {
    toxic: Arc<Toxic>,
    /// When the toxic met the connection; `None` while it spares it.
    since: Option<Instant>,
    draw: f32,
}

impl Limits {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings the limits in line with the toxics now in force; those that stay keep their start.
    pub(super) fn apply(&mut self, toxics: &[Arc<Toxic>], identity: &Identity) {
        if toxics.is_empty() && self.0.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.0);
        for toxic in toxics {
            let known = before.iter().position(|limit| limit.toxic.id == toxic.id);
            let mut limit = match known {
                Some(index) => before.swap_remove(index),
                None => Limit {
                    toxic: Arc::clone(toxic),
                    since: None,
                    draw: identity.luck(toxic).0,
                },
            };
            if limit.draw >= toxic.toxicity {
                limit.since = None;
            } else if limit.since.is_none() {
                limit.since = Some(now);
                toxic.tally.count();
            }
            limit.toxic = Arc::clone(toxic);
            self.0.push(limit);
        }
    }

    /// The earliest end, as things stand.
    pub(super) fn closes_at(&self, last_byte: Instant) -> Option<Instant> {
        let ends = self.0.iter().filter_map(|limit| {
            let kind = &limit.toxic.attributes;
            limit
                .since
                .and_then(|since| kind.closes_at(since, last_byte))
        });
        ends.min()
    }
}
