//! What is the same on every route: paths, methods, guards, headers, the version.

use crate::support::{World, connect, within};
use fault_proxy::server::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_version_is_that_of_the_toxiproxy_it_is_like() {
    let world = World::start().await;
    let answer = world.http("GET", "/version", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "{\"version\": \"2.12.0\"}\n");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json;charset=utf-8")
    );
    assert_eq!(world.client.version().await.unwrap(), "2.12.0");
}

#[tokio::test]
async fn matched_routes_carry_a_request_id_of_their_own() {
    let world = World::start().await;
    let first = world.http("GET", "/version", "").await;
    let second = world.http("GET", "/proxies/none", "").await;
    let first = first.header("x-toxiproxy-request-id").unwrap();
    assert_eq!(first.len(), 20);
    assert_ne!(Some(first), second.header("x-toxiproxy-request-id"));
    let unknown = world.http("GET", "/nowhere", "").await;
    assert_eq!(unknown.header("x-toxiproxy-request-id"), None);
}

#[tokio::test]
async fn unknown_paths_and_trailing_slashes_are_not_found() {
    let world = World::start().await;
    for path in [
        "/",
        "/nowhere",
        "/proxies/",
        "/version/",
        "/metrics",
        "/proxies/a/b",
    ] {
        let answer = world.http("GET", path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, "404 page not found\n", "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_refused_without_a_body() {
    let world = World::start().await;
    let cases = [
        ("POST", "/version"),
        ("HEAD", "/version"),
        ("HEAD", "/proxies"),
        ("DELETE", "/proxies"),
        ("PUT", "/proxies/a"),
        ("GET", "/reset"),
        ("GET", "/populate"),
        ("PATCH", "/proxies/a/toxics"),
        ("OPTIONS", "/proxies"),
    ];
    for (method, path) in cases {
        let answer = world.http(method, path, "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.body, "", "{method} {path}");
    }
}

#[tokio::test]
async fn browsers_are_kept_out_of_matched_routes_only() {
    let world = World::start().await;
    let agent = |name: &str| format!("User-Agent: {name}\r\n");
    let browser = agent("Mozilla/5.0 (X11; Linux x86_64)");
    let answer = world.http_with("POST", "/reset", &browser, b"").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body, "User agent not allowed\n");
    let lost = world.http_with("GET", "/nowhere", &browser, b"").await;
    assert_eq!(lost.status, 404);
    for other in ["mozilla/5.0", "curl/8.5", "Toxiproxy Mozilla/"] {
        let answer = world.http_with("GET", "/version", &agent(other), b"").await;
        assert_eq!(answer.status, 200, "{other}");
    }
}

#[tokio::test]
async fn pages_from_elsewhere_and_names_that_anybody_owns_are_kept_out() {
    let world = World::start().await;
    let ask = async |world: &World, head: &str| {
        let mut stream = connect(&world.api.to_string()).await;
        let head = format!("GET /version HTTP/1.1\r\nConnection: close\r\n{head}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer", stream.read_to_string(&mut answer))
            .await
            .unwrap();
        assert!(
            !answer.to_lowercase().contains("access-control"),
            "{answer}"
        );
        answer[9..12].parse::<u16>().unwrap()
    };
    for (head, status) in [
        ("Host: 127.0.0.1:8474\r\n", 200),
        ("Host: toxiproxy:8474\r\n", 200),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 200),
        ("Host: evil\r\n", 403),
        ("Host: localhost\r\nOrigin: http://evil\r\n", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
        (
            "Host: evil\r\nOrigin: http://evil\r\nSec-Fetch-Site: same-origin\r\n",
            403,
        ),
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
    ] {
        assert_eq!(ask(&world, head).await, status, "{head:?}");
    }
    let open = World::with(ServerConfig {
        allowed_hosts: vec!["*".to_owned()],
        ..ServerConfig::default()
    })
    .await;
    let stranger = "Host: evil\r\nOrigin: http://evil\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(ask(&open, stranger).await, 200);
}
