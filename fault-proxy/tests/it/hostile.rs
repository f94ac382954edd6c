//! Requests that kill or hang a real Toxiproxy, and other bad manners.

use crate::support::{World, connect, drain, round_trip};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn hostile_attributes_are_refused_and_harm_nothing() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut stream = connect(&listen).await;
    let max = i64::MAX;
    let cases = [
        ("bandwidth", json!({"rate": -1})),
        ("bandwidth", json!({"rate": max})),
        ("slicer", json!({"average_size": -5})),
        ("slicer", json!({"average_size": 5, "size_variation": -1})),
        ("slicer", json!({"average_size": 5, "delay": max})),
        ("latency", json!({"latency": -1})),
        ("latency", json!({"jitter": -1})),
        ("latency", json!({"jitter": max})),
        ("latency", json!({"latency": max})),
        ("latency", json!({"latency": 1.5})),
        ("latency", json!({"latency": "100"})),
        ("latency", json!({"latency": true})),
        ("latency", json!({"latency": [1]})),
        (
            "latency",
            json!({"latency": 18_446_744_073_709_551_615_u64}),
        ),
        ("latency", json!([1])),
        ("latency", json!("x")),
        ("timeout", json!({"timeout": -1})),
        ("reset_peer", json!({"timeout": -1})),
        ("slow_close", json!({"delay": max})),
        ("limit_data", json!({"bytes": -1})),
    ];
    for (kind, attributes) in cases {
        let body = json!({"type": kind, "attributes": attributes}).to_string();
        let answer = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
    for toxicity in [json!("1"), json!({}), json!(1e300)] {
        let body = json!({"type": "noop", "toxicity": toxicity}).to_string();
        let answer = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(world.http("GET", "/proxies/a/toxics", "").await.body, "[]");
    assert_eq!(round_trip(&mut stream, "unharmed").await, "unharmed");
}

#[tokio::test]
async fn an_update_cannot_smuggle_in_what_a_creation_refuses() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let create =
        r#"{"name":"t","type":"slicer","attributes":{"average_size":4,"size_variation":4}}"#;
    world.http("POST", "/proxies/a/toxics", create).await;
    let mut stream = connect(&listen).await;
    for attributes in [
        json!({"average_size": -1}),
        json!({"size_variation": -1}),
        json!({"delay": -1}),
    ] {
        let body = json!({"attributes": attributes}).to_string();
        let answer = world.http("PATCH", "/proxies/a/toxics/t", &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(
        round_trip(&mut stream, "sliced but whole").await,
        "sliced but whole"
    );
}

#[tokio::test]
async fn the_largest_attributes_that_are_taken_do_not_overflow() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let ms = i64::MAX / 1_000_000;
    let cases = [
        ("latency", json!({"latency": ms / 2, "jitter": ms / 2})),
        ("timeout", json!({"timeout": ms})),
        ("reset_peer", json!({"timeout": ms})),
        ("slow_close", json!({"delay": ms})),
        ("limit_data", json!({"bytes": i64::MAX})),
        ("bandwidth", json!({"rate": i64::MAX / 1_000_000})),
        (
            "slicer",
            json!({"average_size": i64::MAX / 4, "size_variation": i64::MAX / 4}),
        ),
    ];
    for (kind, attributes) in cases {
        let mut stream = connect(&listen).await;
        assert_eq!(round_trip(&mut stream, "before").await, "before");
        let body = json!({"name": "t", "type": kind, "attributes": attributes}).to_string();
        let answer = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        stream.write_all(b"through").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(
            world.http("DELETE", "/proxies/a/toxics/t", "").await.status,
            204
        );
        drain(&mut stream).await;
    }
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "alive").await, "alive");
}

#[tokio::test]
async fn odd_bodies_get_an_answer() {
    let world = World::start().await;
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(world.http("POST", "/proxies", &deep).await.status, 400);
    let wide = json!({"name": "x".repeat(1 << 10), "listen": "127.0.0.1:0", "upstream": "u:1"});
    assert_eq!(
        world
            .http("POST", "/proxies", &wide.to_string())
            .await
            .status,
        201
    );
    for bytes in [
        &b"\xff\xfe{}"[..],
        b"\0",
        b"{\"name\":\"\xff\"}",
        b"   \n",
        b"nul",
    ] {
        let answer = world.http_with("POST", "/proxies", "", bytes).await;
        assert_eq!(answer.status, 400, "{bytes:?}");
    }
    let huge = vec![b' '; 9 << 20];
    assert_eq!(
        world.http_with("POST", "/populate", "", &huge).await.status,
        413
    );
    assert_eq!(world.http("GET", "/version", "").await.status, 200);
}

#[tokio::test]
async fn an_error_shows_what_was_found_without_repeating_a_megabyte() {
    let world = World::start().await;
    let body = json!({"name": "a", "upstream": "u:1", "enabled": "y".repeat(1 << 20)});
    let answer = world.http("POST", "/proxies", &body.to_string()).await;
    assert_eq!(answer.status, 400);
    let Value::String(error) = answer.json()["error"].clone() else {
        panic!("{answer:?}");
    };
    assert!(error.contains("enabled must be true or false"), "{error}");
    assert!(error.len() < 200, "{}", error.len());
}

#[tokio::test]
async fn half_a_request_holds_up_nobody() {
    let world = World::start().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&world.api.to_string()).await;
        let head = "POST /proxies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(world.http("GET", "/version", "").await.status, 200);
}
