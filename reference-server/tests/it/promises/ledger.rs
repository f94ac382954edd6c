//! What the servers promised and what they kept, as one client heard it. Pure: sockets and times are told.
//!
//! **Lost:** an acknowledged message of which no socket of its sender ever got the whole answer. It was *survivable* unless Redis forgot it (emptied, killed
//! without persistence, brought back from a snapshot) since its first send and every server that acknowledged it, and so held its text, was
//! killed; and even then the sender must be told `lost`. **Twice:** an event of a task a second time on one socket, or a message answered as two tasks
//! while Redis forgot nothing. **Without an end:** `task_queued` on a socket that then lives on and hears neither `complete`, `lost` nor
//! an `error` with the message's id.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::Map;

/// A conversation and the id of a message in it.
pub(crate) type Name = (String, String);

/// One message, over all sockets.
#[derive(Debug)]
pub(crate) struct Sent {
    first: Instant,
    /// When it is to be sent again at the earliest.
    pub(crate) again: Instant,
    /// The servers that did.
    acknowledged_at: BTreeSet<SocketAddr>,
    answers: Vec<String>,
    lost: bool,
}

/// What the end of a task was on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Lost,
}

/// One task on one socket.
#[derive(Debug, Default)]
struct Heard {
    queued: bool,
    /// The `seq` that comes next, once it has begun.
    next: Option<u64>,
    ended: Option<End>,
    /// All that came, for who has to find out.
    story: String,
}

/// One socket, from `connected` to its end.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The server.
    home: SocketAddr,
    tasks: BTreeMap<String, Heard>,
    /// The last `message_id`, for `resume`.
    pub(crate) last: Option<String>,
}

/// All that one client sent and heard.
pub(crate) struct Ledger {
    map: std::sync::Arc<Map>,
    sent: BTreeMap<Name, Sent>,
    /// Those without an end.
    open: BTreeSet<Name>,
    tasks: BTreeMap<String, Name>,
    pub(crate) broken: Vec<String>,
    /// Answered as a second task after Redis forgot the first.
    pub(crate) rerun: u64,
}

/// What became of the messages of one or all clients.
#[derive(Debug, Default, Clone)]
pub(crate) struct Summary {
    pub(crate) sent: u64,
    pub(crate) complete: u64,
    pub(crate) lost: u64,
    pub(crate) rerun: u64,
    pub(crate) broken: Vec<String>,
}

impl Socket {
    pub(crate) fn at(home: SocketAddr) -> Self {
        Self {
            home,
            tasks: BTreeMap::new(),
            last: None,
        }
    }
}

impl Ledger {
    pub(crate) fn new(map: std::sync::Arc<Map>) -> Self {
        Self {
            map,
            sent: BTreeMap::new(),
            open: BTreeSet::new(),
            tasks: BTreeMap::new(),
            broken: Vec::new(),
            rerun: 0,
        }
    }

    /// A message goes out, for the first time or again.
    pub(crate) fn say(&mut self, name: Name, patience: Duration) {
        let now = Instant::now();
        let sent = self.sent.entry(name).or_insert_with_key(|name| {
            self.open.insert(name.clone());
            Sent {
                first: now,
                again: now,
                acknowledged_at: BTreeSet::new(),
                answers: Vec::new(),
                lost: false,
            }
        });
        sent.again = now + patience;
    }

    /// Something was asked on a socket: it belongs to the stories of its tasks, of all or of one message.
    pub(crate) fn mark(&self, socket: &mut Socket, what: &str, of: Option<&Name>) {
        for (task, heard) in &mut socket.tasks {
            if of.is_none() || self.tasks.get(task) == of {
                write!(heard.story, "({what}) ").unwrap();
            }
        }
    }

    /// Messages without an end, of one conversation.
    pub(crate) fn open<'a>(
        &'a self,
        conversation: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Sent)> {
        let open = self.open.iter().filter(move |name| name.0 == conversation);
        open.map(|name| (name, &self.sent[name]))
    }

    /// How many messages are without an end.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether each message got its end, whatever it was.
    pub(crate) fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    fn breaks(&mut self, what: &str, event: &Value) {
        if self.broken.len() < 20 {
            self.broken.push(format!("{what}: {event}"));
        }
    }

    /// An event came on a socket.
    pub(crate) fn hear(&mut self, socket: &mut Socket, conversation: &str, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (task, id) = (text("task_id"), text("client_message_id"));
        let name = (conversation.to_owned(), id);
        let kind = text("event");
        if !task.is_empty() {
            let heard = socket.tasks.entry(task.clone()).or_default();
            let what = event["code"].as_str().unwrap_or(&kind);
            let told = match event["seq"].as_u64() {
                Some(seq) => write!(heard.story, "{seq} "),
                None => write!(heard.story, "{what} "),
            };
            told.unwrap();
        }
        match kind.as_str() {
            "task_queued" => self.queued(socket, (task, name), event),
            "error" if event["code"] == "lost" => {
                let heard = socket.tasks.entry(task.clone()).or_default();
                // Who was told `lost` is told so again when it asks again; who has the answer is not.
                let asked = std::mem::take(&mut heard.queued);
                let twice = match heard.ended.replace(End::Lost) {
                    Some(End::Whole) => true,
                    Some(End::Lost) => !asked,
                    None => false,
                };
                if twice {
                    let what = format!("a second end, of {}", heard.story);
                    self.breaks(&what, event);
                }
                if let Some(name) = self.tasks.get(&task)
                    && let Some(sent) = self.sent.get_mut(name)
                {
                    sent.lost = true;
                    self.open.remove(name);
                }
            }
            "error" => self.refused(socket, &name, event),
            "processing_started" | "chunk" | "complete" => {
                self.part(socket, (task, kind), event);
            }
            "pong" => {}
            _ => self.breaks("no event of the contract", event),
        }
    }

    fn queued(&mut self, socket: &mut Socket, (task, name): (String, Name), event: &Value) {
        let Some(sent) = self.sent.get_mut(&name) else {
            return self.breaks("acknowledged and never sent here", event);
        };
        sent.acknowledged_at.insert(socket.home);
        if self
            .tasks
            .entry(task.clone())
            .or_insert_with(|| name.clone())
            != &name
        {
            self.breaks("one task for two messages", event);
        }
        socket.tasks.entry(task).or_default().queued = true;
    }

    /// A refusal names the message: it is the end of what was acknowledged of it here, and it is sent again.
    fn refused(&mut self, socket: &mut Socket, name: &Name, event: &Value) {
        let wait = Duration::from_secs_f64(event["retry_after"].as_f64().unwrap_or(1.0));
        match self.sent.get_mut(name) {
            Some(sent) => sent.again = Instant::now() + wait,
            // A `resume` has no id.
            None if name.1.is_empty() => {}
            None => return self.breaks("refused and never sent", event),
        }
        for (task, heard) in &mut socket.tasks {
            if self.tasks.get(task) == Some(name) {
                heard.queued = false;
            }
        }
    }

    fn part(&mut self, socket: &mut Socket, (task, kind): (String, String), event: &Value) {
        let heard = socket.tasks.entry(task.clone()).or_default();
        // Who did not ask here and resumes in the middle has had the beginning on another socket.
        let joins = !heard.queued && heard.next.is_none();
        let number = event["seq"].as_u64().or(event["chunks"].as_u64());
        let well = match kind.as_str() {
            "processing_started" => heard.next.is_none(),
            _ => joins || number == heard.next,
        };
        heard.next = match kind.as_str() {
            "chunk" => number.map(|seq| seq + 1),
            _ => number.or(Some(0)),
        };
        let again = heard.ended.is_some();
        if kind == "complete" {
            (heard.ended, heard.queued) = (Some(End::Whole), false);
            socket.last = event["message_id"].as_str().map(str::to_owned);
            self.complete(&task, event);
        }
        let story = socket.tasks[&task].story.clone();
        if again {
            self.breaks(&format!("an event after the end, of {story}"), event);
        } else if !well {
            self.breaks(&format!("a second time, or a gap, of {story}"), event);
        }
    }

    fn complete(&mut self, task: &str, event: &Value) {
        let Some(name) = self.tasks.get(task) else {
            return;
        };
        let Some(sent) = self.sent.get_mut(name) else {
            return;
        };
        self.open.remove(name);
        if sent.answers.iter().any(|known| known == task) {
            return;
        }
        sent.answers.push(task.to_owned());
        if sent.answers.len() > 1 {
            if self.map.forgot(sent.first) {
                self.rerun += 1;
            } else {
                self.breaks("one message answered as two tasks", event);
            }
        }
    }

    /// Tasks that a socket was promised an end of, and has none.
    pub(crate) fn owed(socket: &Socket) -> Vec<String> {
        let owed = |heard: &Heard| heard.queued && heard.ended.is_none();
        let tasks = socket.tasks.iter().filter(|(_, heard)| owed(heard));
        tasks
            .map(|(task, heard)| format!("{task} {}", heard.story))
            .collect()
    }

    /// The run is over: what was promised and not kept.
    pub(crate) fn close(mut self) -> Summary {
        let mut summary = Summary {
            sent: self.sent.len() as u64,
            rerun: self.rerun,
            ..Summary::default()
        };
        for (name, sent) in &self.sent {
            if !sent.answers.is_empty() {
                summary.complete += 1;
                continue;
            }
            let at = &sent.acknowledged_at;
            if !sent.lost {
                let what = format!("{name:?}, acknowledged at {at:?}: no end, no word");
                self.broken.push(what);
                continue;
            }
            summary.lost += 1;
            if !self.map.may_lose(sent.first, at.iter()) {
                let what =
                    format!("{name:?}, acknowledged at {at:?}: lost, and nothing excuses it");
                self.broken.push(what);
            }
        }
        summary.broken = self.broken;
        summary
    }
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.complete += other.complete;
        self.lost += other.lost;
        self.rerun += other.rerun;
        self.broken.extend(other.broken);
    }
}
