//! This module writes the label of every kind of failure: short, the same for everything of one kind, and never
//! without its code.

use std::fmt;

use super::{
    DialProblem, Ending, FailureKind, Limit, RequestProblem, Rule, StepProblem, TlsProblem,
    TunnelProblem, UpgradeProblem,
};

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request, problem) => write!(f, "{} {problem}", request.name()),
            Self::Dial(problem) => write!(f, "connect {problem}"),
            Self::Tunnel(problem) => write!(f, "proxy {problem}"),
            Self::Tls(problem) => write!(f, "TLS {problem}"),
            Self::Upgrade(problem) => write!(f, "upgrade {problem}"),
            Self::ConnectQueue => {
                f.write_str("connect: no connector of the harness was free in time")
            }
            Self::Refused { code } => write!(f, "refused {code}"),
            Self::NotReady => f.write_str("connected timeout"),
            Self::Step {
                step,
                name,
                problem,
            } if name.is_empty() => write!(f, "opening step {step} {problem}"),
            Self::Step {
                step,
                name,
                problem,
            } => write!(f, "opening step {step} \"{name}\" {problem}"),
            Self::Closed { code } => write!(f, "closed {code}"),
            Self::Cut(ending) => write!(f, "cut {ending}"),
            Self::Protocol(rule) => {
                let (what, section) = rule.text();
                write!(f, "protocol error: {what}")?;
                if let Rule::Opcode(opcode) = rule {
                    write!(f, " {opcode:#x}")?;
                }
                write!(f, " (RFC 6455, {section})")
            }
            Self::MessageTooLong => f.write_str("message over the harness's limit"),
            Self::Limit(limit) => write!(f, "{limit} over the harness's limit"),
            Self::Unfinished => f.write_str("message begun and not ended"),
            Self::BadFrame => f.write_str("bad frame"),
            Self::NotEnded => f.write_str("answer begun and not ended"),
            Self::ForeignAnswer => f.write_str("answer to no message of this run"),
            Self::Event { code } => f.write_str(code),
            Self::HeartbeatUnanswered => f.write_str("heartbeat unanswered"),
            Self::OpenMessages => f.write_str("client: too many open messages"),
            Self::Further => f.write_str("error events with further codes"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fragments => "fragments",
            Self::ControlFrames => "control frames",
            Self::MessageTime => "time of a message",
            Self::Copies => "messages that others are to hear",
        })
    }
}

impl fmt::Display for RequestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Dial(problem) => write!(f, "connect {problem}"),
            Self::Tunnel => f.write_str("without a way through the proxy"),
            Self::Tls(problem) => write!(f, "TLS {problem}"),
            Self::Closed => f.write_str("closed without an answer"),
            Self::Reset => f.write_str("reset without an answer"),
            Self::Unreadable => f.write_str("unreadable answer"),
            Self::TooLong => f.write_str("answer over the harness's limit"),
            Self::NotHttp => f.write_str("answer that is no HTTP"),
            Self::Unsent => f.write_str("not sent"),
        }
    }
}

impl fmt::Display for DialProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(number) => write!(f, "without a local socket: errno {number}"),
            Self::Refused => f.write_str("refused"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::System(number) => write!(f, "errno {number}"),
        }
    }
}

impl fmt::Display for TunnelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(problem) => write!(f, "connect {problem}"),
            Self::Status(status) => write!(f, "{status}"),
            Self::NotHttp => f.write_str("answer that is no HTTP"),
            Self::TooLong => f.write_str("answer over the harness's limit"),
            Self::Closed => f.write_str("closed without an answer"),
            Self::Reset => f.write_str("reset without an answer"),
            Self::Timeout => f.write_str("timeout"),
            Self::Early => f.write_str("with something before anything was said"),
        }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(number) => write!(f, "alert {number}"),
            Self::Certificate => f.write_str("certificate not believed"),
            Self::Handshake => f.write_str("handshake failed"),
            Self::Ended => f.write_str("handshake cut off"),
        }
    }
}

impl fmt::Display for UpgradeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Handshake => f.write_str("101 without a WebSocket handshake"),
            Self::NotHttp => f.write_str("answer that is no HTTP"),
            Self::SpeaksTls => f.write_str("answered in TLS: the port wants wss://"),
            Self::TooLong => f.write_str("answer over the harness's limit"),
            Self::Closed => f.write_str("closed without an answer"),
            Self::Reset => f.write_str("reset without an answer"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

impl fmt::Display for StepProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unanswered => "timeout",
            Self::Refused => "refused",
            Self::NothingToCapture => "without what it captures",
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("without a close frame"),
            Self::Reset => f.write_str("by a reset"),
            Self::Tls(Some(alert)) => write!(f, "by the TLS alert {alert}"),
            Self::Tls(None) => f.write_str("within TLS"),
            Self::Unread => f.write_str("for the server reads nothing"),
            Self::System(number) => write!(f, "by errno {number}"),
        }
    }
}
