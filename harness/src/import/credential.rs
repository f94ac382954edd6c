//! This module finds what opened the socket: the token in the answer to a login, one that is asked for with it, or a secret that was
//! there before.
//!
//! **In:** a [`Search`]. **Out:** the keys `token`, and where the credential goes; the credential itself, as a known value.

use std::collections::BTreeSet;

use super::door::Search;
use super::gather::heads;
use super::har::Request;
use super::leaf::{self, Kind, Leaf};
use super::login::Found;
use super::secret::{Secrets, bare, is_secret};
use super::template::Known;

/// Shortest value that may be a token.
const TOKEN_BYTES_MIN: usize = 8;
/// Frames of the client in which a credential is looked for, and the longest of them.
const FRAMES_MAX: usize = 1_000;
const FRAME_BYTES_MAX: usize = 16 << 10;
/// Most answers, the last ones, in which a token for the socket is looked for.
const ANSWERS_MAX: usize = 1_000;

/// Where something goes that opens a socket.
enum Use {
    Query(String),
    Header,
    Protocol,
    Frame,
    Cookie(String),
}

impl Search<'_> {
    /// Where a value goes that opens the socket.
    fn used(&self, value: &str) -> Option<Use> {
        if let Some((name, _)) = self.query.iter().find(|(_, own)| own == value) {
            return Some(Use::Query(name.clone()));
        }
        let headers = &self.talk.socket.headers;
        let has = |name: &str| {
            headers
                .get(name)
                .is_some_and(|header| header.contains(value))
        };
        if has("authorization") {
            return Some(Use::Header);
        }
        if has("sec-websocket-protocol") {
            return Some(Use::Protocol);
        }
        let in_frame = self
            .talk
            .frames
            .iter()
            .filter(|frame| frame.is_client && frame.text.len() <= FRAME_BYTES_MAX)
            .take(FRAMES_MAX)
            .any(|frame| frame.text.contains(&leaf::in_quotes(value)));
        if in_frame {
            return Some(Use::Frame);
        }
        let cookies = headers
            .get("cookie")
            .unwrap_or_default()
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let named = cookies.into_iter().find(|(_, own)| *own == value);
        named.map(|(name, _)| Use::Cookie(name.to_owned()))
    }

    /// The access token in the answer to a login.
    pub(super) fn access(&mut self, login: &Found<'_>, secrets: &mut Secrets) -> Option<String> {
        let answer = login.request.answer.as_deref().unwrap_or_default();
        let leaves = leaf::leaves(answer);
        let is_token = |leaf: &&Leaf| {
            leaf.kind == Kind::Text
                && leaf.value.len() >= TOKEN_BYTES_MIN
                && !leaf.is_nested
                && leaf.value != login.account
        };
        let texts: Vec<&Leaf> = leaves.iter().filter(is_token).collect();
        let later = self.requests.iter();
        let later = later.filter(|request| request.entry > login.request.entry);
        let later: Vec<&str> = later
            .filter_map(|request| request.headers.get("authorization"))
            .collect();
        let is_asked_with = |value: &str| later.iter().any(|header| header.ends_with(value));
        let is_used = |value: &str| is_asked_with(value) || self.used(value).is_some();
        let is_named =
            |leaf: &Leaf| is_secret(leaf.key(), &leaf.value) && !leaf.key().contains("refresh");
        let in_order: [&dyn Fn(&Leaf) -> bool; 4] = [
            &|leaf| is_named(leaf) && is_used(&leaf.value),
            &is_named,
            &|leaf| is_asked_with(&leaf.value),
            &|leaf| {
                matches!(
                    self.used(&leaf.value),
                    Some(Use::Query(_) | Use::Cookie(_) | Use::Protocol)
                )
            },
        ];
        let token = in_order
            .iter()
            .find_map(|fits| texts.iter().find(|leaf| fits(leaf)));
        let (field, value) = match token {
            Some(leaf) => (leaf.path.clone(), leaf.value.clone()),
            None if leaves.is_empty()
                && is_used(answer.trim())
                && answer.len() >= TOKEN_BYTES_MIN =>
            {
                ("body".to_owned(), answer.trim().to_owned())
            }
            None => return None,
        };
        secrets.add(&value);
        self.door.keys.insert("access".to_owned(), field.into());
        Some(value)
    }

    /// A token that is asked for with the access token, and opens the socket.
    pub(super) fn by_connection_token(
        &mut self,
        (access, login): (Option<&str>, Option<usize>),
        known: &mut Known,
        secrets: &mut Secrets,
    ) -> bool {
        let mut found = None;
        for request in self
            .requests
            .iter()
            .rev()
            .filter(|request| (200..300).contains(&request.status) && Some(request.entry) != login)
            .take(ANSWERS_MAX)
        {
            let answer = request.answer.as_deref().unwrap_or_default();
            let leaves = leaf::leaves(answer);
            let values = leaves
                .iter()
                .filter(|leaf| leaf.kind == Kind::Text && leaf.value.len() >= TOKEN_BYTES_MIN);
            let mut others = values.filter(|leaf| {
                Some(leaf.value.as_str()) != access && is_secret(leaf.key(), &leaf.value)
            });
            let token = others.find_map(|leaf| {
                Some((
                    leaf.path.clone(),
                    leaf.value.clone(),
                    self.used(&leaf.value)?,
                ))
            });
            if let Some(token) = token {
                found = Some((*request, token));
                break;
            }
        }
        let Some((request, (field, value, place))) = found else {
            return false;
        };
        secrets.add(&value);
        let path = request.url.path();
        if request.method != "POST" {
            let note = format!(
                "entry {}: the connection token is asked for by {} {path}, and the harness asks by POST",
                request.entry, request.method
            );
            self.door.notes.push(note);
        }
        let body = request.body.as_ref().map_or("", |(_, body)| body.as_str());
        let conversation = self.conversation(body, request, known);
        let token = [
            ("path", path.to_owned()),
            ("field", field),
            (
                "conversation",
                conversation.unwrap_or_else(|| "none".to_owned()),
            ),
        ];
        let token = token
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into()));
        self.door
            .keys
            .insert("token".to_owned(), toml::Value::Table(token.collect()));
        match place {
            Use::Query(name) => self.opened("connection-token", Some(name)),
            Use::Frame => self.opened("first-frame", None),
            Use::Cookie(_) | Use::Header | Use::Protocol => {
                let note = format!(
                    "entry {}: the connection token goes into a header of the handshake; the harness puts it into the address",
                    request.entry
                );
                self.door.notes.push(note);
                self.opened("connection-token", None);
            }
        }
        known.own.push((value, "credential"));
        true
    }

    /// The field in which a token is asked for one conversation: the one that the socket's address names too.
    fn conversation(&mut self, body: &str, request: &Request, known: &mut Known) -> Option<String> {
        let mut named = None;
        for leaf in leaf::leaves(body) {
            let is_long = leaf.kind == Kind::Text || leaf.value.len() > 2;
            let is_value = leaf.kind != Kind::Word && !leaf.value.is_empty() && is_long;
            let is_free = is_value && !leaf.path.contains('.') && named.is_none();
            if is_free && self.path.split('/').any(|part| part == leaf.value) {
                let parts = self.path.split('/').map(|part| {
                    if part == leaf.value {
                        "{conversation}"
                    } else {
                        part
                    }
                });
                self.path = parts.collect::<Vec<_>>().join("/");
                named = Some(leaf.path);
                known.own.push((leaf.value, "conversation"));
            } else {
                let note = format!(
                    "entry {}: {} sends `{}` too, and a request for a token has no further fields",
                    request.entry,
                    request.url.path(),
                    leaf.path
                );
                self.door.notes.push(note);
            }
        }
        named
    }

    fn opened(&mut self, credential: &'static str, query: Option<String>) {
        self.door.credential = credential;
        if let Some(name) = query {
            self.query.retain(|(own, _)| *own != name);
            self.door.keys.insert("query".to_owned(), name.into());
        }
    }

    /// The access token itself, or something secret that was there before the recording began.
    pub(super) fn by_access(
        &mut self,
        access: Option<&str>,
        has_login: bool,
        known: &mut Known,
        secrets: &mut Secrets,
    ) -> bool {
        let brought = || {
            let mut queries = self.query.iter();
            let query =
                queries.find(|(name, value)| !has_login && is_secret(name, value) && name != "sid");
            let query = query.map(|(_, value)| value.clone());
            let header = self.talk.socket.headers.get("authorization");
            let header = header.filter(|_| !has_login);
            let header = header.map(|header| bare(header).to_owned());
            let protocol = || self.protocol_token().filter(|_| !has_login);
            let brought = query.or(header).or_else(protocol);
            brought.or_else(|| self.told())
        };
        let value = access
            .filter(|access| self.used(access).is_some())
            .map(str::to_owned);
        let Some(value) = value.or_else(brought) else {
            return false;
        };
        secrets.add(&value);
        match self.used(&value) {
            Some(Use::Query(name)) => self.opened("query-token", Some(name)),
            Some(Use::Frame) => self.opened("first-frame", None),
            Some(Use::Header) => self.opened("authorization", None),
            Some(Use::Protocol) => self.opened("bearer", None),
            Some(Use::Cookie(name)) => {
                self.opened("cookie", None);
                self.door.keys.insert("cookie".to_owned(), name.into());
            }
            None => return false,
        }
        if access != Some(value.as_str()) {
            self.door.notes.push("what opens the socket was there before the recording began: it is taken from the variable CHAT_PASSWORD, the same for every client".to_owned());
        }
        known.own.push((value, "credential"));
        true
    }

    /// What follows `Bearer` among the sub-protocols.
    fn protocol_token(&self) -> Option<String> {
        let named = self.talk.socket.headers.get("sec-websocket-protocol")?;
        let (scheme, token) = named.split_once(',')?;
        let token = token.trim();
        let is_bearer = scheme.trim().eq_ignore_ascii_case("bearer");
        is_bearer.then(|| token.to_owned())
    }

    /// A secret in what a client says, of which the server has said nothing before.
    fn told(&self) -> Option<String> {
        let mut heard: BTreeSet<&str> = BTreeSet::new();
        for frame in &self.talk.frames {
            if !frame.is_client {
                heard.extend(frame.leaves.iter().map(|leaf| leaf.value.as_str()));
                continue;
            }
            let leaf = frame.leaves.iter().find(|leaf| {
                leaf.kind == Kind::Text
                    && is_secret(leaf.key(), &leaf.value)
                    && !heard.contains(leaf.value.as_str())
            });
            let leaf = leaf.map(|leaf| leaf.value.as_str());
            let head = || heads(&frame.text).find(|(name, value)| is_secret(name, value));
            let told = leaf.or_else(|| head().map(|(_, value)| value));
            if let Some(told) = told {
                return Some(bare(told).to_owned());
            }
        }
        None
    }
}
