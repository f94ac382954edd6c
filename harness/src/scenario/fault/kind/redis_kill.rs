//! Fault `redis-kill`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Redis is killed, and started again at the end of the fault.
    pub(crate) struct RedisKill {}
}

impl Spec for RedisKill {
    const NAME: &str = "redis-kill";
    const REACH: Reach = Reach::Redis;

    fn effect(&self) -> String {
        "killed".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Kill)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
