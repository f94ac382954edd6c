//! This module holds the `[target]` table: how a server that does not speak the contract is spoken to.
//!
//! **In:** a section of the document. **Out:** [`Dialect`], with what was left out as the contract has it;
//! `None` without the table.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Node, Value};
use super::header;
use super::problem::{Complaint, Problems};
use super::section::Section;
use super::value;

/// Longest path, name or template.
const TEXT_MAX: usize = 2_000;
const IGNORED_MAX: usize = 64;
/// Longest message that is taken where the scenario says nothing: 16 MiB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The least and the most that a scenario may set.
const MESSAGE_BYTES: RangeInclusive<u32> = (1 << 10)..=(256 << 20);
/// Says that there is no such thing.
const NONE: &str = "none";

/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dialect {
    /// `None`: there is no login, and the password is the access token.
    pub login: Option<Login>,
    /// `None`: there are no connection tokens.
    pub token: Option<TokenRequest>,
    pub socket: SocketShape,
    /// Sent with every request and upgrade, `Host` instead of the target's own; a value may name a secret as
    /// `${env:NAME}`.
    pub headers: BTreeMap<String, String>,
    pub send: SendShape,
    pub events: EventNames,
    pub fields: FieldNames,
    /// What the harness takes of such a server.
    #[serde(default, skip_serializing_if = "Limits::is_usual")]
    pub limits: Limits,
    pub matching: Matching,
}

/// `POST` of a name and a password, for an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Login {
    pub path: String,
    pub body: BodyKind,
    /// Fields of the request.
    pub user: String,
    pub password: String,
    /// Field of the answer, `a.b` for one within another; "body": the whole body is the token.
    pub token: String,
}

/// What a login is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BodyKind {
    Json,
    Form,
}

/// `POST` with the access token as `Authorization: Bearer`, for a connection token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TokenRequest {
    pub path: String,
    /// Field of the answer, `a.b` for one within another; "body": the whole body is the token.
    pub field: String,
    /// Field of the request that names the conversation; empty: an empty body.
    pub conversation: String,
}

/// The upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SocketShape {
    /// With `{conversation}`, `{client}`, `{account}` and `{group}` (client divided by `load.session.group`).
    pub path: String,
    /// Name of the query parameter that carries the credential.
    pub query: String,
    /// Name of the cookie that carries it.
    pub cookie: String,
    pub origin: Option<String>,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SendShape {
    /// With `{text}`, `{id}` and those of the path; put in as they stand within a JSON string where the place
    /// is in double quotes, else as they are.
    pub message: String,
    /// `None`: no heartbeat of the client.
    pub heartbeat: Option<String>,
}

/// What a server calls its events; `None`: it has no such event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EventNames {
    /// Field that names the event; `None`: every frame is an answer.
    pub field: Option<String>,
    /// `None`: a socket is ready when the upgrade is done.
    pub connected: Option<String>,
    pub queued: Option<String>,
    pub started: Option<String>,
    pub chunk: Option<String>,
    pub complete: Option<String>,
    /// The whole answer in one frame.
    pub answer: Option<String>,
    pub pong: Option<String>,
    pub expiring: Option<String>,
    pub error: Option<String>,
    /// Events that mean nothing to a client.
    pub ignore: Vec<String>,
}

/// Fields of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FieldNames {
    /// The id that the client gave its message.
    pub id: String,
    /// The id that the server gave the answer.
    pub task: String,
    pub seq: String,
    pub chunks: String,
    pub code: String,
    pub retry_after: String,
}

/// What the harness takes of a server; past it, it closes and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Limits {
    /// Longest message, in bytes.
    pub message_bytes: usize,
}

impl Limits {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: MESSAGE_BYTES_MAX,
        }
    }
}

/// How an event finds its message where it has no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Matching {
    /// It has one.
    Id,
    /// The oldest message without an answer.
    Order,
}

pub(crate) const MATCHINGS: [(&str, Matching); 2] =
    [("id", Matching::Id), ("order", Matching::Order)];
pub(crate) const BODIES: [(&str, BodyKind); 2] =
    [("json", BodyKind::Json), ("form", BodyKind::Form)];

/// Reads `[target]`.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Option<Dialect> {
    let mut section = root.table(problems, "target");
    if !section.is_present() {
        return None;
    }
    let dialect = Dialect {
        login: part(&mut section, problems, "login", login),
        token: part(&mut section, problems, "token", token),
        socket: socket(&mut section, problems),
        headers: header::read(&mut section, problems),
        send: send(&mut section, problems),
        events: events(&mut section, problems),
        fields: fields(&mut section, problems),
        limits: limits(&mut section, problems),
        matching: section
            .read_or(
                problems,
                "matching",
                Matching::Id,
                value::choice(&MATCHINGS),
            )
            .value,
    };
    section.finish(problems);
    Some(dialect)
}

/// A table, or "none".
fn part<T>(
    section: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    read: impl FnOnce(&mut Section<'_>, &mut Problems) -> T,
) -> Option<T> {
    if let Some(Node {
        value: Value::Text(text),
        ..
    }) = section.node(key)
        && text == NONE
    {
        return None;
    }
    let mut table = section.table(problems, key);
    let part = read(&mut table, problems);
    table.finish(problems);
    Some(part)
}

fn login(table: &mut Section<'_>, problems: &mut Problems) -> Login {
    Login {
        path: path(table, problems, "path", "/api/auth/login/"),
        body: table
            .read_or(problems, "body", BodyKind::Json, value::choice(&BODIES))
            .value,
        user: text(table, problems, "user", "email"),
        password: text(table, problems, "password", "password"),
        token: text(table, problems, "token", "token"),
    }
}

fn token(table: &mut Section<'_>, problems: &mut Problems) -> TokenRequest {
    TokenRequest {
        path: path(table, problems, "path", "/api/v1/auth/ws-connection-token/"),
        field: text(table, problems, "field", "connection_token"),
        conversation: optional(table, problems, "conversation", Some("connection_id"))
            .unwrap_or_default(),
    }
}

fn socket(section: &mut Section<'_>, problems: &mut Problems) -> SocketShape {
    let mut table = section.table(problems, "socket");
    let socket = SocketShape {
        path: path(&mut table, problems, "path", "/ws/chat/{conversation}/"),
        query: name(&mut table, problems, "query", "connection_token"),
        cookie: name(&mut table, problems, "cookie", "access_token"),
        origin: origin(&mut table, problems),
    };
    table.finish(problems);
    socket
}

fn send(section: &mut Section<'_>, problems: &mut Problems) -> SendShape {
    let mut table = section.table(problems, "send");
    let usual = r#"{"message":"{text}","client_message_id":"{id}"}"#;
    let send = SendShape {
        message: text(&mut table, problems, "message", usual),
        heartbeat: optional(
            &mut table,
            problems,
            "heartbeat",
            Some(r#"{"type":"ping"}"#),
        ),
    };
    table.finish(problems);
    send
}

fn events(section: &mut Section<'_>, problems: &mut Problems) -> EventNames {
    let mut table = section.table(problems, "events");
    let mut name = |key, usual| optional(&mut table, problems, key, usual);
    let mut events = EventNames {
        field: name("field", Some("event")),
        connected: name("connected", Some("connected")),
        queued: name("queued", Some("task_queued")),
        started: name("started", Some("processing_started")),
        chunk: name("chunk", Some("chunk")),
        complete: name("complete", Some("complete")),
        answer: name("answer", None),
        pong: name("pong", Some("pong")),
        expiring: name("expiring", Some("token_expiring_soon")),
        error: name("error", Some("error")),
        ignore: Vec::new(),
    };
    let ignore = value::list(IGNORED_MAX, value::text(TEXT_MAX));
    let ignore = table.read(problems, "ignore", ignore);
    events.ignore = ignore.map_or_else(Vec::new, |ignore| ignore.value);
    table.finish(problems);
    events
}

fn fields(section: &mut Section<'_>, problems: &mut Problems) -> FieldNames {
    let mut table = section.table(problems, "fields");
    let fields = FieldNames {
        id: text(&mut table, problems, "id", "client_message_id"),
        task: text(&mut table, problems, "task", "task_id"),
        seq: text(&mut table, problems, "seq", "seq"),
        chunks: text(&mut table, problems, "chunks", "chunks"),
        code: text(&mut table, problems, "code", "code"),
        retry_after: text(&mut table, problems, "retry_after", "retry_after"),
    };
    table.finish(problems);
    fields
}

fn limits(section: &mut Section<'_>, problems: &mut Problems) -> Limits {
    let mut table = section.table(problems, "limits");
    let usual = Limits::default();
    let read = table.read(problems, "message_bytes", value::integer(MESSAGE_BYTES));
    table.finish(problems);
    Limits {
        message_bytes: read.map_or(usual.message_bytes, |read| read.value as usize),
    }
}

fn text(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    table
        .read_or(problems, key, usual.to_owned(), value::text(TEXT_MAX))
        .value
}

/// A text, or "none".
fn optional(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: Option<&str>,
) -> Option<String> {
    let read = table.read(problems, key, value::text(TEXT_MAX));
    match read {
        Some(read) if read.value == NONE => None,
        Some(read) => Some(read.value),
        None => usual.map(str::to_owned),
    }
}

/// A name that stands in a query or a cookie as it is.
fn name(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    let read = |node: &Node| {
        let name = value::text(TEXT_MAX)(node)?;
        let plain = |c: char| c.is_ascii_graphic() && !"&=?#;,\"\\".contains(c);
        if name.chars().all(plain) {
            return Ok(name);
        }
        let complaint = Complaint::new(format!("expected a plain name, found \"{name}\""));
        Err(complaint.hint("write it as the server knows it, such as \"token\""))
    };
    table.read_or(problems, key, usual.to_owned(), read).value
}

/// As a browser says where a page comes from, or "none".
fn origin(table: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let read = table.read(problems, "origin", |node| {
        let origin = value::text(TEXT_MAX)(node)?;
        if origin.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(origin);
        }
        let complaint = Complaint::new(format!("expected an origin, found \"{origin}\""));
        Err(complaint.hint("write it like \"https://chat.example.org\""))
    });
    read.map(|read| read.value).filter(|origin| origin != NONE)
}

fn path(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    let read = |node: &Node| {
        let path = value::text(TEXT_MAX)(node)?;
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        if path.starts_with('/') && path.chars().all(plain) {
            return Ok(path);
        }
        let complaint = Complaint::new("expected a path, in printable ASCII without `#`");
        Err(complaint.hint("begin with `/`, as in \"/ws/chat/{conversation}/\""))
    };
    table.read_or(problems, key, usual.to_owned(), read).value
}
