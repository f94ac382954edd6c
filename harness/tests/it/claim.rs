//! Whose folder `--out` names: nothing of anybody is written over, and nothing at all before the run can begin.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::Case;
use crate::support::{Done, command, eventually, finish};

/// A run of three seconds.
const SHORT: [&str; 6] = [
    "--duration",
    "3s",
    "--set",
    "expect.0.what=complete p50",
    "--set",
    "expect.2.at_least=10",
];
/// What somebody keeps in a folder.
const THEIRS: [&str; 6] = [
    "notes.txt",
    ".env",
    "logs/app.log",
    "logs/important/app.log",
    "src/main.rs",
    "reports/r-1/result.txt",
];

/// A run that gets as far as looking for a server that is not there.
fn without_server(out: &Path, more: &[&str]) -> Done {
    let mut run = command(&["run", "scenarios/smoke.toml", "-q"]);
    run.args(["--server", "/nonexistent/reference-server", "--out"]);
    finish(run.arg(out).args(more).spawn().unwrap())
}

fn write(folder: &Path, files: &[&str]) {
    for name in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "precious").unwrap();
    }
}

/// All that can be told of a file: its mode, its time, and what it holds or leads to.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    mode: u32,
    changed: (i64, i64),
    content: Vec<u8>,
}

impl Known {
    fn of(path: &Path) -> Self {
        let kind = fs::symlink_metadata(path).unwrap();
        let content = if kind.is_file() {
            fs::read(path).unwrap()
        } else if kind.is_symlink() {
            fs::read_link(path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else {
            Vec::new()
        };
        Self {
            mode: kind.mode(),
            changed: (kind.mtime(), kind.mtime_nsec()),
            content,
        }
    }
}

/// The folder and everything in it, and in what links in it lead to.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Known> {
    let mut all = BTreeMap::from([(folder.to_owned(), Known::of(folder))]);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.insert(path.clone(), Known::of(&path));
        if path.is_dir() {
            all.extend(tree(&path));
        }
    }
    all
}

/// Puts somebody's files into a folder, with a link that leads out of it.
fn settle(folder: &Path) {
    write(folder, &THEIRS);
    let elsewhere = folder.with_extension("elsewhere");
    write(&elsewhere, &["server.log", "summary.md"]);
    symlink(&elsewhere, folder.join("link")).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (place, name) in THEIRS.into_iter().enumerate() {
        let file = fs::File::options()
            .append(true)
            .open(folder.join(name))
            .unwrap();
        file.set_modified(old).unwrap();
        let mode = [0o600, 0o644, 0o444][place % 3];
        file.set_permissions(fs::Permissions::from_mode(mode))
            .unwrap();
    }
}

/// What of that there is to be found again beside a run: the folders that they share change.
fn theirs(folder: &Path) -> Vec<(PathBuf, Known)> {
    let shared = [folder.to_owned(), folder.join("logs")];
    let own = |path: &Path| {
        let name = path.strip_prefix(folder).unwrap_or(path);
        name.starts_with("link")
            || THEIRS
                .iter()
                .any(|their| Path::new(their).starts_with(name))
    };
    let all = tree(folder).into_iter();
    all.filter(|(path, _)| own(path) && !shared.contains(path))
        .collect()
}

#[test]
fn every_command_leaves_every_byte_of_somebody_elses_folder_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    settle(&folder);
    write(&folder, &["summary.md", "plan.toml", "logs/server.log"]);
    let before = tree(&folder);
    let bad = place.path().join("bad.toml");
    fs::write(&bad, "nonsense = 1\n").unwrap();
    let bad = bad.to_str().unwrap();
    let out = folder.to_str().unwrap();
    let ways: [&[&str]; 6] = [
        &["run", bad],
        &["run", "scenarios/smoke.toml", "--server", "/nonexistent"],
        &["run", "scenarios/smoke.toml", "--clients", "99999"],
        &[
            "run",
            "scenarios/smoke.toml",
            "--target",
            "ws://127.0.0.1:1",
        ],
        &["run", "scenarios/smoke.toml", "--server", "/bin/cat"],
        &["report", "harness/tests/it/fixtures/runs/pass"],
    ];
    for way in ways {
        for more in [&[][..], &["--overwrite"]] {
            let mut told = command(way);
            told.args(["--out", out]).args(more);
            let done = finish(told.spawn().unwrap());
            assert_eq!(done.code, 2, "{way:?}: {}", done.stderr);
            assert_eq!(tree(&folder), before, "{way:?}");
        }
    }
    let mut told = command(&["run", "scenarios/smoke.toml"]);
    let done = finish(told.env("HARNESS_OUT", out).spawn().unwrap());
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert_eq!(tree(&folder), before);
}

/// Ends a run with this as soon as its load has begun: what an earlier run left is gone then.
fn ended_by(mut run: Command, folder: &Path, signal: Signal) -> Done {
    let child = run.spawn().unwrap();
    eventually("it has begun", || !folder.join("result.json").exists());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, signal).unwrap();
    finish(child)
}

/// The same command where no file may have more than so many blocks of 512 bytes.
fn with_short_files(run: &Command, blocks: u32) -> Command {
    let limit = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &limit])
        .arg(run.get_program())
        .args(run.get_args());
    shell.current_dir(run.get_current_dir().unwrap());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shell
}

#[test]
#[ignore = "slow: drives a load"]
fn every_way_out_of_a_run_leaves_what_others_put_beside_the_run_before_it() {
    let first = Case::new();
    let done = first.run("scenarios/smoke.toml", &SHORT);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    settle(&first.out());
    let again = |case: &Case, more: &[&str]| {
        // Everything is taken along: modes, times and links.
        let copied = Command::new("cp")
            .arg("-a")
            .args([first.out(), case.out()])
            .status();
        assert!(copied.unwrap().success());
        case.command(
            "scenarios/smoke.toml",
            &[&SHORT[..], &["--overwrite"], more].concat(),
        )
    };
    let fails = ["--set", "expect.2.at_least=99999"];
    let ways: [(&str, i32); 7] = [
        ("pass", 0),
        ("fail", 10),
        ("interrupt", 130),
        ("terminate", 130),
        ("kill", -1),
        ("full", 5),
        ("no redis", 3),
    ];
    std::thread::scope(|scope| {
        for (way, code) in ways {
            scope.spawn(move || {
                let case = Case::new();
                let more: &[&str] = match way {
                    "fail" => &fails,
                    _ => &[],
                };
                let mut run = again(&case, more);
                if way == "no redis" {
                    run.env("REDIS_SERVER", "/bin/false");
                }
                let before = theirs(&case.out());
                assert!(before.len() > THEIRS.len(), "{before:?}");
                let done = match way {
                    "interrupt" => ended_by(run, &case.out(), Signal::SIGINT),
                    "terminate" => ended_by(run, &case.out(), Signal::SIGTERM),
                    "kill" => ended_by(run, &case.out(), Signal::SIGKILL),
                    "full" => finish(with_short_files(&run, 32).spawn().unwrap()),
                    _ => finish(run.spawn().unwrap()),
                };
                assert_eq!(done.code, code, "{way}: {}{}", done.stdout, done.stderr);
                assert_eq!(theirs(&case.out()), before, "{way}");
                // A run that could not begin has harmed no earlier one.
                let is_there = case.out().join("report.html").exists();
                assert_eq!(is_there, !matches!(way, "kill" | "full"), "{way}");
            });
        }
    });
}

#[test]
#[ignore = "slow: drives a load"]
fn a_folder_that_a_run_has_is_given_to_no_other() {
    let case = Case::new();
    let first = case
        .command("scenarios/smoke.toml", &SHORT)
        .spawn()
        .unwrap();
    eventually("it has its folder", || {
        case.out().join(".harness-run").exists()
    });
    for more in [&[][..], &["--overwrite"]] {
        let second = without_server(&case.out(), more);
        assert_eq!(second.code, 2, "{}", second.stderr);
        assert!(
            second.stderr.contains("is under way there"),
            "{}",
            second.stderr
        );
    }
    let report = [
        "report",
        "harness/tests/it/fixtures/runs/pass",
        "--overwrite",
        "--out",
    ];
    let second = finish(command(&report).arg(case.out()).spawn().unwrap());
    assert_eq!(second.code, 2, "{}", second.stderr);
    let first = finish(first);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_verdict_is_told_and_kept_as_far_as_there_is_room() {
    // The page is longer than that, and so is the result than the second.
    for (blocks, lost, kept) in [
        (
            120,
            &["report.html"][..],
            &["result.json", "summary.md", "latency.hlog"][..],
        ),
        (
            32,
            &["result.json", "report.html"],
            &["summary.md", "junit.xml", "plan.toml"],
        ),
    ] {
        let case = Case::new();
        let run = case.command("scenarios/smoke.toml", &SHORT);
        let done = finish(with_short_files(&run, blocks).spawn().unwrap());
        assert_eq!(done.code, 5, "{}{}", done.stdout, done.stderr);
        assert!(done.stdout.starts_with("PASS"), "{}", done.stdout);
        for name in lost {
            assert!(
                done.stderr
                    .contains(&format!("out/{name}: cannot be written")),
                "{}",
                done.stderr
            );
            assert!(!case.out().join(name).exists(), "{name}");
        }
        for name in kept {
            assert!(case.out().join(name).is_file(), "{name}");
        }
        assert!(done.stderr.contains(" hint: "), "{}", done.stderr);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_verdict_stands_though_nobody_hears_it() {
    let fails = ["--set", "expect.2.at_least=99999"];
    let case = Case::new();
    let mut run = case.command("scenarios/smoke.toml", &[&SHORT[..], &fails].concat());
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let done = finish(run.stdout(full).spawn().unwrap());
    assert_eq!(done.code, 10, "{}", done.stderr);
    assert!(
        done.stderr.contains("the verdict stands in"),
        "{}",
        done.stderr
    );
    assert!(case.out().join("result.json").exists());
    let case = Case::new();
    let mut run = case.command("scenarios/smoke.toml", &[&SHORT[..], &fails].concat());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = finish(run.stdout(writer).spawn().unwrap());
    assert_eq!(done.code, 10, "{}", done.stderr);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut doctor = command(&["doctor", "ws://127.0.0.1:1"]);
    assert_eq!(finish(doctor.stdout(writer).spawn().unwrap()).code, 10);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_result_is_kept_although_nobody_reads_the_verdict() {
    let case = Case::new();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe takes.
    writer.write_all(&vec![b'.'; 65_536]).unwrap();
    let mut run = case.command("scenarios/smoke.toml", &SHORT);
    let child = run.stdout(writer).spawn().unwrap();
    drop(run);
    eventually("everything is written", || {
        case.out().join("latency.hlog").exists()
    });
    let mut heard = Vec::new();
    reader.read_to_end(&mut heard).unwrap();
    assert!(heard[65_536..].starts_with(b"PASS"));
    assert_eq!(finish(child).code, 0);
}

#[test]
fn a_report_is_not_drawn_over_what_the_run_did_not_leave() {
    let folder = tempfile::tempdir().unwrap();
    let result = fs::read("tests/it/fixtures/runs/pass/result.json").unwrap();
    fs::write(folder.path().join("result.json"), result).unwrap();
    write(folder.path(), &["summary.md"]);
    let report = |more: &[&str]| {
        let mut report = command(&["report", "--format", "md"]);
        finish(report.arg(folder.path()).args(more).spawn().unwrap())
    };
    let summary = || fs::read_to_string(folder.path().join("summary.md")).unwrap();
    let done = report(&[]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(
        done.stderr.contains("summary.md: nothing tells that"),
        "{}",
        done.stderr
    );
    assert_eq!(summary(), "precious");
    assert_eq!(report(&["--overwrite"]).code, 0);
    assert_ne!(summary(), "precious");
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["logs/important/app.log", "summary.md", "plan.toml"];
    write(folder.path(), &files);
    for more in [&[][..], &["--overwrite"]] {
        let done = without_server(folder.path(), more);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains("not the folder of a run"),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr
                .contains(" hint: name a folder that is new or empty")
        );
    }
    for name in files {
        let kept = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(kept, "precious", "{name}");
    }
}

#[test]
fn a_run_that_cannot_begin_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let done = without_server(&new, &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(!new.exists());
}

#[test]
fn a_folder_that_holds_a_run_is_refused_by_its_name_and_time() {
    let done = without_server(Path::new("harness/tests/it/fixtures/runs/pass"), &[]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    insta::assert_snapshot!(done.stderr, @r"
    error: --out harness/tests/it/fixtures/runs/pass: already holds run r-7f3a91c2 of 2026-11-21 06:12 UTC
     hint: name another folder: without its .harness-run nothing tells what else here is of that run
    ");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_run_replaces_another_only_when_asked_and_keeps_what_is_not_of_it() {
    let case = Case::new();
    let run = |more: &[&str]| case.run("scenarios/smoke.toml", &[&SHORT[..], more].concat());
    let first = run(&[]);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    let id = case.result()["run"]["id"].clone();
    write(&case.out(), &["notes.txt", "logs/mine.log"]);
    let second = run(&[]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second.stderr.contains(id.as_str().unwrap()),
        "{}",
        second.stderr
    );
    assert_eq!(case.result()["run"]["id"], id);
    let third = run(&["--overwrite"]);
    assert_eq!(third.code, 0, "{}{}", third.stdout, third.stderr);
    assert_ne!(case.result()["run"]["id"], id);
    for (name, kept) in [
        ("notes.txt", true),
        ("logs/mine.log", true),
        ("logs/server.log", true),
        (".harness-run", true),
    ] {
        assert_eq!(case.out().join(name).exists(), kept, "{name}");
    }
}
