//! `reference-server health` sends a message through the channel layer, and names what is in the way.

use std::net::TcpListener;
use std::process::Command;

use crate::support::{Redis, Server, free_port};

/// Runs it; exit code, stdout, stderr. No password may be in either.
async fn health(url: &str, flags: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reference-server"));
    command
        .arg("health")
        .args(flags)
        .env("REFERENCE_SERVER_REDIS_URL", url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    for secret in ["hunter2", password(url)] {
        let told = out.contains(secret) || err.contains(secret);
        assert!(secret.is_empty() || !told, "{out}{err}");
    }
    (output.status.code(), out, err)
}

/// Of a URL `scheme://user:password@host`; empty where there is none.
fn password(url: &str) -> &str {
    let credentials = url.split_once('@').map_or("", |(before, _)| before);
    credentials.rsplit(':').next().unwrap_or_default()
}

async fn check_failure(url: &str, flags: &[&str], expected: &str) {
    let (code, out, err) = health(url, flags).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(expected), "{err:?} does not say {expected:?}");
    assert!(err.starts_with("error: channel layer at "), "{err}");
    assert!(err.contains("\n hint: "), "{err}");
}

#[tokio::test]
async fn a_message_that_comes_back_is_ok() {
    let redis = Redis::start().await;
    let (code, out, err) = health(&redis.url(), &[]).await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), "Channel layer OK\n", "")
    );
}

#[tokio::test]
async fn each_failure_is_named_with_a_hint_and_without_the_password() {
    let redis = Redis::start().await;
    let url = redis.url();
    let address = url.split_once('@').unwrap().1;
    check_failure(
        &format!("redis://:hunter2@{address}"),
        &[],
        "it does not take the user name or password of the URL",
    )
    .await;
    check_failure(
        &format!("redis://{address}"),
        &[],
        "it wants a password, and the URL has none",
    )
    .await;
    check_failure(
        &format!("redis://:hunter2@127.0.0.1:{}", free_port()),
        &[],
        "connection refused",
    )
    .await;
    check_failure(
        "redis://:hunter2@nowhere.invalid:6379",
        &["--redis-timeout", "10s"],
        "the host is unknown or cannot be reached",
    )
    .await;
    let layer = format!("{url}/99");
    check_failure(
        &url,
        &["--redis-channel-url", &layer],
        "it has no database of that number",
    )
    .await;
    let server = Server::start(&redis, &[]).await;
    check_failure(
        &format!("redis://:hunter2@{}", server.address()),
        &[],
        "what answers there is no Redis",
    )
    .await;
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_or_publish_is_not_ok() {
    let redis = Redis::start().await;
    let mut admin = redis.connect(0).await.unwrap();
    for (missing, rules) in [
        ("subscribe", ["+@all", "-subscribe", "&*"]),
        ("publish", ["+@all", "-publish", "&*"]),
        ("subscribe", ["+@all", "resetchannels", "&elsewhere"]),
    ] {
        let mut command = redis::cmd("ACL");
        command.arg(&["SETUSER", "layer", "reset", "on", ">hunter2", "~*"]);
        command.arg(&rules);
        command.query_async::<()>(&mut admin).await.unwrap();
        let address = redis.url().split_once('@').unwrap().1.to_owned();
        check_failure(
            &format!("redis://layer:hunter2@{address}"),
            &[],
            &format!("the user of the URL may not {missing}: "),
        )
        .await;
    }
}

#[tokio::test]
async fn a_silence_ends_at_the_redis_timeout() {
    let redis = Redis::start().await;
    redis.pause();
    let quick = ["--redis-timeout", "300ms"];
    check_failure(&redis.url(), &quick, "no answer to connect within 300ms").await;
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:hunter2@{}", mute.local_addr().unwrap());
    check_failure(&url, &quick, "no answer to connect within 300ms").await;
}

#[tokio::test]
async fn a_url_that_is_none_is_a_usage_error() {
    let (code, _, err) = health("http://:hunter2@host", &[]).await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("error: --redis-url: not a Redis URL"), "{err}");
}
