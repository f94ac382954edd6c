//! What ships is read as it says, and what a scenario says goes before it.

use super::*;
use crate::client::dialect::read_seen;
use crate::client::frame::{Seen, frames};
use crate::client::wire::ServerFrame;
use crate::plan::{Dialect, Plan, compile, hash, to_toml};

const USERS: &str = "# ?\n[environment]\nusers = { password = \"${env:P}\" }\n";

fn scenario(name: &str, credential: &str, more: &str) -> String {
    format!(
        "{USERS}[load]\nclients = 1\nhold = \"1s\"\nsession = {{ credential = \"{credential}\" }}\n[target]\nprotocol = \"{name}\"\n{more}"
    )
}

fn compiled(text: &str, own: Option<&str>) -> Result<Plan, String> {
    let protocol = own.map(|text| ProtocolFile {
        path: "mine.toml".to_owned(),
        text: text.to_owned(),
    });
    let overrides = Overrides {
        protocol,
        ..Overrides::default()
    };
    compile("t.toml", text, &overrides).map_err(|problems| problems.to_string())
}

fn dialect(text: &str) -> Dialect {
    let plan = compiled(text, None).unwrap_or_else(|why| panic!("{text}\n{why}"));
    *plan.environment.dialect.unwrap()
}

/// What opens the sockets of each.
const SPOKEN: [(&str, &str); 8] = [
    ("socket.io", "none"),
    ("graphql-ws", "none"),
    ("phoenix", "query-token"),
    ("actioncable", "none"),
    ("stomp", "first-frame"),
    ("signalr", "query-token"),
    ("centrifugo", "first-frame"),
    ("channels-room", "cookie"),
];

#[test]
fn all_that_ship_make_a_plan_that_is_printed_as_it_is_read() {
    assert_eq!(SPOKEN.len() + 1, SHIPPED.len());
    for (name, credential) in SPOKEN {
        let text = scenario(name, credential, "");
        let plan = compiled(&text, None).unwrap_or_else(|why| panic!("{name}: {why}"));
        let printed = to_toml(&plan);
        let again =
            compiled(&printed, None).unwrap_or_else(|why| panic!("{name}: {why}\n{printed}"));
        assert_eq!(
            again.environment.dialect, plan.environment.dialect,
            "{name}"
        );
    }
    for (name, text) in SHIPPED {
        let head: String = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        for word in ["Covers: ", "Not"] {
            assert!(
                head.contains(word),
                "{name} says in its head what it covers and what not"
            );
        }
    }
}

#[test]
fn the_contract_by_its_name_is_the_same_plan() {
    let named = scenario("contract", "connection-token", "");
    let bare = named.split("[target]").next().unwrap();
    let (named, bare) = (
        compiled(&named, None).unwrap(),
        compiled(bare, None).unwrap(),
    );
    assert_eq!(named.environment.dialect, None);
    assert_eq!(hash(&named), hash(&bare));
    let other = scenario("contract", "connection-token", "matching = \"order\"\n");
    assert!(
        compiled(&other, None)
            .unwrap()
            .environment
            .dialect
            .is_some()
    );
}

/// Messages of servers, and what is heard in them.
const SAID: [(&str, &str, &[&str]); 21] = [
    (
        "socket.io",
        r#"42["message",{"id":"i-1"}]"#,
        &["answer i-1"],
    ),
    ("socket.io", r#"44{"message":"no"}"#, &["error no"]),
    (
        "socket.io",
        r#"42["joined",3]"#,
        &["the event \"joined\" is not known"],
    ),
    (
        "graphql-ws",
        r#"{"id":"i-1","type":"next","payload":{"data":{"say":{"id":"i-1"}}}}"#,
        &["answer i-1"],
    ),
    (
        "graphql-ws",
        r#"{"id":"i-1","type":"complete"}"#,
        &["ignored"],
    ),
    (
        "graphql-ws",
        r#"{"id":"i-1","type":"error","payload":[{"message":"no"}]}"#,
        &["error no"],
    ),
    (
        "graphql-ws",
        r#"{"id":"i-1","type":"next","payload":{"errors":[{}]}}"#,
        &["the event \"next\" is not known"],
    ),
    (
        "phoenix",
        r#"["1",null,"room:0","new_msg",{"id":"i-1"}]"#,
        &["answer i-1"],
    ),
    (
        "phoenix",
        r#"["1","7","room:0","phx_reply",{"status":"ok","response":{}}]"#,
        &["ignored"],
    ),
    (
        "phoenix",
        r#"["1","7","room:0","phx_reply",{"status":"error","response":{"reason":"full"}}]"#,
        &["error full"],
    ),
    (
        "phoenix",
        r#"[null,"beat","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
        &["pong"],
    ),
    (
        "actioncable",
        r#"{"identifier":"{}","message":{"id":"i-1"}}"#,
        &["answer i-1"],
    ),
    (
        "actioncable",
        r#"{"type":"ping","message":1}"#,
        &["ignored"],
    ),
    (
        "stomp",
        "MESSAGE\nsubscription:0\n\n{\"id\":\"i-1\",\"text\":\"a\"}\0\nMESSAGE\n\n{\"id\":\"i-2\"}\0\n",
        &["answer i-1", "answer i-2"],
    ),
    ("stomp", "\n", &[]),
    (
        "stomp",
        "ERROR\nmessage:access_refused\n\n\0",
        &["error access_refused"],
    ),
    (
        "signalr",
        "{\"type\":6}\u{1e}{\"type\":3,\"invocationId\":\"i-1\",\"result\":null}\u{1e}",
        &["ignored", "answer i-1"],
    ),
    (
        "signalr",
        "{\"type\":3,\"invocationId\":\"i-2\",\"error\":\"no\"}\u{1e}",
        &["error no"],
    ),
    (
        "centrifugo",
        "{\"id\":3,\"publish\":{}}\n{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"id\":\"i-1\"}}}}",
        &["ignored", "answer i-1"],
    ),
    (
        "centrifugo",
        r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#,
        &["error permission denied"],
    ),
    (
        "channels-room",
        r#"{"message": "i-1 hello you"}"#,
        &["answer i-1"],
    ),
];

#[test]
fn what_servers_say_is_heard_as_each_protocol_has_it() {
    for (name, message, what) in SAID {
        let (_, credential) = SPOKEN.iter().find(|(spoken, _)| *spoken == name).unwrap();
        let dialect = dialect(&scenario(name, credential, ""));
        let heard = frames(&dialect, message).map(|frame| heard(&dialect, frame));
        assert_eq!(heard.collect::<Vec<_>>(), what, "{name}: {message}");
    }
}

fn heard(dialect: &Dialect, frame: &str) -> String {
    match read_seen(dialect, Seen::new(frame)) {
        Ok(ServerFrame::Answer { id }) => format!("answer {}", id.unwrap_or_default()),
        Ok(ServerFrame::Error(error)) => format!("error {}", error.code),
        Ok(ServerFrame::Pong) => "pong".to_owned(),
        Ok(ServerFrame::Ignored) => "ignored".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_scenario_goes_before_its_protocol_key_by_key() {
    let own = r#"
socket = { path = "/live" }
events = { answer = "said", ignore = ["joined"] }
[[target.open]]
name = "connect"
send = '40{"token":"{account}"}'
[[target.open]]
name = "join"
send = '42["join","{group}"]'
[[target.reply]]
when = { begins_with = "42", 0 = "are you there" }
send = '42["here"]'
"#;
    let text = scenario("socket.io", "none", own);
    let spoken = dialect(&text);
    assert_eq!(spoken.socket.path, "/live");
    assert_eq!(spoken.login, None);
    let steps: Vec<&str> = spoken
        .open
        .iter()
        .filter_map(|step| step.name.as_deref())
        .collect();
    assert_eq!(steps, ["handshake", "connect", "join"]);
    assert_eq!(
        spoken.open[1].send.as_deref(),
        Some("40{\"token\":\"{account}\"}")
    );
    assert!(
        spoken.open[1].awaited.is_some(),
        "what the step waits for is the protocol's"
    );
    assert_eq!(spoken.reply.len(), 3);
    assert_eq!(spoken.reply[0].send.as_deref(), Some("42[\"here\"]"));
    assert_eq!(spoken.events.field.as_deref(), Some("[\"*\""));
    assert_eq!(spoken.events.ignore.len(), 1);
    let laid = laid(&text, &Overrides::default()).unwrap();
    assert_eq!(laid.name, "socket.io");
    assert_eq!(
        laid.own,
        [
            "events.answer",
            "events.ignore",
            "open",
            "reply",
            "socket.path"
        ]
    );
    assert!(
        laid.taken.contains(&"login".to_owned()) && laid.taken.contains(&"events.field".to_owned())
    );
    assert!(!laid.taken.contains(&"events.answer".to_owned()));
    let none = dialect(&scenario("socket.io", "none", "open = []\nreply = []\n"));
    assert!(none.open.is_empty() && none.reply.is_empty());
}

#[test]
fn a_protocol_that_cannot_be_is_refused_where_it_stands() {
    let why = compiled(&scenario("socketio", "none", ""), None).unwrap_err();
    assert!(
        why.contains("t.toml:9: target.protocol: no protocol is called \"socketio\""),
        "{why}"
    );
    assert!(why.contains("did you mean `socket.io`?"), "{why}");
    let why = compiled(&scenario("mqtt", "none", ""), None).unwrap_err();
    assert!(
        why.contains("known: contract, socket.io, graphql-ws, phoenix"),
        "{why}"
    );
    let text = scenario("./mine.toml", "none", "");
    assert_eq!(
        file(&text, &Overrides::default()).as_deref(),
        Some("./mine.toml")
    );
    for (own, said) in [
        (
            "title = \"x\"\n[target]\n",
            "protocol mine.toml:1: title: a protocol says how a server is spoken to",
        ),
        ("", "protocol mine.toml:1: `[target]` is missing"),
        (
            "[target]\nlogin = \"none\"\ntokn = \"none\"\n",
            "protocol mine.toml:3: target.tokn: unknown key",
        ),
        (
            "[target]\nprotocol = \"stomp\"\n",
            "protocol mine.toml:2: target.protocol: a protocol is not laid over another",
        ),
        (
            "[target]\nframes = {}\n",
            "protocol mine.toml:2: target.frames: frames are told apart in one way",
        ),
    ] {
        let why = compiled(&text, Some(own)).unwrap_err();
        assert!(why.contains(said), "{said} in {why}");
    }
    let own = "[target]\nlogin = \"none\"\ntoken = \"none\"\n";
    assert!(compiled(&text, Some(own)).is_ok());
}
