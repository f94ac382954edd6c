//! This module knows the columns of a file of accounts: each fills the place of its name.
//!
//! **In:** the heads of that file, where it was read. **Out:** the names that they fill; a complaint about a template with a
//! place that nothing fills, and about a captured value with a name that is taken. Pure: the file is read by who calls.

use std::collections::BTreeSet;

use super::template::{ID, PLACE_CHARS_MAX, TEXT, is_name, known, places};
use crate::scenario::problem::Complaint;
use crate::scenario::suggest;

/// The columns that every file may have: who it is, and what it logs in with.
pub(crate) const ACCOUNT: &str = "account";
pub(crate) const PASSWORD: &str = "password";

/// The heads of a file of accounts, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserHeads {
    /// As the scenario names the file.
    pub file: String,
    /// Where the heads stand, from 1.
    pub line: u64,
    /// As they stand there.
    pub heads: Vec<String>,
}

/// What the accounts of a scenario have beside their names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Columns<'h> {
    /// They stand in no file.
    None,
    /// In one that nobody has read yet: what nothing else fills is taken for a column, and who reads the file tells.
    Untold,
    Told(&'h UserHeads),
}

/// A place that no column fills: something else does, or nothing may.
pub(crate) fn is_reserved(name: &str) -> bool {
    [TEXT, ID, PASSWORD].contains(&name) || known().any(|known| known == name)
}

impl UserHeads {
    /// The heads as names: in small letters.
    fn names(&self) -> impl Iterator<Item = String> {
        let heads = self.heads.iter();
        heads.map(|head| head.trim().to_ascii_lowercase())
    }

    /// The names of the places that its columns fill.
    fn offered(&self) -> Vec<String> {
        let all: Vec<String> = self.names().collect();
        let once = |name: &String| all.iter().filter(|other| *other == name).count() == 1;
        let fills = |name: &&String| is_name(name) && !is_reserved(name) && once(name);
        all.iter().filter(fills).cloned().collect()
    }

    /// Columns whose places are filled with something else, a sentence each.
    pub(crate) fn hidden(&self) -> Vec<String> {
        let hidden = self
            .names()
            .filter(|name| is_reserved(name) && ![ACCOUNT, PASSWORD].contains(&name.as_str()));
        hidden
            .map(|name| {
                let (file, line) = (&self.file, self.line);
                format!("{file}:{line}: the column `{name}` fills no place: {{{name}}} is filled with something else")
            })
            .collect()
    }

    /// Why a column that is there does not fill this place.
    fn withheld(&self, place: &str) -> Option<String> {
        let file = &self.file;
        let same = self.names().filter(|name| name == place).count();
        if place == PASSWORD {
            return Some(
                "passwords go into the login, by login.password, and nowhere else".to_owned(),
            );
        }
        (same > 1).then(|| format!("{same} columns of {file} are called `{place}`: leave one"))
    }

    /// Columns that can be no places, in words.
    fn unfit(&self) -> Option<String> {
        let mut heads = self.heads.iter().map(|head| head.trim());
        let unfit = heads.find(|head| !head.is_empty() && !is_name(&head.to_ascii_lowercase()))?;
        let (file, line) = (&self.file, self.line);
        let unfit: String = unfit.chars().take(PLACE_CHARS_MAX).collect();
        Some(format!(
            "{file}:{line}: \"{unfit}\" cannot be the name of a place: letters, digits and `_`, at most {PLACE_CHARS_MAX}"
        ))
    }
}

impl Columns<'_> {
    fn fills(self, place: &str) -> bool {
        match self {
            Self::None => false,
            Self::Untold => !is_reserved(place),
            Self::Told(heads) => heads.offered().iter().any(|offered| offered == place),
        }
    }

    /// Refuses a template with a place that neither these nor a column fill; `later` are filled when it is too late.
    pub(super) fn check(
        self,
        template: &str,
        filled: &[&str],
        later: &[&str],
    ) -> Result<(), Complaint> {
        for place in places(template) {
            if filled.contains(&place) || (!later.contains(&place) && self.fills(place)) {
                continue;
            }
            let complaint = Complaint::new(format!("nothing fills the place {{{place}}}"));
            return Err(if place == TEXT {
                complaint.hint("the text of a message stands in send.message only")
            } else if later.contains(&place) {
                complaint.hint("it is captured by a later step")
            } else {
                complaint.hint(self.hint(place, filled))
            });
        }
        Ok(())
    }

    /// The same of a template in which words in braces have always stood as they are: where it is known what fills a place,
    /// one that nothing fills is a mistake.
    pub(super) fn check_told(self, template: &str, filled: &[&str]) -> Result<(), Complaint> {
        match self {
            Self::None | Self::Untold => Ok(()),
            Self::Told(_) => self.check(template, filled, &[]),
        }
    }

    fn hint(self, place: &str, filled: &[&str]) -> String {
        let blank =
            format!("a word in braces that is no place is written with a blank: {{ {place} }}");
        let Self::Told(heads) = self else {
            return format!("{}; {blank}", suggest::hint(place, filled));
        };
        if let Some(why) = heads.withheld(place) {
            return why;
        }
        let offered = heads.offered();
        let all: Vec<&str> = filled
            .iter()
            .copied()
            .chain(offered.iter().map(String::as_str))
            .collect();
        let found = suggest::hint(place, &all);
        let file = &heads.file;
        match (suggest::nearest(place, &all), heads.unfit()) {
            (Some(_), _) => format!("{found} {file} has no column `{place}`; {blank}"),
            (None, Some(unfit)) => format!("{found}; {unfit}; {blank}"),
            (None, None) => format!("{found}; {file} has no column `{place}`; {blank}"),
        }
    }
}

/// Names that captured values have taken.
pub(super) struct Taken<'h> {
    pub names: BTreeSet<String>,
    pub columns: Columns<'h>,
}

impl<'h> Taken<'h> {
    pub(super) const fn none(columns: Columns<'h>) -> Self {
        Self {
            names: BTreeSet::new(),
            columns,
        }
    }

    /// Takes a name that no place has yet.
    pub(super) fn take(&mut self, name: &str) -> Result<(), Complaint> {
        if !is_name(name) {
            let fact = format!("\"{name}\" cannot be the name of a place");
            let hint = format!(
                "use small letters, digits and `_`, at most {PLACE_CHARS_MAX}, such as \"sid\""
            );
            return Err(Complaint::new(fact).hint(hint));
        }
        if [TEXT, ID].contains(&name) || known().any(|known| known == name) {
            let fact = format!("{{{name}}} is filled already, with something else");
            return Err(Complaint::new(fact).hint("call it otherwise"));
        }
        if let Columns::Told(heads) = self.columns
            && self.columns.fills(name)
        {
            let fact = format!(
                "{{{name}}} is filled already, by a column of {}",
                heads.file
            );
            return Err(Complaint::new(fact).hint("call it otherwise"));
        }
        if !self.names.insert(name.to_owned()) {
            let fact = format!("{{{name}}} is captured twice");
            return Err(Complaint::new(fact).hint("call one of them otherwise"));
        }
        Ok(())
    }
}
