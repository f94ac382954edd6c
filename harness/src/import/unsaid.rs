//! This module takes back what a scenario cannot say, a credential that goes with messages alone, and tells what was not said.

use toml::{Table, Value};

use super::findings::Findings;
use super::secret::{REMOVED, Secrets};

/// As `load.session.credential` has it.
const FIRST_FRAME: &str = "first-frame";
/// The place of a credential.
const CREDENTIAL: &str = "{credential}";
/// Most notes at the head of a scenario.
const NOTES_MAX: usize = 100;

/// Whether opening steps say what they are to say.
pub(super) fn says_credential(findings: &Findings<'_>, document: &Table) -> bool {
    let steps = document
        .get("target")
        .and_then(|target| target.get("open"))
        .and_then(Value::as_array);
    let mut sends = steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.get("send")?.as_str());
    findings.door.credential != FIRST_FRAME || sends.any(|send| send.contains(CREDENTIAL))
}

/// Has sockets opened by nothing, and takes the place of the credential out of what is said.
pub(super) fn unsay_credential(document: &mut Table) {
    if let Some(load) = document.get_mut("load").and_then(Value::as_table_mut) {
        let session = [("credential".to_owned(), Value::from("none"))];
        load.insert("session".to_owned(), Table::from_iter(session).into());
    }
    let send = document
        .get_mut("target")
        .and_then(|target| target.get_mut("send"));
    for (_, text) in send.and_then(Value::as_table_mut).into_iter().flatten() {
        if let Value::String(text) = text {
            *text = text.replace(CREDENTIAL, REMOVED);
        }
    }
}

/// Notes as they are told: without secrets, each on a line, and no more than a person reads.
pub(super) fn told(notes: &[String], secrets: &Secrets) -> Vec<String> {
    let kept = notes.iter().take(NOTES_MAX);
    let kept = kept.map(|note| on_one_line(&secrets.remove(note).0));
    let left_out = notes.len().saturating_sub(NOTES_MAX);
    let more = (left_out > 0).then(|| format!("and {left_out} more of the kind"));
    kept.chain(more).collect()
}

/// A line break of a recorded name would end the comment that it stands in.
fn on_one_line(note: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    note.chars().map(plain).collect()
}
