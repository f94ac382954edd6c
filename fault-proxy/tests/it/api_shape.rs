//! What is the same on every route: paths, methods, guards, headers, the version.

use crate::support::World;

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
