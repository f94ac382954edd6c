//! A user with three sockets in two conversations, who sends, sends again and crosswise, and comes back wherever a server is.
//!
//! Both conversations count their messages from m-0: the same ids mean other messages. A message is sent again while it runs, after it ended, on the
//! same socket, on another, and at another server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::ledger::{Ledger, Socket, Summary};
use super::world::Map;

/// The longest wait for a socket to open, or for a word on what was sent.
const WORD: Duration = Duration::from_secs(5);
/// After the faults, beside the time an answer may take: what has no end by then has none.
const LAST_WAIT: Duration = Duration::from_secs(35);
/// What is left when what is still open is told of.
const FAST: Duration = Duration::from_secs(40);
/// Messages without an end past which nothing new is sent.
const OPEN_MAX: usize = 12;

/// Whether to go on sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Talk,
    /// Nothing new is sent; what is open is waited for.
    Finish,
}

/// What all talkers share.
pub(crate) struct Crowd {
    pub(crate) map: Arc<Map>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) pace: Duration,
    pub(crate) answer_within: Duration,
    /// Messages sent so far, by all.
    pub(crate) sent: AtomicU64,
    /// Of these, without an end.
    pub(crate) open: AtomicI64,
}

struct Line {
    conversation: String,
    home: usize,
    stream: Option<WebSocketStream<TcpStream>>,
    /// When it is tried again.
    again: Instant,
    last: Option<String>,
    heard: Socket,
}

/// One user.
pub(crate) struct Talker {
    crowd: Arc<Crowd>,
    access: String,
    random: StdRng,
    lines: [Line; 3],
    count: [u64; 2],
    /// Messages without an end, as the crowd was told.
    open: i64,
    ledger: Ledger,
}

impl Talker {
    pub(crate) fn new(crowd: &Arc<Crowd>, (user, access): (u32, String), seed: u64) -> Self {
        let line = |name: &str, home: usize| Line {
            conversation: format!("{name}-{user}"),
            home: home + user as usize,
            stream: None,
            again: Instant::now(),
            last: None,
            heard: Socket::at(crowd.map.home(home + user as usize)),
        };
        Self {
            crowd: Arc::clone(crowd),
            access,
            random: StdRng::seed_from_u64(seed ^ (u64::from(user) << 32)),
            lines: [line("a", 0), line("a", 1), line("b", 1)],
            count: [0; 2],
            open: 0,
            ledger: Ledger::new(Arc::clone(&crowd.map)),
        }
    }

    /// Talks until the crowd is told to finish and everything has its end, or nothing comes any more.
    pub(crate) async fn run(mut self) -> Summary {
        let mut phase = self.crowd.phase.clone();
        let (pace, answer_within) = (self.crowd.pace, self.crowd.answer_within);
        let mut next = Instant::now() + pace.mul_f64(self.random.random());
        let (mut finish_by, mut told) = (None, false);
        loop {
            if *phase.borrow_and_update() == Phase::Finish {
                let by =
                    *finish_by.get_or_insert_with(|| Instant::now() + LAST_WAIT + answer_within);
                if self.is_over() || Instant::now() > by {
                    break;
                }
                if Instant::now() + FAST > by && !std::mem::replace(&mut told, true) {
                    self.tell();
                }
            } else if Instant::now() >= next {
                next += pace;
                self.act().await;
            }
            self.mend().await;
            self.again().await;
            let open = i64::try_from(self.ledger.open_count()).unwrap();
            self.crowd
                .open
                .fetch_add(open - self.open, Ordering::Relaxed);
            self.open = open;
            let wake = if finish_by.is_some() {
                Instant::now() + Duration::from_millis(50)
            } else {
                next.min(Instant::now() + Duration::from_millis(100))
            };
            self.listen(wake).await;
        }
        for line in &self.lines {
            for task in Ledger::owed(&line.heard) {
                let what = format!("{task} in {}: acknowledged, and no end", line.conversation);
                self.ledger.broken.push(what);
            }
        }
        self.ledger.close()
    }

    /// Says what takes long.
    fn tell(&self) {
        for line in &self.lines {
            let open: Vec<_> = self.ledger.open(&line.conversation).collect();
            let owed = Ledger::owed(&line.heard);
            let at = self.crowd.map.home(line.home);
            println!(
                "slow: {} at {at}: owed {owed:?}, open {open:?}",
                line.conversation
            );
        }
    }

    fn is_over(&self) -> bool {
        let owes = |line: &Line| line.stream.is_none() || !Ledger::owed(&line.heard).is_empty();
        self.ledger.is_over() && !self.lines.iter().any(owes)
    }

    /// One random thing a client does.
    async fn act(&mut self) {
        let at = self.random.random_range(0..3);
        let kind = usize::from(at == 2);
        let open = self.ledger.open(&self.lines[at].conversation).count();
        match self.random.random_range(0..20) {
            // Another message than the one before, or the one before once more.
            0..=11 if open < OPEN_MAX => {
                let id = self.count[kind];
                self.count[kind] += 1;
                self.crowd.sent.fetch_add(1, Ordering::Relaxed);
                self.say(at, &format!("m-{id}")).await;
                match self.random.random_range(0..8) {
                    0 => self.say(at, &format!("m-{id}")).await,
                    1 if kind == 0 => self.say(1 - at, &format!("m-{id}")).await,
                    _ => {}
                }
            }
            0..=16 if self.count[kind] > 0 => {
                let back = self.random.random_range(0..12);
                let id = self.count[kind].saturating_sub(1 + back);
                self.say(at, &format!("m-{id}")).await;
            }
            // After the last it had here; or on another socket, where it then asks for nothing as well.
            17 => {
                let line = &self.lines[at];
                let elsewhere = line.last.as_ref().filter(|_| open == 0);
                if let Some(after) = line.heard.last.as_ref().or(elsewhere) {
                    let frame = json!({ "type": "resume", "after": after });
                    let heard = &mut self.lines[at].heard;
                    self.ledger.mark(heard, "resume", None);
                    self.send(at, &frame).await;
                }
            }
            18 => {
                self.lines[at].stream = None;
                self.lines[at].home += 1;
            }
            _ => {}
        }
    }

    /// Opens what is closed, and asks there for what has no end.
    async fn mend(&mut self) {
        for at in 0..3 {
            let line = &mut self.lines[at];
            if line.stream.is_some() || Instant::now() < line.again {
                continue;
            }
            let address = self.crowd.map.home(line.home);
            let path = format!("/ws/chat/{}/?token={}", line.conversation, self.access);
            let Ok(Ok(stream)) = timeout(WORD, connect(address, &path)).await else {
                line.home += 1;
                line.again = Instant::now() + Duration::from_millis(200);
                continue;
            };
            line.last = line.heard.last.take().or(line.last.take());
            line.heard = Socket::at(address);
            line.stream = Some(stream);
            let conversation = line.conversation.clone();
            let open = self.ledger.open(&conversation);
            let open: Vec<String> = open.map(|(name, _)| name.1.clone()).collect();
            for id in open {
                self.say(at, &id).await;
            }
        }
    }

    /// Sends again what was refused, or had no word.
    async fn again(&mut self) {
        for at in [0, 2] {
            let now = Instant::now();
            let open = self.ledger.open(&self.lines[at].conversation);
            let due = open.filter(|(_, sent)| sent.again <= now);
            let due: Vec<String> = due.map(|(name, _)| name.1.clone()).collect();
            for id in due {
                self.say(at, &id).await;
            }
        }
    }

    async fn say(&mut self, at: usize, id: &str) {
        let name = (self.lines[at].conversation.clone(), id.to_owned());
        let heard = &mut self.lines[at].heard;
        self.ledger.mark(heard, "said again", Some(&name));
        self.ledger.say(name, 2 * WORD);
        let text = format!("{id} of {}", self.lines[at].conversation);
        self.send(at, &json!({ "message": text, "client_message_id": id }))
            .await;
    }

    async fn send(&mut self, at: usize, frame: &Value) {
        let Some(stream) = &mut self.lines[at].stream else {
            return;
        };
        let sent = timeout(WORD, stream.send(Message::text(frame.to_string()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.lines[at].stream = None;
        }
    }

    /// Hears what comes on any line, until `wake`.
    async fn listen(&mut self, wake: Instant) {
        let [one, two, three] = &mut self.lines;
        let heard = tokio::select! {
            heard = next(one) => (0, heard),
            heard = next(two) => (1, heard),
            heard = next(three) => (2, heard),
            () = tokio::time::sleep_until(wake.into()) => return,
        };
        let (at, mut event) = heard;
        // Whatever else is there already is heard at once.
        loop {
            let line = &mut self.lines[at];
            let Some(heard) = event else {
                line.stream = None;
                line.again = Instant::now() + Duration::from_millis(50);
                return;
            };
            self.ledger
                .hear(&mut line.heard, &line.conversation, &heard);
            match futures_util::FutureExt::now_or_never(next(line)) {
                Some(more) => event = more,
                None => return,
            }
        }
    }
}

/// The next event of a line; none where it ended.
async fn next(line: &mut Line) -> Option<Value> {
    let Some(stream) = &mut line.stream else {
        return std::future::pending().await;
    };
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// A socket on which `connected` was said.
async fn connect(address: SocketAddr, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    let request = format!("ws://{address}{path}").into_client_request()?;
    let (mut stream, _) = client_async(request, stream).await?;
    match stream.next().await {
        Some(Ok(Message::Text(text))) if text.contains(r#""connected""#) => Ok(stream),
        _ => Err(Error::ConnectionClosed),
    }
}
