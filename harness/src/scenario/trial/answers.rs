//! Trial `answers`.

use super::spec::{Promise, Situation, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};
use crate::scenario::value::SECOND;

keys! {
    /// Token request and connect are answered in time, whatever is broken.
    pub(crate) struct Answers {
        /// Longest wait for an answer.
        within_us "within": Time = 5 * SECOND, TIMES;
    }
}

impl Spec for Answers {
    const NAME: &str = "answers";
    const PROMISES: &[Promise] = &[
        Promise::new("a connect is answered in time", Known::ConnectHang)
            .in_situation(Situation::UnderFault),
        Promise::new(
            "a token request is answered in time",
            Known::TokenEndpointHang,
        )
        .in_situation(Situation::UnderFault),
    ];

    fn longest_us(&self) -> u64 {
        self.within_us * 2
    }
}
