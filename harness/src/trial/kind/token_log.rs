//! A token that opened a socket, and the access token behind it, do not stand in the server's log (row 5).
//!
//! Reads the logs of the servers that the run started, from where it stopped reading last time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::known::Known;
use crate::scenario::trial::TokenLog;
use crate::trial::client::TestClient;
use crate::trial::experiment::{Inconclusive, Iteration, Outcome};
use crate::trial::request::ConnectRequest;

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

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: TokenLog,
) -> Result<Outcome, Inconclusive> {
    let logs = client.inputs().server_logs.clone();
    if iteration.state.of::<Reading>()?.ends.is_empty() {
        // What was written before is nobody's secret of this trial.
        let length = |log: &PathBuf| std::fs::metadata(log).map_or(0, |log| log.len());
        iteration.state.of::<Reading>()?.ends = logs.iter().map(length).collect();
    }
    let access = client.access(0).await?;
    let token = client.token(0).await?;
    let reading = iteration.state.of::<Reading>()?;
    reading
        .secrets
        .push(("a connection token", token.secret.clone()));
    reading.secrets.push(("an access token", access));
    if reading.secrets.len() > SECRETS_MAX {
        reading.secrets.drain(..2);
    }
    let path = client.new_conversation();
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    client.join_with(&request).await?.close();
    tokio::time::sleep(LOG_DELAY).await;
    for (log, end) in logs.iter().zip(&mut reading.ends) {
        let Ok((new, whole)) = read(log, *end) else {
            return Err(Inconclusive("the log cannot be read"));
        };
        let overlap = reading.secrets.iter().map(|(_, secret)| secret.len()).max();
        let place = reading
            .secrets
            .iter()
            .position(|(_, secret)| memchr::memmem::find(&new, secret.as_bytes()).is_some());
        // A secret may have been written half: begin before it next time.
        let kept = place.map_or(overlap.unwrap_or(0), |_| 0);
        *end += u64::try_from(new.len().saturating_sub(kept)).unwrap_or(0);
        if let Some(place) = place {
            let (kind, secret) = reading.secrets.remove(place);
            let shown: String = secret.chars().take(4).collect();
            let name = log.file_name().map(PathBuf::from).unwrap_or_default();
            let what = format!("{kind} ({shown}…) stands whole in {}", name.display());
            return Ok(Outcome::Broke(Known::TokenInLog, what));
        }
        if !whole {
            return Ok(Outcome::Inconclusive(
                "the log grows faster than it is read",
            ));
        }
    }
    Ok(Outcome::Held)
}

/// What is new in a log, and whether that is all.
fn read(log: &Path, from: u64) -> Result<(Vec<u8>, bool), std::io::Error> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut new = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut new)?;
    let whole = (new.len() as u64) < READ_BYTES_MAX;
    Ok((new, whole))
}
