//! Creating, changing and removing toxics over plain HTTP.

use crate::support::World;
use serde_json::{Value, json};

const TOXICS: &str = "/proxies/a/toxics";

async fn world() -> World {
    let mut world = World::start().await;
    world.echo_proxy("a").await;
    world
}

#[tokio::test]
async fn defaults_are_filled_in_and_every_attribute_is_shown() {
    let world = world().await;
    let check = async |kind: &str, given: Value, shown: Value| {
        let body = json!({"type": kind, "attributes": given}).to_string();
        let answer = world.http("POST", TOXICS, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let expected = json!({
            "attributes": shown,
            "name": format!("{kind}_downstream"),
            "type": kind,
            "stream": "downstream",
            "toxicity": 1,
        });
        assert_eq!(answer.json(), expected);
        let path = format!("{TOXICS}/{kind}_downstream");
        assert_eq!(world.http("GET", &path, "").await.json(), expected);
    };
    check("noop", json!({}), json!({})).await;
    check(
        "latency",
        json!({"LATENCY": 7}),
        json!({"latency": 7, "jitter": 0}),
    )
    .await;
    check("bandwidth", json!({}), json!({"rate": 0})).await;
    check("slow_close", json!({"delay": 5}), json!({"delay": 5})).await;
    check("timeout", json!(null), json!({"timeout": 0})).await;
    check(
        "reset_peer",
        json!({"timeout": null}),
        json!({"timeout": 0}),
    )
    .await;
    let sliced = json!({"average_size": 10, "size_variation": 0, "delay": 0});
    check("slicer", json!({"average_size": 10}), sliced).await;
    check(
        "packet_loss",
        json!({"loss_rate": 0.3, "correlation": 1.0}),
        json!({"loss_rate": 0.3, "correlation": 1}),
    )
    .await;
    check(
        "limit_data",
        json!({"bytes": 3, "other": 1}),
        json!({"bytes": 3}),
    )
    .await;
}

#[tokio::test]
async fn toxics_are_listed_upstream_first_in_the_order_of_creation() {
    let world = world().await;
    for (name, stream) in [
        ("1", "downstream"),
        ("2", "upstream"),
        ("3", "downstream"),
        ("4", "upstream"),
    ] {
        let body = json!({"name": name, "type": "noop", "stream": stream}).to_string();
        world.http("POST", TOXICS, &body).await;
    }
    let listed = world.http("GET", TOXICS, "").await.json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["2", "4", "1", "3"]);
    assert_eq!(
        world.http("GET", "/proxies/a", "").await.json()["toxics"],
        listed
    );
}

#[tokio::test]
async fn the_stream_may_be_typed_in_any_case_and_is_echoed() {
    let world = world().await;
    let answer = world
        .http("POST", TOXICS, r#"{"type":"noop","stream":"UpStream"}"#)
        .await;
    assert_eq!(answer.json()["stream"], "UpStream");
    assert_eq!(answer.json()["name"], "noop_UpStream");
}

#[tokio::test]
async fn mistakes_are_found_in_toxiproxys_order() {
    let world = world().await;
    let check = async |body: Value, status: u16, message: &str| {
        let answer = world.http("POST", TOXICS, &body.to_string()).await;
        answer.refuses(status, message);
    };
    let stream = "stream was invalid, can be either upstream or downstream";
    check(
        json!({"type": "nonsense", "stream": "sideways"}),
        400,
        stream,
    )
    .await;
    check(json!({"type": "latency", "stream": ""}), 400, stream).await;
    check(json!({"type": "nonsense"}), 400, "invalid toxic type").await;
    check(json!({}), 400, "invalid toxic type").await;
    assert_eq!(
        world
            .http("POST", TOXICS, r#"{"type":"latency"}"#)
            .await
            .status,
        200
    );
    let again = json!({"type": "latency", "attributes": {"latency": "x"}});
    check(again, 409, "toxic already exists").await;
    let across = json!({"type": "noop", "stream": "upstream", "name": "latency_downstream"});
    check(across, 409, "toxic already exists").await;
    world
        .http("POST", TOXICS, "")
        .await
        .refuses(400, "bad request body: EOF");
}

#[tokio::test]
async fn an_update_merges_attributes_and_ignores_the_rest() {
    let world = world().await;
    let body = r#"{"name":"t","type":"latency","attributes":{"latency":1,"jitter":2}}"#;
    world.http("POST", TOXICS, body).await;
    let path = format!("{TOXICS}/t");
    let change = r#"{"name":"x","type":"noop","stream":"upstream","toxicity":0.5,"attributes":{"jitter":3}}"#;
    for method in ["POST", "PATCH"] {
        let answer = world.http(method, &path, change).await;
        assert_eq!(answer.status, 200);
        let expected = json!({
            "attributes": {"latency": 1, "jitter": 3},
            "name": "t", "type": "latency", "stream": "downstream", "toxicity": 0.5,
        });
        assert_eq!(answer.json(), expected);
    }
    let kept = world.http("PATCH", &path, "{}").await.json();
    assert_eq!(kept["toxicity"], 0.5);
    let unknown = world.http("PATCH", "/proxies/a/toxics/none", "{}").await;
    unknown.refuses(404, "toxic not found");
}

#[tokio::test]
async fn a_removed_toxic_is_gone_and_its_name_free() {
    let world = world().await;
    let body = r#"{"name":"t","type":"noop"}"#;
    world.http("POST", TOXICS, body).await;
    let path = format!("{TOXICS}/t");
    let removed = world.http("DELETE", &path, "").await;
    assert_eq!((removed.status, removed.body.as_str()), (204, ""));
    world
        .http("DELETE", &path, "")
        .await
        .refuses(404, "toxic not found");
    world
        .http("GET", &path, "")
        .await
        .refuses(404, "toxic not found");
    assert_eq!(world.http("GET", TOXICS, "").await.body, "[]");
    assert_eq!(world.http("POST", TOXICS, body).await.status, 200);
}
