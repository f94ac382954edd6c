//! What a server meets in the open: each has its documented answer, and nothing else breaks.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, ask_token, login, token};
use crate::support::{PASSWORD, PATIENCE, Redis, Server};

const KEY: &str = "a key that only these tests know";

fn jwt(header: &Value, claims: &Value, key: &str) -> String {
    let signed = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn now_s() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Sends raw bytes and reads until the server closes; what it said.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // A server that has heard enough may close while it is still spoken to.
    let written = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let read = read.expect("the server ends the connection");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        read.is_ok() || !answer.is_empty(),
        "cut without an answer: {read:?}, {written:?}"
    );
    answer
}

/// Claims of user 1 that are good for a minute, with a change.
fn claims(change: impl FnOnce(&mut Value, u64)) -> Value {
    let now_s = now_s();
    let mut claims = json!({
        "sub": 1, "username": "user-000001", "typ": "access", "iat": now_s, "exp": now_s + 60,
    });
    change(&mut claims, now_s);
    claims
}

/// What is wrong with it, and the token.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let good = claims(|_, _| {});
    let whole = jwt(&header, &good, KEY);
    let unsigned = |alg: &str| {
        let header = BASE64.encode(json!({ "alg": alg }).to_string());
        format!("{header}.{}.", BASE64.encode(good.to_string()))
    };
    let signed = |change: fn(&mut Value, u64)| jwt(&header, &claims(change), KEY);
    let other = BASE64.encode(claims(|claims, _| claims["sub"] = json!(2)).to_string());
    let parts: Vec<&str> = whole.split('.').collect();
    let another_key = jwt(&header, &good, "another key of the same length!!");
    vec![
        ("malformed", "not.a.token".to_owned()),
        ("no token at all", "x".to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{whole}.x")),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("another alg", jwt(&json!({ "alg": "HS512" }), &good, KEY)),
        ("no alg", jwt(&json!({}), &good, KEY)),
        ("another key", another_key),
        ("changed", format!("{}.{other}.{}", parts[0], parts[2])),
        (
            "expired",
            signed(|claims, now_s| claims["exp"] = json!(now_s)),
        ),
        (
            "not yet",
            signed(|claims, now_s| claims["nbf"] = json!(now_s + 50)),
        ),
        (
            "refresh",
            signed(|claims, _| claims["typ"] = json!("refresh")),
        ),
        ("no expiry", signed(|claims, _| claims["exp"] = Value::Null)),
        (
            "a named user",
            signed(|claims, _| claims["sub"] = json!("1")),
        ),
        ("a long one", "x".repeat(8_000)),
        ("critical", {
            let header = json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 });
            jwt(&header, &good, KEY)
        }),
        ("a list", {
            let of = |name: &str| good[name].clone();
            let list = json!([
                1,
                of("username"),
                "access",
                null,
                of("iat"),
                of("exp"),
                null
            ]);
            jwt(&header, &list, KEY)
        }),
    ]
}

#[tokio::test]
async fn access_tokens_that_are_not_ours_or_not_of_now_are_refused_everywhere() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--jwt-secret", KEY]).await;
    let good = jwt(&json!({ "alg": "HS256" }), &claims(|_, _| {}), KEY);
    let answer = ask_token(&server, &good).await;
    assert_eq!(answer.status(), 200, "made as the server makes them");
    for (what, token) in bad_tokens() {
        assert_eq!(ask_token(&server, &token).await.status(), 401, "{what}");
        let cookie = format!("access_token={token}");
        let protocols = format!("Bearer, {token}");
        let query = format!("/ws/chat/c/?token={token}");
        for (path, headers) in [
            (query.as_str(), vec![]),
            ("/ws/chat/c/", vec![("cookie", cookie.as_str())]),
            (
                "/ws/chat/c/",
                vec![("sec-websocket-protocol", protocols.as_str())],
            ),
        ] {
            let mut client = Client::open(&server, path, &headers).await.unwrap();
            assert_eq!(client.close_code().await, 4001, "{what}: {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_cookie_without_the_page_s_proof_gets_no_token() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let (own, other) = (cookies(&server).await, cookies(&server).await);
    let [access, refresh, csrf] = &own;
    let (good, foreign) = (csrf.as_str(), other[2].as_str());
    let host = format!("http://{}", server.address());
    for (kept, sent, origin, status) in [
        (vec![good], Some(good), None, 200),
        (vec![good], Some(good), Some(host.as_str()), 200),
        (vec![good, good], Some(good), None, 200),
        (vec![good], Some(good), Some("http://evil.test"), 403),
        (vec![good], Some(good), Some("null"), 403),
        (vec![good], None, None, 403),
        (vec![], Some(good), None, 403),
        (vec![good], Some(""), None, 403),
        (vec![""], Some(""), None, 403),
        (vec!["x"], Some("x"), None, 403),
        (vec!["x"], Some(good), None, 403),
        (vec![foreign], Some(foreign), None, 403),
        (vec!["x", good], Some("x"), None, 403),
        (vec!["x", good], Some(good), None, 403),
        (vec![good, ""], Some(good), None, 403),
    ] {
        let cookies = kept.iter().map(|kept| format!("; csrftoken={kept}"));
        let cookie = format!("access_token={access}{}", cookies.collect::<String>());
        let mut request = reqwest::Client::new()
            .post(server.http("/api/v1/auth/ws-connection-token/"))
            .header("cookie", cookie)
            .json(&json!({ "connection_id": "tab-1" }));
        if let Some(sent) = sent {
            request = request.header("x-csrftoken", sent);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{kept:?} {sent:?} {origin:?}");
    }
    // The session goes on under another access token.
    let renewed: Value = reqwest::Client::new()
        .post(server.http("/api/auth/refresh/"))
        .header("cookie", format!("refresh_token={refresh}"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let renewed = renewed["token"].as_str().unwrap();
    let answer = reqwest::Client::new()
        .get(server.http("/api/v1/messages/0/"))
        .header(
            "cookie",
            format!("access_token={renewed}; csrftoken={good}"),
        )
        .header("x-csrftoken", good)
        .send();
    assert_eq!(answer.await.unwrap().status(), 200);
}

/// Access token, refresh token and CSRF token of a new session of user 1.
async fn cookies(server: &Server) -> [String; 3] {
    let body = json!({ "email": "user-000001", "password": PASSWORD });
    let login = crate::client::post(server, "/api/auth/login/", None, &body).await;
    let lines: Vec<&str> = login
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap())
        .collect();
    ["access_token=", "refresh_token=", "csrftoken="].map(|name| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name));
        line.unwrap().split(';').next().unwrap().to_owned()
    })
}

#[tokio::test]
async fn another_origin_s_page_neither_logs_in_nor_renews() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--allowed-origin", "https://chat.example"]).await;
    let [_, refresh, _] = cookies(&server).await;
    for (origin, status) in [("https://chat.example", 200), ("http://evil.test", 403)] {
        let login = json!({ "email": "user-000001", "password": PASSWORD });
        for (path, cookie) in [
            ("/api/auth/login/", String::new()),
            ("/api/auth/refresh/", format!("refresh_token={refresh}")),
        ] {
            let request = reqwest::Client::new()
                .post(server.http(path))
                .header("origin", origin)
                .header("cookie", cookie)
                .json(&login);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} from {origin}");
        }
    }
}

#[tokio::test]
async fn heads_are_as_http_has_them() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
    let (version, key) = (
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    );
    let socket = format!("GET /ws/chat/c/?token={access}x HTTP/1");
    let page = "GET /healthz HTTP/1";
    let whole = format!("{upgrade}\r\n{version}\r\n{key}");
    for (line, rest, status) in [
        (page, ".1\r\nHost: x", 200),
        (page, ".1\r\nHost: [::1]:80", 200),
        (page, ".0", 200),
        (page, ".1", 400),
        (page, ".1\r\nHost:", 400),
        (page, ".1\r\nHost: x\r\nHost: x", 400),
        (page, ".0\r\nHost: x\r\nHost: y", 400),
        (page, ".1\r\nHost: me@x", 400),
        (page, ".1\r\nHost: x y", 400),
        (page, ".1\r\nHost: x/y", 400),
        (
            page,
            ".1\r\nHost: x\r\nOrigin: http://x\r\nOrigin: http://x",
            400,
        ),
        (page, ".1\r\nHost: x\r\nExpect: 100-continue", 200),
        (page, ".1\r\nHost: x\r\nExpect: 200-ok", 417),
        (
            page,
            ".1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: x",
            417,
        ),
        (page, ".0\r\nHost: x\r\nExpect: x", 200),
        (&socket, &format!(".1\r\nHost: x\r\n{whole}"), 101),
        (&socket, &format!(".0\r\nHost: x\r\n{whole}"), 426),
        (&socket, &format!(".1\r\n{whole}"), 400),
        (&socket, &format!(".1\r\nHost: x\r\n{whole}\r\n{key}"), 400),
        (
            &socket,
            &format!(".1\r\nHost: x\r\n{whole}\r\n{version}"),
            400,
        ),
        (
            &socket,
            &format!(".1\r\nHost: x\r\n{upgrade}\r\n{key}\r\n{version}, 8"),
            426,
        ),
    ] {
        let bytes = format!("{line}{rest}\r\nConnection: close\r\n\r\n");
        let answer = raw(&server, bytes.as_bytes()).await;
        let got = answer.split(' ').nth(1);
        assert_eq!(got, Some(status.to_string().as_str()), "{bytes}: {answer}");
    }
}

#[tokio::test]
async fn who_expects_to_be_invited_is_not_invited_in_vain() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let request = |length: u64| {
        format!(
            "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let answer = raw(&server, request(99_000_000).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request(2).as_bytes()).await.unwrap();
    let mut invited = [0_u8; 25];
    stream.read_exact(&mut invited).await.unwrap();
    assert_eq!(&invited, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    let mut status = [0_u8; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 400");
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_unread() {
    const TEN_MB: usize = 10 << 20;
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let before = server.metric("process_resident_memory_bytes").await;
    for path in [
        "/api/auth/login/",
        "/api/auth/refresh/",
        "/api/v1/auth/ws-connection-token/",
        "/nowhere",
        "/ws/chat/c/",
    ] {
        for _ in 0..3 {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {access}\r\nContent-Length: {TEN_MB}\r\n\r\n"
            );
            let bytes = [head.as_bytes(), &vec![b'x'; TEN_MB]].concat();
            let answer = raw(&server, &bytes).await;
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            let expected = match path {
                "/api/auth/refresh/" => "401",
                "/nowhere" => "404",
                "/ws/chat/c/" => "426",
                _ => "413",
            };
            assert_eq!(status, expected, "{path}: {answer}");
            assert!(answer.contains(r#"{"error":""#), "{answer}");
        }
    }
    let grown = server.metric("process_resident_memory_bytes").await - before;
    assert!(grown < 8e6, "{grown} bytes more");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_at_the_handshake_timeout() {
    let redis = Redis::start().await;
    let flags = ["--handshake-timeout", "300ms", "--redis-timeout", "200ms"];
    let server = Server::start(&redis, &flags).await;
    let answer = raw(
        &server,
        b"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with(r#"{"error":"timeout"}"#), "{answer}");
}

#[tokio::test]
async fn headers_that_drip_are_cut_however_lively_they_drip() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--header-timeout", "400ms"]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nX: ")
        .await
        .unwrap();
    let started = Instant::now();
    while stream.write_all(b"a").await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_431() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let large = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    for request in [large, many] {
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let answer = raw(&server, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn path_tricks_find_nothing() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    for path in [
        "/ws/chat/../admin/",
        "/ws/chat/%2e%2e/admin/",
        "/ws//admin/",
        "//ws/admin/",
        "/ws/admin/../../metrics",
        "/ws/chat/a/b/",
        "/ws/chat/a%2Fb/",
        "/ws/chat/%00/",
        "/ws/chat//",
        "/ws/",
        "/api/v1/messages/../auth/login/",
        "/api/v1/messages/0/../1/",
        "/metrics/",
        "/METRICS",
        "/healthz%00",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_upgrade_must_be_one_of_version_13_with_a_key() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let (upgrade, version) = (
        "Connection: Upgrade\r\nUpgrade: websocket",
        "Sec-WebSocket-Version: 13",
    );
    for (method, lines, status) in [
        ("GET", vec![upgrade, version, key], 101),
        ("GET", vec![upgrade, version], 400),
        (
            "GET",
            vec![upgrade, version, "Sec-WebSocket-Key: short"],
            400,
        ),
        (
            "GET",
            vec![
                upgrade,
                version,
                "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==",
            ],
            400,
        ),
        ("GET", vec![upgrade, "Sec-WebSocket-Version: 8", key], 426),
        ("GET", vec![upgrade, key], 426),
        (
            "GET",
            vec!["Connection: Upgrade\r\nUpgrade: h2c", version, key],
            426,
        ),
        ("GET", vec!["Connection: keep-alive", version, key], 426),
        ("POST", vec![upgrade, version, key], 426),
    ] {
        let path = format!("/ws/chat/c/?token={access}");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n",
            lines.join("\r\n")
        );
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0_u8; 12];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(answer, format!("HTTP/1.1 {status}"), "{method} {lines:?}");
    }
}

/// A client frame: first byte, whether it is masked, payload.
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
        bytes.push(mask | short);
    } else {
        bytes.push(mask | 0x7e);
        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    if masked {
        // A mask of zeros leaves the payload as it is.
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

#[tokio::test]
async fn frames_that_break_the_protocol_close_with_its_code() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--max-frame", "1000"]).await;
    let access = login(&server, 1).await;
    let part = |payload: &[u8]| frame(0x01, true, payload);
    let more = |payload: &[u8]| frame(0x00, true, payload);
    let last = |payload: &[u8]| frame(0x80, true, payload);
    let half = [b'x'; 600];
    for (what, bytes, code) in [
        ("an unmasked frame", frame(0x81, false, b"{}"), 1002),
        ("a reserved bit", frame(0xc1, true, b"{}"), 1002),
        ("a reserved opcode", frame(0x83, true, b"{}"), 1002),
        ("a reserved control opcode", frame(0x8b, true, b""), 1002),
        ("a fragmented ping", frame(0x09, true, b"x"), 1002),
        ("a fragmented close", frame(0x08, true, &[3, 232]), 1002),
        ("a long ping", frame(0x89, true, &[b'x'; 126]), 1002),
        ("a continuation of nothing", last(b"x"), 1002),
        (
            "a message inside a message",
            [part(b"{"), part(b"{")].concat(),
            1002,
        ),
        ("a close frame of one byte", frame(0x88, true, &[3]), 1002),
        ("a binary message", frame(0x82, true, b"{}"), 1003),
        (
            "a fragmented binary message",
            [frame(0x02, true, b"{"), last(b"}")].concat(),
            1003,
        ),
        ("half a character", frame(0x81, true, &[0xc3]), 1007),
        (
            "half a character over fragments",
            [part(&[0xc3]), last(b"x")].concat(),
            1007,
        ),
        (
            "a frame over the limit",
            frame(0x81, true, &[b'x'; 1001]),
            1009,
        ),
        (
            "fragments over the limit",
            [part(&half), more(&half)].concat(),
            1009,
        ),
        (
            "a length of 2^63",
            {
                let mut bytes = vec![0x81, 0xff];
                bytes.extend((1_u64 << 63).to_be_bytes());
                bytes.extend([0; 4]);
                bytes
            },
            1009,
        ),
    ] {
        let mut client = Client::join(&server, &access, "/ws/chat/c/").await;
        client.socket.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(client.close_code().await, code, "{what}");
    }
    let mut client = Client::join(&server, &access, "/ws/chat/c/").await;
    let pieces = [
        part(b"{\"type\""),
        frame(0x89, true, b"in between"),
        last(b":\"ping\"}"),
    ]
    .concat();
    client.socket.get_mut().write_all(&pieces).await.unwrap();
    assert_eq!(client.event().await["event"], "pong", "fragments are fine");
}

#[tokio::test]
async fn bytes_that_come_with_the_upgrade_are_read_after_it() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let head = format!(
        "GET /ws/chat/c/?token={access} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.extend(frame(0x81, true, br#"{"type":"ping"}"#));
    bytes.extend(frame(0x88, true, &[3, 232]));
    let answer = raw(&server, &bytes).await;
    let (connected, pong) = (answer.find("connected"), answer.find("pong"));
    assert!(connected.is_some() && connected < pong, "{answer}");
}

#[tokio::test]
async fn a_wrong_redis_password_is_said_without_it() {
    let redis = Redis::start().await;
    let url = redis.url();
    let (_, host) = url.split_once('@').unwrap();
    let server = Server::spawn(&format!("redis://:hunter2@{host}"), &[]);
    let answer = reqwest::get(server.http("/readyz")).await.unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["failed"], json!(["tasks", "tokens", "channel_layer"]));
    let access = login(&server, 1).await;
    assert_eq!(ask_token(&server, &access).await.status(), 503);
    let path = format!("/ws/chat/c/?token={access}");
    let mut client = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(client.close_code().await, 1011);
    let started = Instant::now();
    while !server.log().contains("password") {
        assert!(started.elapsed() < PATIENCE, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        !server.log().contains("hunter2"),
        "the password is in the log"
    );
}

#[tokio::test]
async fn a_redis_that_answers_slowly_slows_and_loses_nothing() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut client = Client::enter_as(&server, &access, "conv-1").await;
    let mut person = Client::join(&server, &access, "/ws/chats/0/").await;
    let mut control = redis.connect(0).await.unwrap();
    for n in 0..4 {
        let paused: redis::RedisResult<()> = redis::cmd("CLIENT")
            .arg(&["PAUSE", "400", "ALL"])
            .query_async(&mut control)
            .await;
        paused.unwrap();
        client.say("hello", &format!("m-{n}")).await;
        person.tell("hello", &format!("p-{n}")).await;
        token(&server, &access).await;
        client.answer().await;
        assert_eq!(person.event().await["client_message_id"], format!("p-{n}"));
    }
    assert!(
        server
            .metric(r#"chat_messages_total{type="refused"}"#)
            .await
            < 1e-9
    );
}

#[tokio::test]
async fn in_a_black_hole_a_connect_is_closed_with_1011_within_the_redis_timeout() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--redis-timeout", "500ms"]).await;
    let access = login(&server, 1).await;
    let token = token(&server, &access).await;
    redis.pause();
    let started = Instant::now();
    let path = format!("/ws/chat/c/?connection_token={token}");
    let mut client = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(client.close_code().await, 1011);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    redis.go_on();
    server.until_ready().await;
}

#[tokio::test]
async fn people_chats_go_on_after_redis_came_back_empty() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut one = Client::join(&server, &access, "/ws/chats/0/").await;
    let mut two = Client::join(&server, &access, "/ws/chats/0/").await;
    one.tell("before", "p-1").await;
    let before = one.event().await;
    assert_eq!(two.event().await, before);
    redis.crash();
    server.until_ready_is(false).await;
    redis.restart().await;
    server.until_ready().await;
    two.resume("0-0").await;
    two.is_quiet().await;
    one.tell("after", "p-2").await;
    let after = one.event().await;
    assert_eq!(two.event().await, after);
    assert!(after["message_id"].as_str() > before["message_id"].as_str());
}

#[tokio::test]
async fn nothing_that_a_client_sends_is_logged_as_it_is() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--log", "trace"]).await;
    let access = login(&server, 1).await;
    let mut client = Client::join(&server, &access, "/ws/chat/c/").await;
    client.say("a secret between us", "m-1").await;
    client.answer().await;
    client.send("a secret that is no JSON").await;
    client.event().await;
    let body = json!({ "email": "user-000001", "password": "a secret that is wrong" });
    crate::client::post(&server, "/api/auth/login/", None, &body).await;
    raw(
        &server,
        b"GET /a-secret-path?secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    let log = server.log();
    assert!(!log.contains("secret") && !log.contains(PASSWORD), "{log}");
}
