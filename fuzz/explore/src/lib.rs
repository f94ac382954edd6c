//! Feeds a fuzz target what is kept in `fuzz/corpus/`, and mutations of it for as long as is asked.
//!
//! **In:** a target's name and the function. **Out:** nothing; a panic, in the function or in a task it runs on
//! this thread, and an input that does not end fail the test, with the input kept in `target/fuzz/found/`.
//!
//! `FUZZ_SECONDS` is how long each target is given (0 where it is not set), `FUZZ_SEED` repeats a run. This
//! knows nothing of coverage: it tells within a minute whether something broke that held. What nobody has
//! thought of is found by `cargo xtask fuzz`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    reason = "a part of tests: it says what it tried, and fails them"
)]

mod mutate;
mod watch;

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::Mutator;
use watch::Watch;

/// Longest input that is made.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// Plays the kept corpus of `name` and, if `FUZZ_SECONDS` says so, mutations of it.
pub fn explore(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    let watch = Watch::start(name);
    for input in &corpus {
        attempt(&watch, name, target, input);
    }
    let given = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(0));
    if given.is_zero() {
        return;
    }
    let seed = number("FUZZ_SEED").unwrap_or_else(now);
    let mut mutator = Mutator::new(seed, &corpus, INPUT_BYTES_MAX);
    let start = Instant::now();
    let mut tried = 0_u64;
    while start.elapsed() < given {
        attempt(&watch, name, target, &mutator.next());
        tried += 1;
    }
    println!(
        "{name}: {} kept and {tried} other inputs, FUZZ_SEED={seed}",
        corpus.len()
    );
}

fn attempt(watch: &Watch, name: &str, target: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = watch.over(input, || target(input)) {
        let kept = keep(name, "panic", input);
        panic!("{name}: {panic}\n the input is {}", kept.display());
    }
}

/// The kept inputs, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(name);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}: nothing is kept", folder.display());
    let read = |file: &PathBuf| {
        fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().map(read).collect()
}

/// Writes down what must not be lost; answers where.
fn keep(name: &str, what: &str, input: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/fuzz/found")
        .join(name);
    let file = folder.join(format!("{what}-{:016x}", hasher.finish()));
    if let Err(error) = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input)) {
        eprintln!(
            "{}: {error}; the input: {}",
            file.display(),
            input.escape_ascii()
        );
    }
    file
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: a whole number is needed")),
    )
}

fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
