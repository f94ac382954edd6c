//! Login, refresh and the connection token.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::{Client, ask_token, login, token};
use crate::support::{PASSWORD, PATIENCE, Redis, Server, slow_tests};

/// The cookies a login sets.
async fn cookies(server: &Server) -> Vec<(String, String)> {
    let body = json!({ "email": "user-000001", "password": PASSWORD });
    let response = crate::client::post(server, "/api/auth/login/", None, &body).await;
    let lines = response.headers().get_all("set-cookie").iter();
    let pair = |line: &str| {
        let (name, rest) = line.split_once('=').unwrap();
        (name.to_owned(), rest.split(';').next().unwrap().to_owned())
    };
    lines.map(|line| pair(line.to_str().unwrap())).collect()
}

fn cookie<'a>(cookies: &'a [(String, String)], name: &str) -> &'a str {
    &cookies.iter().find(|(key, _)| key == name).unwrap().1
}

/// Sends the request of a fixture and compares the answer with it.
async fn check_fixture(server: &Server, fixture: &Value) {
    let (request, expected) = (&fixture["request"], &fixture["response"]);
    let path = request["path"].as_str().unwrap();
    let jar = cookies(server).await;
    let method = request["method"].as_str().unwrap().parse().unwrap();
    let mut call = reqwest::Client::new()
        .request(method, server.http(path))
        .timeout(PATIENCE);
    if let Some(body) = request.get("body") {
        let text = body.to_string().replace("${password}", PASSWORD);
        call = call.header("content-type", "application/json").body(text);
    }
    let (access, csrf) = (cookie(&jar, "access_token"), cookie(&jar, "csrftoken"));
    call = match request["auth"].as_str() {
        None => call,
        Some("bearer") => call.bearer_auth(access),
        Some("cookie") => call.header("cookie", format!("access_token={access}; csrftoken={csrf}")),
        Some("cookie+csrf") => call
            .header("cookie", format!("access_token={access}; csrftoken={csrf}"))
            .header("x-csrftoken", csrf),
        Some("refresh-cookie") => call.header(
            "cookie",
            format!("refresh_token={}", cookie(&jar, "refresh_token")),
        ),
        Some(other) => panic!("no such auth: {other}"),
    };
    let answer = call.send().await.unwrap();
    assert_eq!(
        u64::from(answer.status().as_u16()),
        expected["status"],
        "{fixture}"
    );
    for name in expected["headers"].as_array().into_iter().flatten() {
        assert!(
            answer.headers().contains_key(name.as_str().unwrap()),
            "{fixture}"
        );
    }
    let set: Vec<String> = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    for name in expected["cookies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| name.as_str().unwrap())
    {
        let line = set
            .iter()
            .find(|line| line.starts_with(&format!("{name}=")))
            .unwrap();
        assert_eq!(line.contains("HttpOnly"), name != "csrftoken", "{line}");
        assert!(line.contains("SameSite=Lax"), "{line}");
    }
    let body: Value = answer.json().await.unwrap();
    for (key, value) in expected["body"].as_object().unwrap() {
        let got = &body[key];
        match value.as_str() {
            Some("<string>") => assert!(got.is_string(), "{key} of {body}"),
            Some("<array>") => assert!(got.is_array(), "{key} of {body}"),
            _ => assert_eq!(got, value, "{key} of {body}"),
        }
    }
}

#[tokio::test]
async fn http_answers_are_those_of_the_contract() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let text = include_str!("../../../contract/http.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let (away, healthy): (Vec<&Value>, Vec<&Value>) = all
        .iter()
        .partition(|fixture| fixture["when"] == "redis-away");
    for fixture in healthy {
        check_fixture(&server, fixture).await;
    }
    redis.crash();
    server.until_ready_is(false).await;
    for fixture in away {
        check_fixture(&server, fixture).await;
    }
}

#[tokio::test]
async fn of_a_thousand_racing_connects_with_one_token_exactly_one_wins() {
    const RACERS: usize = 1000;
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let rounds = if slow_tests() { 25 } else { 3 };
    for round in 1..=rounds {
        let access = login(&server, round).await;
        let token = token(&server, &access).await;
        let path = format!("/ws/chat/race-{round}/?connection_token={token}");
        let mut streams = Vec::new();
        for _ in 0..RACERS {
            streams.push(TcpStream::connect(server.address()).await.unwrap());
        }
        let (path, server) = (path.as_str(), &server);
        let races = streams.into_iter().map(async |stream| {
            let mut client = Client::open_over(stream, server, (path, &[]))
                .await
                .unwrap();
            match client.event_or_code().await {
                Ok(event) => {
                    assert_eq!(event["event"], "connected");
                    // Held open until everybody has raced.
                    (1, Some(client))
                }
                Err(code) => {
                    assert_eq!(code, 4001);
                    (0, None)
                }
            }
        });
        let outcomes = futures_util::future::join_all(races).await;
        let winners: usize = outcomes.iter().map(|(won, _)| won).sum();
        assert_eq!(winners, 1, "round {round}");
    }
    assert!((server.metric("chat_tokens_consumed_total").await - f64::from(rounds)).abs() < 1e-9);
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_says() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--token-ttl", "1s"]).await;
    let access = login(&server, 1).await;
    let answer: Value = ask_token(&server, &access).await.json().await.unwrap();
    assert_eq!(answer["expires_in"], 1);
    let token = answer["connection_token"].as_str().unwrap();
    let mut tokens = redis.connect(2).await.unwrap();
    let left_ms: i64 = redis::cmd("PTTL")
        .arg(format!("ws_conn_token:{token}"))
        .query_async(&mut tokens)
        .await
        .unwrap();
    assert!((1..=1000).contains(&left_ms), "{left_ms} ms");
    let expired = Instant::now() + Duration::from_millis(1100);
    tokio::time::sleep_until(expired.into()).await;
    let mut client = Client::open(
        &server,
        &format!("/ws/chat/c/?connection_token={token}"),
        &[],
    )
    .await
    .unwrap();
    assert_eq!(client.close_code().await, 4001);
}

#[tokio::test]
async fn in_a_black_hole_a_token_request_ends_within_the_redis_timeout() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--redis-timeout", "500ms"]).await;
    let access = login(&server, 1).await;
    redis.pause();
    let started = Instant::now();
    let mut requests = JoinSet::new();
    for _ in 0..5 {
        let (request, access) = (
            reqwest::Client::new().post(server.http("/api/v1/auth/ws-connection-token/")),
            access.clone(),
        );
        requests.spawn(
            request
                .bearer_auth(access)
                .json(&json!({ "connection_id": "t" }))
                .send(),
        );
    }
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.status(), 503);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "token_store_unavailable");
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    redis.go_on();
    server.until_ready().await;
    token(&server, &access).await;
}

#[tokio::test]
async fn too_many_token_requests_of_one_user_are_refused_with_a_time() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--token-rate", "0.1", "--token-burst", "2"]).await;
    let access = login(&server, 1).await;
    for status in [200, 200, 429] {
        assert_eq!(ask_token(&server, &access).await.status(), status);
    }
    let refused = ask_token(&server, &access).await;
    let wait_s: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&wait_s), "{wait_s}");
    assert_eq!(
        ask_token(&server, &login(&server, 2).await).await.status(),
        200,
        "others are not affected"
    );
}

#[tokio::test]
async fn no_token_is_ever_written_whole_to_the_log() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--log", "trace"]).await;
    let access = login(&server, 1).await;
    let token = token(&server, &access).await;
    let path = format!("/ws/chat/c/?connection_token={token}");
    for _ in 0..2 {
        drop(Client::open(&server, &path, &[]).await.unwrap());
    }
    drop(
        Client::open(&server, &format!("/ws/chat/c/?token={access}x"), &[])
            .await
            .unwrap(),
    );
    server.until_metric("chat_connections_open", 0.0).await;
    let log = server.log();
    assert!(log.contains(&token[..6]), "the log is read");
    assert!(
        !log.contains(&token[..7]),
        "the connection token is in the log"
    );
    assert!(!log.contains(&access), "the access token is in the log");
    assert!(!log.contains(PASSWORD), "the password is in the log");
}
