//! This module holds the `[target]` table: how a server that does not speak the contract is spoken to.
//!
//! **In:** a section of the document. **Out:** [`Dialect`], with what was left out as the contract has it;
//! `None` without the table.

mod columns;
mod encoding;
mod event;
mod frame;
mod framing;
mod login;
mod open;
mod part;
mod reply;
mod template;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::columns::{ACCOUNT, Columns, PASSWORD, UserHeads, is_reserved};
pub(crate) use self::encoding::{ENCODINGS, Encoding};
pub(crate) use self::event::{EventName, EventNames};
pub(crate) use self::frame::{ANY, BEGINS_WITH, CONTAINS, FrameMatch, Wanted};
pub(crate) use self::framing::{Framing, PLACE};
pub(crate) use self::login::{BODIES, BodyKind, Login, METHODS, Method, REDIRECTS_MAX};
pub(crate) use self::open::{OpeningStep, STEPS_MAX};
use self::part::{NONE, TEXT_MAX, name, optional, origin, part, path, text};
pub(crate) use self::reply::{REPLIES_MAX, Reply};
pub(crate) use self::template::{CREDENTIAL, PLACE_CHARS_MAX, places};
use self::template::{ID, TEXT, USUAL, known};
use super::document;
use super::header;
use super::load::Credential;
use super::problem::Problems;
use super::section::Section;
use super::value;

/// Where a server of the contract says whether it is well.
pub(crate) const READYZ: &str = "/readyz";
/// Longest message that is taken where the scenario says nothing: 16 MiB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The least and the most that a scenario may set.
const MESSAGE_BYTES: RangeInclusive<u32> = (1 << 10)..=(256 << 20);
/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dialect {
    /// `None`: there is no login, and the password is the access token.
    pub login: Option<Login>,
    /// `None`: there are no connection tokens.
    pub token: Option<TokenRequest>,
    /// Cookies that login and token set go with the requests after them, and with the upgrade.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cookies: bool,
    /// Where the server says whether it is well; `None`: at `/readyz`, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    pub socket: SocketShape,
    /// Sent with every request and upgrade, `Host` instead of the target's own; a value may name a secret as
    /// `${env:NAME}`.
    pub headers: BTreeMap<String, String>,
    pub send: SendShape,
    /// How frames stand in messages; `None`: a message is a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<Framing>,
    pub events: EventNames,
    pub fields: FieldNames,
    /// What the harness takes of such a server.
    #[serde(default, skip_serializing_if = "Limits::is_usual")]
    pub limits: Limits,
    pub matching: Matching,
    /// What the ids of messages are.
    #[serde(default, skip_serializing_if = "IdKind::is_text")]
    pub ids: IdKind,
    /// How what is said and heard stands in messages.
    #[serde(default, skip_serializing_if = "Encoding::is_text")]
    pub encoding: Encoding,
    /// What is said and heard on a socket before it is ready, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpeningStep>,
    /// What a client answers by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply: Vec<Reply>,
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

/// What the id of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdKind {
    /// A text that no other run has.
    #[default]
    Text,
    /// A whole number from 1 that no other message of the run has.
    Number,
}

impl IdKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

pub(crate) const ID_KINDS: [(&str, IdKind); 2] =
    [("text", IdKind::Text), ("number", IdKind::Number)];
pub(crate) const MATCHINGS: [(&str, Matching); 2] =
    [("id", Matching::Id), ("order", Matching::Order)];
/// Whether a connection token is asked for before a socket is opened.
pub(crate) fn asks_token(dialect: Option<&Dialect>, credential: Credential) -> bool {
    match credential {
        Credential::ConnectionToken => true,
        Credential::FirstFrame => dialect.is_none_or(|dialect| dialect.token.is_some()),
        Credential::Cookie
        | Credential::QueryToken
        | Credential::Bearer
        | Credential::Authorization
        | Credential::None => false,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Reads `[target]`.
pub(super) fn read(
    root: &mut Section<'_>,
    columns: Columns<'_>,
    problems: &mut Problems,
) -> Option<Dialect> {
    let mut section = root.table(problems, "target");
    if !section.is_present() {
        return None;
    }
    // Its keys stand in the table already.
    section.node("protocol");
    let open = open::read(&mut section, columns, problems);
    let reply = reply::read(&mut section, (&open, columns), problems);
    let dialect = Dialect {
        login: part(&mut section, problems, "login", |table, problems| {
            login::read(table, columns, problems)
        }),
        token: part(&mut section, problems, "token", token),
        cookies: section
            .read_or(problems, "cookies", false, value::truth)
            .value,
        health: section
            .has("health")
            .then(|| path(&mut section, problems, "health", READYZ)),
        socket: socket(&mut section, columns, problems),
        headers: header::read(&mut section, problems),
        send: send(&mut section, (&open, columns), problems),
        frames: framing::read(&mut section, problems),
        events: event::read(&mut section, open.is_empty(), problems),
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
        ids: section
            .read_or(problems, "ids", IdKind::Text, value::choice(&ID_KINDS))
            .value,
        encoding: section
            .read_or(
                problems,
                "encoding",
                Encoding::Text,
                value::choice(&ENCODINGS),
            )
            .value,
        open,
        reply,
    };
    section.finish(problems);
    Some(dialect)
}

/// Whether it says nothing but what the contract has.
pub(crate) fn is_contract(dialect: &Dialect) -> bool {
    let document = document::parse("[target]\n", &mut Problems::none(""));
    let usual = read(
        &mut Section::root(&document),
        Columns::None,
        &mut Problems::none(""),
    );
    usual.as_ref() == Some(dialect)
}

fn token(table: &mut Section<'_>, problems: &mut Problems) -> TokenRequest {
    TokenRequest {
        path: path(table, problems, "path", "/api/v1/auth/ws-connection-token/"),
        field: text(table, problems, "field", "connection_token"),
        conversation: optional(table, problems, "conversation", Some("connection_id"))
            .unwrap_or_default(),
    }
}

fn socket(section: &mut Section<'_>, columns: Columns<'_>, problems: &mut Problems) -> SocketShape {
    let mut table = section.table(problems, "socket");
    let path = path(&mut table, problems, "path", "/ws/chat/{conversation}/");
    if let Err(complaint) = columns.check_told(&path, &USUAL) {
        let field = table.field("path");
        let at = table
            .node("path")
            .map_or(&table.at, |node| &node.at)
            .clone();
        problems.add(&at, field, complaint);
    }
    let socket = SocketShape {
        path,
        query: name(&mut table, problems, "query", "connection_token"),
        cookie: name(&mut table, problems, "cookie", "access_token"),
        origin: origin(&mut table, problems),
    };
    table.finish(problems);
    socket
}

fn send(
    section: &mut Section<'_>,
    (open, columns): (&[OpeningStep], Columns<'_>),
    problems: &mut Problems,
) -> SendShape {
    let mut table = section.table(problems, "send");
    let usual = r#"{"message":"{text}","client_message_id":"{id}"}"#;
    let captured = open.iter().flat_map(|step| step.capture.keys());
    let filled: Vec<&str> = known().chain(captured.map(String::as_str)).collect();
    let said = |own: &'static [&'static str]| {
        let filled: Vec<&str> = filled.iter().chain(own).copied().collect();
        move |node: &document::Node| {
            let said = value::frame_text(TEXT_MAX)(node)?;
            columns.check_told(&said, &filled)?;
            Ok(said)
        }
    };
    let send = SendShape {
        message: table
            .read_or(problems, "message", usual.to_owned(), said(&[TEXT, ID]))
            .value,
        heartbeat: match table.read(problems, "heartbeat", said(&[])) {
            Some(read) => Some(read.value).filter(|heartbeat| heartbeat != NONE),
            None => Some(r#"{"type":"ping"}"#.to_owned()),
        },
    };
    table.finish(problems);
    send
}

fn fields(section: &mut Section<'_>, problems: &mut Problems) -> FieldNames {
    let mut table = section.table(problems, "fields");
    let mut field = |key, usual: &str| {
        let field = table.read_or(problems, key, usual.to_owned(), framing::place);
        field.value
    };
    let fields = FieldNames {
        id: field("id", "client_message_id"),
        task: field("task", "task_id"),
        seq: field("seq", "seq"),
        chunks: field("chunks", "chunks"),
        code: field("code", "code"),
        retry_after: field("retry_after", "retry_after"),
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

#[cfg(test)]
mod tests;
