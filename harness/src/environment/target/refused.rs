//! This module says that a target gave its first account no credential, and what to do about it.

use std::fmt;

use miette::Diagnostic;

use crate::account::{Ask, LIFETIME_KEY, NotGranted};

/// The first account gets no credential.
#[derive(Debug)]
pub(crate) struct CredentialRefused {
    pub url: String,
    pub ask: Ask,
    pub account: String,
    pub why: NotGranted,
    /// Where the answer leads instead.
    pub location: Option<String>,
}

impl fmt::Display for CredentialRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url, account, why, ..
        } = self;
        match (self.ask, why) {
            (Ask::Token, _) => write!(f, "{url} gives {account} no connection token: {why}"),
            (Ask::Login | Ask::Refresh, NotGranted::Refused { .. }) => {
                write!(f, "{url} does not let {account} log in: {why}")
            }
            (_, NotGranted::Absent { key, .. }) if *key == LIFETIME_KEY => {
                write!(
                    f,
                    "{url} lets {account} log in, and does not say for how long: {why}"
                )
            }
            (Ask::Login | Ask::Refresh, NotGranted::Absent { .. }) => {
                write!(f, "{url} lets {account} log in, and gives no token: {why}")
            }
        }
    }
}

impl std::error::Error for CredentialRefused {}

impl Diagnostic for CredentialRefused {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(self.hint()))
    }
}

impl CredentialRefused {
    /// The server takes the request for one that another site has made.
    fn is_forgery(&self) -> bool {
        let words = self.why.to_string().to_ascii_lowercase();
        words.contains("csrf") || words.contains("forgery")
    }

    fn hint(&self) -> String {
        if let Some(hint) = self.why.hint() {
            return hint;
        }
        let ask = self.ask.word();
        match (self.why.status(), &self.location) {
            (300..400, Some(location)) => {
                match self.ask {
                    Ask::Login => format!(
                        "if that is how it lets somebody in, write [target] login.expect = {}; else name where it leads, {location}, or have it followed: login.redirects = 1",
                        self.why.status()
                    ),
                    Ask::Refresh | Ask::Token => format!("redirects are not followed: name where it leads, {location}"),
                }
            }
            (403, _) if self.is_forgery() => {
                "the form wants a value of its own page: name both with login.page and login.capture of [target], and send it with login.fields or login.headers"
                    .to_owned()
            }
            (401 | 403, _) => {
                "set environment.users.password (and prefix, or file) to those of the target"
                    .to_owned()
            }
            (404 | 405, _) => format!(
                "name the path with [target] {ask}.path; without a [target] the server must speak the contract"
            ),
            (400 | 415 | 422, _) if self.ask == Ask::Login => {
                "does it want a form, or other fields? see body, user and password of [target] login"
                    .to_owned()
            }
            _ => "look at the server's log".to_owned(),
        }
    }
}
