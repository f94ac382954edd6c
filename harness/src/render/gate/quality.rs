//! This module writes `gl-code-quality-report.json`: what GitLab shows beside the lines of a merge request.
//!
//! **In:** the decision. **Out:** JSON after the part of Code Climate's report format that GitLab reads. A fingerprint is of the
//! scenario and the metric, so that GitLab tells what is new from what was there.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::annotation::{Finding, Severity, findings};
use crate::format;
use crate::gate::comparison::Decision;
use crate::render::renderer::RenderError;

pub(super) fn bytes(decision: &Decision) -> Result<Vec<u8>, RenderError> {
    let one = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
        };
        let about = format!("{}\n{}", decision.scenario, finding.about);
        let digest = Sha256::digest(about.as_bytes());
        let mut fingerprint = String::with_capacity(32);
        for byte in digest.iter().take(16) {
            format::append(&mut fingerprint, format_args!("{byte:02x}"));
        }
        let text = format!("{}: {}", finding.title, finding.message);
        json!({
            "description": format::plain(&format::harmless(&text)),
            "check_name": "harness-gate",
            "fingerprint": fingerprint,
            "severity": severity,
            "location": { "path": decision.scenario, "lines": { "begin": finding.line } },
        })
    };
    let found: Vec<_> = findings(decision).iter().map(one).collect();
    let mut bytes = serde_json::to_vec_pretty(&found).map_err(RenderError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}
