//! This room makes a scenario of what a browser did: an HTTP archive becomes a load with a mapping.
//!
//! **In:** the bytes of a recording, and what was typed. **Out:** [`Imported`]: the text of a scenario that compiles, accounts where
//! they are not numbered, and a line for everything that could not be said. Nothing secret of the recording is in any of them.
//!
//! Pure: files are read and written by who calls.

mod base;
mod credential;
mod door;
mod findings;
mod gather;
mod har;
mod hears;
mod layout;
mod leaf;
mod login;
mod opening;
mod says;
mod secret;
mod shape;
mod talk;
mod template;
#[cfg(test)]
mod tests;
mod unsaid;
mod write;

use serde_json::error::Category;

use self::base::Base;
use self::findings::Findings;
pub(crate) use self::findings::Imported;
use self::har::Recording;
use self::hears::Ears;
use self::shape::Sign;
use self::talk::{Said, Talk};
use self::template::Known;

/// Longest recording.
pub(crate) const HAR_BYTES_MAX: u64 = 256 << 20;

/// Most values of a recording that are kept out of what is made of it.
const SECRETS_MAX: usize = 20_000;

/// Why no scenario can be made of a recording.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum ImportError {
    #[error("is no HTTP archive: {} in line {} column {}", kind(.0), .0.line(), .0.column())]
    #[diagnostic(help(
        "in the network panel of a browser: open it, reload the page, log in, chat, then export all as HAR"
    ))]
    NoArchive(#[source] serde_json::Error),
    #[error("holds {requests} requests, and no WebSocket with frames")]
    #[diagnostic(help(
        "open the network panel before the page: a socket that was there already is not recorded, and neither does every browser write frames (Chrome does)"
    ))]
    NoSocket { requests: usize },
    #[error("holds no frame in which a client says \"{typed}\"")]
    #[diagnostic(help("give the text as it was typed, or leave --message out"))]
    NotTyped { typed: String },
    #[error(
        "entry {entry}: the frames on this socket are binary, and the harness reads JSON and text"
    )]
    #[diagnostic(help("if the server can speak JSON, record it with that"))]
    Binary { entry: usize },
    #[error(
        "entry {entry}: nothing that the client said on this socket looks like something a person typed"
    )]
    #[diagnostic(help(
        "say what was typed: --message TEXT; or record a longer text, of two words or more"
    ))]
    NoMessage { entry: usize },
    #[error("holds more than {SECRETS_MAX} values that look like secrets")]
    #[diagnostic(help("record less: the login and a short chat are enough"))]
    Secrets,
    #[error("--message is empty")]
    #[diagnostic(help("give the text as it was typed, or leave --message out"))]
    Empty,
    #[error(
        "entry {entry}: SockJS wraps what is said on this socket, and the harness does not unwrap it"
    )]
    #[diagnostic(help(
        "where the server offers a plain WebSocket too (often the same address with /websocket), record that"
    ))]
    SockJs { entry: usize },
    #[error("entry {entry}: nothing came after the message, so nothing would be an answer")]
    #[diagnostic(help(
        "record until the answer is there; a server that never answers cannot be measured"
    ))]
    NoAnswer { entry: usize },
}

/// What JSON is not, without what stands there: it may be a secret.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        Category::Io | Category::Syntax => "no JSON",
        Category::Data => "something else than a list of entries",
        Category::Eof => "it ends too early",
    }
}

/// Makes a scenario of a recording. `typed`: what a person wrote in it, if that is known; `accounts_file`: where accounts will
/// stand that are not numbered.
///
/// # Errors
///
/// If it is no archive, holds no chat, or nothing in it is a message with an answer.
pub(crate) fn import(
    har: &[u8],
    typed: Option<&str>,
    accounts_file: &str,
) -> Result<Imported, ImportError> {
    if typed.is_some_and(|typed| typed.trim().is_empty()) {
        return Err(ImportError::Empty);
    }
    let recording = har::read(har).map_err(ImportError::NoArchive)?;
    let with_frames = recording
        .sockets
        .iter()
        .any(|socket| !socket.frames.is_empty());
    if !with_frames {
        let requests = recording.requests.len() + recording.sockets.len();
        return Err(ImportError::NoSocket { requests });
    }
    let not_typed = || ImportError::NotTyped {
        typed: typed.unwrap_or_default().to_owned(),
    };
    let socket = talk::chosen(&recording, typed).ok_or_else(not_typed)?;
    let talk = talk::talk(&recording, socket);
    if talk.frames.is_empty() && talk.binary > 0 {
        return Err(ImportError::Binary {
            entry: socket.entry,
        });
    }
    if talk.is_sockjs() {
        return Err(ImportError::SockJs {
            entry: socket.entry,
        });
    }
    let (mut known, mut secrets) = (Known::default(), gather::secrets(&recording, &talk));
    if secrets.count() > SECRETS_MAX {
        return Err(ImportError::Secrets);
    }
    let door = door::door(&recording, &talk, &mut known, &mut secrets);
    let mut findings = find(&talk, (typed, door, known))?;
    let guessed = typed.is_none().then(|| guess(&findings));
    let notes = guessed.into_iter().chain(unread(&recording, &talk));
    findings.door.notes.extend(notes);
    Ok(write::scenario(&findings, &secrets, accounts_file))
}

/// Where the text of a message is taken to stand.
fn guess(findings: &Findings<'_>) -> String {
    let messages = &findings.messages;
    let at = messages.text.as_deref();
    let at = at.map_or_else(String::new, |path| format!(" at `{path}`"));
    let before = findings.talk.frames[..messages.at[0]].iter();
    let number = before.filter(|frame| frame.is_client).count() + 1;
    format!(
        "what a person typed is taken to stand{at} in frame {number} of the client: if that is wrong, say what was typed, --message TEXT"
    )
}

/// What of the recording was not looked at.
fn unread(recording: &Recording, talk: &Talk<'_>) -> Vec<String> {
    let entry = talk.socket.entry;
    let counts = [
        (
            recording.sockets.len() - 1,
            format!("more WebSockets of the recording, beside that of entry {entry}"),
        ),
        (recording.left_out, "entries past the first".to_owned()),
        (
            talk.socket.left_out,
            "frames: too many, or longer than 1 MiB".to_owned(),
        ),
        (talk.binary, "binary frames".to_owned()),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts
        .map(|(count, what)| format!("not looked at: {count} {what}"))
        .collect()
}

/// What is said, and what is heard.
fn find<'r>(
    talk: &'r Talk<'r>,
    (typed, door, mut known): (Option<&str>, door::Door, Known),
) -> Result<Findings<'r>, ImportError> {
    let (frames, entry) = (&talk.frames, talk.socket.entry);
    let base = talk.protocol.and_then(Base::of);
    let server: Vec<&Said> = frames.iter().filter(|frame| !frame.is_client).collect();
    let own_field = base
        .as_ref()
        .and_then(|base| base.dialect.events.field.clone());
    let field = own_field.or_else(|| shape::field(&server));
    let mut opening = opening::beats(frames, base.as_ref(), field.as_deref());
    let secret = known
        .own
        .iter()
        .find(|(_, place)| *place == "credential")
        .map(|(value, _)| value.clone());
    // What carries the credential is a message only where a person typed in it too.
    let is_free = |at: usize, frame: &Said| {
        let secret = secret.as_deref();
        let has_secret = secret.is_some_and(|secret| frame.holding(secret).next().is_some());
        let is_typed = || typed.is_some_and(|typed| frame.text.contains(typed));
        let is_free = !has_secret || is_typed() || says::has_words(frame);
        !opening.aside.contains(&at) && is_free
    };
    let messages =
        says::messages(frames, is_free, typed).ok_or(ImportError::NoMessage { entry })?;
    let ready = messages.at[0];
    let signs = frames.iter();
    let signs = signs.map(|frame| shape::sign(frame, field.as_deref()));
    let signs: Vec<Sign> = signs.collect();
    opening::steps(frames, ready, base.as_ref(), &signs, &mut opening);
    let beat = opening.heartbeat.as_ref().map(|heartbeat| heartbeat.said);
    known.find_captures(frames, (ready, beat));
    opening::await_captures(&known, &signs, &mut opening);
    let ears = Ears {
        frames,
        base: base.as_ref(),
        signs: &signs,
        aside: &opening.aside,
    };
    let heard = hears::heard(ears, &messages).map_err(|()| ImportError::NoAnswer { entry })?;
    Ok(Findings {
        talk,
        base,
        field,
        messages,
        opening,
        heard,
        known,
        door,
    })
}
