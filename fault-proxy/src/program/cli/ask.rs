//! Whom a command asks, and what it says when that does not work.

use super::super::failure::Failure;
use super::paper::shown;
use fault_proxy::client::{Client, ClientError};
use std::error::Error;

/// The API that is asked, by whom.
pub(super) struct Asked {
    /// The program as whoever asked calls it.
    pub(super) program: &'static str,
    url: String,
}

impl Asked {
    /// An address without a scheme is one of HTTP, as there.
    pub(super) fn new(program: &'static str, host: String) -> Self {
        let url = if host.contains("://") {
            host
        } else {
            format!("http://{host}")
        };
        Self { program, url }
    }

    pub(super) fn client(&self) -> Result<Client, Failure> {
        let place = "--host (or TOXIPROXY_URL)";
        Client::new(&self.url).map_err(|error| match error {
            ClientError::BadUrl { reason } => Failure::usage(format!("{place}: {reason}"))
                .hint("write it as http://localhost:8474"),
            other => Failure::new(format!("{place}: {}", causes(&other))),
        })
    }

    /// What a failure of `command` is told as.
    pub(super) fn about(&self, command: &'static str) -> impl Fn(ClientError) -> Failure {
        move |error| self.failure(command, &error)
    }

    fn failure(&self, command: &str, error: &ClientError) -> Failure {
        let program = self.program;
        let place = format!("{program} {command}");
        match error {
            ClientError::Refused {
                status, message, ..
            } => {
                let said: String = message.chars().map(shown).collect();
                let failure = Failure::new(format!("{place}: {said}"));
                match self.way_out(*status, message) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
            ClientError::Unreachable { source, .. } => {
                let fact = format!("{place}: {} does not answer: {}", self.at(), last(source));
                Failure::new(fact).hint(
                    "start the server with `fault-proxy`, or say where it is: --host http://HOST:PORT, or TOXIPROXY_URL",
                )
            }
            other => Failure::new(format!("{place}: {}", causes(other))),
        }
    }

    fn way_out(&self, status: u16, message: &str) -> Option<String> {
        let program = self.program;
        match (status, message) {
            (404, "toxic not found") => Some(format!(
                "`{program} inspect PROXY` shows what toxics it has"
            )),
            (404, "proxy not found") => {
                Some(format!("`{program} list` shows what proxies there are"))
            }
            (404, _) => Some(format!("is {} the API of a fault proxy?", self.at())),
            (409, "toxic already exists") => Some(format!(
                "`{program} toxic update` changes it; -n gives another name"
            )),
            (409, _) => Some(format!(
                "`{program} delete PROXY` first, or take another name"
            )),
            _ if message == "invalid toxic type" => Some(format!(
                "`{program} toxic add --help` lists the types; a Toxiproxy has only some of them"
            )),
            _ if message.contains("address already in use") => {
                Some("take another port; 0 takes a free one".to_owned())
            }
            _ => None,
        }
    }

    /// The address without a user and a password.
    fn at(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

/// The error and what is behind it.
fn causes(error: &dyn Error) -> String {
    match error.source() {
        Some(_) => format!("{error}: {}", last(error)),
        None => error.to_string(),
    }
}

/// What is behind it all. Requests name their whole address before that, a password in it too.
fn last(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let at = |host: &str| Asked::new("cli", host.to_owned()).at();
        assert_eq!(at("localhost:8474"), "http://localhost:8474");
        assert_eq!(at("http://u:secret@host:1/"), "http://host:1/");
        assert_eq!(at("u:secret@host:1"), "http://host:1");
    }
}
