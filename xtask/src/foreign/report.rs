//! This module writes what became of the servers: as JSON, and as a table for people.
//!
//! **In:** [`Row`]s. **Out:** `reports/foreign.json`, in which a server that was not driven this time keeps its row; a table.

use std::fs;

use serde_json::{Value, json};

use super::audit;
use super::drive::{Row, Run};
use crate::failure::Failure;
use crate::step;

pub(super) fn write(rows: &[Row]) -> Result<(), Failure> {
    let path = step::root().join("reports/foreign.json");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let before: Value = serde_json::from_str(&before).unwrap_or_default();
    let name = |row: &Value| row.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut told: Vec<Value> = rows.iter().map(|row| json!(row)).collect();
    let kept = before
        .get("servers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for row in kept {
        // A server that was not audited this time keeps what it was found to have.
        let same = told.iter_mut().find(|other| name(other) == name(row));
        if let (Some(other), Some(audit)) = (same, row.get("audit"))
            && other.get("audit").is_none()
        {
            other["audit"] = audit.clone();
        }
        if !told.iter().any(|other| name(other) == name(row)) {
            told.push(row.clone());
        }
    }
    told.sort_by_key(name);
    let text = serde_json::to_string_pretty(&json!({ "servers": told })).unwrap_or_default();
    fs::write(&path, text + "\n").map_err(|source| Failure::File { path, source })?;
    println!(
        "\n| server | run | verdict | sent | answered | server took | server said | heard | unexpected | faults, recovery |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        for run in &row.runs {
            println!("{}", line(row, run));
        }
    }
    for row in rows.iter().filter(|row| row.audit.is_some()) {
        let told = row.audit.as_ref().map(audit::line);
        println!("{}: {}", row.what, told.unwrap_or_default());
    }
    for row in rows {
        for problem in &row.problems {
            println!("{}: {problem}", row.name);
        }
    }
    Ok(())
}

fn line(row: &Row, run: &Run) -> String {
    let counted = |key: &str| match run.server.get(key) {
        Some(count) => count.to_string(),
        None => "-".to_owned(),
    };
    let faults = run
        .faults
        .iter()
        .map(|(name, recovery_us)| match recovery_us {
            Some(us) => format!("{name} {} ms", us / 1_000),
            None => format!("{name} not back"),
        });
    let faults = faults.collect::<Vec<_>>().join(", ");
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {faults} |",
        row.what,
        run.kind,
        run.verdict,
        run.attempts,
        run.completed,
        counted("taken"),
        counted("said"),
        run.heard,
        run.unexpected
    )
}
