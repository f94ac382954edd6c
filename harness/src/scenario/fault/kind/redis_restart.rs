//! Fault `redis-restart`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Redis shuts down in order, and is started again at the end of the fault.
    pub(crate) struct RedisRestart {}
}

impl Spec for RedisRestart {
    const NAME: &str = "redis-restart";
    const REACH: Reach = Reach::Redis;

    fn effect(&self) -> String {
        "restarted".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Restart)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
