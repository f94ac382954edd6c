//! This module is why a client of the load has no credential.

use crate::account;
use crate::failure::{DialProblem, Failure, FailureKind, Request, RequestProblem};
use crate::plan::Credential;

/// Why there is no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub failure: Failure,
    /// The access token is not accepted (any more).
    pub unauthorized: bool,
    /// The server asked to wait that long.
    pub retry_after_us: u64,
    /// The first request was lost with a kept connection.
    pub repeated: bool,
}

impl Denied {
    pub(super) fn new(request: Request, problem: RequestProblem, words: &str) -> Self {
        Self {
            failure: Failure::said(FailureKind::Request(request, problem), words),
            unauthorized: false,
            retry_after_us: 0,
            repeated: false,
        }
    }

    /// Without these secrets, which an answer may repeat.
    pub(super) fn masked(mut self, secrets: &[&str]) -> Self {
        if let Some(words) = self.failure.words.take() {
            self.failure.words = Some(account::masked(&words, secrets).into_boxed_str());
        }
        self
    }

    /// Where a proxy is on the way, the connection that there is not is one to that.
    pub(super) fn behind(mut self, has_proxy: bool) -> Self {
        if let FailureKind::Request(_, problem) = &mut self.failure.kind
            && let RequestProblem::Dial(dial) = problem
            && has_proxy
            && !matches!(dial, DialProblem::Local(_))
        {
            *problem = RequestProblem::Tunnel;
        }
        self
    }

    /// Nobody put it on the way: the run is ending.
    pub(super) fn unsent() -> Self {
        Self::new(Request::Token, RequestProblem::Unsent, "")
    }

    /// The credential took as long as a session may take to open.
    pub(super) fn late(credential: Credential) -> Self {
        let request = match credential {
            Credential::ConnectionToken => Request::Token,
            Credential::Cookie
            | Credential::QueryToken
            | Credential::Bearer
            | Credential::Authorization
            | Credential::FirstFrame
            | Credential::None => Request::Login,
        };
        Self::new(request, RequestProblem::Timeout, "")
    }

    /// The connection ended before an answer began.
    pub(super) fn is_lost(&self) -> bool {
        matches!(
            self.failure.kind,
            FailureKind::Request(_, RequestProblem::Closed | RequestProblem::Reset)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_a_proxy_refuses_is_not_booked_to_the_server() {
        let kind = |problem, has_proxy| {
            let denied = Denied::new(Request::Token, RequestProblem::Dial(problem), "");
            denied.behind(has_proxy).failure.kind.to_string()
        };
        assert_eq!(kind(DialProblem::Refused, false), "token connect refused");
        let none = "token without a way through the proxy";
        assert_eq!(kind(DialProblem::Refused, true), none);
        assert!(!kind(DialProblem::Local(24), true).contains("proxy"));
    }
}
