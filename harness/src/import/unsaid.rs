//! This module takes back what a scenario cannot say: a credential that goes with messages alone.

use toml::{Table, Value};

use super::findings::Findings;
use super::secret::REMOVED;

/// As `load.session.credential` has it.
const FIRST_FRAME: &str = "first-frame";
/// The place of a credential.
const CREDENTIAL: &str = "{credential}";

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
