//! This module says who caused a failure of each kind, where no fault of the run explains it.

use super::{
    ABNORMAL, Cause, DialProblem, Ending, FailureKind, Limit, RequestProblem, StepProblem,
    TlsProblem, TunnelProblem, UpgradeProblem,
};

impl FailureKind {
    /// Who caused it where no fault of the run explains it.
    pub(crate) const fn cause(&self) -> Cause {
        match self {
            Self::Request(_, problem) => problem.cause(),
            Self::Dial(problem) => problem.cause(),
            Self::Tunnel(problem) => problem.cause(),
            Self::Tls(problem) => problem.cause(),
            Self::Upgrade(problem) => problem.cause(),
            Self::Cut(Ending::Closed | Ending::Tls(_) | Ending::Unread)
            | Self::Refused { .. }
            | Self::NotReady
            | Self::Step { .. }
            | Self::Closed { .. }
            | Self::Protocol(_)
            | Self::Unfinished
            | Self::BadFrame
            | Self::NotEnded
            | Self::Event { .. }
            | Self::HeartbeatUnanswered
            | Self::Further => Cause::Server,
            Self::Cut(Ending::Reset | Ending::System(_)) => Cause::Network,
            Self::MessageTooLong | Self::Limit(_) | Self::OpenMessages => Cause::Harness,
            Self::ConnectQueue => Cause::Generator,
            Self::ForeignAnswer => Cause::Usage,
        }
    }
}

impl FailureKind {
    /// It keeps a client from having a session.
    pub(crate) const fn is_of_connect(&self) -> bool {
        matches!(
            self,
            Self::Request(..)
                | Self::Dial(_)
                | Self::Tunnel(_)
                | Self::Tls(_)
                | Self::Upgrade(_)
                | Self::ConnectQueue
                | Self::Refused { .. }
                | Self::NotReady
                | Self::Step { .. }
        )
    }

    /// It may as well be the doing of whatever lies between client and server.
    pub(crate) const fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Dial(_)
                | Self::Cut(_)
                | Self::NotReady
                | Self::Step {
                    problem: StepProblem::Unanswered,
                    ..
                }
                | Self::Unfinished
                | Self::Limit(Limit::MessageTime)
                | Self::HeartbeatUnanswered
                | Self::Tunnel(_)
                | Self::Tls(TlsProblem::Ended)
                | Self::Request(
                    _,
                    RequestProblem::Timeout
                        | RequestProblem::Dial(_)
                        | RequestProblem::Tunnel
                        | RequestProblem::Closed
                        | RequestProblem::Reset
                )
                | Self::Upgrade(
                    UpgradeProblem::Closed | UpgradeProblem::Reset | UpgradeProblem::Timeout
                )
                | Self::Refused { code: ABNORMAL }
        )
    }
}

impl RequestProblem {
    const fn cause(self) -> Cause {
        match self {
            // 407: a proxy on the way wants other credentials.
            Self::Status(300..=399 | 407) => Cause::Usage,
            Self::Status(_) | Self::Closed | Self::Unreadable | Self::NotHttp | Self::Timeout => {
                Cause::Server
            }
            Self::Reset | Self::Tunnel => Cause::Network,
            Self::Dial(problem) => problem.cause(),
            Self::Tls(problem) => problem.cause(),
            Self::TooLong => Cause::Harness,
            Self::Unsent => Cause::Generator,
        }
    }
}

impl DialProblem {
    const fn cause(self) -> Cause {
        match self {
            Self::Local(_) => Cause::Generator,
            Self::Refused => Cause::Server,
            Self::Reset | Self::Timeout | Self::Unreachable | Self::System(_) => Cause::Network,
        }
    }
}

impl TunnelProblem {
    const fn cause(self) -> Cause {
        match self {
            // Of the credentials, of a port that it lets nobody through to, of what is no proxy.
            Self::Status(300..=499) | Self::NotHttp => Cause::Usage,
            Self::Dial(_)
            | Self::Status(_)
            | Self::Closed
            | Self::Reset
            | Self::Timeout
            | Self::Early => Cause::Network,
            Self::TooLong => Cause::Harness,
        }
    }
}

impl TlsProblem {
    const fn cause(self) -> Cause {
        match self {
            Self::Certificate => Cause::Usage,
            Self::Alert(_) | Self::Handshake | Self::Ended => Cause::Server,
        }
    }
}

impl UpgradeProblem {
    const fn cause(self) -> Cause {
        match self {
            Self::Status(300..=399) | Self::SpeaksTls => Cause::Usage,
            Self::Status(_) | Self::Handshake | Self::NotHttp | Self::Closed | Self::Timeout => {
                Cause::Server
            }
            Self::Reset => Cause::Network,
            Self::TooLong => Cause::Harness,
        }
    }
}
