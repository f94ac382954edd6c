//! Random schedules of sends, retries and faults, and both promises of the contract held through all of them: nothing that was acknowledged
//! and can survive is lost, nothing is answered twice, and what was acknowledged has an end.
//!
//! Real processes and sockets. The schedule and what each client does come from one seed, which is printed: `PROMISES_SEED=n` has them again
//! (the machine's own timing it cannot have again). Seeds that once failed are kept in `seeds.txt` and run again each time. What is lost, survivable, twice and without
//! an end is defined in [`ledger`]. `cargo xtask soak` runs the same at full size, by `PROMISES_MESSAGES` and `PROMISES_CLIENTS`.

mod ledger;
mod talker;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::ledger::Summary;
use self::talker::{Crowd, Phase, Talker};
use self::world::World;
use crate::client::login;

/// Seeds of schedules that once broke a promise.
const ONCE_FAILED: &str = include_str!("seeds.txt");

/// Messages without an end, per client, past which no further fault comes, for a while.
const OPEN_PER_CLIENT: i64 = 3;

/// How much and for how long.
#[derive(Debug, Clone, Copy)]
struct Size {
    clients: u32,
    messages: u64,
    /// Steps of faults at most.
    steps: usize,
    pace: Duration,
    /// From a question to `lost`, where nothing helps.
    answer_within: Duration,
    /// The longest wait for that.
    calm: Duration,
    /// Of talking, whatever the steps.
    shortest: Duration,
    longest: Duration,
}

const SMALL: Size = Size {
    clients: 10,
    messages: 100_000,
    steps: 3,
    pace: Duration::from_millis(80),
    answer_within: Duration::from_secs(12),
    calm: Duration::ZERO,
    shortest: Duration::ZERO,
    longest: Duration::from_secs(20),
};

/// What a number of the environment says.
fn given(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a whole number")),
    )
}

async fn run(seed: u64, size: Size, defect: Option<&str>) -> Summary {
    let mut world = World::start(defect, size.answer_within).await;
    let (phase, watched) = watch::channel(Phase::Talk);
    let crowd = Arc::new(Crowd {
        map: Arc::clone(&world.map),
        phase: watched,
        pace: size.pace,
        answer_within: size.answer_within,
        sent: AtomicU64::new(0),
        open: AtomicI64::new(0),
    });
    let mut talkers = JoinSet::new();
    for user in 1..=size.clients {
        let access = login(world.door(), user).await;
        talkers.spawn(Talker::new(&crowd, (user, access), seed).run());
    }
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let started = Instant::now();
    for number in 0..size.steps {
        let sent = crowd.sent.load(Ordering::Relaxed);
        if sent >= size.messages || started.elapsed() > size.longest {
            break;
        }
        calm(&crowd, size).await;
        let step = world::step().new_tree(&mut runner).unwrap().current();
        if number % 10 == 9 {
            println!(
                "{:>4} s {sent:>7} messages {step:?}",
                started.elapsed().as_secs()
            );
        }
        world.take(&step).await;
    }
    tokio::time::sleep(size.shortest.saturating_sub(started.elapsed())).await;
    phase.send_replace(Phase::Finish);
    let mut summary = Summary::default();
    while let Some(one) = talkers.join_next().await {
        summary += one.unwrap();
    }
    println!(
        "seed {seed}: {} messages of {} clients, {} answered, {} lost and excused, {} answered again because Redis forgot, {} broken promises, {:.0} s",
        summary.sent,
        size.clients,
        summary.complete,
        summary.lost,
        summary.rerun,
        summary.broken.len(),
        started.elapsed().as_secs_f64(),
    );
    summary
}

/// Waits until most messages have their end, or one fault after the other would keep a slow machine from ever getting anywhere.
async fn calm(crowd: &Crowd, size: Size) {
    let started = Instant::now();
    let most = i64::from(size.clients) * OPEN_PER_CLIENT;
    while crowd.open.load(Ordering::Relaxed) > most && started.elapsed() < size.calm {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn check(seed: u64, summary: &Summary) {
    let broken = &summary.broken[..summary.broken.len().min(20)];
    assert!(broken.is_empty(), "PROMISES_SEED={seed} broke: {broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: drives a load"]
async fn both_promises_hold_through_random_schedules() {
    let kept = ONCE_FAILED
        .lines()
        .filter_map(|line| line.split(' ').next());
    let mut seeds: Vec<u64> = kept.filter_map(|seed| seed.parse().ok()).collect();
    seeds.push(rand::random());
    if let Some(seed) = given("PROMISES_SEED") {
        seeds = vec![seed];
    }
    let runs = seeds.iter().map(|seed| run(*seed, SMALL, None));
    for (seed, summary) in seeds.iter().zip(join_all(runs).await) {
        check(*seed, &summary);
        assert!(summary.sent > 100, "{summary:?}");
    }
}

/// The check itself: a server that breaks a promise is found out, without a fault to help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: drives a load"]
async fn a_server_that_breaks_a_promise_is_found_out() {
    let quiet = Size {
        clients: 4,
        steps: 0,
        pace: Duration::from_millis(40),
        shortest: Duration::from_secs(2),
        ..SMALL
    };
    let defects = [
        "retry-runs-twice",
        "duplicate-on-resume",
        "chunk-reorder=0.5",
    ];
    for defect in defects {
        let summary = run(1, quiet, Some(defect)).await;
        assert!(!summary.broken.is_empty(), "{defect} was not noticed");
    }
}

/// At full size, for `cargo xtask soak`, which says how much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: cargo xtask soak"]
async fn soak() {
    let messages = given("PROMISES_MESSAGES").unwrap_or(100_000);
    let seed = given("PROMISES_SEED").unwrap_or_else(rand::random);
    println!("PROMISES_SEED={seed}");
    let size = Size {
        clients: u32::try_from(given("PROMISES_CLIENTS").unwrap_or(300)).unwrap(),
        messages,
        steps: usize::MAX,
        pace: Duration::from_millis(given("PROMISES_PACE_MS").unwrap_or(400)),
        answer_within: Duration::from_mins(1),
        calm: Duration::from_secs(15),
        shortest: Duration::ZERO,
        longest: Duration::from_secs(given("PROMISES_SECONDS").unwrap_or(480)),
    };
    let summary = run(seed, size, None).await;
    check(seed, &summary);
    assert!(
        summary.sent >= messages,
        "only {} messages in time",
        summary.sent
    );
}
