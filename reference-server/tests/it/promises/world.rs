//! Two servers, two workers and their Redis, all of which can be killed; and what was done to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{PATIENCE, Redis, Server};

/// Of servers, and of workers.
const COUNT: usize = 2;
/// The instances trust each other's access tokens; what is left by a dead one is taken up soon.
const SERVER: [&str; 12] = [
    "--worker",
    "none",
    "--jwt-secret",
    "0123456789abcdef",
    "--log",
    "warn",
    "--rate-limit",
    "10000",
    "--rate-burst",
    "100000",
    "--redrive-after",
    "2s",
];
/// An answer takes long enough for a fault to come in between.
const WORKER: [&str; 8] = [
    "--log",
    "warn",
    "--take-over-after",
    "1s",
    "--first-after",
    "60ms",
    "--chunk-interval",
    "60ms",
];

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A server is killed and another started in its place.
    Server(usize),
    /// A worker is.
    Worker(usize),
    /// Redis is killed and comes back empty.
    Killed,
    /// Redis is killed and comes back as it was when the fault began.
    Restored,
    /// Redis answers nobody.
    Paused,
    /// Redis is emptied.
    Flushed,
}

/// What goes wrong together, after a quiet time and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    quiet: Duration,
    faults: Vec<Fault>,
    lasts: Duration,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        3 => (0..COUNT).prop_map(Fault::Server),
        3 => (0..COUNT).prop_map(Fault::Worker),
        1 => Just(Fault::Killed),
        2 => Just(Fault::Restored),
        2 => Just(Fault::Paused),
        2 => Just(Fault::Flushed),
    ];
    let ms = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    (ms(300..1500), vec(fault, 1..3), ms(50..1800)).prop_map(|(quiet, faults, lasts)| Step {
        quiet,
        faults,
        lasts,
    })
}

/// What was done and when, as far as it bears on what may be lost.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Until when Redis may have forgotten what it was told before; `None`: it may still.
    forgot: Vec<Option<Instant>>,
    killed: Vec<SocketAddr>,
}

/// Where the servers are, and what was done.
#[derive(Debug, Default)]
pub(crate) struct Map {
    homes: Mutex<Vec<SocketAddr>>,
    history: Mutex<History>,
}

impl Map {
    pub(crate) fn home(&self, number: usize) -> SocketAddr {
        let homes = self.homes.lock().unwrap();
        homes[number % homes.len()]
    }

    /// Whether Redis forgot something since.
    pub(crate) fn forgot(&self, since: Instant) -> bool {
        let history = self.history.lock().unwrap();
        history.forgot_since(since)
    }

    /// Whether what was first said then can be lost: Redis forgot the task, and no server that acknowledged it, and so had its
    /// text, lives any more.
    pub(crate) fn may_lose<'a>(
        &self,
        since: Instant,
        mut acknowledged_at: impl Iterator<Item = &'a SocketAddr>,
    ) -> bool {
        let history = self.history.lock().unwrap();
        // Who came back has another address.
        history.forgot_since(since) && acknowledged_at.all(|home| history.killed.contains(home))
    }

    /// A fault is about to begin. Redis counts as forgetting from here on: it may have, and have been told all of it once more, before
    /// it is known here.
    fn begins(&self, fault: Fault) {
        let mut history = self.history.lock().unwrap();
        match fault {
            Fault::Server(number) => history.killed.push(self.homes.lock().unwrap()[number]),
            _ if fault.forgets() => history.forgot.push(None),
            _ => {}
        }
    }

    /// A fault has begun, or is over; nothing is forgotten by it any more where it `is_over`.
    fn note(&self, fault: Fault, is_over: bool) {
        if is_over && fault.forgets() {
            let mut history = self.history.lock().unwrap();
            // Redis has one fault at a time.
            *history.forgot.last_mut().unwrap() = Some(Instant::now());
        }
    }
}

impl History {
    fn forgot_since(&self, since: Instant) -> bool {
        let mut until = self.forgot.iter();
        until.any(|until| until.is_none_or(|until| until >= since))
    }
}

impl Fault {
    /// Whether Redis forgets something by it.
    fn forgets(self) -> bool {
        match self {
            Self::Killed | Self::Restored | Self::Flushed => true,
            Self::Server(_) | Self::Worker(_) | Self::Paused => false,
        }
    }
}

/// All processes of one run.
pub(crate) struct World {
    redis: Redis,
    servers: Vec<Server>,
    workers: Vec<Server>,
    defect: Vec<String>,
    answer_within: String,
    pub(crate) map: Arc<Map>,
}

impl World {
    /// All of them, ready; answers that nothing helps are lost after `answer_within`.
    pub(crate) async fn start(defect: Option<&str>, answer_within: Duration) -> Self {
        let redis = Redis::start().await;
        let defect = defect.map(|defect| ["--defect".to_owned(), defect.to_owned()]);
        let mut world = Self {
            redis,
            servers: Vec::new(),
            workers: Vec::new(),
            answer_within: format!("{}s", answer_within.as_secs()),
            defect: defect.into_iter().flatten().collect(),
            map: Arc::default(),
        };
        for _ in 0..COUNT {
            let server = world.server();
            server.until_ready().await;
            world.map.homes.lock().unwrap().push(server.address());
            world.servers.push(server);
            world.workers.push(world.worker());
        }
        world
    }

    /// A server to log in at.
    pub(crate) fn door(&self) -> &Server {
        &self.servers[0]
    }

    /// Makes a step: everything begins together, lasts, and ends.
    pub(crate) async fn take(&mut self, step: &Step) {
        tokio::time::sleep(step.quiet).await;
        let mut faults = step.faults.clone();
        faults.dedup();
        // Redis can be away in one way at a time.
        let redis = |fault: &Fault| !matches!(fault, Fault::Server(_) | Fault::Worker(_));
        if faults.iter().filter(|fault| redis(fault)).count() > 1 {
            faults.truncate(1);
        }
        for fault in &faults {
            self.begin(*fault).await;
        }
        tokio::time::sleep(step.lasts).await;
        for fault in &faults {
            self.end(*fault).await;
        }
    }

    async fn begin(&mut self, fault: Fault) {
        self.map.begins(fault);
        match fault {
            Fault::Server(number) => self.servers[number].crash(),
            Fault::Worker(number) => self.workers[number].crash(),
            Fault::Killed => self.redis.crash(),
            Fault::Paused => self.redis.pause(),
            Fault::Flushed => self.ask("FLUSHALL").await,
            Fault::Restored => self.ask("SAVE").await,
        }
        self.map.note(fault, fault == Fault::Flushed);
    }

    async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Server(number) => {
                let server = self.server();
                self.map.homes.lock().unwrap()[number] = server.address();
                self.servers[number] = server;
            }
            Fault::Worker(number) => self.workers[number] = self.worker(),
            Fault::Killed => {
                self.redis.forget();
                self.redis.restart().await;
            }
            Fault::Paused => self.redis.go_on(),
            Fault::Flushed => {}
            Fault::Restored => {
                self.redis.crash();
                self.redis.restart().await;
                self.redis.forget();
            }
        }
        self.map.note(fault, fault != Fault::Flushed);
    }

    async fn ask(&self, command: &str) {
        let (started, command) = (Instant::now(), redis::cmd(command));
        loop {
            // The client's own waits are short.
            let done = match self.redis.connect(0).await {
                Ok(mut connection) => command.query_async::<()>(&mut connection).await,
                Err(error) => Err(error),
            };
            let Err(error) = done else {
                return;
            };
            assert!(started.elapsed() < PATIENCE, "Redis: {error}");
        }
    }

    fn server(&self) -> Server {
        let command = ["serve", "--threads", "2"];
        let patience = ["--answer-within", &self.answer_within];
        self.spawn(&command, &[&SERVER[..], &patience].concat())
    }

    fn worker(&self) -> Server {
        self.spawn(&["worker"], &WORKER)
    }

    fn spawn(&self, command: &[&str], flags: &[&str]) -> Server {
        let defect: Vec<&str> = self.defect.iter().map(String::as_str).collect();
        let flags = [flags, &defect].concat();
        let url = self.redis.url();
        tokio::task::block_in_place(|| Server::spawn_as(command, &url, &flags))
    }
}
