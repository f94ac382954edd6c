//! A token that opened a socket, and the access token behind it, do not stand in the server's log (row 5).
//!
//! Reads the logs of the servers that the run started, from where it stopped reading last time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::crew::Crew;
use super::{Missed, Outcome, Turn};
use crate::known::Known;

/// As much of a log as is read at once.
const READ_BYTES_MAX: u64 = 16 << 20;
/// A server may write its log this much later.
const LOG_DELAY: Duration = Duration::from_millis(200);
/// Secrets that are looked for: those of the last experiments.
const SECRETS_MAX: usize = 16;

/// How far the logs were read, and what for.
#[derive(Default)]
pub(super) struct Reading {
    ends: Vec<u64>,
    /// What kind of secret it is, and the secret.
    secrets: Vec<(&'static str, String)>,
}

pub(super) async fn run(crew: &mut Crew, turn: Turn<'_>) -> Result<Outcome, Missed> {
    let logs = crew.ground().server_logs.clone();
    let access = crew.access(0).await?;
    let token = crew.token(0).await?;
    let reading = &mut turn.kept.log;
    reading
        .secrets
        .push(("a connection token", token.secret.clone()));
    reading.secrets.push(("an access token", access));
    if reading.secrets.len() > SECRETS_MAX {
        reading.secrets.drain(..2);
    }
    let path = crew.new_conversation();
    let door = super::door::Door::with_token(0, &path, &token.secret);
    crew.join_with(&door).await?.close();
    tokio::time::sleep(LOG_DELAY).await;
    reading.ends.resize(logs.len(), 0);
    for (log, end) in logs.iter().zip(&mut reading.ends) {
        let Ok(new) = read(log, *end) else {
            return Err(Missed("the log cannot be read"));
        };
        let known = reading.secrets.iter();
        let mut known =
            known.filter(|(_, secret)| memchr::memmem::find(&new, secret.as_bytes()).is_some());
        if let Some((kind, secret)) = known.next() {
            let shown: String = secret.chars().take(4).collect();
            let name = log.file_name().map(PathBuf::from).unwrap_or_default();
            let what = format!("{kind} ({shown}…) stands whole in {}", name.display());
            return Ok(Outcome::Broke(Known::TokenInLog, what));
        }
        // A secret may have been written half: begin before it next time.
        let overlap = reading.secrets.iter().map(|(_, secret)| secret.len()).max();
        let read = new.len().saturating_sub(overlap.unwrap_or(0));
        *end += u64::try_from(read).unwrap_or(0);
    }
    Ok(Outcome::Held)
}

fn read(log: &Path, from: u64) -> Result<Vec<u8>, std::io::Error> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut new = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut new)?;
    Ok(new)
}
