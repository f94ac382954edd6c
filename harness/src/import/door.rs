//! This module finds how a browser got in: its login, its connection token, what opened the socket.
//!
//! **In:** a recording, the talk on its socket. **Out:** [`Door`]: the keys `login`, `token`, `socket`, `cookies` and `headers`, and
//! what opens sockets; what of it is secret; what could not be said.

use std::collections::BTreeMap;

use reqwest::Url;

use super::har::{Recording, Request};
use super::login::{self, Found};
use super::secret::{REMOVED, Secrets, is_random, is_secret, is_secret_field};
use super::talk::Talk;
use super::template::Known;
use crate::account::percent_encoded;

/// Headers that the browser or its page adds to requests and that mean nothing elsewhere.
const OF_BROWSERS: [&str; 3] = [
    "x-requested-with",
    "x-client-data",
    "x-devtools-emulate-network-conditions-client-id",
];
/// What people are called in a first frame.
const ACCOUNTS: [&str; 6] = ["user", "username", "login", "email", "account", "name"];

/// The way in.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub(super) keys: toml::Table,
    /// As `load.session.credential` has it.
    pub(super) credential: &'static str,
    /// Who logged in.
    pub(super) account: Option<String>,
    pub(super) notes: Vec<String>,
}

/// What is known by and by.
pub(super) struct Search<'r> {
    pub(super) talk: &'r Talk<'r>,
    /// Requests to the socket's own host, before it.
    pub(super) requests: Vec<&'r Request>,
    pub(super) door: Door,
    /// The path of the socket, as a template, and what is left of its query.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
}

/// Finds it.
pub(super) fn door(
    recording: &Recording,
    talk: &Talk<'_>,
    known: &mut Known,
    secrets: &mut Secrets,
) -> Door {
    let socket = talk.socket;
    let before = recording
        .requests
        .iter()
        .filter(|request| request.entry < socket.entry);
    let (own, other): (Vec<&Request>, Vec<&Request>) =
        before.partition(|request| is_same_host(&request.url, &socket.url));
    let mut search = Search {
        talk,
        requests: own,
        door: Door {
            credential: "none",
            ..Door::default()
        },
        path: socket.url.path().to_owned(),
        query: socket
            .url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    };
    let login = login::find(&search.requests, secrets);
    if login.is_none() && login::find(&other, secrets).is_some() {
        search.door.notes.push("the login goes to another host: the harness asks the target alone, so login = \"none\" and the access token is given by hand".to_owned());
    }
    if login.is_none() && login::is_nested(&search.requests, secrets) {
        search.door.notes.push("a login sends its fields within others, or as multipart: the harness sends a flat form or object, so login = \"none\" and the access token is given by hand".to_owned());
    }
    let access = login
        .as_ref()
        .and_then(|login| search.access(login, secrets));
    let asked = login.as_ref().map(|login| login.request.entry);
    let opened = search.by_connection_token((access.as_deref(), asked), known, secrets)
        || search.by_access(access.as_deref(), login.is_some(), known, secrets);
    search.login(login, (access.as_deref(), opened), (known, secrets));
    search.headers(secrets);
    search.socket(secrets);
    search.door
}

fn is_same_host(url: &Url, socket: &Url) -> bool {
    url.host_str() == socket.host_str()
        && url.port_or_known_default() == socket.port_or_known_default()
}

impl Search<'_> {
    /// `login` and `cookies`.
    fn login(
        &mut self,
        login: Option<Found<'_>>,
        (access, opened): (Option<&str>, bool),
        (known, secrets): (&mut Known, &mut Secrets),
    ) {
        let socket = &self.talk.socket;
        let has_cookie = socket.headers.get("cookie").is_some();
        let token = self.door.keys.remove("access");
        let Some(login) = login else {
            self.door.keys.insert("login".to_owned(), "none".into());
            self.account_told(known);
            if has_cookie && !opened {
                let cookies = socket.headers.get("cookie").unwrap_or_default();
                let pairs = cookies
                    .split(';')
                    .filter_map(|pair| pair.trim().split_once('='));
                let pairs: Vec<(&str, &str)> = pairs.collect();
                let named = pairs
                    .iter()
                    .find(|(name, value)| is_secret_field(name, value));
                let Some((name, value)) = named.or(pairs.first()) else {
                    return;
                };
                secrets.add(value);
                let name = (*name).to_owned();
                self.door.notes.push(format!("the recording begins with somebody who is logged in already: the cookie `{name}` is taken from the variable CHAT_PASSWORD; record the login too, and each client gets its own"));
                self.door.credential = "cookie";
                self.door.keys.insert("cookie".to_owned(), name.into());
            }
            return;
        };
        // Sanitized recordings have no cookies, and what opens the socket is then one.
        let by_cookie = !opened || access.is_none();
        if by_cookie {
            self.door.credential = if opened {
                self.door.credential
            } else {
                "cookie"
            };
            self.door.keys.insert("cookies".to_owned(), true.into());
            if !has_cookie {
                self.door.notes.push("the recording holds no cookies, as browsers export it by themselves: that a cookie of the login opens the socket is a guess; export it \"with sensitive data\" to know".to_owned());
            }
        }
        let token = token
            .filter(|_| access.is_some())
            .unwrap_or_else(|| "none".into());
        let mut keys = login.keys;
        keys.insert("token".to_owned(), token);
        self.door.notes.extend(login.notes);
        self.door.keys.insert("login".to_owned(), keys.into());
        known.own.push((login.account.clone(), "account"));
        self.door.account = Some(login.account);
    }

    /// Who a client says that it is, where nobody logs in.
    fn account_told(&mut self, known: &mut Known) {
        if self.door.credential != "first-frame" {
            return;
        }
        let secret = known
            .own
            .iter()
            .find(|(_, place)| *place == "credential")
            .map(|(value, _)| value.clone());
        let Some(secret) = secret else { return };
        let told = self
            .talk
            .frames
            .iter()
            .find(|frame| frame.is_client && frame.text.contains(&secret));
        let leaf = told.and_then(|frame| {
            frame
                .leaves
                .iter()
                .find(|leaf| ACCOUNTS.contains(&leaf.key()) && leaf.value.len() > 2)
        });
        let line = told.and_then(|frame| {
            frame
                .text
                .lines()
                .find_map(|line| line.strip_prefix("login:"))
        });
        if let Some(account) = leaf.map(|leaf| leaf.value.as_str()).or(line) {
            known.own.push((account.to_owned(), "account"));
            self.door.account = Some(account.to_owned());
        }
    }

    /// `headers`: what the page adds to its requests by itself.
    fn headers(&mut self, secrets: &mut Secrets) {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let asked = self
            .requests
            .iter()
            .filter(|request| request.method != "GET");
        for (name, value) in asked.flat_map(|request| request.headers.iter()) {
            let small = name.to_ascii_lowercase();
            let is_own = small.starts_with("x-")
                && !OF_BROWSERS.contains(&small.as_str())
                && !login::is_forgery(&small);
            if is_own && is_secret(name, value) {
                secrets.add(value);
                let variable = name.to_ascii_uppercase().replace('-', "_");
                headers.insert(small, format!("${{env:{variable}}}"));
            } else if is_own {
                headers.insert(small, value.to_owned());
            }
        }
        let protocol = self.talk.socket.headers.get("sec-websocket-protocol");
        if let Some(protocol) = protocol.filter(|_| self.door.credential != "bearer") {
            let names = protocol.split(',').map(str::trim);
            let (secret, plain): (Vec<&str>, Vec<&str>) =
                names.partition(|name| is_random(name) || secrets.remove(name).1);
            for name in &secret {
                secrets.add(name);
                self.door
                    .notes
                    .push("a sub-protocol of the socket is a secret, and was left out".to_owned());
            }
            if !plain.is_empty() {
                headers.insert("Sec-WebSocket-Protocol".to_owned(), plain.join(", "));
            }
        }
        if !headers.is_empty() {
            let headers = headers
                .into_iter()
                .map(|(name, value)| (name, value.into()));
            self.door
                .keys
                .insert("headers".to_owned(), toml::Value::Table(headers.collect()));
        }
    }

    /// The path of the socket, without what is secret in it, and with the account's place.
    fn path(&mut self) -> String {
        let account = self.door.account.clone().unwrap_or_default();
        let mut is_secret_there = false;
        let parts = self.path.split('/').map(|part| {
            let is_secret = is_random(part) || part.starts_with("eyJ");
            is_secret_there |= is_secret;
            if is_secret {
                REMOVED
            } else if part == account && !account.is_empty() {
                "{account}"
            } else {
                part
            }
        });
        let path = parts.collect::<Vec<_>>().join("/");
        if is_secret_there {
            self.door.notes.push("a part of the socket's path looks like a secret, and was left out: write it into target.socket.path".to_owned());
        }
        path
    }

    /// `socket`.
    fn socket(&mut self, secrets: &mut Secrets) {
        let is_socket_io = self.talk.protocol == Some("socket.io");
        let mut path = self.path();
        let mut joint = "?";
        for (name, value) in std::mem::take(&mut self.query) {
            if is_socket_io && ["sid", "t"].contains(&name.as_str()) {
                continue;
            }
            let value = if is_secret_field(&name, &value) || is_random(&value) {
                secrets.add(&value);
                self.door.notes.push(format!("`{name}` of the socket's address is a secret, and was left out: write it into target.socket.path"));
                REMOVED.to_owned()
            } else {
                percent_encoded(&value)
            };
            path.extend([joint, &percent_encoded(&name), "=", &value]);
            joint = "&";
        }
        let mut socket = toml::Table::new();
        socket.insert("path".to_owned(), path.into());
        for key in ["query", "cookie"] {
            socket.extend(
                self.door
                    .keys
                    .remove(key)
                    .map(|name| (key.to_owned(), name)),
            );
        }
        let origin = self
            .talk
            .socket
            .headers
            .get("origin")
            .filter(|origin| *origin != "null");
        socket.extend(origin.map(|origin| ("origin".to_owned(), origin.into())));
        self.door.keys.insert("socket".to_owned(), socket.into());
        self.door
            .keys
            .entry("token".to_owned())
            .or_insert_with(|| "none".into());
    }
}
