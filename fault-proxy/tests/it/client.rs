//! The client: what it confirms, and what it makes of answers it did not expect.

use crate::support::World;
use fault_proxy::{
    ProxySpec,
    Stream::{Downstream, Upstream},
    ToxicSpec,
    client::{Client, ClientError},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

#[tokio::test]
async fn a_round_of_every_call() {
    let mut world = World::start().await;
    let upstream = world.echo().await.to_string();
    let client = world.client.clone();
    let proxy = client.create("a b/c", "127.0.0.1:0", &upstream).await;
    // The name cannot be addressed by a path; the client says so instead of believing the 201.
    assert_eq!(proxy.unwrap_err().status(), Some(404));
    let proxy = client
        .create("a b", "127.0.0.1:0", &upstream)
        .await
        .unwrap();
    assert_eq!(
        (proxy.name.as_str(), proxy.upstream.as_str()),
        ("a b", upstream.as_str())
    );
    let toxic = ToxicSpec::latency("slow ü", Upstream, 20, 5).with_toxicity(0.3);
    let added = client.add_toxic("a b", &toxic).await.unwrap();
    assert_eq!(
        (added.kind.as_str(), added.stream, added.toxicity),
        ("latency", Upstream, 0.3)
    );
    assert_eq!(
        client.proxy("a b").await.unwrap().toxic("slow ü"),
        Some(&added)
    );
    let changed = ToxicSpec::latency("slow ü", Upstream, 30, 0);
    let updated = client.update_toxic("a b", &changed).await.unwrap();
    assert_eq!(updated.attributes["latency"], 30);
    client.remove_toxic("a b", "slow ü").await.unwrap();
    let gone = client.remove_toxic("a b", "slow ü").await.unwrap_err();
    assert_eq!(gone.status(), Some(404));
    assert!(!client.set_enabled("a b", false).await.unwrap().enabled);
    client.reset().await.unwrap();
    let spec = ProxySpec {
        name: "p".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        upstream,
        enabled: true,
    };
    assert_eq!(client.populate(&[spec]).await.unwrap()[0].name, "p");
    assert_eq!(client.populate(&[]).await.unwrap(), []);
    client.delete("a b").await.unwrap();
    assert!(client.proxies().await.unwrap().contains_key("p"));
}

#[tokio::test]
async fn a_refusal_carries_the_servers_words() {
    let world = World::start().await;
    let error = world.client.proxy("none").await.unwrap_err();
    let text = "fault proxy: GET /proxies/none was refused with 404: proxy not found";
    assert_eq!(error.to_string(), text);
    let bad = ToxicSpec::new("t", "nonsense", Downstream);
    world
        .client
        .create("a", "127.0.0.1:0", "u:1")
        .await
        .unwrap();
    let error = world.client.add_toxic("a", &bad).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { status: 400, .. }),
        "{error}"
    );
}

/// Answers each request on `listener` with the next of `bodies`, then falls silent.
async fn canned(listener: TcpListener, bodies: Vec<(u16, &'static str)>) {
    for (status, body) in bodies {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let _open = listener.accept().await;
    std::future::pending::<()>().await;
}

async fn answered_with(bodies: Vec<(u16, &'static str)>) -> (Client, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(canned(listener, bodies));
    (Client::new(&url).unwrap(), server)
}

#[tokio::test]
async fn what_a_newer_server_adds_is_survived() {
    let proxies = r#"{"a":{"name":"a","listen":"l:1","upstream":"u:1","enabled":true,"Logger":{},
        "toxics":[{"name":"t","type":"from_the_future","stream":"downstream","toxicity":1,
        "attributes":{"deep":{"x":[1.5]}},"colour":"red"}]},
        "b":{"name":"b","listen":"l:2","upstream":"u:1","enabled":false,"toxics":null}}"#;
    let (client, _server) = answered_with(vec![(200, proxies)]).await;
    let proxies = client.proxies().await.unwrap();
    let toxic = proxies["a"].toxic("t").unwrap();
    assert_eq!(toxic.kind, "from_the_future");
    assert_eq!(toxic.attributes["deep"]["x"][0], 1.5);
    assert_eq!(proxies["b"].toxics, []);
}

#[tokio::test]
async fn a_yes_that_does_not_read_back_is_not_believed() {
    let disabled = r#"{"name":"a","listen":"l:1","upstream":"u:1","enabled":true,"toxics":[]}"#;
    let (client, _server) = answered_with(vec![(200, "{}"), (200, disabled)]).await;
    let error = client.set_enabled("a", false).await.unwrap_err();
    assert!(matches!(error, ClientError::Unconfirmed { .. }), "{error}");

    let kept = r#"{"name":"t","type":"latency","stream":"upstream","toxicity":1,
        "attributes":{"latency":5,"jitter":0}}"#;
    let (client, _server) = answered_with(vec![(200, "{}"), (200, kept)]).await;
    let toxic = ToxicSpec::latency("t", Upstream, 6, 0);
    let error = client.update_toxic("a", &toxic).await.unwrap_err();
    assert!(matches!(error, ClientError::Unconfirmed { .. }), "{error}");

    let (client, _server) = answered_with(vec![(204, ""), (200, kept)]).await;
    let error = client.remove_toxic("a", "t").await.unwrap_err();
    assert!(
        error.to_string().ends_with("reads back as still there"),
        "{error}"
    );
}

#[tokio::test]
async fn answers_that_are_not_the_api_are_told_apart() {
    let (client, _server) = answered_with(vec![(200, "<html>"), (502, "Bad Gateway\n")]).await;
    let error = client.version().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreadable { .. }), "{error}");
    let error = client.version().await.unwrap_err();
    assert!(
        error.to_string().ends_with("refused with 502: Bad Gateway"),
        "{error}"
    );

    for url in ["127.0.0.1:8474", "ftp://x", "http://", "", "https://x"] {
        assert!(
            matches!(Client::new(url), Err(ClientError::BadUrl { .. })),
            "{url}"
        );
    }
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let error = Client::new(&url).unwrap().version().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_five_seconds() {
    let (client, _server) = answered_with(Vec::new()).await;
    let start = std::time::Instant::now();
    let error = client.set_enabled("a", false).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(
        start.elapsed() >= Duration::from_millis(4_900),
        "{:?}",
        start.elapsed()
    );
    assert!(
        error
            .to_string()
            .contains("POST /proxies/a had no answer within 5s"),
        "{error}"
    );
}
