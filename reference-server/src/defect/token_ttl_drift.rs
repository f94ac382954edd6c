//! Row 4: a connection token lives a tenth shorter or longer than is said.
//!
//! Asked where a token is stored, in `auth::token`: the first byte of the token decides which way,
//! so that a run sees both.

use std::time::Duration;

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 4,
    name: "token-ttl-drift",
    wrong: "a connection token lives a tenth shorter or longer than is said",
    seen: "some tokens are refused too early, others accepted too late",
    rate: None,
};

impl Defects {
    /// How long a token really lives.
    pub(crate) fn token_life(&self, said: Duration, token: &str) -> Duration {
        if self.has(&SPEC) {
            life(said, token)
        } else {
            said
        }
    }
}

fn life(said: Duration, token: &str) -> Duration {
    let early = token.bytes().next().is_some_and(|byte| byte % 2 == 0);
    if early { said * 9 / 10 } else { said * 11 / 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_tokens_live_too_short_and_some_too_long() {
        let said = Duration::from_mins(1);
        assert_eq!(life(said, "B"), Duration::from_secs(54));
        assert_eq!(life(said, "A"), Duration::from_secs(66));
    }
}
