//! Fault `redis-pause`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Redis stops, with its connections open, and goes on at the end of the fault.
    pub(crate) struct RedisPause {}
}

impl Spec for RedisPause {
    const NAME: &str = "redis-pause";
    const REACH: Reach = Reach::Redis;

    fn effect(&self) -> String {
        "stopped".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Pause)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
