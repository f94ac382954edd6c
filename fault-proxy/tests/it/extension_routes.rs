//! The routes that Toxiproxy does not have, and the metrics it has only with a flag.

use crate::support::{End, World, connect, drain, is_silent, round_trip, until, within};
use fault_proxy::{
    ProxySpec,
    Stream::Upstream,
    ToxicSpec,
    server::{Metrics, ServerConfig},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    time::timeout,
};

#[tokio::test]
async fn a_client_can_tell_this_server_from_a_toxiproxy() {
    let world = World::start().await;
    let about = world.client.extensions().await.unwrap().unwrap();
    assert_eq!(about.name, "fault-proxy");
    assert_eq!(about.version, env!("CARGO_PKG_VERSION"));
    let mut toxics = about.toxics;
    toxics.sort();
    let expected = [
        "blackhole",
        "corrupt",
        "idle_timeout",
        "limit_time",
        "no_answer",
        "refuse",
        "slow_connect",
    ];
    assert_eq!(toxics, expected);
    // Each of them can be created.
    let created = world.http("POST", "/proxies", r#"{"name":"a","upstream":"u:1"}"#);
    assert_eq!(created.await.status, 201);
    for kind in expected {
        let body = json!({ "type": kind, "attributes": { "one_in": 1 } }).to_string();
        let answer = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(answer.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn a_proxy_is_created_with_its_toxics_in_force() {
    let mut world = World::start().await;
    let upstream = world.echo().await.to_string();
    let spec = ProxySpec {
        name: "a".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        upstream,
        enabled: true,
    };
    let toxics = [
        ToxicSpec::limit_data("l", Upstream, 3),
        ToxicSpec::refuse("r", 1),
    ];
    let proxy = world
        .client
        .create_with_toxics(&spec, &toxics)
        .await
        .unwrap();
    assert_eq!(proxy.toxics.len(), 2);
    let mut first = connect(&proxy.listen).await;
    assert_eq!(drain(&mut first).await.1, End::Reset);
    let mut second = connect(&proxy.listen).await;
    second.write_all(b"xyz").await.unwrap();
    drain(&mut second).await;
}

#[tokio::test]
async fn a_proxy_with_a_bad_toxic_is_not_created_at_all() {
    let world = World::start().await;
    let with = |toxics: Value| json!({"name": "a", "upstream": "u:1", "toxics": toxics});
    for toxics in [
        json!([{"type": "latency"}, {"type": "nope"}]),
        json!([{"type": "latency"}, {"type": "latency"}]),
        json!([{"type": "latency", "attributes": {"latency": -1}}]),
        json!([7]),
        json!({}),
        json!(vec![json!({"type": "noop"}); 1_025]),
    ] {
        let body = with(toxics).to_string();
        for path in ["/proxies", "/extensions/proxies"] {
            let answer = world.http("POST", path, &body).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
        }
    }
    assert_eq!(world.http("GET", "/proxies", "").await.body, "{}");
    for none in [json!(null), json!([])] {
        let body = with(none).to_string();
        for path in ["/proxies", "/extensions/proxies"] {
            let answer = world.http("POST", path, &body).await;
            assert_eq!(answer.status, 201);
            world.client.delete("a").await.unwrap();
        }
    }
}

#[tokio::test]
async fn reset_now_resets_every_live_connection_and_no_later_one() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        near.push(connect(&listen).await);
        far.push(within("a dial", connections.recv()).await.unwrap());
    }
    assert_eq!(world.client.reset_now("a").await.unwrap(), 8);
    for stream in near.iter_mut().chain(&mut far) {
        assert_eq!(drain(stream).await, (Vec::new(), End::Reset));
    }
    let mut later = connect(&listen).await;
    let _far = within("a dial", connections.recv()).await.unwrap();
    is_silent(&mut later, Duration::from_millis(50)).await;
    let statistics = world.client.statistics("a").await.unwrap();
    assert_eq!(statistics.connections.open, 1);
    assert_eq!(statistics.connections.closed["reset_now"], 8);
    assert_eq!(world.client.reset_now("a").await.unwrap(), 1);
    assert_eq!(world.client.reset_now("a").await.unwrap(), 0);
}

#[tokio::test]
async fn reset_now_of_a_share_spares_the_rest() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        near.push(connect(&listen).await);
        far.push(within("a dial", connections.recv()).await.unwrap());
    }
    let open = async |world: &World| {
        let statistics = world.client.statistics("a").await.unwrap();
        statistics.connections.open
    };
    assert_eq!(world.client.reset_some("a", 0.5).await.unwrap(), 4);
    until("the four to be gone", async || open(&world).await == 4).await;
    // The same half again would be nobody.
    assert_eq!(world.client.reset_some("a", 0.5).await.unwrap(), 2);
    until("two more to be gone", async || open(&world).await == 2).await;
    let (mut spared, mut reset) = (0, 0);
    for stream in &mut near {
        let mut byte = [0];
        match timeout(Duration::from_millis(50), stream.read(&mut byte)).await {
            Err(_silent) => spared += 1,
            Ok(read) => {
                assert!(read.is_err(), "{read:?}");
                reset += 1;
            }
        }
    }
    assert_eq!((spared, reset), (2, 6));
    // Those that were spared carry on, and the next reset of all is theirs too.
    assert_eq!(world.client.reset_now("a").await.unwrap(), 2);
    for body in [r#"{"share": 0}"#, r#"{"share": 1.5}"#, r#"{"share": "x"}"#] {
        let answer = world
            .http("POST", "/extensions/proxies/a/reset_now", body)
            .await;
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[tokio::test]
async fn reset_now_of_a_share_reaches_connections_that_have_no_upstream_yet() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let hold = ToxicSpec::no_answer("n");
    world.client.add_toxic("a", &hold).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(&listen).await);
    }
    until("the connections to be held", async || {
        world.client.statistics("a").await.unwrap().connections.open == 4
    })
    .await;
    assert_eq!(world.client.reset_some("a", 0.25).await.unwrap(), 1);
    assert_eq!(world.client.reset_now("a").await.unwrap(), 3);
    for stream in &mut held {
        assert_eq!(drain(stream).await.1, End::Reset);
    }
}

#[tokio::test]
async fn reset_now_reaches_connections_that_have_no_upstream_yet() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let hold = ToxicSpec::no_answer("n");
    world.client.add_toxic("a", &hold).await.unwrap();
    let mut held = connect(&listen).await;
    until("the connection to be held", async || {
        world.client.statistics("a").await.unwrap().connections.open == 1
    })
    .await;
    assert_eq!(world.client.reset_now("a").await.unwrap(), 1);
    assert_eq!(drain(&mut held).await.1, End::Reset);
}

#[tokio::test]
async fn reset_now_of_a_disabled_proxy_resets_nobody() {
    let mut world = World::start().await;
    world.echo_proxy("a").await;
    world.client.set_enabled("a", false).await.unwrap();
    assert_eq!(world.client.reset_now("a").await.unwrap(), 0);
    let missing = world.client.reset_now("b").await.unwrap_err();
    assert_eq!(missing.status(), Some(404));
}

#[tokio::test]
async fn counters_move_while_a_connection_is_open() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "12345").await, "12345");
    let now = world.client.statistics("a").await.unwrap();
    assert_eq!((now.connections.open, now.connections.accepted), (1, 1));
    for flow in [&now.bytes.upstream, &now.bytes.downstream] {
        assert_eq!((flow.received, flow.sent), (5, 5));
    }
    let slow = ToxicSpec::bandwidth("b", Upstream, 0);
    world.client.add_toxic("a", &slow).await.unwrap();
    stream.write_all(b"held").await.unwrap();
    until("the bytes to be read", async || {
        let now = world.client.statistics("a").await.unwrap();
        now.bytes.upstream.received == 9
    })
    .await;
    let now = world.client.statistics("a").await.unwrap();
    assert_eq!(now.bytes.upstream.sent, 5);
    assert_eq!(now.toxics[0].affected, 1);
    let all = world.http("GET", "/extensions/proxies", "").await.json();
    assert_eq!(all["a"]["bytes"]["upstream"]["received"], 9);
}

#[tokio::test]
async fn closed_connections_are_counted_by_what_ended_them() {
    let mut world = World::start().await;
    let (near, mut far) = world.pair("a").await;
    drop(near);
    drain(&mut far).await;
    let (mut near, far) = world.pair("b").await;
    drop(far);
    drain(&mut near).await;
    let (mut near, _far) = world.pair("c").await;
    world.client.set_enabled("c", false).await.unwrap();
    drain(&mut near).await;
    let nowhere = world.proxy_to("d", "127.0.0.1:1".parse().unwrap()).await;
    drain(&mut connect(&nowhere).await).await;
    for (proxy, reason) in [
        ("a", "client"),
        ("b", "upstream"),
        ("c", "down"),
        ("d", "unreached"),
    ] {
        until("the connection to be counted", async || {
            let closed = world
                .client
                .statistics(proxy)
                .await
                .unwrap()
                .connections
                .closed;
            assert_eq!(closed.values().sum::<u64>(), closed[reason], "{closed:?}");
            closed[reason] == 1
        })
        .await;
    }
}

/// The events of one stream, line by line.
struct Reading(Lines<BufReader<TcpStream>>);

impl Reading {
    async fn of(world: &World, path: &str) -> Self {
        let mut stream = connect(&world.api.to_string()).await;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut reading = Self(BufReader::new(stream).lines());
        // Chunk headers of HTTP stand between the lines; none of them looks like ours.
        assert!(reading.line().await.starts_with("HTTP/1.1 200"));
        while reading.line().await != ": listening" {}
        reading
    }

    async fn line(&mut self) -> String {
        let line = within("a line", self.0.next_line()).await;
        line.unwrap().expect("the stream goes on")
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(data) = self.line().await.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn what_happens_to_a_proxy_is_told_as_it_happens() {
    let mut world = World::start().await;
    let mut all = Reading::of(&world, "/extensions/events").await;
    let listen = world.echo_proxy("a").await;
    let mut one = Reading::of(&world, "/extensions/proxies/a/events").await;
    world.echo_proxy("b").await;
    let stream = connect(&listen).await;
    let client = stream.local_addr().unwrap().to_string();
    let toxic = ToxicSpec::latency("l", Upstream, 5, 0);
    world.client.add_toxic("a", &toxic).await.unwrap();
    world.client.update_toxic("a", &toxic).await.unwrap();
    world.client.remove_toxic("a", "l").await.unwrap();
    world.client.reset_now("a").await.unwrap();
    world.client.delete("a").await.unwrap();
    let expected = [
        json!({"event": "connection_opened", "connection": 0, "client": client}),
        json!({"event": "toxic_added"}),
        json!({"event": "toxic_updated"}),
        json!({"event": "toxic_removed", "toxic": "l"}),
        json!({"event": "connection_closed", "connection": 0, "reason": "reset_now"}),
        json!({"event": "connections_reset", "connections": 1}),
        json!({"event": "proxy_down"}),
        json!({"event": "proxy_deleted"}),
    ];
    for wanted in expected {
        let told = one.next().await;
        assert_eq!(told["proxy"], "a");
        assert!(told["at_ms"].as_u64().unwrap() > 1_600_000_000_000);
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&told[field], value, "{told}");
        }
        if wanted["event"] == "toxic_added" {
            assert_eq!(told["toxic"]["attributes"]["latency"], 5);
        }
    }
    let first = all.next().await;
    assert_eq!(
        (&first["event"], &first["proxy"]),
        (&json!("proxy_up"), &json!("a"))
    );
    assert_eq!(first["listen"], listen);
    let second = all.next().await;
    assert_eq!(
        (&second["event"], &second["proxy"]),
        (&json!("proxy_up"), &json!("b"))
    );
}

#[tokio::test]
async fn event_streams_are_bounded_and_end_with_the_server() {
    let mut world = World::start().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Reading::of(&world, "/extensions/events").await);
    }
    let refused = world.http("GET", "/extensions/events", "").await;
    assert_eq!(refused.status, 429);
    streams.pop();
    until("a place to be free", async || {
        // The vanished reader is noticed at the next thing there is to say.
        world.client.reset().await.unwrap();
        world
            .http("POST", "/proxies", r#"{"name":"a","upstream":"u:1"}"#)
            .await;
        world.http("DELETE", "/proxies/a", "").await;
        let mut stream = connect(&world.api.to_string()).await;
        let head = b"GET /extensions/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let line = BufReader::new(stream).lines().next_line().await;
        line.unwrap().unwrap().starts_with("HTTP/1.1 200")
    })
    .await;
    world.stop().await;
}

#[tokio::test]
async fn a_stream_for_a_proxy_that_is_not_there_is_refused() {
    let world = World::start().await;
    for path in [
        "/extensions/proxies/a/events",
        "/extensions/proxies/a",
        "/extensions/proxies/a/",
        "/extensions/nothing",
    ] {
        assert_eq!(world.http("GET", path, "").await.status, 404, "{path}");
    }
    for (method, path) in [
        ("POST", "/extensions"),
        ("POST", "/extensions/events"),
        ("DELETE", "/extensions/proxies"),
        ("GET", "/extensions/proxies/a/reset_now"),
    ] {
        assert_eq!(world.http(method, path, "").await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn metrics_are_there_only_if_asked_for() {
    let world = World::start().await;
    let answer = world.http("GET", "/metrics", "").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "404 page not found\n")
    );

    let mut world = World::with(ServerConfig {
        metrics: Metrics {
            proxies: true,
            runtime: false,
        },
        ..ServerConfig::default()
    })
    .await;
    let upstream = world.echo().await;
    let listen = world.proxy_to("a", upstream).await;
    world
        .client
        .add_toxic("a", &ToxicSpec::idle_timeout("t", 0))
        .await
        .unwrap();
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "1234567").await, "1234567");
    let answer = world.http("GET", "/metrics", "").await;
    assert_eq!(answer.status, 200);
    let labels = |direction: &str| {
        format!(
            "{{direction=\"{direction}\",listener=\"{listen}\",proxy=\"a\",upstream=\"{upstream}\"}} 7"
        )
    };
    for line in [
        "# TYPE toxiproxy_proxy_received_bytes_total counter".to_owned(),
        format!("toxiproxy_proxy_received_bytes_total{}", labels("upstream")),
        format!("toxiproxy_proxy_received_bytes_total{}", labels("downstream")),
        format!("toxiproxy_proxy_sent_bytes_total{}", labels("upstream")),
        format!("toxiproxy_proxy_sent_bytes_total{}", labels("downstream")),
        "fault_proxy_connections_open{proxy=\"a\"} 1".to_owned(),
        "fault_proxy_connections_accepted_total{proxy=\"a\"} 1".to_owned(),
        "fault_proxy_connections_closed_total{proxy=\"a\",reason=\"client\"} 0".to_owned(),
        "fault_proxy_toxic_connections_affected_total{proxy=\"a\",toxic=\"t\",type=\"idle_timeout\"} 1"
            .to_owned(),
    ] {
        assert!(answer.body.lines().any(|is| is == line), "{line}\n{}", answer.body);
    }
    for method in ["HEAD", "POST"] {
        assert_eq!(world.http(method, "/metrics", "").await.status, 200);
    }
    world.client.delete("a").await.unwrap();
    let answer = world.http("GET", "/metrics", "").await;
    assert!(!answer.body.contains("proxy=\"a\""), "{}", answer.body);
}

#[tokio::test]
async fn two_servers_can_share_a_port_only_if_both_want_to() {
    let sharing = || ServerConfig {
        share_ports: true,
        ..ServerConfig::default()
    };
    let (mut one, other) = (World::with(sharing()).await, World::with(sharing()).await);
    let listen = one.echo_proxy("a").await;
    let upstream = one.echo().await.to_string();
    other.client.create("a", &listen, &upstream).await.unwrap();
    let mut open = Vec::new();
    until("both to have had connections", async || {
        open.push(connect(&listen).await);
        let counts = [&one, &other].map(|world| world.client.statistics("a"));
        let [here, there] = counts;
        let (here, there) = (here.await.unwrap(), there.await.unwrap());
        here.connections.accepted > 0 && there.connections.accepted > 0
    })
    .await;
    for stream in &mut open {
        assert_eq!(round_trip(stream, "through").await, "through");
    }
    let alone = World::start().await;
    let refused = alone
        .client
        .create("a", &listen, &upstream)
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(500));
}
