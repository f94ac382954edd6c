//! This module chooses the WebSocket of a recording that is a chat, and says what is spoken on it.
//!
//! **In:** a [`Recording`]. **Out:** a [`Talk`]: frames one by one, whatever way they went; the protocol that ships, if it is one.

use super::har::{Frame, Recording, Request, Socket};
use super::leaf::{self, Leaf};
use super::secret::{bare, is_secret};

/// How Socket.IO asks before there is a socket.
const POLLING: &str = "transport=polling";
const WEBSOCKET: &str = "transport=websocket";
/// Between packets of one answer to it.
const PACKETS: char = '\u{1e}';
/// What is said when a socket takes over from polling.
const TAKEOVER: [&str; 3] = ["2probe", "3probe", "5"];
/// What build tools say to the pages they serve.
const OF_TOOLS: [&str; 5] = [
    "vite-hmr",
    "/sockjs-node",
    "/_next/webpack-hmr",
    "/ng-cli-ws",
    "/__webpack",
];

/// What was said on one socket.
#[derive(Debug)]
pub(super) struct Talk<'r> {
    pub(super) socket: &'r Socket,
    /// Of the protocols that ship; `None`: none of them.
    pub(super) protocol: Option<&'static str>,
    pub(super) frames: Vec<Said>,
    /// Of messages that are no text.
    pub(super) binary: usize,
}

/// One frame.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) is_client: bool,
    pub(super) at_ms: f64,
    pub(super) text: String,
    /// Where its JSON begins; `None`: it is none.
    pub(super) head: Option<usize>,
    pub(super) leaves: Vec<Leaf>,
}

impl Said {
    pub(super) fn new(is_client: bool, at_ms: f64, text: &str) -> Self {
        Self {
            is_client,
            at_ms,
            text: text.to_owned(),
            head: leaf::head(text),
            leaves: leaf::leaves(text),
        }
    }

    pub(super) fn leaf(&self, path: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.path == path)
    }

    /// Where a value stands in it.
    pub(super) fn holding<'s>(&'s self, value: &'s str) -> impl Iterator<Item = &'s Leaf> {
        self.leaves.iter().filter(move |leaf| leaf.value == value)
    }
}

impl Talk<'_> {
    /// `SockJS` speaks in frames of its own: `o`, `a[…]`, `h`.
    pub(super) fn is_sockjs(&self) -> bool {
        let mut server = self.frames.iter().filter(|frame| !frame.is_client);
        server.next().is_some_and(|frame| frame.text == "o")
    }
}

/// The socket on which a text was said; without one, that on which the client said most.
pub(super) fn chosen<'r>(recording: &'r Recording, typed: Option<&str>) -> Option<&'r Socket> {
    let said = |socket: &&Socket| {
        let client = socket.frames.iter().filter(|frame| frame.is_client);
        if let Some(typed) = typed {
            return (0, client.filter(|frame| holds(frame, typed)).count());
        }
        let is_of_people = |frame: &&Frame| {
            let text = frame.text.as_deref();
            text.is_some_and(|text| has_words(&Said::new(true, 0.0, text)))
        };
        let count = client.clone().count();
        (client.filter(is_of_people).count(), count)
    };
    let is_of_tool = |socket: &&Socket| {
        let protocol = socket
            .headers
            .get("sec-websocket-protocol")
            .unwrap_or_default();
        OF_TOOLS
            .iter()
            .any(|mark| socket.url.as_str().contains(mark) || protocol.contains(mark))
    };
    let sockets = recording
        .sockets
        .iter()
        .filter(|socket| !is_of_tool(socket));
    // Of several that are alike the first.
    let best = sockets.rev().max_by_key(said)?;
    (said(&best).1 > 0 || typed.is_none()).then_some(best)
}

fn holds(frame: &Frame, typed: &str) -> bool {
    let text = frame.text.as_deref().unwrap_or_default();
    let once = leaf::in_quotes(typed);
    [typed, &once, &leaf::in_quotes(&once)]
        .iter()
        .any(|typed| text.contains(typed))
}

/// Whether something in it looks as if a person had written it.
pub(super) fn has_words(frame: &Said) -> bool {
    match frame.head {
        None => is_of_people(body(&frame.text)),
        Some(_) => frame.leaves.iter().any(|leaf| is_of_people(&leaf.value)),
    }
}

/// What a frame of STOMP holds behind its heads; of any other text all.
pub(super) fn body(text: &str) -> &str {
    text.split_once("\n\n").map_or(text, |(_, body)| body)
}

/// Words, and no code among them.
pub(super) fn is_of_people(text: &str) -> bool {
    let has_letters = text.chars().any(char::is_alphabetic);
    let is_code = text.starts_with(['{', '[', '<']) || text.contains(['{', '}']);
    let is_secret = is_secret("", text) || bare(text) != text;
    has_letters && !is_code && !is_secret && text.split_whitespace().count() > 1
}

/// What was said on it.
pub(super) fn talk<'r>(recording: &'r Recording, socket: &'r Socket) -> Talk<'r> {
    let protocol = protocol(socket);
    let mark = match protocol {
        Some("stomp") => Some('\0'),
        Some("signalr") => Some(PACKETS),
        Some("centrifugo") => Some('\n'),
        _ => None,
    };
    let mut frames = Vec::new();
    if protocol == Some("socket.io") {
        frames.extend(polled(&recording.requests, socket));
    }
    for frame in &socket.frames {
        let text = frame.text.as_deref().unwrap_or_default();
        let parts = text.split(|c| Some(c) == mark);
        let parts = parts.map(|part| {
            if mark.is_some() {
                part.trim_start_matches(['\r', '\n'])
            } else {
                part
            }
        });
        let parts = parts.filter(|part| mark.is_none() || !part.trim().is_empty());
        let parts =
            parts.filter(|part| !(protocol == Some("socket.io") && TAKEOVER.contains(part)));
        if !text.is_empty() {
            frames.extend(parts.map(|part| Said::new(frame.is_client, frame.at_ms, part)));
        }
    }
    Talk {
        socket,
        protocol,
        frames,
        binary: socket
            .frames
            .iter()
            .filter(|frame| frame.text.is_none())
            .count(),
    }
}

/// What was said by polling, before the socket took over.
fn polled(requests: &[Request], socket: &Socket) -> Vec<Said> {
    let sid = |url: &reqwest::Url| {
        url.query_pairs()
            .find(|(name, _)| name == "sid")
            .map(|(_, sid)| sid.into_owned())
    };
    let Some(session) = sid(&socket.url) else {
        return Vec::new();
    };
    let at = socket.frames.first().map_or(0.0, |frame| frame.at_ms);
    let mut frames = Vec::new();
    for request in requests {
        let query = request.url.query().unwrap_or_default();
        let answer = request.answer.as_deref().unwrap_or_default();
        let is_first = sid(&request.url).is_none() && answer.contains(&session);
        if !query.contains(POLLING) || !(is_first || sid(&request.url).as_ref() == Some(&session)) {
            continue;
        }
        let said = request
            .body
            .iter()
            .flat_map(|(_, body)| body.split(PACKETS));
        frames.extend(said.map(|packet| Said::new(true, at, packet)));
        let heard = answer.split(PACKETS);
        // What answers a request that says something is no packet.
        let heard = heard.filter(|packet| *packet != "ok" && !packet.is_empty());
        frames.extend(heard.map(|packet| Said::new(false, at, packet)));
    }
    frames
}

/// The protocol that ships and is spoken there.
fn protocol(socket: &Socket) -> Option<&'static str> {
    let url = socket.url.as_str();
    let named = socket
        .headers
        .get("sec-websocket-protocol")
        .unwrap_or_default();
    let first = |is_client: bool| {
        let mut frames = socket
            .frames
            .iter()
            .filter(|frame| frame.is_client == is_client);
        frames
            .find_map(|frame| frame.text.as_deref())
            .unwrap_or_default()
    };
    let (said, heard) = (first(true), first(false));
    let knows = |name: &str| {
        let mut frames = socket.frames.iter().filter(|frame| !frame.is_client);
        frames.any(|frame| {
            frame
                .text
                .as_deref()
                .is_some_and(|text| text.contains(name))
        })
    };
    let is_socket_io =
        url.contains(WEBSOCKET) && url.contains("EIO=4") || heard.starts_with("0{\"sid\"");
    let is_contract =
        url.contains("/ws/chat/") && knows("\"task_queued\"") && knows("\"complete\"");
    let told = [
        ("graphql-ws", named.contains("graphql-transport-ws")),
        ("actioncable", named.contains("actioncable-v1-json")),
        ("socket.io", is_socket_io),
        (
            "phoenix",
            url.contains("vsn=2.0.0") || said.contains("\"phx_join\"") && said.starts_with('['),
        ),
        (
            "stomp",
            said.starts_with("CONNECT\n") || said.starts_with("STOMP\n"),
        ),
        (
            "signalr",
            said.starts_with("{\"protocol\":\"json\"") && said.ends_with(PACKETS),
        ),
        (
            "centrifugo",
            said.contains("\"connect\":{")
                && said.contains("\"id\":")
                && heard.contains("\"connect\":{"),
        ),
        ("contract", is_contract),
    ];
    told.into_iter().find_map(|(name, is)| is.then_some(name))
}
