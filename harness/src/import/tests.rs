//! Recordings of headless Chromium, and of what clients of other protocols say; and what is made of them.

use serde_json::{Value, json};

use super::*;
use crate::plan;
use crate::scenario::Overrides;

const SECRETS: [&str; 4] = ["letmein", "s3cret", "eyJ", "WfR7wa"];

fn made(har: &[u8], typed: Option<&str>) -> Imported {
    let imported = import(har, typed, "users.csv").unwrap();
    let told = imported.notes.join("\n") + &imported.text;
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    if let Err(problems) = plan::compile("import.toml", &imported.text, &Overrides::default()) {
        panic!("{problems}\n{}", imported.text);
    }
    imported
}

/// A recording of one socket.
fn recorded(url: &str, protocol: &str, frames: &[(char, &str)]) -> Vec<u8> {
    let messages = frames.iter().enumerate().map(|(index, (side, text))| {
        let side = if *side == '>' { "send" } else { "receive" };
        json!({ "type": side, "time": 1_700_000_000.0 + index as f64, "opcode": 1, "data": text })
    });
    let messages: Vec<Value> = messages.collect();
    let headers = json!([{ "name": "Sec-WebSocket-Protocol", "value": protocol }]);
    let headers = if protocol.is_empty() {
        json!([])
    } else {
        headers
    };
    let entry = json!({
        "request": { "method": "GET", "url": url, "headers": headers },
        "response": { "status": 101 },
        "_webSocketMessages": messages,
    });
    json!({ "log": { "entries": [entry] } })
        .to_string()
        .into_bytes()
}

macro_rules! recordings {
    ($($name:ident)+) => { $(
        #[test]
        fn $name() {
            let har = include_bytes!(concat!("../../tests/it/fixtures/har/", stringify!($name), ".har"));
            insta::assert_snapshot!(made(har, None).text);
        }
    )+ };
}

mod chromium {
    use super::*;

    recordings!(reference socketio channels fastapi ws aiohttp);

    /// What browsers export by themselves has no cookies and no `Authorization`.
    #[test]
    fn a_sanitized_recording_says_what_was_guessed() {
        let har = include_str!("../../tests/it/fixtures/har/channels.har");
        let mut har: Value = serde_json::from_str(har).unwrap();
        for entry in har["log"]["entries"].as_array_mut().unwrap() {
            for side in ["request", "response"] {
                entry[side]["cookies"] = json!([]);
                let headers = entry[side]["headers"].as_array_mut().unwrap();
                headers.retain(|header| {
                    !header["name"]
                        .as_str()
                        .unwrap()
                        .to_lowercase()
                        .contains("cookie")
                });
            }
        }
        let imported = made(har.to_string().as_bytes(), Some("It is a fine day."));
        assert!(imported.text.contains("credential = \"cookie\""));
        assert!(imported.text.contains("cookies = true"));
        assert!(
            imported
                .notes
                .iter()
                .any(|note| note.contains("with sensitive data")),
            "{:?}",
            imported.notes
        );
    }
}

mod protocols {
    use super::*;

    #[test]
    fn phoenix() {
        let har = recorded(
            "wss://a.test/socket/websocket?token=s3cret-s3cret&vsn=2.0.0",
            "",
            &[
                ('>', r#"["3","3","room:lobby","phx_join",{}]"#),
                (
                    '<',
                    r#"["3","3","room:lobby","phx_reply",{"status":"ok","response":{}}]"#,
                ),
                ('<', r#"["3",null,"room:lobby","presence_state",{}]"#),
                (
                    '>',
                    r#"["3","4","room:lobby","new_msg",{"body":"hello there"}]"#,
                ),
                (
                    '<',
                    r#"["3",null,"room:lobby","new_msg",{"body":"hello there"}]"#,
                ),
                (
                    '<',
                    r#"["3","4","room:lobby","phx_reply",{"status":"ok","response":{}}]"#,
                ),
                ('>', r#"[null,"5","phoenix","heartbeat",{}]"#),
                (
                    '<',
                    r#"[null,"5","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
                ),
                (
                    '>',
                    r#"["3","6","room:lobby","new_msg",{"body":"and again"}]"#,
                ),
                (
                    '<',
                    r#"["3",null,"room:lobby","new_msg",{"body":"and again"}]"#,
                ),
                (
                    '<',
                    r#"["3","6","room:lobby","phx_reply",{"status":"ok","response":{}}]"#,
                ),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }

    #[test]
    fn actioncable() {
        let har = recorded(
            "wss://a.test/cable",
            "actioncable-v1-json, actioncable-unsupported",
            &[
                ('<', r#"{"type":"welcome"}"#),
                (
                    '>',
                    r#"{"command":"subscribe","identifier":"{\"channel\":\"ChatChannel\",\"room\":\"lobby\"}"}"#,
                ),
                ('<', r#"{"type":"ping","message":1700000000}"#),
                (
                    '<',
                    r#"{"identifier":"{\"channel\":\"ChatChannel\",\"room\":\"lobby\"}","type":"confirm_subscription"}"#,
                ),
                (
                    '>',
                    r#"{"command":"message","identifier":"{\"channel\":\"ChatChannel\",\"room\":\"lobby\"}","data":"{\"text\":\"hello there\",\"action\":\"speak\"}"}"#,
                ),
                (
                    '<',
                    r#"{"identifier":"{\"channel\":\"ChatChannel\",\"room\":\"lobby\"}","message":{"text":"hello there","user":"ann"}}"#,
                ),
                ('<', r#"{"type":"ping","message":1700000003}"#),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }

    #[test]
    fn stomp() {
        let har = recorded(
            "wss://a.test/ws",
            "v12.stomp",
            &[
                (
                    '>',
                    "CONNECT\naccept-version:1.2\nheart-beat:0,0\nlogin:user-000007\npasscode:s3cret-x\n\n\0",
                ),
                ('<', "CONNECTED\nversion:1.2\n\n\0"),
                ('>', "SUBSCRIBE\nid:sub-0\ndestination:/topic/a\n\n\0"),
                (
                    '>',
                    "SEND\ndestination:/topic/a\ncontent-length:22\n\n{\"text\":\"hello there\"}\0",
                ),
                (
                    '<',
                    "MESSAGE\nsubscription:sub-0\nmessage-id:x-1\ndestination:/topic/a\n\n{\"text\":\"hello there\"}\0",
                ),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }

    #[test]
    fn signalr() {
        let har = recorded(
            "wss://a.test/chat?access_token=eyJhbGciOiJ9.s3cret",
            "",
            &[
                ('>', "{\"protocol\":\"json\",\"version\":1}\u{1e}"),
                ('<', "{}\u{1e}"),
                ('<', "{\"type\":6}\u{1e}"),
                ('>', "{\"type\":6}\u{1e}"),
                (
                    '>',
                    "{\"arguments\":[\"ann\",\"hello there\"],\"invocationId\":\"0\",\"target\":\"SendMessage\",\"type\":1}\u{1e}",
                ),
                (
                    '<',
                    "{\"type\":1,\"target\":\"ReceiveMessage\",\"arguments\":[\"ann\",\"hello there\"]}\u{1e}{\"type\":3,\"invocationId\":\"0\",\"result\":null}\u{1e}",
                ),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }

    #[test]
    fn centrifugo() {
        let har = recorded(
            "wss://a.test/connection/websocket",
            "",
            &[
                (
                    '>',
                    r#"{"connect":{"token":"eyJhbGciOiJ9.s3cret","name":"js"},"id":1}"#,
                ),
                (
                    '<',
                    r#"{"id":1,"connect":{"client":"5a1b2c3d-0000","ping":25,"pong":true}}"#,
                ),
                ('>', r#"{"subscribe":{"channel":"lobby"},"id":2}"#),
                ('<', r#"{"id":2,"subscribe":{}}"#),
                (
                    '>',
                    r#"{"publish":{"channel":"lobby","data":{"text":"hello there"}},"id":3}"#,
                ),
                (
                    '<',
                    "{\"push\":{\"channel\":\"lobby\",\"pub\":{\"data\":{\"text\":\"hello there\"}}}}\n{\"id\":3,\"publish\":{}}",
                ),
                ('<', "{}"),
                ('>', "{}"),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }

    #[test]
    fn graphql() {
        let har = recorded(
            "wss://a.test/graphql",
            "graphql-transport-ws",
            &[
                (
                    '>',
                    r#"{"type":"connection_init","payload":{"token":"s3cret-s3cret"}}"#,
                ),
                ('<', r#"{"type":"connection_ack"}"#),
                (
                    '>',
                    r#"{"id":"2b0c-1","type":"subscribe","payload":{"query":"subscription { said { text } }"}}"#,
                ),
                (
                    '>',
                    r#"{"id":"2b0c-2","type":"subscribe","payload":{"query":"mutation Say($text: String!) { say(text: $text) { id } }","variables":{"text":"hello there"}}}"#,
                ),
                (
                    '<',
                    r#"{"id":"2b0c-1","type":"next","payload":{"data":{"said":{"text":"hello there"}}}}"#,
                ),
                (
                    '<',
                    r#"{"id":"2b0c-2","type":"next","payload":{"data":{"say":{"id":"77"}}}}"#,
                ),
                ('<', r#"{"id":"2b0c-2","type":"complete"}"#),
                ('<', r#"{"type":"ping"}"#),
                ('>', r#"{"type":"pong"}"#),
            ],
        );
        insta::assert_snapshot!(made(&har, None).text);
    }
}

/// What must not come through, whatever way it stands in a recording.
mod secrets {
    use super::*;

    const CHAT: [(char, &str); 4] = [
        (
            '>',
            r#"{"type":"message","id":"m-0001","text":"hello there"}"#,
        ),
        ('<', r#"{"type":"reply","id":"m-0001"}"#),
        (
            '>',
            r#"{"type":"message","id":"m-0002","text":"and again"}"#,
        ),
        ('<', r#"{"type":"reply","id":"m-0002"}"#),
    ];

    fn chat(url: &str, protocol: &str, before: &[(char, &str)]) -> String {
        made(&recorded(url, protocol, &[before, &CHAT].concat()), None).text
    }

    #[test]
    fn in_frames() {
        let bearer =
            r#"{"type":"auth","payload":{"token":"Bearer eyJhbGciOiJIUzI1NiJ9.e30.s3cret"}}"#;
        let text = chat(
            "wss://a.test/ws",
            "",
            &[('>', bearer), ('<', r#"{"type":"ok"}"#)],
        );
        assert!(text.contains("Bearer {credential}"), "{text}");
        let two = r#"{"type":"join","api_key":"s3cret-1","refresh_token":"s3cret-2","secretKey":"s3cret and more"}"#;
        chat("wss://a.test/ws?apikey=s3cret-3", "", &[('>', two)]);
        let ping = r#"{"type":"ping","auth":"Bearer s3cret-4"}"#;
        chat(
            "wss://a.test/ws",
            "",
            &[('>', ping), ('<', r#"{"type":"pong"}"#)],
        );
        let nested = r#"{"type":"x","data":"{\"token\":\"Token s3cret-5\"}"}"#;
        chat("wss://a.test/ws", "", &[('>', nested)]);
    }

    #[test]
    fn in_addresses_and_sub_protocols() {
        chat("wss://a.test/ws/eyJhbGciOiJIUzI1NiJ9.e30.s3cret", "", &[]);
        chat(
            "wss://a.test/ws?code=s3cret-1&hash=s3cret-2&room=lobby",
            "",
            &[],
        );
        let text = chat(
            "wss://a.test/ws",
            "chat.v1, eyJhbGciOiJIUzI1NiJ9.e30.s3cret",
            &[],
        );
        assert!(
            text.contains("Sec-WebSocket-Protocol = \"chat.v1\""),
            "{text}"
        );
    }

    /// What names hold stands in a comment, and stays there.
    #[test]
    fn a_line_break_in_a_name_ends_no_comment() {
        let text = chat(
            "wss://a.test/ws?token=s3cret-1&auth_key%0A%5Bx%5D=s3cret-2",
            "",
            &[],
        );
        let stray = text.lines().find(|line| line.starts_with("[x]"));
        assert_eq!(stray, None, "{text}");
        assert!(text.contains("`auth_key [x]`"), "{text}");
    }

    /// A secret that is a word of the harness, or of everybody, changes nothing but what it stands for.
    #[test]
    fn words_that_are_secrets_too() {
        for (password, cookie) in [
            ("password", "true"),
            ("user", "message"),
            ("test", "none"),
            ("a", "example"),
        ] {
            let login = json!({
                "request": {
                    "method": "POST", "url": "https://a.test/login",
                    "headers": [{ "name": "Cookie", "value": format!("theme={cookie}") }],
                    "postData": { "mimeType": "application/json", "text": json!({ "email": "user-000001", "password": password }).to_string() },
                },
                "response": {
                    "status": 200, "headers": null,
                    "content": { "mimeType": "application/json", "text": r#"{"token":"s3cret-s3cret"}"# },
                },
            });
            let har = recorded("wss://a.test/ws?token=s3cret-s3cret", "", &CHAT);
            let mut har: Value = serde_json::from_slice(&har).unwrap();
            har["log"]["entries"]
                .as_array_mut()
                .unwrap()
                .insert(0, login);
            let text = made(har.to_string().as_bytes(), None).text;
            assert!(text.contains("target = \"wss://a.test\""), "{text}");
            assert!(
                text.contains("user = \"email\", password = \"password\""),
                "{text}"
            );
            assert!(!text.contains(secret::REMOVED), "{text}");
        }
    }
}

mod refused {
    use super::*;

    #[track_caller]
    fn why(har: &[u8], typed: Option<&str>, fact: &str) {
        let error = import(har, typed, "users.csv").unwrap_err();
        assert!(error.to_string().contains(fact), "{error}");
        assert!(
            miette::Diagnostic::help(&error).is_some(),
            "{error}: no hint"
        );
    }

    #[test]
    fn a_recording_without_a_chat_says_what_is_missing() {
        why(b"<html>", None, "line 1 column 1");
        why(
            &recorded("ws://a.test/", "", &[('>', "x y")]),
            Some(" "),
            "--message is empty",
        );
        why(br#"{"log":{"entries":[]}}"#, None, "0 requests");
        why(
            &recorded("ws://a.test/", "", &[]),
            None,
            "1 requests, and no WebSocket",
        );
        let silent = recorded(
            "ws://a.test/",
            "",
            &[('>', "hello to you"), ('>', "and again")],
        );
        why(&silent, None, "nothing came after");
        why(&silent, Some("something else"), "something else");
        let other = recorded("ws://a.test/", "", &[('>', r#"{"a":1}"#), ('<', "x")]);
        why(&other, None, "nothing that the client said");
    }

    #[test]
    fn binary_frames_are_named() {
        let entry = json!({
            "request": { "method": "GET", "url": "ws://a.test/" },
            "_webSocketMessages": [{ "type": "send", "time": 1.0, "opcode": 2, "data": "AAEC" }],
        });
        let har = json!({ "log": { "entries": [entry] } }).to_string();
        why(har.as_bytes(), None, "binary");
    }
}

#[test]
fn a_recording_of_nothing_but_secrets_is_refused() {
    let har = |count: usize| {
        let tokens: Vec<String> = (0..count).map(|n| format!("token-{n}")).collect();
        let answers = tokens.chunks(500).map(|tokens| {
            let body: Vec<Value> = tokens.iter().map(|token| json!({ "token": token })).collect();
            let text = Value::from(body).to_string();
            json!({
                "request": { "method": "GET", "url": "https://a.test/tokens" },
                "response": { "status": 200, "content": { "mimeType": "application/json", "text": text } },
            })
        });
        let frames = [
            ('>', r#"{"text":"hello there"}"#),
            ('<', r#"{"text":"and you"}"#),
        ];
        let mut har: Value =
            serde_json::from_slice(&recorded("wss://a.test/", "", &frames)).unwrap();
        let entries = har["log"]["entries"].as_array_mut().unwrap();
        entries.splice(0..0, answers);
        har.to_string().into_bytes()
    };
    let error = import(&har(SECRETS_MAX + 1), None, "users.csv").unwrap_err();
    assert!(matches!(error, ImportError::Secrets), "{error}");
    made(&har(SECRETS_MAX), None);
}
