//! Creating, changing and removing proxies over plain HTTP.

use crate::support::{World, connect, drain, is_silent, round_trip};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpListener};

#[tokio::test]
async fn a_created_proxy_is_answered_with_its_real_address() {
    let world = World::start().await;
    let body = r#"{"name":"a","listen":"localhost:0","upstream":"127.0.0.1:1","colour":[1]}"#;
    let answer = world.http("POST", "/proxies", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let proxy = answer.json();
    assert_eq!(proxy["name"], "a");
    assert_eq!(proxy["upstream"], "127.0.0.1:1");
    assert_eq!(proxy["enabled"], true);
    assert_eq!(proxy["toxics"], json!([]));
    let listen = proxy["listen"].as_str().unwrap();
    assert!(
        listen.starts_with("127.0.0.1:") && !listen.ends_with(":0"),
        "{listen}"
    );
    connect(listen).await;

    let shown = world.http("GET", "/proxies/a", "").await;
    assert_eq!((shown.status, shown.json()), (200, proxy.clone()));
    let all = world.http("GET", "/proxies", "").await;
    assert_eq!((all.status, all.json()), (200, json!({ "a": proxy })));
}

#[tokio::test]
async fn an_empty_listen_address_is_every_address() {
    let mut world = World::start().await;
    let upstream = world.echo().await.to_string();
    let has_ipv6 = TcpListener::bind("[::1]:0").await.is_ok();
    for (name, given) in [("a", ""), ("b", ":0"), ("c", "0.0.0.0:0"), ("d", "[::]:0")] {
        let body = json!({"name": name, "listen": given, "upstream": upstream});
        let proxy = world.http("POST", "/proxies", &body.to_string()).await;
        let listen = proxy.json()["listen"].as_str().unwrap().to_owned();
        let (host, port) = listen.rsplit_once(':').unwrap();
        assert_eq!(host, if has_ipv6 { "[::]" } else { "0.0.0.0" }, "{given}");
        let mut v4 = connect(&format!("127.0.0.1:{port}")).await;
        assert_eq!(round_trip(&mut v4, "four").await, "four");
        if has_ipv6 {
            let mut v6 = connect(&format!("[::1]:{port}")).await;
            assert_eq!(round_trip(&mut v6, "six").await, "six");
        }
        // The same by another spelling: nothing is restarted.
        for same in [
            format!("0.0.0.0:{port}"),
            format!("[::]:{port}"),
            format!(":{port}"),
        ] {
            let path = format!("/proxies/{name}");
            let body = json!({"listen": same}).to_string();
            let answer = world.http("PATCH", &path, &body).await;
            assert_eq!(answer.json()["listen"], listen.as_str(), "{same}");
        }
        assert_eq!(round_trip(&mut v4, "still").await, "still");
    }
}

#[tokio::test]
async fn a_disabled_proxy_keeps_its_address_as_typed() {
    let world = World::start().await;
    let body = r#"{"name":"a","listen":"localhost:0","upstream":"u:1","enabled":false}"#;
    let proxy = world.http("POST", "/proxies", body).await;
    assert_eq!(proxy.status, 201);
    assert_eq!(proxy.json()["listen"], "localhost:0");
    assert_eq!(proxy.json()["enabled"], false);
}

#[tokio::test]
async fn json_is_read_as_go_reads_it() {
    let world = World::start().await;
    let lenient = "{\"NAME\":\"a\",\"Listen\":\"127.0.0.1:0\",\"upStream\":\"u:1\",\
                   \"enabled\":null,\"colour\":{\"x\":[1]}} and the rest";
    let answer = world.http("POST", "/proxies", lenient).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["enabled"], true);

    let empty = world.http("POST", "/proxies", "").await;
    empty.refuses(400, "bad request body: EOF");
    let cut = world.http("POST", "/proxies", "{\"name\":").await;
    cut.refuses(400, "bad request body: unexpected EOF");
    for wrong in [
        "[]",
        "7",
        r#"{"name":7}"#,
        r#"{"name":"b","enabled":"yes"}"#,
        "{name}",
    ] {
        let answer = world.http("POST", "/proxies", wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with("bad request body: "), "{error}");
    }
}

#[tokio::test]
async fn missing_fields_are_named_in_order() {
    let world = World::start().await;
    for nameless in ["{}", "null", r#"{"name":"","upstream":"u:1"}"#] {
        let answer = world.http("POST", "/proxies", nameless).await;
        answer.refuses(400, "missing required field: name");
    }
    let answer = world.http("POST", "/proxies", r#"{"name":"a"}"#).await;
    answer.refuses(400, "missing required field: upstream");
}

#[tokio::test]
async fn an_upstream_that_is_a_url_is_refused_with_a_hint() {
    let world = World::start().await;
    let proxy =
        |upstream: &str| json!({"name": "a", "listen": "127.0.0.1:0", "upstream": upstream});
    for (upstream, hint) in [
        ("http://host:80", " (host:80)"),
        ("redis://user:secret@10.0.0.1:6379/0", " (10.0.0.1:6379)"),
        ("https://[::1]:443?x#y", " ([::1]:443)"),
        ("http://host", ""),
        ("http://host:port/", ""),
        ("://", ""),
    ] {
        let body = proxy(upstream).to_string();
        let created = world.http("POST", "/proxies", &body).await;
        let text = format!("invalid upstream: write it as host:port{hint}, not as a URL");
        created.refuses(400, &text);
        let body = json!([proxy("host:80"), proxy(upstream)]).to_string();
        let populated = world.http("POST", "/populate", &body).await;
        assert_eq!(populated.status, 400, "{populated:?}");
        assert!(
            populated.body.contains("upstream at proxy 2"),
            "{populated:?}"
        );
    }
    assert_eq!(world.http("GET", "/proxies", "").await.body, "{}");
    let body = proxy("host:80").to_string();
    assert_eq!(world.http("POST", "/proxies", &body).await.status, 201);
    let moved = world
        .http("PATCH", "/proxies/a", r#"{"upstream": "tcp://host:80"}"#)
        .await;
    moved.refuses(
        400,
        "invalid upstream: write it as host:port (host:80), not as a URL",
    );
    let shown = world.http("GET", "/proxies/a", "").await.json();
    assert_eq!(
        (&shown["upstream"], &shown["enabled"]),
        (&json!("host:80"), &json!(true))
    );
}

#[tokio::test]
async fn a_taken_name_or_port_is_refused_and_nothing_is_kept() {
    let world = World::start().await;
    let body = r#"{"name":"a","listen":"127.0.0.1:0","upstream":"u:1"}"#;
    assert_eq!(world.http("POST", "/proxies", body).await.status, 201);
    let again = world.http("POST", "/proxies", body).await;
    again.refuses(409, "proxy already exists");

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let body = json!({"name": "b", "listen": address.to_string(), "upstream": "u:1"});
    let answer = world.http("POST", "/proxies", &body.to_string()).await;
    let text = format!("listen tcp {address}: bind: address already in use");
    answer.refuses(500, &text);
    let gone = world.http("GET", "/proxies/b", "").await;
    gone.refuses(404, "proxy not found");

    for bad in ["127.0.0.1", "127.0.0.1:port", "no-such-host.invalid:0"] {
        let body = json!({"name": "b", "listen": bad, "upstream": "u:1"});
        let answer = world.http("POST", "/proxies", &body.to_string()).await;
        assert_eq!(answer.status, 500, "{answer:?}");
    }
}

#[tokio::test]
async fn every_route_of_an_unknown_proxy_is_not_found() {
    let world = World::start().await;
    let cases = [
        ("GET", "/proxies/x"),
        ("POST", "/proxies/x"),
        ("PATCH", "/proxies/x"),
        ("DELETE", "/proxies/x"),
        ("GET", "/proxies/x/toxics"),
        ("POST", "/proxies/x/toxics"),
        ("GET", "/proxies/x/toxics/t"),
        ("POST", "/proxies/x/toxics/t"),
        ("PATCH", "/proxies/x/toxics/t"),
        ("DELETE", "/proxies/x/toxics/t"),
    ];
    for (method, path) in cases {
        let answer = world.http(method, path, "{}").await;
        answer.refuses(404, "proxy not found");
    }
}

#[tokio::test]
async fn an_update_without_a_change_keeps_connections() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "one").await, "one");
    let port = listen.rsplit_once(':').unwrap().1;
    let bodies = [
        json!({}),
        json!({"enabled": true}),
        json!({"listen": listen}),
        json!({"listen": format!("localhost:{port}"), "name": "ignored"}),
    ];
    for (method, body) in ["POST", "PATCH", "POST", "PATCH"].into_iter().zip(bodies) {
        let answer = world.http(method, "/proxies/a", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(answer.json()["name"], "a");
        assert_eq!(answer.json()["listen"], listen.as_str());
    }
    assert_eq!(round_trip(&mut stream, "two").await, "two");
}

#[tokio::test]
async fn another_upstream_restarts_the_proxy_and_keeps_its_toxics() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut old = connect(&listen).await;
    assert_eq!(round_trip(&mut old, "one").await, "one");
    world
        .http("POST", "/proxies/a/toxics", r#"{"type":"noop"}"#)
        .await;

    let (elsewhere, mut connections) = world.played().await;
    let body = json!({"upstream": elsewhere.to_string()}).to_string();
    let answer = world.http("PATCH", "/proxies/a", &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["listen"], listen.as_str());
    assert_eq!(answer.json()["toxics"][0]["name"], "noop_downstream");
    drain(&mut old).await;
    let mut new = connect(&listen).await;
    let _far = connections.recv().await.unwrap();
    is_silent(&mut new, Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_proxy_that_cannot_listen_again_is_left_disabled() {
    let mut world = World::start().await;
    world.echo_proxy("a").await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let body = json!({"listen": address}).to_string();
    assert_eq!(world.http("PATCH", "/proxies/a", &body).await.status, 500);
    let proxy = world.http("GET", "/proxies/a", "").await.json();
    assert_eq!(proxy["enabled"], false);
    assert_eq!(proxy["listen"], address.as_str());
    drop(taken);
    let answer = world
        .http("PATCH", "/proxies/a", r#"{"enabled":true}"#)
        .await;
    assert_eq!(answer.json()["enabled"], true);
}

#[tokio::test]
async fn port_zero_again_is_a_new_port() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let answer = world
        .http("PATCH", "/proxies/a", r#"{"listen":"127.0.0.1:0"}"#)
        .await;
    let moved = answer.json()["listen"].as_str().unwrap().to_owned();
    assert_ne!(moved, listen);
    let mut stream = connect(&moved).await;
    assert_eq!(round_trip(&mut stream, "there").await, "there");
}

#[tokio::test]
async fn a_deleted_proxy_is_gone_and_its_name_free() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let answer = world.http("DELETE", "/proxies/a", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert!(tokio::net::TcpStream::connect(&listen).await.is_err());
    let again = world.http("DELETE", "/proxies/a", "").await;
    again.refuses(404, "proxy not found");
    world.echo_proxy("a").await;
}

#[tokio::test]
async fn names_may_hold_anything_a_path_segment_can() {
    let mut world = World::start().await;
    let body = json!({"name": "a b/ü?", "listen": "127.0.0.1:0", "upstream": "u:1"});
    let created = world.http("POST", "/proxies", &body.to_string()).await;
    assert_eq!(created.status, 201);
    // A slash cannot be reached by path, in a real Toxiproxy neither.
    let answer = world.http("GET", "/proxies/a%20b%2F%C3%BC%3F", "").await;
    assert_eq!(answer.status, 404);
    world.echo_proxy("a b ü?").await;
    let answer = world.http("GET", "/proxies/a%20b%20%C3%BC%3F", "").await;
    assert_eq!(answer.json()["name"], "a b ü?");
}

#[tokio::test]
async fn populate_creates_keeps_and_replaces() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("kept").await;
    let kept = world.client.proxy("kept").await.unwrap();
    world.echo_proxy("moved").await;
    for name in ["kept", "moved"] {
        let path = format!("/proxies/{name}/toxics");
        world.http("POST", &path, r#"{"type":"noop"}"#).await;
    }
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "one").await, "one");
    let body = json!([
        {"name": "kept", "listen": listen, "upstream": kept.upstream, "enabled": false},
        {"name": "moved", "listen": "127.0.0.1:0", "upstream": kept.upstream},
        {"name": "new", "listen": "127.0.0.1:0", "upstream": "u:1", "enabled": false},
    ]);
    let answer = world.http("POST", "/populate", &body.to_string()).await;
    assert_eq!(answer.status, 201);
    let proxies = answer.json()["proxies"].clone();
    let field = |index: usize, name: &str| proxies[index][name].clone();
    assert_eq!(field(0, "enabled"), true, "populate leaves `enabled` alone");
    assert_eq!(field(0, "toxics")[0]["type"], "noop");
    assert_eq!(
        field(1, "toxics"),
        json!([]),
        "a replaced proxy has no toxics"
    );
    assert_eq!(field(2, "enabled"), false);
    assert_eq!(round_trip(&mut stream, "two").await, "two");
}

#[tokio::test]
async fn populate_creates_nothing_from_a_list_with_a_mistake() {
    let world = World::start().await;
    let good = json!({"name": "a", "listen": "127.0.0.1:0", "upstream": "u:1"});
    let check = async |second: Value, message: &str| {
        let body = json!([good, second]).to_string();
        let answer = world.http("POST", "/populate", &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"], message);
        assert_eq!(answer.json()["proxies"], Value::Null);
        assert_eq!(world.http("GET", "/proxies", "").await.body, "{}");
    };
    check(
        json!({"upstream": "u:1"}),
        "missing required field: name at proxy 2",
    )
    .await;
    check(
        json!({"name": "b"}),
        "missing required field: upstream at proxy 2",
    )
    .await;
    let object = world.http("POST", "/populate", "{}").await;
    assert_eq!(object.status, 400);
}

#[tokio::test]
async fn populate_names_what_was_done_before_a_failure() {
    let world = World::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = json!([
        {"name": "a", "listen": "127.0.0.1:0", "upstream": "u:1"},
        {"name": "b", "listen": taken.local_addr().unwrap().to_string(), "upstream": "u:1"},
        {"name": "c", "listen": "127.0.0.1:0", "upstream": "u:1"},
    ]);
    let answer = world.http("POST", "/populate", &body.to_string()).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["status"], 500);
    assert_eq!(answer.json()["proxies"][0]["name"], "a");
    assert_eq!(answer.json()["proxies"].as_array().unwrap().len(), 1);
    assert_eq!(world.http("GET", "/proxies/c", "").await.status, 404);

    let empty = world.http("POST", "/populate", "[]").await;
    assert_eq!(
        (empty.status, empty.body.as_str()),
        (201, "{\"proxies\":null}")
    );
}

#[tokio::test]
async fn populate_puts_toxics_in_force_before_the_first_connection() {
    let mut world = World::start().await;
    let upstream = world.echo().await.to_string();
    let body = json!([
        {"name": "a", "listen": "127.0.0.1:0", "upstream": upstream, "toxics": [
            {"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 3}},
            {"name": "n", "type": "noop"},
        ]},
        {"name": "b", "upstream": upstream, "enabled": false, "toxics": [{"type": "noop"}]},
    ]);
    let answer = world.http("POST", "/populate", &body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let proxies = answer.json()["proxies"].clone();
    assert_eq!(proxies[0]["toxics"][0]["name"], "limit_data_upstream");
    assert_eq!(proxies[0]["toxics"][1]["name"], "n");
    let disabled = (&proxies[1]["enabled"], &proxies[1]["toxics"][0]["type"]);
    assert_eq!(disabled, (&json!(false), &json!("noop")));
    let mut stream = connect(proxies[0]["listen"].as_str().unwrap()).await;
    stream.write_all(b"123456").await.unwrap();
    let (got, _) = drain(&mut stream).await;
    assert!(b"123".starts_with(&got), "{got:?}");
    let affected = world.client.statistics("a").await.unwrap().toxics[0].affected;
    assert_eq!(affected, 1, "none was there before it");
}

#[tokio::test]
async fn populate_refuses_a_proxy_with_a_bad_toxic_and_names_both() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("moved").await;
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "one").await, "one");
    let with = |name: &str, toxics: Value| json!({"name": name, "listen": "127.0.0.1:0", "upstream": "u:1", "toxics": toxics});
    for (toxics, message) in [
        (
            json!([{"type": "noop"}, {"type": "nope"}]),
            "toxic 2 of proxy moved: invalid toxic type",
        ),
        (
            json!([{"type": "noop"}, {"type": "noop"}]),
            "toxic 2 of proxy moved: toxic already exists",
        ),
        (
            json!([{"type": "noop", "stream": "sideways"}]),
            "toxic 1 of proxy moved: stream was invalid, can be either upstream or downstream",
        ),
    ] {
        let body = json!([
            with("first", json!([])),
            with("moved", toxics),
            with("last", json!([])),
        ]);
        let answer = world.http("POST", "/populate", &body.to_string()).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["error"], message);
        assert_eq!(answer.json()["proxies"][0]["name"], "first");
        assert_eq!(world.http("GET", "/proxies/last", "").await.status, 404);
        assert_eq!(world.http("DELETE", "/proxies/first", "").await.status, 204);
    }
    // What should have been replaced by it is left alone.
    assert_eq!(round_trip(&mut stream, "two").await, "two");
    // A list that is none is found before anything is done.
    let body = json!([with("first", json!([])), with("moved", json!({}))]);
    let answer = world.http("POST", "/populate", &body.to_string()).await;
    assert_eq!(
        (answer.status, &answer.json()["proxies"]),
        (400, &Value::Null)
    );
}

#[tokio::test]
async fn populate_brings_the_toxics_of_a_proxy_that_stays_to_what_it_says() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let upstream = world.client.proxy("a").await.unwrap().upstream;
    let populate = async |world: &World, toxics: Value| {
        let body = json!([{"name": "a", "listen": listen, "upstream": upstream, "toxics": toxics}]);
        let answer = world.http("POST", "/populate", &body.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let toxics = answer.json()["proxies"][0]["toxics"].clone();
        let names = toxics.as_array().unwrap().iter().map(|toxic| {
            let name = toxic["name"].as_str().unwrap();
            format!("{name} {}", toxic["attributes"]["latency"])
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let late = |name: &str, ms: u64| json!({"name": name, "type": "latency", "stream": "upstream", "attributes": {"latency": ms}});
    let first = json!([late("gone", 1), late("same", 2), late("changed", 3)]);
    assert_eq!(populate(&world, first).await, "gone 1, same 2, changed 3");
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "one").await, "one");
    // As clients send that know nothing of toxics.
    for none in [json!(null), json!([])] {
        assert_eq!(populate(&world, none).await, "gone 1, same 2, changed 3");
    }
    let second = json!([late("changed", 5), late("new", 4), late("same", 2)]);
    for _ in 0..2 {
        let brought = populate(&world, second.clone()).await;
        assert_eq!(
            brought, "same 2, changed 5, new 4",
            "in the order of creation"
        );
        assert_eq!(round_trip(&mut stream, "two").await, "two");
    }
    let seen = world.client.statistics("a").await.unwrap();
    assert_eq!(seen.connections.accepted, 1, "the connection was kept");
    assert!(
        seen.toxics.iter().all(|toxic| toxic.affected == 1),
        "{seen:?}"
    );
    let bad = json!([{"name": "a", "listen": listen, "upstream": upstream, "toxics": [late("same", 9), 7]}]);
    let refused = world.http("POST", "/populate", &bad.to_string()).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let kept = world.client.toxic("a", "same").await.unwrap();
    assert_eq!(kept.attributes["latency"], 2, "all or none");
}

#[tokio::test]
async fn reset_enables_everything_and_removes_every_toxic() {
    let mut world = World::start().await;
    let first = world.echo_proxy("a").await;
    world.echo_proxy("b").await;
    world
        .http(
            "POST",
            "/proxies/a/toxics",
            r#"{"type":"latency","attributes":{"latency":9}}"#,
        )
        .await;
    world
        .http("PATCH", "/proxies/a", r#"{"enabled":false}"#)
        .await;
    world
        .http(
            "POST",
            "/proxies/b/toxics",
            r#"{"type":"noop","stream":"upstream"}"#,
        )
        .await;
    let answer = world.http("POST", "/reset", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for proxy in world.client.proxies().await.unwrap().values() {
        assert!(proxy.enabled && proxy.toxics.is_empty(), "{proxy:?}");
    }
    let mut stream = connect(&first).await;
    assert_eq!(round_trip(&mut stream, "back").await, "back");
}
