//! Wrong flags end the start with a message that names the place.

use std::process::Command;

fn check(flags: &[&str], code: i32, expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .arg("serve")
        .args(["--listen", "127.0.0.1:0"])
        .args(flags)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(
        text.contains(expected),
        "{text:?} does not say {expected:?}"
    );
    assert!(!text.contains("hunter2"), "a password is printed");
}

#[test]
fn each_wrong_flag_is_named() {
    check(
        &["--chunks", "0"],
        2,
        "error: --chunks: must be more than 0",
    );
    check(
        &["--rate-limit=-1"],
        2,
        "error: --rate-limit: -1 is not a rate",
    );
    check(&["--token-ttl", "fast"], 2, "write for example `500ms`");
    check(
        &["--history-expiry", "20s"],
        2,
        "error: --history-expiry: must be at least 30s (twice the grace)",
    );
    check(
        &["--jwt-secret", "short"],
        2,
        "error: --jwt-secret: has 5 bytes",
    );
    check(
        &["--defect", "nonsense"],
        2,
        "error: --defect: `nonsense` is not a defect of this build",
    );
    check(
        &["--redis-url", "http://:hunter2@host"],
        2,
        "error: --redis-url: not a Redis URL",
    );
    check(
        &["--redis-tokens-url", "redis://:hunter2@host:x"],
        2,
        "error: --redis-tokens-url: not a Redis URL",
    );
    check(&["--log", "a=b=c"], 2, "error: --log");
    check(
        &["--worker", "none", "--channel-layer", "memory"],
        2,
        "error: --worker none: a worker of its own cannot reach `--channel-layer memory`",
    );
    check(
        &["--concurrency", "0"],
        2,
        "error: --concurrency: must be more than 0",
    );
}

#[test]
fn a_taken_port_is_named_with_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .args(["serve", "--listen", &address])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains(&format!("error: --listen: {address}:")) && text.contains("hint:"),
        "{text}"
    );
}

#[test]
fn no_command_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("serve"));
}
