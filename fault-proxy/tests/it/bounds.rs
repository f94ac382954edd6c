//! What nobody may do to the rest: lead a proxy back to itself, hold every byte, have every file.

use crate::{
    alone,
    support::{DEADLINE, End, World, connect, drain, round_trip, until, within},
};
use fault_proxy::{Stream::Upstream, ToxicSpec, server::ServerConfig};
use nix::sys::resource::{Resource, setrlimit};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// Creates a proxy and answers where it listens, or the refusal.
async fn create(world: &World, name: &str, listen: &str, upstream: &str) -> Result<String, String> {
    let body = json!({"name": name, "listen": listen, "upstream": upstream}).to_string();
    let answer = world.http("POST", "/proxies", &body).await;
    let text = |field: &str| answer.json()[field].as_str().unwrap_or_default().to_owned();
    match answer.status {
        201 => Ok(text("listen")),
        400 => Err(text("error")),
        _ => panic!("{answer:?}"),
    }
}

fn port(listen: &str) -> &str {
    listen.rsplit(':').next().unwrap()
}

#[tokio::test]
async fn a_ring_is_refused_when_it_is_closed() {
    let world = World::start().await;
    let a = create(&world, "a", "127.0.0.1:0", "127.0.0.1:1")
        .await
        .unwrap();
    let b = create(&world, "b", "127.0.0.1:0", &a).await.unwrap();
    let update = json!({"upstream": format!("localhost:{}", port(&b))}).to_string();
    let closing = world.http("PATCH", "/proxies/a", &update).await;
    closing.refuses(
        400,
        "the upstream leads back to the proxy itself: a -> b -> a",
    );
    let shown = world.http("GET", "/proxies/a", "").await.json();
    assert_eq!(shown["enabled"], false, "it does not run: {shown}");
    // With b out of the way it is no ring.
    assert_eq!(world.http("DELETE", "/proxies/b", "").await.status, 204);
    let enable = json!({"enabled": true}).to_string();
    let enabled = world.http("PATCH", "/proxies/a", &enable).await;
    assert_eq!(enabled.status, 200, "{enabled:?}");
    let itself = json!([{"name": "c", "listen": "127.0.0.1:48231", "upstream": "0.0.0.0:48231"}]);
    let populated = world.http("POST", "/populate", &itself.to_string()).await;
    assert_eq!(populated.status, 400, "{populated:?}");
}

#[tokio::test]
async fn a_ring_nobody_could_see_is_cut_at_its_length() {
    let world = World::start().await;
    // This machine by a name of its own, which is not looked up when a proxy is created.
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let listens = ["0.0.0.0:0", "127.0.0.1:0"];
    let a = create(&world, "a", listens[0], "127.0.0.1:1")
        .await
        .unwrap();
    let b = create(
        &world,
        "b",
        listens[1],
        &format!("{}:{}", own.trim(), port(&a)),
    )
    .await
    .unwrap();
    let update = json!({"upstream": b}).to_string();
    let closed = world.http("PATCH", "/proxies/a", &update).await;
    assert_eq!(closed.status, 200, "{closed:?}");
    let mut client = connect(&b).await;
    let (_, end) = drain(&mut client).await;
    assert!(matches!(end, End::Closed | End::Reset));
    let mut cut = 0;
    for name in ["a", "b"] {
        until("the ring to be gone", async || {
            world
                .client
                .statistics(name)
                .await
                .unwrap()
                .connections
                .open
                == 0
        })
        .await;
        let seen = world.client.statistics(name).await.unwrap().connections;
        assert!(seen.accepted <= 9, "{seen:?}");
        cut += seen.closed["loop"];
    }
    assert_eq!(cut, 1, "the connection was cut once");
}

#[tokio::test]
async fn a_chain_of_proxies_carries() {
    let mut world = World::start().await;
    let echo = world.echo().await.to_string();
    let mut chain = echo;
    for number in 0..10 {
        let name = format!("d{number}");
        chain = create(&world, &name, "127.0.0.1:0", &chain).await.unwrap();
    }
    let mut client = connect(&chain).await;
    assert_eq!(round_trip(&mut client, "through ten").await, "through ten");
}

#[tokio::test]
async fn wildcards_and_other_addresses_of_this_machine_make_a_ring_too() {
    let world = World::start().await;
    for (name, listen, host) in [
        ("v4", "0.0.0.0:0", "127.0.0.7"),
        ("v6", "[::]:0", "[::ffff:127.0.0.1]"),
        ("bare", ":0", "localhost"),
    ] {
        let bound = create(&world, name, listen, "127.0.0.1:1").await.unwrap();
        let update = json!({"upstream": format!("{host}:{}", port(&bound))}).to_string();
        let closing = world
            .http("POST", &format!("/proxies/{name}"), &update)
            .await;
        assert_eq!(closing.status, 400, "{name}: {closing:?}");
        assert!(closing.body.contains("leads back"), "{closing:?}");
    }
}

#[tokio::test]
async fn all_connections_together_hold_no_more_than_their_budget() {
    const BUDGET: usize = 4 << 20;
    const CONNECTIONS: usize = 12;
    let mut world = World::with(ServerConfig {
        held_bytes_max: BUDGET,
        ..ServerConfig::default()
    })
    .await;
    let listen = world.echo_proxy("a").await;
    let late = ToxicSpec::latency("late", Upstream, 600_000, 0);
    world.client.add_toxic("a", &late).await.unwrap();
    let block = vec![7; 64 << 10];
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = connect(&listen).await;
        // Until the kernel's buffers are full as well: nothing more is taken.
        while let Ok(written) = timeout(Duration::from_millis(300), stream.write(&block)).await {
            assert_ne!(written.unwrap(), 0);
        }
        streams.push(stream);
    }
    let received = async |world: &World| {
        let seen = world.client.statistics("a").await.unwrap();
        usize::try_from(seen.bytes.upstream.received).unwrap()
    };
    let held = received(&world).await;
    assert!(
        held <= BUDGET + CONNECTIONS * (4 << 10),
        "{held} bytes are held"
    );
    assert!(held > BUDGET / 2, "{held} bytes are held");
    // A newcomer is slow and not shut out, and with the toxic gone everybody goes on.
    let mut late = connect(&listen).await;
    late.write_all(b"me too").await.unwrap();
    until("the newcomer to be read", async || {
        received(&world).await > held
    })
    .await;
    world.client.remove_toxic("a", "late").await.unwrap();
    assert_eq!(crate::support::receive(&mut late, 6).await, "me too");
}

/// Memory of this process that no file backs, in MiB.
fn anonymous_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.unwrap().split_whitespace().next().unwrap();
    kib.parse::<u64>().unwrap() >> 10
}

#[test]
fn memory_is_given_back_after_a_flood() {
    const NAME: &str = "bounds::memory_is_given_back_after_a_flood";
    alone::run(NAME, 4 * DEADLINE, || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let mut world = World::start().await;
            let listen = world.echo_proxy("a").await;
            let late = ToxicSpec::latency("late", Upstream, 600_000, 0);
            world.client.add_toxic("a", &late).await.unwrap();
            let before = anonymous_mib();
            let block = vec![7; 1 << 20];
            let mut streams = Vec::new();
            for _ in 0..16 {
                let mut stream = connect(&listen).await;
                for _ in 0..8 {
                    within("the proxy to take it", stream.write_all(&block))
                        .await
                        .unwrap();
                }
                streams.push(stream);
            }
            let full = anonymous_mib();
            assert!(full > before + 90, "{before} MiB, then {full}");
            world.client.delete("a").await.unwrap();
            until("memory to be given back", async || {
                anonymous_mib() < before + 16
            })
            .await;
        });
    });
}

#[tokio::test]
async fn proxies_toxics_and_names_have_a_bound() {
    let world = World::start().await;
    let many: Vec<Value> = (0..2_049)
        .map(|number| json!({"name": format!("p{number}"), "upstream": "u:1", "enabled": false}))
        .collect();
    let answer = world
        .http("POST", "/populate", &json!(many).to_string())
        .await;
    assert_eq!(answer.status, 429);
    assert!(
        answer.body.contains("2048 proxies already"),
        "{}",
        answer.json()["error"]
    );
    let all = world.http("GET", "/proxies", "").await.json();
    assert_eq!(all.as_object().unwrap().len(), 2_048);
    assert_eq!(world.http("DELETE", "/proxies/p0", "").await.status, 204);
    let long = json!({"name": "n".repeat(1_025), "upstream": "u:1"}).to_string();
    let refused = world.http("POST", "/proxies", &long).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("at most 1024 bytes"), "{refused:?}");
}

/// As many as a small process carries, of a proxy that is flooded, beside one that is not.
#[test]
fn a_flooded_proxy_leaves_files_to_the_api_and_to_its_neighbours() {
    const NAME: &str = "bounds::a_flooded_proxy_leaves_files_to_the_api_and_to_its_neighbours";
    alone::run(NAME, 4 * DEADLINE, || {
        setrlimit(Resource::RLIMIT_NOFILE, 4_096, 4_096).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // The server sees a process that may open 400 files; the ends here may open more.
            setrlimit(Resource::RLIMIT_NOFILE, 400, 4_096).unwrap();
            let mut world = World::start().await;
            world.client.version().await.unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, 4_096, 4_096).unwrap();
            let flooded = world.echo_proxy("flooded").await;
            let quiet = world.echo_proxy("quiet").await;
            let mut flood = Vec::new();
            for _ in 0..400 {
                // One that is turned away may hear it as soon as this.
                flood.extend(TcpStream::connect(&flooded).await.ok());
            }
            until("the flood to be turned away", async || {
                let seen = world
                    .client
                    .statistics("flooded")
                    .await
                    .unwrap()
                    .connections;
                seen.accepted == 400 && seen.closed["full"] > 0
            })
            .await;
            let seen = world
                .client
                .statistics("flooded")
                .await
                .unwrap()
                .connections;
            assert!((100..=150).contains(&seen.open), "{seen:?}");
            let mut beside = connect(&quiet).await;
            assert_eq!(round_trip(&mut beside, "beside").await, "beside");
            drop(flood);
            until("the places to come back", async || {
                let seen = world
                    .client
                    .statistics("flooded")
                    .await
                    .unwrap()
                    .connections;
                seen.open == 0
            })
            .await;
            let mut again = connect(&flooded).await;
            assert_eq!(round_trip(&mut again, "again").await, "again");
            world.stop().await;
        });
    });
}
