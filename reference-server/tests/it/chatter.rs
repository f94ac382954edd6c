//! Users who keep talking through every failure, and hold the server to what a client may rely on.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use crate::client::{Client, login};
use crate::support::{PATIENCE, Server};

/// What became of one message, as its sender saw it.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acknowledged: Option<String>,
    pub(crate) refused: usize,
    pub(crate) complete: usize,
    pub(crate) lost: usize,
}

/// When chatters stop saying something new.
#[derive(Clone, Default)]
pub(crate) struct End(Arc<OnceLock<Instant>>);

impl From<Instant> for End {
    fn from(at: Instant) -> Self {
        let end = Self::default();
        end.set(at);
        end
    }
}

impl End {
    /// Says when, once.
    pub(crate) fn set(&self, at: Instant) {
        self.0.set(at).unwrap();
    }

    fn is_past(&self) -> bool {
        self.0.get().is_some_and(|end| Instant::now() >= *end)
    }

    /// When everything must have its answer.
    fn deadline(&self) -> Instant {
        let end = self.0.get().copied();
        end.unwrap_or_else(Instant::now) + 2 * PATIENCE
    }
}

/// A client that sends every so often, again with the same id where it was refused, and checks what it is told.
///
/// Where its socket ends it opens one at the next of its homes, and sends again whatever is not complete.
pub(crate) struct Chatter<'a> {
    homes: &'a [&'a Server],
    home: usize,
    access: String,
    conversation: String,
    client: Client,
    sent: BTreeMap<String, Sent>,
    /// By task, for this socket.
    next_seq: BTreeMap<String, u64>,
    again: Vec<(Instant, String)>,
    every: Duration,
    /// Sockets opened after the first.
    moved: usize,
}

impl<'a> Chatter<'a> {
    /// Users 1 to `count`, spread over the homes, each of whom sends every 100 ms.
    pub(crate) async fn crowd(homes: &'a [&'a Server], count: u32) -> Vec<Self> {
        let entering = (1..=count).map(|user| Self::new(homes, user));
        stream::iter(entering).buffer_unordered(16).collect().await
    }

    /// The same at another pace, each beginning somewhere within it.
    pub(crate) fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    async fn new(homes: &'a [&'a Server], user: u32) -> Self {
        let home = user as usize % homes.len();
        let conversation = format!("conv-{user}");
        let access = login(homes[home], user).await;
        let client = Client::enter_as(homes[home], &access, &conversation).await;
        Self {
            homes,
            home,
            access,
            conversation,
            client,
            sent: BTreeMap::new(),
            next_seq: BTreeMap::new(),
            again: Vec::new(),
            every: Duration::from_millis(100),
            moved: 0,
        }
    }

    /// Sends until `end`, then waits until everything is answered.
    pub(crate) async fn run(self, end: impl Into<End>) -> BTreeMap<String, Sent> {
        self.run_and_move(end).await.0
    }

    /// The same; also how often it had to open a socket anew.
    pub(crate) async fn run_and_move(
        mut self,
        end: impl Into<End>,
    ) -> (BTreeMap<String, Sent>, usize) {
        let end = end.into();
        let mut number = 0;
        let mut next = Instant::now() + self.every.mul_f64(rand::random());
        while !end.is_past() || self.open().next().is_some() {
            let deadline = end.deadline();
            let late = Instant::now() >= deadline;
            assert!(!late, "unanswered: {:?}", self.open().collect::<Vec<_>>());
            if Instant::now() >= next && !end.is_past() {
                let id = format!("m-{number}");
                self.say(&id).await;
                self.sent.insert(id, Sent::default());
                number += 1;
                next += self.every;
            }
            let now = Instant::now();
            let due = self.again.extract_if(.., |(at, _)| *at <= now);
            for (_, id) in due.collect::<Vec<_>>() {
                if self.sent[&id].acknowledged.is_none() {
                    self.say(&id).await;
                }
            }
            let again = self.again.iter().map(|(at, _)| *at).min();
            let sends = (!end.is_past()).then_some(next);
            let due = again.into_iter().chain(sends).min().unwrap_or(deadline);
            match tokio::time::timeout_at(due.into(), self.client.event_or_code()).await {
                Ok(Ok(event)) => self.heard(&event),
                Ok(Err(_)) => self.move_on().await,
                Err(_) => {}
            }
        }
        (self.sent, self.moved)
    }

    async fn say(&mut self, id: &str) {
        self.client.try_say("hello", id).await;
    }

    /// Opens a socket at the next home.
    async fn move_on(&mut self) {
        self.home = (self.home + 1) % self.homes.len();
        self.moved += 1;
        self.client =
            Client::enter_as(self.homes[self.home], &self.access, &self.conversation).await;
        self.next_seq.clear();
        self.again.clear();
        let open: Vec<String> = self.open().map(|(id, _)| id.clone()).collect();
        for id in open {
            self.say(&id).await;
        }
    }

    fn open(&self) -> impl Iterator<Item = (&String, &Sent)> {
        let all = self.sent.iter();
        all.filter(|(_, sent)| sent.complete == 0 && sent.lost == 0)
    }

    fn heard(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let task = text("task_id");
        match text("event").as_str() {
            "task_queued" => {
                let sent = self.sent.get_mut(&text("client_message_id")).unwrap();
                let known = sent.acknowledged.get_or_insert_with(|| task.clone());
                assert_eq!(*known, task, "one message, one task");
                self.next_seq.entry(task).or_default();
            }
            "processing_started" => {
                assert!(self.next_seq.contains_key(&task), "task_queued comes first");
            }
            "chunk" => {
                let next = self.next_seq.get_mut(&task).unwrap();
                assert_eq!(event["seq"], *next, "in order, without gaps: {event}");
                *next += 1;
            }
            "complete" => {
                assert_eq!(event["chunks"], self.next_seq[&task], "{event}");
                self.owner(&task).complete += 1;
            }
            "error" if event["code"] == "lost" => self.owner(&task).lost += 1,
            "error" => {
                assert_eq!(event["code"], "unavailable", "{event}");
                let wait = Duration::from_secs_f64(event["retry_after"].as_f64().unwrap());
                let id = text("client_message_id");
                self.sent.get_mut(&id).unwrap().refused += 1;
                self.again.push((Instant::now() + wait, id));
            }
            other => panic!("unexpected {other}"),
        }
    }

    /// The message whose answer the task is.
    fn owner(&mut self, task: &str) -> &mut Sent {
        let mut all = self.sent.values_mut();
        all.find(|sent| sent.acknowledged.as_deref() == Some(task))
            .unwrap()
    }
}

/// Nothing was lost, and nothing was answered twice.
#[track_caller]
pub(crate) fn check_each_complete_once(sent: &BTreeMap<String, Sent>) {
    let well = |sent: &Sent| sent.complete == 1 && sent.lost == 0;
    assert!(sent.values().all(well), "{sent:?}");
}
