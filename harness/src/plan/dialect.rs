//! This module checks that a mapped server can be driven by the rest of the scenario.
//!
//! **In:** `[target]` as typed, load and trials. **Out:** problems; the dialect itself is as typed.

use crate::plan::{
    CREDENTIAL, Conversation, Credential, LoadPlan, Matching, SessionPlan, asks_token, places,
};
use crate::scenario::ScenarioFile;
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::scenario::target::{Dialect, Encoding, EventName, IdKind};
use crate::scenario::trial::{Need, Trial, TrialKind};
use crate::units::print_us;

/// Where the message's id goes.
const ID: &str = "{id}";
const TEXT: &str = "{text}";
const OUT: &str = "take the trial out";

/// What does not go together.
pub(super) fn check(
    dialect: &Dialect,
    file: &ScenarioFile,
    load: Option<&LoadPlan>,
    problems: &mut Problems,
) {
    let trials = &*file.trials;
    let mut problem = |field: &str, fact: &str, hint: &str| {
        let complaint = Complaint::new(fact).hint(hint);
        let field = format!("target.{field}");
        problems.add(&place(file, &field), field, complaint);
    };
    let credential = load.map(|load| load.session.credential);
    opening(dialect, credential, trials, &mut problem);
    if let Some(load) = load {
        steps(dialect, &load.session, &mut problem);
    }
    encoding(dialect, &mut problem);
    if !dialect.send.message.contains(TEXT) {
        problem(
            "send.message",
            "has no place for the text",
            "write it as {text}: message = '{\"type\":\"message\",\"text\":\"{text}\"}'",
        );
    }
    if dialect.matching == Matching::Id && !dialect.send.message.contains(ID) {
        problem(
            "send.message",
            "has no place for the message's id, by which answers shall be matched",
            "write it as {id}, or matching = \"order\"",
        );
    }
    if dialect.events.complete.is_none()
        && dialect.events.answer.is_none()
        && dialect.events.field.is_some()
    {
        problem(
            "events",
            "no event says that an answer is complete",
            "name it: complete = \"done\", or answer = \"message\" where it comes in one frame",
        );
    }
    for trial in trials {
        let refused = trial
            .kind
            .and_then(|kind| untried(kind, dialect, load.map(|load| &load.session)));
        if let Some((fact, hint)) = refused {
            let field = format!("{}.kind", trial.field);
            problems.add(&trial.at, field, Complaint::new(fact).hint(hint));
        }
    }
}

/// Where a key stands, or the table that it belongs into.
fn place(file: &ScenarioFile, field: &str) -> Place {
    let mut path = Some(field);
    while let Some(known) = path {
        if let Some(place) = file.target_keys.get(known) {
            return place.clone();
        }
        path = known.rsplit_once('.').map(|(table, _)| table);
    }
    Place::Line(1)
}

/// Templates are what the encoding of messages is made of.
fn encoding(dialect: &Dialect, problem: &mut impl FnMut(&str, &str, &str)) {
    let send = &dialect.send;
    let open = dialect.open.iter().filter_map(|step| step.send.as_deref());
    let reply = dialect
        .reply
        .iter()
        .filter_map(|reply| reply.send.as_deref());
    let said = [("send.message", &*send.message)]
        .into_iter()
        .chain(
            send.heartbeat
                .as_deref()
                .map(|said| ("send.heartbeat", said)),
        )
        .chain(open.map(|said| ("open", said)))
        .chain(reply.map(|said| ("reply", said)));
    let numbered = dialect.ids == IdKind::Number;
    for (field, said) in said {
        if let Some(fact) = dialect.encoding.refuses(said, numbered) {
            problem(
                field,
                fact,
                "write it as `encoding` has it, or choose another: text, binary, msgpack, hex",
            );
        }
    }
    let awaited = dialect.open.iter().filter_map(|step| step.awaited.as_ref());
    let known = dialect.events.shapes().map(|shape| ("events", shape));
    let known = known.chain(awaited.map(|shape| ("open", shape)));
    let known = known.chain(dialect.reply.iter().map(|reply| ("reply", &reply.when)));
    for (field, shape) in known {
        let patterns = [&shape.begins_with, &shape.contains].into_iter().flatten();
        for fact in patterns.filter_map(|pattern| dialect.encoding.refuses_pattern(pattern)) {
            problem(
                field,
                fact,
                "frames are read as such digits: begins_with = \"01ff\"",
            );
        }
    }
    let is_text = matches!(dialect.encoding, Encoding::Text | Encoding::Binary);
    if !is_text && dialect.frames.is_some() {
        problem(
            "frames",
            "tells frames within a text apart, and `encoding` says that messages are none",
            "leave it out: one message is one frame",
        );
    }
    if dialect.encoding == Encoding::Hex && dialect.matching == Matching::Id {
        problem(
            "matching",
            "ids are not read out of bytes",
            "write matching = \"order\"",
        );
    }
}

/// What opens a socket: its credential, and the headers next to it.
fn opening(
    dialect: &Dialect,
    credential: Option<Credential>,
    trials: &[Trial],
    problem: &mut impl FnMut(&str, &str, &str),
) {
    if dialect.token.is_none() && credential == Some(Credential::ConnectionToken) {
        problem(
            "token",
            "there are no connection tokens, and the sessions are opened by them",
            "write what opens them: session = { credential = \"query-token\" } in [load]",
        );
    }
    let has_header = |name: &str| {
        dialect
            .headers
            .keys()
            .any(|key| key.eq_ignore_ascii_case(name))
    };
    if credential == Some(Credential::Bearer) && has_header("Sec-WebSocket-Protocol") {
        problem(
            "headers",
            "the sub-protocol carries the credential, and a header names another",
            "leave Sec-WebSocket-Protocol out, or have something else carry the credential",
        );
    }
    if credential == Some(Credential::Authorization) && has_header("Authorization") {
        problem(
            "headers",
            "the header Authorization carries the credential, and is written here too",
            "leave Authorization out, or have something else carry the credential",
        );
    }
    if dialect.cookies && has_header("Cookie") {
        problem(
            "headers",
            "cookies of the server are sent back, and a header sends others",
            "leave Cookie out, or cookies",
        );
    }
    let bare = dialect.login.as_ref().filter(|login| !login.has_token());
    // The cookies open the socket, or get the connection token that does.
    let by_cookies = credential.is_none_or(|credential| {
        credential == Credential::Cookie || asks_token(Some(dialect), credential)
    });
    if bare.is_some() && !(dialect.cookies && by_cookies) {
        problem(
            "login.token",
            "the answer holds no token, so its cookies are all that lets a client in",
            "write cookies = true, and what opens the sockets in [load]: session = { credential = \"cookie\" }, or \"connection-token\" for tokens that are asked for with the cookies",
        );
    }
    if credential == Some(Credential::Cookie) && has_header("Cookie") {
        problem(
            "headers",
            "the cookie carries the credential, and a header sends another",
            "leave Cookie out, or have something else carry the credential",
        );
    }
    let origins = trials
        .iter()
        .filter_map(|trial| trial.kind)
        .any(|kind| kind.needs().contains(&Need::FreeOrigin));
    if has_header("Origin") && (dialect.socket.origin.is_some() || origins) {
        problem(
            "headers",
            "an upgrade has one origin, and something else names it too",
            "leave Origin out of the headers: socket = { origin = \"https://…\" }, or the trial, says it",
        );
    }
}

/// What is said and heard before a socket is ready.
fn steps(dialect: &Dialect, session: &SessionPlan, problem: &mut impl FnMut(&str, &str, &str)) {
    if !dialect.open.is_empty() && dialect.events.connected.is_some() {
        problem(
            "events.connected",
            "the socket is ready after its opening steps",
            "leave it out; what the server says last is a step of its own: [[target.open]] with await = \"…\"",
        );
    }
    let timeout_us = session.connect_timeout_us;
    for (step, nth) in dialect.open.iter().zip(0..) {
        if step.awaited.is_some() && step.within_us > timeout_us {
            let fact = format!(
                "{} is longer than a session may take to open, {}",
                print_us(step.within_us),
                print_us(timeout_us)
            );
            problem(
                &format!("open[{nth}].within"),
                &fact,
                "shorten it, or write session = { connect_timeout = \"…\" } in [load]",
            );
        }
    }
    if dialect.events.field.is_none() {
        let awaited = dialect.open.iter().map(|step| step.awaited.as_ref());
        let awaited = awaited
            .zip(0..)
            .map(|(meant, nth)| (meant, format!("open[{nth}].await")));
        let replies = dialect.reply.iter().map(|reply| Some(&reply.when));
        let replies = replies
            .zip(0..)
            .map(|(meant, nth)| (meant, format!("reply[{nth}].when")));
        for (meant, field) in awaited.chain(replies) {
            if meant.is_some_and(|meant| meant.event.is_some()) {
                problem(
                    &field,
                    "is the name of an event, and no field of the frames names one",
                    "write what stands in the frame, { type = \"…\" }, what it begins with, { begins_with = \"…\" }, or events = { field = \"…\" }",
                );
            }
        }
    }
    spoken(dialect, session.credential, problem);
}

/// Where the credential is said, if anywhere.
fn spoken(dialect: &Dialect, credential: Credential, problem: &mut impl FnMut(&str, &str, &str)) {
    let says = |template: &String| places(template).any(|place| place == CREDENTIAL);
    let opens = dialect.open.iter().filter_map(|step| step.send.as_ref());
    let answers = dialect.reply.iter().filter_map(|reply| reply.send.as_ref());
    let own = [Some(&dialect.send.message), dialect.send.heartbeat.as_ref()];
    let own = own.into_iter().flatten();
    let is_said = opens.clone().chain(answers.clone()).chain(own).any(says);
    if credential == Credential::FirstFrame && !opens.chain(answers).any(says) {
        problem(
            "open",
            "the credential is to be said before a socket is ready, and nothing says it",
            "write [[target.open]] with send = '{\"type\":\"auth\",\"token\":\"{credential}\"}'",
        );
    }
    if credential == Credential::None && is_said {
        problem(
            "open",
            "a template says {credential}, and the sockets are opened without one",
            "write session = { credential = \"first-frame\" } in [load]",
        );
    }
}

/// Why that cannot be tried on a mapped server, if it cannot.
fn untried(
    kind: TrialKind,
    dialect: &Dialect,
    session: Option<&SessionPlan>,
) -> Option<(&'static str, &'static str)> {
    let credential = session.map(|session| session.credential);
    kind.needs().iter().find_map(|need| match need {
        Need::ConnectionTokens => {
            let has_tokens = credential == Some(Credential::ConnectionToken);
            (!has_tokens).then_some(("is about connection tokens, and none open the sockets", OUT))
        }
        Need::Credential => {
            let open = credential == Some(Credential::None);
            open.then_some((
                "presents a wrong credential, and the sockets take none",
                OUT,
            ))
        }
        Need::Heartbeat => {
            let beats = dialect.send.heartbeat.is_some() && dialect.events.pong.is_some();
            let hint = "name both: send.heartbeat and events.pong, or take the trial out";
            (!beats).then_some(("needs a heartbeat and its answer", hint))
        }
        Need::Contract => Some((
            "speaks frames of the wire contract, and this scenario maps another one",
            "take the trial out, or [target]; tokens, refusals, origins and pings can be tried on any server",
        )),
        Need::Tasks => tasks(dialect),
        Need::Refusals => {
            let shaped = matches!(dialect.events.error, Some(EventName::Shaped(_)));
            let alike = dialect.events.field.is_none() && !shaped;
            alike.then_some((
                "is about refusals, and here they look like answers, as far as the scenario says",
                "say how they look: events.error of [target]",
            ))
        }
        Need::PeopleChat => room(dialect, session),
        // Headers are looked at as a whole; a log has nothing to do with how a server is spoken to.
        Need::FreeOrigin | Need::ServerLog => None,
    })
}

/// Why nobody can tell whether a message that is sent twice is one task.
fn tasks(dialect: &Dialect) -> Option<(&'static str, &'static str)> {
    if !dialect.send.message.contains(ID) {
        return Some((
            "sends a message again with its id, and messages have none",
            OUT,
        ));
    }
    let events = &dialect.events;
    let acknowledged = events.answer.is_none() && events.field.is_some() && events.queued.is_some();
    (!acknowledged).then_some((
        "needs acknowledgements that name the task, and answers of one frame do not",
        OUT,
    ))
}

/// Why nobody hears anybody else's messages, or none that can be told from others.
fn room(dialect: &Dialect, session: Option<&SessionPlan>) -> Option<(&'static str, &'static str)> {
    let grouped = session.is_some_and(|session| session.conversation == Conversation::Group);
    if !grouped {
        return Some((
            "is about chats in which several hear each other, and the scenario names none",
            "where answers go to everybody in the chat: session = { conversation = \"group\" } in [load]",
        ));
    }
    let told = dialect.matching == Matching::Id && dialect.events.answer.is_some();
    (!told).then_some((
        "needs one frame a message, with its id, that everybody in the chat hears",
        "name it: events.answer and fields.id of [target]",
    ))
}

/// Clients have to say who they are.
pub(super) fn asks_who(file: &ScenarioFile) -> bool {
    let has_login = file
        .dialect
        .as_ref()
        .is_none_or(|dialect| dialect.login.is_some());
    has_login || file.load.session.credential != Credential::None
}

/// Further attempts at a message that make sense: without an id, one that is sent again runs again.
pub(super) fn retries(dialect: Option<&Dialect>, wanted: u16) -> u16 {
    match dialect {
        Some(dialect) if !dialect.send.message.contains(ID) => 0,
        Some(_) | None => wanted,
    }
}
