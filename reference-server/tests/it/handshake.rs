//! Who gets a socket, and how the others are told.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, login, token};
use crate::support::{Redis, Server};

async fn check_code(server: &Server, path: &str, headers: &[(&'static str, &str)], expected: u16) {
    let mut client = Client::open(server, path, headers).await.unwrap();
    assert_eq!(client.upgrade.status(), 101, "accept, then close");
    assert_eq!(client.close_code().await, expected, "{path} {headers:?}");
}

async fn check_opens(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Client {
    let mut client = Client::open(server, path, headers).await.unwrap();
    let event = client.event().await;
    assert_eq!(event["event"], "connected", "{path}: {event}");
    client
}

#[tokio::test]
async fn each_of_the_four_credentials_opens_a_socket() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let token = token(&server, &access).await;
    check_opens(
        &server,
        &format!("/ws/chat/c/?connection_token={token}"),
        &[],
    )
    .await;
    check_opens(
        &server,
        "/ws/chat/c/",
        &[("cookie", &format!("access_token={access}"))],
    )
    .await;
    check_opens(&server, &format!("/ws/chat/c/?token={access}"), &[]).await;
    let protocols = format!("Bearer, {access}");
    let client = check_opens(
        &server,
        "/ws/chat/c/",
        &[("sec-websocket-protocol", &protocols)],
    )
    .await;
    assert_eq!(client.upgrade.headers()["sec-websocket-protocol"], "Bearer");
}

#[tokio::test]
async fn the_first_credential_decides_and_a_bad_one_is_not_made_good_by_a_later_one() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let good = format!("access_token={access}");
    check_code(
        &server,
        "/ws/chat/c/?connection_token=wrong",
        &[("cookie", &good)],
        4001,
    )
    .await;
    let path = format!("/ws/chat/c/?token={access}");
    check_code(&server, &path, &[("cookie", "access_token=wrong")], 4001).await;
    let protocols = format!("Bearer, {access}");
    check_code(
        &server,
        "/ws/chat/c/?token=wrong",
        &[("sec-websocket-protocol", &protocols)],
        4001,
    )
    .await;
    check_code(&server, "/ws/chat/c/", &[], 4001).await;
}

#[tokio::test]
async fn an_origin_must_be_this_host_or_configured() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--allowed-origin", "https://chat.example"]).await;
    let cookie = format!("access_token={}", login(&server, 1).await);
    let own = format!("http://{}", server.address());
    for origin in [own.as_str(), "https://chat.example"] {
        check_opens(
            &server,
            "/ws/chat/c/",
            &[("cookie", &cookie), ("origin", origin)],
        )
        .await;
    }
    for origin in [
        "https://evil.example",
        "null",
        "https://chat.example.evil.example",
    ] {
        check_code(
            &server,
            "/ws/chat/c/",
            &[("cookie", &cookie), ("origin", origin)],
            4003,
        )
        .await;
    }
}

/// The status and the error code of an upgrade that is refused in the handshake.
async fn refused(
    server: &Server,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String, bool) {
    match Client::open(server, path, headers).await {
        Err(Error::Http(response)) => {
            let body: Value = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
            let code = body["error"].as_str().unwrap().to_owned();
            let again = response.headers().contains_key("retry-after");
            (response.status().as_u16(), code, again)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the upgrade was completed"),
    }
}

#[tokio::test]
async fn refusals_can_be_answered_in_the_handshake() {
    let mut redis = Redis::start().await;
    let flags = ["--refuse", "handshake", "--max-connections", "1"];
    let server = Server::start(&redis, &flags).await;
    let cookie = format!("access_token={}", login(&server, 1).await);
    let user = ("cookie", cookie.as_str());
    let evil = ("origin", "https://evil.example");
    let unauthenticated = (401, "unauthenticated".to_owned(), false);
    let forbidden = (403, "forbidden".to_owned(), false);
    let unavailable = (503, "unavailable".to_owned(), true);
    for (path, headers, expected) in [
        ("/ws/chat/c/", &[][..], &unauthenticated),
        ("/ws/chat/c/?connection_token=x", &[], &unauthenticated),
        ("/ws/chats/0/", &[], &unauthenticated),
        ("/ws/admin/", &[], &unauthenticated),
        ("/ws/chat/c/", &[user, evil], &forbidden),
        ("/ws/chats/1/", &[user], &forbidden),
        ("/ws/admin/", &[user], &forbidden),
    ] {
        assert_eq!(&refused(&server, path, headers).await, expected, "{path}");
    }
    for (code, count) in [("4001", 3.0), ("4003", 2.0), ("4401", 1.0), ("4403", 1.0)] {
        let name = format!(r#"chat_connections_closed_total{{code="{code}"}}"#);
        let counted = server.metric(&name).await;
        assert!((counted - count).abs() < 1e-9, "{code}: {counted}");
    }
    let only = check_opens(&server, "/ws/chat/c/", &[user]).await;
    assert_eq!(refused(&server, "/ws/chat/d/", &[user]).await, unavailable);
    drop(only);
    server.until_metric("chat_connections_open", 0.0).await;
    redis.crash();
    server.until_ready_is(false).await;
    assert_eq!(refused(&server, "/ws/chat/c/", &[user]).await, unavailable);
    let path = format!("/ws/chat/c/?connection_token={}", "x".repeat(43));
    assert_eq!(refused(&server, &path, &[]).await, unavailable);
}

#[tokio::test]
async fn a_plain_request_on_a_socket_route_is_told_to_upgrade() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    for (path, status) in [
        ("/ws/chat/c/", 426),
        ("/ws/nowhere/", 404),
        ("/ws/chat/a%20b/", 404),
    ] {
        assert_eq!(
            reqwest::get(server.http(path)).await.unwrap().status(),
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_offer_to_compress_is_declined() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let path = format!("/ws/chat/c/?token={}", login(&server, 1).await);
    let offer = ("sec-websocket-extensions", "permessage-deflate");
    let client = check_opens(&server, &path, &[offer]).await;
    let answered = client.upgrade.headers().get("sec-websocket-extensions");
    assert_eq!(answered, None);
}
