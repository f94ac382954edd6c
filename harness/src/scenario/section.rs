//! This module reads one table of a scenario, field by field, and collects what is wrong with it.
//!
//! **In:** a [`Node`] and the readers of [`super::value`]. **Out:** located values; a problem for
//! each value that cannot be read, each required key that is missing, each key nobody asked for.

use super::document::{Entry, Node, Table, Value};
use super::problem::{Complaint, Located, Place, Problems};
use super::suggest;

/// A table being read. Every key asked for is remembered; [`Section::finish`] refuses the rest.
pub(crate) struct Section<'d> {
    path: String,
    /// Where the table stands: the place of a missing key.
    pub at: Place,
    entries: Option<&'d Table>,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The whole document.
    pub(super) fn root(table: &'d Table) -> Self {
        Self {
            path: String::new(),
            at: Place::Line(1),
            entries: Some(table),
            known: Vec::new(),
        }
    }

    /// The table in `node`; a complaint, and an empty section, where it is something else.
    pub(super) fn of(node: &'d Node, path: String, problems: &mut Problems) -> Self {
        let entries = match &node.value {
            Value::Table(table) => Some(table),
            other => {
                // It may be what should stand in it, a password for one.
                let fact = format!("expected a table, found {}", other.kind());
                problems.add(&node.at, path.clone(), Complaint::new(fact));
                None
            }
        };
        Self {
            path,
            at: node.at.clone(),
            entries,
            known: Vec::new(),
        }
    }

    /// Path of a key in this table, as messages name it.
    pub(super) fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Path of the table itself.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn entry(&mut self, key: &'static str) -> Option<&'d Entry> {
        self.known.push(key);
        self.entries?.get(key)
    }

    /// The node behind a key, if there is one.
    pub(super) fn node(&mut self, key: &'static str) -> Option<&'d Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value of a key read by `parse`; `None` where it is missing or wrong.
    pub(super) fn read<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<Located<T>> {
        let entry = self.entry(key)?;
        match parse(&entry.node) {
            Ok(value) => Some(Located::new(value, entry.node.at.clone())),
            Err(complaint) => {
                problems.add(&entry.node.at, self.field(key), complaint);
                None
            }
        }
    }

    /// Like [`Section::read`], with `default` where the key is missing or wrong.
    pub(super) fn read_or<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Located<T> {
        let read = self.read(problems, key, parse);
        read.unwrap_or_else(|| Located::new(default, self.at.clone()))
    }

    /// Like [`Section::read_or`], for a key that had another name before: that one is read as well, with a note.
    pub(super) fn read_renamed<T>(
        &mut self,
        problems: &mut Problems,
        (key, before): (&'static str, &'static str),
        default: T,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Located<T> {
        if self.has(key) || !self.has(before) {
            // The old name is no key that is suggested, and unknown beside the new one.
            return self.read_or(problems, key, default, parse);
        }
        if let Some(entry) = self.entries.and_then(|entries| entries.get(before)) {
            let text = format!("is called `{key}` now; the old name is read in this release only");
            problems.note(&entry.key_at, &self.field(before), &text);
        }
        self.read_or(problems, before, default, parse)
    }

    /// Like [`Section::read`]; a missing key is a problem, with `hint` for what to write.
    pub(super) fn require<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<Located<T>> {
        if self
            .entries
            .is_some_and(|entries| !entries.contains_key(key))
        {
            let complaint = Complaint::missing(key).hint(hint);
            problems.add(&self.at, self.path.clone(), complaint);
        }
        self.read(problems, key, parse)
    }

    /// A table inside this one; empty where the key is missing.
    pub(super) fn table(&mut self, problems: &mut Problems, key: &'static str) -> Self {
        let path = self.field(key);
        match self.entry(key) {
            Some(entry) => Section {
                // A key says more about where a table starts than its first value does.
                at: entry.key_at.clone(),
                ..Section::of(&entry.node, path, problems)
            },
            None => Section {
                path,
                at: self.at.clone(),
                entries: None,
                known: Vec::new(),
            },
        }
    }

    /// The tables of a list such as `[[fault]]`, each as a section of its own; at most `most`.
    pub(super) fn tables(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        most: usize,
    ) -> Vec<Self> {
        let path = self.field(key);
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let Value::List(items) = &entry.node.value else {
            let fact = format!(
                "expected a list of tables, found {}",
                entry.node.value.found()
            );
            problems.add(&entry.key_at, path, Complaint::new(fact));
            return Vec::new();
        };
        if items.len() > most {
            let fact = format!("at most {most} entries, found {}", items.len());
            problems.add(&entry.key_at, path.clone(), Complaint::new(fact));
        }
        let numbered = items.iter().take(most).enumerate();
        numbered
            .map(|(index, item)| Section::of(item, format!("{path}[{index}]"), problems))
            .collect()
    }

    /// Whether the table was written at all.
    pub(super) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Whether a key was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// All keys with their nodes, for tables whose keys the user chooses.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'d str, &'d Node)> + use<'d> {
        let entries = self.entries.into_iter().flatten();
        entries.map(|(key, entry)| (key.as_str(), &entry.node))
    }

    /// Refuses every key that nothing asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        for (key, entry) in self.entries.into_iter().flatten() {
            if !self.known.contains(&key.as_str()) {
                let complaint = Complaint::new("unknown key").hint(suggest::hint(key, &self.known));
                problems.add(&entry.key_at, self.field(key), complaint);
            }
        }
    }
}
