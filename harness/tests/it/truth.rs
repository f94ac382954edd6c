//! `harness capacity` against limits that are known beforehand, minutes each: `cargo xtask bench capacity`.
//!
//! Each truth is searched for three times, and must be within 5 % of what was found each time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::capacity::{Case, account, strange};
use crate::stranger::{self, FIN, Stranger, TEXT, frame};
use crate::support::command;

/// How often each truth must be found.
const TIMES: usize = 3;
/// How far a truth may be outside of what was found.
const NEAR: f64 = 1.05;

/// Searches for a truth, three times.
#[expect(
    clippy::print_stderr,
    reason = "it is a bench: what was found is what is asked for"
)]
fn found(name: &str, truth: f64, scenario: &str, asked: &[&str]) {
    let found: Vec<(bool, String)> = (0..TIMES).map(|_| search(truth, scenario, asked)).collect();
    let told: Vec<&str> = found.iter().map(|(_, told)| told.as_str()).collect();
    eprintln!("{name}: {truth:.1}, found {}", told.join("; "));
    assert!(
        found.iter().all(|(is_near, _)| *is_near),
        "{name}: {told:?}"
    );
}

#[expect(clippy::print_stderr, reason = "probes of a search that failed")]
fn search(truth: f64, scenario: &str, asked: &[&str]) -> (bool, String) {
    let case = Case::new(scenario);
    let out = case.out();
    let begun = Instant::now();
    let arguments = [
        &[
            "capacity",
            &case.scenario,
            "--budget",
            "4min",
            "--out",
            &out,
        ],
        asked,
    ]
    .concat();
    // It takes longer than a command of a test may.
    let done = command(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(matches!(done.status.code(), Some(0 | 12)), "{said}");
    let account = account(&out);
    let end = |name: &str| account["found"][name].as_u64().map(|load| load as f64);
    let (held, broke) = (end("held"), end("broke").unwrap_or(f64::INFINITY));
    let Some(held) = held else {
        return (false, account["sentence"].to_string());
    };
    let told = format!(
        "{held} to {broke} (exit {}, {} probes, {} s)",
        account["exit_code"],
        account["probes"].as_array().map_or(0, Vec::len),
        begun.elapsed().as_secs()
    );
    let is_near = held <= truth * NEAR && truth <= broke * NEAR && broke <= held * 1.25;
    if !is_near {
        eprintln!("{said}");
    }
    (is_near, told)
}

#[test]
#[ignore = "slow: minutes of probes; apart from the tests of every change"]
fn sockets() {
    const SOCKETS: u64 = 300;
    let scenario = "# How many may be connected?
title = \"sockets\"
[environment]
proxies = []
[load]
clients = 80
stages = [{ ramp = \"1s\" }, { hold = \"3s\" }]
mix = { lurker = 1 }
drain = \"1s\"
[[expect]]
what = \"failed clients\"
equals = 0
";
    let flag = format!("max-connections={SOCKETS}");
    found(
        "sockets of the reference server",
        SOCKETS as f64,
        scenario,
        &["--from", "50", "--to", "2000", "--server-flag", &flag],
    );
}

#[test]
#[ignore = "slow: minutes of probes; apart from the tests of every change"]
fn answers_per_second() {
    // Twenty answers in hand at once, each takes 100 ms by the server's own timers.
    let scenario = "# How many are answered?
title = \"answers\"
[environment]
proxies = []
[environment.server]
settings = { concurrency = \"20\", first-after = \"80ms\", chunk-interval = \"10ms\", rate-limit = \"100000\", rate-burst = \"100000\" }
[load]
clients = 200
stages = [{ ramp = \"1s\" }, { hold = \"8s\" }]
message = { every = \"4s\", arrival = \"poisson\", chunks = 3 }
drain = \"5s\"
[[expect]]
what = \"complete p99\"
under = \"400ms\"
";
    found(
        "answers of the reference server per second",
        20.0 / 0.1,
        scenario,
        &["--axis", "message-rate", "--from", "25", "--to", "800"],
    );
}

/// Bounded outboxes of sockets, by room.
type Rooms = Mutex<HashMap<String, Vec<SyncSender<Vec<u8>>>>>;

#[test]
#[ignore = "slow: minutes of probes; apart from the tests of every change"]
fn fan_out_of_another_make() {
    // A socket is sent so much at most; each client says one thing a second, so that so many hear each other.
    const PER_S: u32 = 50;
    const OUTBOX: usize = 400;
    let rooms = Rooms::default();
    let server = Stranger::start(move |connection| {
        let head = connection.head()?;
        connection.upgrade(&head)?;
        let room = head.split_whitespace().nth(1)?.to_owned();
        let (outbox, sent) = sync_channel::<Vec<u8>>(OUTBOX);
        let mut socket = connection.writer()?;
        thread::spawn(move || {
            let mut free = Instant::now();
            for bytes in sent {
                free = free.max(Instant::now()) + Duration::from_secs(1) / PER_S;
                thread::sleep(free.saturating_duration_since(Instant::now()));
                std::io::Write::write_all(&mut socket, &bytes).ok()?;
            }
            Some(())
        });
        rooms
            .lock()
            .unwrap()
            .entry(room.clone())
            .or_default()
            .push(outbox);
        loop {
            let text = connection.message()?;
            let bytes = frame(FIN | TEXT, stranger::reply(&text).as_bytes());
            let mut rooms = rooms.lock().unwrap();
            // Who is gone leaves the room; what an outbox has no room for is lost.
            let members = rooms.get_mut(&room)?;
            members.retain(|member| {
                !matches!(
                    member.try_send(bytes.clone()),
                    Err(std::sync::mpsc::TrySendError::Disconnected(_))
                )
            });
        }
    });
    let expected = "what = \"complete p99\"\nunder = \"250ms\"";
    let scenario = strange(120, "10s", "1s", expected)
        .replace("every = \"1s\"", "every = \"1s\", arrival = \"fixed\"")
        .replace("path = \"/\"", "path = \"/{group}\"");
    let url = server.url();
    found(
        "clients to a conversation, by what an outbox is emptied",
        f64::from(PER_S),
        &scenario,
        &["--axis", "fan-out", "--from", "5", "--target", &url],
    );
}

/// Workers that are taken by one message each.
struct Workers {
    free: Mutex<u32>,
    freed: Condvar,
}

impl Workers {
    fn work(&self, length: Duration) {
        let free = self.free.lock().unwrap();
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        drop(free);
        thread::sleep(length);
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
    }
}

/// p99 of the response time of M/M/c, in units of the mean service time; `load` is arrivals times service time.
fn p99_of_queue(load: f64, servers: u32) -> f64 {
    let mut blocked = 1.0;
    for server in 1..=servers {
        blocked = load * blocked / (f64::from(server) + load * blocked);
    }
    let spare = f64::from(servers) - load;
    let waits = blocked / (1.0 - load / f64::from(servers) * (1.0 - blocked));
    // The response is the service, and with that probability an exponential wait before it.
    let above = |time: f64| {
        let both = (spare * (-time).exp() - (-spare * time).exp()) / (spare - 1.0);
        (1.0 - waits) * (-time).exp() + waits * both
    };
    let (mut low, mut high) = (0.0, 1_000.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if above(middle) > 0.01 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Four workers of another make, exponential service times.
const WORKERS: u32 = 4;
const SERVICE_S: f64 = 0.02;
const LIMIT_S: f64 = 0.2;

/// What the law of the queue says: the rate at which p99 meets the limit.
fn rate_by_law() -> f64 {
    let rates = (1..400).map(f64::from).take_while(|rate| {
        let load = rate * SERVICE_S;
        load < f64::from(WORKERS) && p99_of_queue(load, WORKERS) * SERVICE_S < LIMIT_S
    });
    rates.last().unwrap()
}

fn queue() -> Stranger {
    let workers = Arc::new(Workers {
        free: Mutex::new(WORKERS),
        freed: Condvar::new(),
    });
    let dice = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    Stranger::chatting(move |connection, _, text| {
        // By splitmix64.
        let mut word = dice.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        workers.work(Duration::from_secs_f64(-(1.0 - share).ln() * SERVICE_S));
        connection.reply(text)
    })
}

#[test]
#[ignore = "slow: minutes of probes; apart from the tests of every change"]
fn messages_of_a_queue_of_another_make() {
    let server = queue();
    let expected = "what = \"complete p99\"\nunder = \"200ms\"";
    let (scenario, url) = (strange(200, "10s", "4s", expected), server.url());
    let asked = [
        "--axis",
        "message-rate",
        "--from",
        "40",
        "--to",
        "400",
        "--target",
        &url,
    ];
    found(
        "messages per second of an M/M/4 queue",
        rate_by_law(),
        &scenario,
        &asked,
    );
}

#[test]
#[ignore = "slow: minutes of probes; apart from the tests of every change"]
fn clients_of_a_queue_of_another_make() {
    let server = queue();
    let expected = "what = \"complete p99\"\nunder = \"200ms\"";
    // One message each second.
    let (scenario, url) = (strange(50, "10s", "1s", expected), server.url());
    let asked = ["--from", "40", "--to", "400", "--target", &url];
    found(
        "clients of an M/M/4 queue",
        rate_by_law(),
        &scenario,
        &asked,
    );
}
