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

/// A server that is given these flags and asked for nothing: its exit code, or none where it runs, and what it says.
fn start(command: &str, flags: &[&str]) -> (Option<i32>, String) {
    let flags = flags.join(" ");
    let server = env!("CARGO_BIN_EXE_reference-server");
    // The server's own end comes with its stdin's: `timeout` sends it SIGTERM.
    let line = format!("{command}; exec timeout 2 {server} serve --listen 127.0.0.1:0 {flags}");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().filter(|code| *code != 124);
    (code, text)
}

#[test]
fn no_duration_is_taken_that_cannot_be_added_to() {
    let help = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = 0;
    let mut flag = "";
    for line in help.lines().map(str::trim) {
        if line.starts_with("--") {
            flag = line.split(' ').next().unwrap();
        }
        let default = line.split("[default: ").nth(1).unwrap_or_default();
        let default = default.split(']').next().unwrap();
        let is_number = default.parse::<f64>().is_ok();
        if default.starts_with(|first: char| first.is_ascii_digit())
            && !is_number
            && !default.contains(':')
        {
            flags += 1;
            for long in ["18446744073709551615s", "1000000000y"] {
                check(&[flag, long], 2, flag);
            }
        }
    }
    assert!(flags > 20, "{flags} durations in {help}");
}

#[test]
fn no_number_is_taken_that_cannot_be_held() {
    for flag in [
        "--threads",
        "--users",
        "--admins",
        "--participants",
        "--token-burst",
        "--login-failures",
        "--rate-burst",
        "--frame-burst",
        "--flood-strikes",
        "--max-message",
        "--queue-limit",
        "--chats-entries",
        "--history-entries",
        "--chunks",
        "--concurrency",
        "--max-connections",
        "--max-http-connections",
        "--sockets-per-user",
        "--sockets-per-address",
        "--http-per-address",
        "--user-bytes",
        "--max-frame",
        "--outbox-messages",
        "--outbox-bytes",
        "--send-buffer",
    ] {
        check(&[flag, "18446744073709551615"], 2, flag);
    }
    for flag in [
        "--rate-limit",
        "--token-rate",
        "--connect-rate",
        "--frame-rate",
    ] {
        for rate in ["NaN", "inf", "1e-300", "1e300", "0"] {
            check(&[&format!("{flag}={rate}")], 2, flag);
        }
    }
    check(&["--max-http-connections", "1"], 2, "must be at least 16");
    check(
        &["--trusted-proxy", "10.0.0.0/33"],
        2,
        "write 172.16.0.0/12",
    );
}

#[test]
fn where_there_is_no_room_for_threads_the_start_fails_with_a_word() {
    let mut refused = 0;
    for limit_kib in [30_000, 60_000, 100_000, 200_000, 300_000, 400_000, 800_000] {
        let command = format!("ulimit -v {limit_kib}");
        let (code, text) = start(&command, &["--threads", "64"]);
        assert!(!text.contains("panicked"), "{limit_kib}: {text}");
        match code {
            None => {}
            Some(3) => {
                refused += 1;
                assert!(text.contains("no room for the threads"), "{text}");
            }
            // The loader itself had too little.
            Some(code) => assert!(limit_kib == 30_000, "{limit_kib}: {code}, {text}"),
        }
    }
    assert!(refused > 0, "none of them was too small");
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
