//! What a system does not give, and what a file never ends: an error with its exit code, at once.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{command, finish, slow_tests_are_on};

const SHORT: &str = "[load]\nclients = 5\nramp = \"100ms\"\nhold = \"300ms\"\ndrain = \"300ms\"\n";
/// Kilobytes of addresses: from what the program alone takes to what a run needs.
const ADDRESSES_KIB: [u32; 8] = [
    80_000, 120_000, 200_000, 300_000, 400_000, 500_000, 700_000, 1_200_000,
];

/// The harness where a process may address so much.
fn limited(addresses_kib: u32, arguments: &[&str]) -> Command {
    let whole = command(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c 0; ulimit -v $0; exec \"$@\""])
        .arg(addresses_kib.to_string())
        .arg(whole.get_program())
        .args(whole.get_args());
    shell
}

#[test]
fn a_system_that_gives_too_little_ends_a_run_with_words_and_never_with_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("short.toml");
    fs::write(&scenario, SHORT).unwrap();
    // Where there is room enough a run is a run: then it takes its time.
    let tried = if slow_tests_are_on() { 8 } else { 2 };
    for addresses_kib in &ADDRESSES_KIB[..tried] {
        let out = folder.path().join(addresses_kib.to_string());
        let arguments = ["run", scenario.to_str().unwrap(), "-q", "--out"];
        let mut run = limited(*addresses_kib, &arguments);
        let done = run.arg(&out).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let code = done.status.code();
        assert_eq!(done.status.signal(), None, "{addresses_kib}: {said}");
        if *addresses_kib <= 700_000 {
            assert_eq!(code, Some(3), "{addresses_kib}: {said}");
            assert!(said.contains("ulimit -v"), "{addresses_kib}: {said}");
            assert!(!out.join("logs").exists(), "{addresses_kib}: {said}");
        }
        // Whatever the run then says of the server: it is no bug.
        assert!(
            !matches!(code, Some(1 | 101 | 134)),
            "{addresses_kib}: {said}"
        );
        assert!(!said.contains("panicked"), "{addresses_kib}: {said}");
    }
}

#[test]
fn a_file_that_is_none_or_never_ends_is_refused_wherever_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    mkfifo(path("pipe").as_str(), Mode::S_IRWXU).unwrap();
    fs::create_dir(path("run")).unwrap();
    mkfifo(path("run/result.json").as_str(), Mode::S_IRWXU).unwrap();
    let target = "wss://127.0.0.1:1";
    let refused = |arguments: &[&str]| {
        let done = finish(command(arguments).spawn().unwrap());
        assert!(
            matches!(done.code, 2 | 3 | 5),
            "{arguments:?}: {}",
            done.stderr
        );
        let words = "it is no regular file";
        assert!(
            done.stderr.contains(words),
            "{arguments:?}: {}",
            done.stderr
        );
    };
    refused(&["report", &path("run")]);
    for never_ends in ["/dev/zero", &path("pipe")] {
        refused(&["plan", never_ends]);
        refused(&["check", never_ends]);
        refused(&["proxy", "--listen", "127.0.0.1:0", "--config", never_ends]);
        refused(&["doctor", target, "--ca", never_ends]);
        let users = format!("environment.users.file={never_ends:?}");
        let scenario = ["--scenario", &path("users.toml")].map(str::to_owned);
        let text = format!(
            "[environment]\n{}\n{SHORT}",
            users.trim_start_matches("environment.")
        );
        fs::write(path("users.toml"), text).unwrap();
        refused(&["doctor", "ws://127.0.0.1:1", &scenario[0], &scenario[1]]);
    }
}
