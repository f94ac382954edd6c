//! This module describes `[target]` to editors.

use serde_json::{Value, json};

use super::part::{choice, described, duration, integer, list, names, table, text_of};
use crate::scenario::protocol;
use crate::scenario::target::{
    BODIES, ENCODINGS, ID_KINDS, MATCHINGS, METHODS, REDIRECTS_MAX, REPLIES_MAX, STEPS_MAX,
};

/// How a client gets what opens a socket.
fn credentials() -> [(String, Value); 2] {
    let path = |usual: &str| text_of(&format!("Path; default {usual}."));
    let field = |usual: &str| text_of(&format!("Default {usual}; a.b for one within another."));
    let credential = |usual: &str| {
        text_of(&format!(
            "Field of the answer; default {usual}; a.b for one within another, a number for a place in a list; \"body\": the whole body."
        ))
    };
    let or_none = |table: Value| json!({ "anyOf": [{ "const": "none" }, table] });
    let login = table(
        "How clients log in, or \"none\": the password is the access token.",
        &[],
        json!({
            "path": path("/api/auth/login/"),
            "body": choice(&names(&BODIES), "What the request is written as; default json."),
            "user": field("email"),
            "password": field("password"),
            "token": text_of("As token.field, default token; \"none\": the answer holds none, its cookies are all."),
            "method": choice(&names(&METHODS), "Default post."),
            "expect": {
                "description": "Status of success, or a list of them; default any 2xx.",
                "anyOf": [
                    { "type": "integer", "minimum": 200, "maximum": 399 },
                    { "type": "array", "minItems": 1, "maxItems": 8, "items": { "type": "integer", "minimum": 200, "maximum": 399 } },
                ],
            },
            "expires_in": text_of("Field of the answer that says how many seconds the token lasts: a new one is got ahead of its end; \"none\": nothing says so."),
            "redirects": integer(0, i64::from(REDIRECTS_MAX), "Most redirects of the answer that are followed, by GET, on the same host; default 0."),
            "page": text_of("Path that is asked for first, by GET; default none."),
            "capture": {
                "type": "object",
                "description": "Values of that page, by name: \"cookie:NAME\", or what stands around one with * in its place.",
                "additionalProperties": { "type": "string" },
            },
            "fields": {
                "type": "object",
                "description": "Further fields of the request: templates with what was captured.",
                "additionalProperties": { "type": "string" },
            },
            "headers": {
                "type": "object",
                "description": "Further headers of the request, the same; a secret as ${env:NAME}.",
                "additionalProperties": { "type": "string" },
            },
        }),
    );
    let token = table(
        "How a connection token is fetched, or \"none\".",
        &[],
        json!({
            "path": path("/api/v1/auth/ws-connection-token/"),
            "field": credential("connection_token"),
            "conversation": text_of("Field of the request that names the conversation; default connection_id; \"none\": an empty body."),
        }),
    );
    [
        ("login".to_owned(), or_none(login)),
        ("token".to_owned(), or_none(token)),
    ]
}

/// `[target]`.
pub(super) fn table_of() -> Value {
    let path = |usual: &str| text_of(&format!("Path; default {usual}."));
    let field = |usual: &str| text_of(&format!("Default {usual}; a.b for one within another."));
    let event = |usual: &str| frame(&format!("Default {usual}; \"none\" for no such event."));
    let shipped: Vec<&str> = protocol::names().collect();
    let mut parts = json!({
        "protocol": text_of(&format!(
            "What this table is laid over, key by key: {}, or a file of your own, seen from the scenario's folder; default the contract.",
            shipped.join(", ")
        )),
        "socket": table("The upgrade.", &[], json!({
            "path": path("/ws/chat/{conversation}/, with {conversation}, {client}, {group}, {account}, percent-encoded"),
            "query": text_of("Query parameter of the credential; default connection_token."),
            "cookie": text_of("Cookie of the credential; default access_token."),
            "origin": text_of("Origin header; default none."),
        })),
        "health": text_of("Path at which the server says by a status whether it is well, asked around faults; default /readyz."),
        "cookies": { "type": "boolean", "description": "Cookies that login and token set go with the requests after them, and with the upgrade; default false." },
        "headers": {
            "type": "object",
            "description": "Sent with every request and upgrade; Host takes the place of the target's own; a secret as ${env:NAME}.",
            "additionalProperties": { "type": "string" },
        },
        "send": table("What a client sends.", &[], json!({
            "message": text_of("Template with {text}, {id} and those of the path; in double quotes they are written as JSON wants it."),
            "heartbeat": text_of("Text of a heartbeat, or \"none\"; default {\"type\":\"ping\"}."),
        })),
        "frames": table("Where a message holds several frames; default none: a message is a frame.", &[], json!({
            "separator": text_of("What stands between frames of the server, such as \"\\n\"."),
            "terminator": text_of("What every frame ends with, those of the client too, such as \"\\u001e\"; in place of the separator."),
        })),
        "events": table("What the server calls its events.", &[], json!({
            "field": text_of("Field that names the event, or what stands around its name; default event; \"none\": every frame is an answer."),
            "connected": frame("Default connected, with opening steps none; \"none\": a socket is ready after the upgrade."),
            "queued": event("task_queued"),
            "started": event("processing_started"),
            "chunk": event("chunk"),
            "complete": event("complete"),
            "answer": frame("The whole answer in one frame; default none."),
            "pong": event("pong"),
            "expiring": event("token_expiring_soon"),
            "error": event("error"),
            "ignore": list(frame("An event."), "Events that mean nothing to a client."),
        })),
        "fields": table("Fields of events: a path, or with one * what stands around the value.", &[], json!({
            "id": field("client_message_id"),
            "task": field("task_id"),
            "seq": field("seq"),
            "chunks": field("chunks"),
            "code": field("code"),
            "retry_after": field("retry_after"),
        })),
        "limits": table("What the harness takes of such a server; past it, it closes with 1009 and says so.", &[], json!({
            "message_bytes": integer(1 << 10, 256 << 20, "Longest message, in bytes; default 16777216 (16 MiB)."),
        })),
        "encoding": choice(&names(&ENCODINGS), "How what is said and heard stands in messages; default text. binary: the same text in binary messages. msgpack: JSON here, MessagePack there. hex: bytes, two digits each."),
        "ids": choice(&names(&ID_KINDS), "What {id} is: a text, or a whole number that no other message of the run has; default text."),
        "open": { "type": "array", "maxItems": STEPS_MAX, "items": step() },
        "reply": { "type": "array", "maxItems": REPLIES_MAX, "items": reply() },
        "matching": choice(&names(&MATCHINGS), "How an event without ids finds its message; default id."),
    });
    if let Value::Object(parts) = &mut parts {
        parts.extend(credentials());
    }
    table(
        "How a server that does not speak the contract is spoken to; what is left out is as the contract has it.",
        &[],
        parts,
    )
}

/// Which frames are meant.
fn frame(description: &str) -> Value {
    json!({
        "description": format!(
            "{description} A name, or a table of paths and values (\"*\": any but null), with `begins_with` for what stands before the JSON and `contains` for what stands anywhere."
        ),
        "anyOf": [{ "type": "string" }, { "type": "object" }],
    })
}

/// Values that go into templates.
fn capture() -> Value {
    json!({
        "type": "object",
        "description": "Places of templates, by name: where in the frame their values stand, a.b for one within another, \"body\" for the whole text, with one * what stands around it.",
        "additionalProperties": { "type": "string" },
    })
}

fn step() -> Value {
    table(
        "What is said and heard before a socket is ready.",
        &[],
        json!({
            "name": text_of("As reports call it; default its number."),
            "send": text_of("Template of what is said, with the places of send.message but {text}, with {credential} and what was captured."),
            "await": frame("What is waited for."),
            "capture": capture(),
            "within": described(duration(), "How long it is waited for; default 5s."),
        }),
    )
}

fn reply() -> Value {
    table(
        "What a client answers by itself.",
        &["when", "send"],
        json!({
            "when": frame("Which frame it answers."),
            "send": text_of("Template of what is said; \"none\": nothing, the frame passes by."),
            "capture": capture(),
        }),
    )
}
