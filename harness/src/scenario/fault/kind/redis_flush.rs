//! Fault `redis-flush`.

use super::spec::{Mechanism, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Every connection token is forgotten at one moment, and the rate limits with them.
    pub(crate) struct RedisFlush {}
}

impl Spec for RedisFlush {
    const NAME: &str = "redis-flush";
    const REACH: Reach = Reach::Redis;
    const IS_MOMENT: bool = true;

    fn effect(&self) -> String {
        "without its tokens".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::FlushTokens
    }
}
