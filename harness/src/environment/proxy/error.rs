//! This module names what keeps a fault proxy from carrying a link, with a hint each.

use std::io;

use fault_proxy::client::ClientError;
use miette::Diagnostic;

/// Why a link cannot run through a proxy.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum ProxyError {
    #[error(
        "fault {fault} (line {line}): `{kind}` needs the harness's own fault proxy, and {carrier} has no such thing"
    )]
    #[diagnostic(help(
        "take the fault out, or leave --toxiproxy (and `links`) out: the embedded proxy can do it"
    ))]
    NeedsOwn {
        fault: String,
        line: u32,
        kind: &'static str,
        carrier: String,
    },
    #[error("environment.links.{link}: {carrier} has no proxy called {name}; it has {known}")]
    #[diagnostic(help("name one that exists, or leave the link out of `links`"))]
    NoSuch {
        link: &'static str,
        carrier: String,
        name: String,
        known: String,
    },
    #[error("environment.links.{link}: the proxy {name} of {carrier} is disabled")]
    #[diagnostic(help("enable it first: the run puts it back as it found it"))]
    Disabled {
        link: &'static str,
        carrier: String,
        name: String,
    },
    #[error("the fault proxy could not be set up: {0}")]
    Api(#[from] ClientError),
    #[error("the fault proxy could not listen on {address}: {source}")]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
}
