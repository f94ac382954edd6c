//! This module reads a scenario file from end to end.
//!
//! **In:** its text, its path, and what the command line changes. **Out:** [`ScenarioFile`] and
//! every problem that can be seen without knowing what the parts mean together.

use std::collections::BTreeMap;

use super::criterion::{self, Criterion};
use super::document;
use super::environment::{self, Environment};
use super::fault::{self, Fault};
use super::load::{self, Load};
use super::overrides::{self, Overrides};
use super::problem::{Complaint, Located, Place, Problems};
use super::protocol;
use super::section::Section;
use super::target::{self, Columns, Dialect};
use super::trial::{self, Trial};
use super::value;

/// Longest title: it becomes part of run ids and file names.
const TITLE_CHARACTERS_MAX: usize = 60;
/// Longest question that is kept.
const QUESTION_CHARACTERS_MAX: usize = 400;

/// A scenario, field for field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScenarioFile {
    /// As the user gave it.
    pub path: String,
    /// First paragraph of the comment at the head; empty without one.
    pub question: String,
    pub title: String,
    pub seed: u64,
    pub environment: Environment,
    /// `[target]`; `None`: the wire contract.
    pub dialect: Option<Dialect>,
    /// Where its keys stand, by their paths.
    pub target_keys: BTreeMap<String, Place>,
    pub load: Load,
    pub faults: Vec<Fault>,
    pub trials: Vec<Trial>,
    pub expect: Vec<Criterion>,
    pub abort_when: Vec<Criterion>,
}

/// Reads what can be read; what cannot stands in the problems.
pub(crate) fn read(path: &str, text: &str, overrides: &Overrides) -> (ScenarioFile, Problems) {
    let mut problems = Problems::none(path);
    let text = if text.len() > document::FILE_BYTES_MAX {
        let fact = format!(
            "a scenario has at most {} bytes, found {}",
            document::FILE_BYTES_MAX,
            text.len()
        );
        problems.add(&Place::Line(1), "", Complaint::new(fact));
        ""
    } else {
        text
    };
    let mut document = document::parse(text, &mut problems);
    overrides::apply(overrides, &mut document, &mut problems);
    let laid = protocol::lay(&mut document, overrides.protocol.as_ref(), &mut problems);
    let is_contract = laid.is_some_and(|laid| laid.name == protocol::CONTRACT);
    let mut root = Section::root(&document);
    // An editor's hint, of no meaning to a run.
    root.node("$schema");
    let title = root.read(&mut problems, "title", title);
    let seed = root.read_or(&mut problems, "seed", 1, value::integer(0..=i64::MAX));
    let environment = environment::read(&mut root, &mut problems);
    let columns = match (&environment.users_file, &overrides.users) {
        (None, _) => Columns::None,
        (Some(_), None) => Columns::Untold,
        (Some(_), Some(heads)) => Columns::Told(heads),
    };
    let file = ScenarioFile {
        path: path.to_owned(),
        question: question(text),
        title: title.map_or_else(|| file_stem(path), |title: Located<String>| title.value),
        seed: seed.value.unsigned_abs(),
        environment,
        // The contract under another name is the contract.
        dialect: target::read(&mut root, columns, &mut problems)
            .filter(|dialect| !is_contract || !target::is_contract(dialect)),
        target_keys: document::places(&document, "target"),
        load: load::read(&mut root, &mut problems),
        faults: fault::read(&mut root, &mut problems),
        trials: trial::read(&mut root, &mut problems),
        expect: criterion::read(&mut root, "expect", &mut problems),
        abort_when: criterion::read(&mut root, criterion::ABORT_WHEN, &mut problems),
    };
    if let (Columns::Told(heads), Some(_)) = (columns, &file.dialect) {
        for hidden in heads.hidden() {
            problems.note(&Place::Line(1), "environment.users.file", &hidden);
        }
    }
    root.finish(&mut problems);
    (file, problems)
}

/// What of it should be written otherwise, a line each.
pub(crate) fn notes(path: &str, text: &str, overrides: &Overrides) -> Vec<String> {
    let (_, problems) = read(path, text, overrides);
    problems.notes()
}

/// The file of accounts that a scenario names; `None`: it names none.
pub(crate) fn users_file(text: &str, overrides: &Overrides) -> Option<String> {
    // Problems are told by who reads the scenario whole.
    let document = protocol::typed(text, overrides);
    let mut root = Section::root(&document);
    let mut problems = Problems::none("");
    let mut environment = root.table(&mut problems, "environment");
    let mut users = environment.table(&mut problems, "users");
    match &users.node("file")?.value {
        document::Value::Text(file) => Some(file.clone()),
        _ => None,
    }
}

/// A name that is safe in file names.
fn title(node: &document::Node) -> Result<String, Complaint> {
    let title = value::text(TITLE_CHARACTERS_MAX)(node)?;
    let allowed = |c: &char| c.is_alphanumeric() || "-_. ".contains(*c);
    let wrong = match title.chars().find(|c| !allowed(c)) {
        Some(wrong) => format!("`{wrong}` cannot stand in it"),
        None if title.starts_with('.') => "it begins with a dot".to_owned(),
        None => return Ok(title),
    };
    let complaint = Complaint::new(format!("expected a short name, found \"{title}\": {wrong}"));
    Err(complaint.hint(
        "use letters, digits, `-` and spaces; the question belongs into the comment at the head",
    ))
}

/// The first paragraph of the comment at the head of a scenario, on one line.
pub(crate) fn question(text: &str) -> String {
    let comment = text
        .trim_start_matches('\u{feff}')
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .map_while(|line| line.trim_start().strip_prefix('#'))
        .map(str::trim)
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty());
    let question = comment.collect::<Vec<_>>().join(" ");
    let plain = question.chars().filter(|c| !c.is_control());
    let question: String = plain.take(QUESTION_CHARACTERS_MAX).collect();
    question.trim().to_owned()
}

/// The file's name without its ending, made of the characters a title may have.
fn file_stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let plain = |c: char| {
        if c.is_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '-'
        }
    };
    let stem: String = stem.chars().map(plain).take(TITLE_CHARACTERS_MAX).collect();
    if stem.is_empty() {
        "scenario".to_owned()
    } else {
        stem
    }
}
