//! This module knows the accounts of a run: by number, or from a file.
//!
//! **In:** `users` of the plan. **Out:** [`Accounts`]. The file is read before anything is started,
//! so that a mistake in it costs nothing.

use std::sync::Arc;

use super::TargetError;
use super::table::{self, Row};
use super::user_file::{read, wrong};
use crate::account::Cells;
use crate::environment::secret::Secret;
use crate::plan::{CREW_SIZE, Credential, Plan, UsersPlan};
use crate::scenario::target::{ACCOUNT, PASSWORD, UserHeads};

/// Longest value that fills a place.
const CELL_BYTES_MAX: usize = 2_000;

/// Who the clients are.
#[derive(Clone, Debug)]
pub(crate) enum Accounts {
    /// A prefix and six digits, from 1, and one password for all.
    Numbered { prefix: String, password: Secret },
    /// In the order of the file.
    Listed(Arc<Listed>),
}

/// What a file of accounts holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    /// Names and passwords.
    pub who: Vec<(String, Secret)>,
    /// What each has for the places of templates; empty: those name nothing of the file.
    pub cells: Vec<Cells>,
}

/// One account of a file.
#[derive(Debug)]
pub(crate) struct One {
    pub name: String,
    /// Its own password, where it has one.
    pub password: Option<Secret>,
    pub cells: Option<Cells>,
}

impl Accounts {
    /// Those of the plan; `password` is that of all whose own is not known.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has fewer accounts than the run needs.
    pub(crate) fn of(plan: &Plan, password: &Secret) -> Result<Self, TargetError> {
        let users = &plan.environment.users;
        let UsersPlan {
            prefix,
            file,
            columns,
            ..
        } = users;
        let Some(path) = file else {
            return Ok(Self::Numbered {
                prefix: prefix.clone(),
                password: password.clone(),
            });
        };
        // A server that is started here has one password, whether it was named or not.
        let shared = users.password.is_some() || plan.environment.target.is_none();
        let unasked = plan.load.session.credential == Credential::None;
        let usual = Some(password).filter(|_| shared || unasked);
        let listed = listed(path, columns, usual)?;
        let needed = needed(plan);
        let there = listed.who.len();
        if there < needed as usize {
            let fact = format!("{there} accounts, and the run needs {needed}");
            return Err(wrong(path, 0, fact));
        }
        Ok(Self::Listed(Arc::new(listed)))
    }

    /// The account of a plan's file with that name, else the first; `None`: there is no file, or nobody of that name in it.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn one(plan: &Plan, name: Option<&str>) -> Result<Option<One>, TargetError> {
        let UsersPlan { file, columns, .. } = &plan.environment.users;
        let Some(path) = file else {
            return Ok(None);
        };
        let none = Secret::new(String::new());
        let Listed { who, mut cells } = listed(path, columns, Some(&none))?;
        let mut all = who.into_iter().enumerate();
        let one = all.find(|(_, (known, _))| name.is_none_or(|name| name == known));
        Ok(one.map(|(nth, (name, own))| One {
            name,
            password: Some(own).filter(|own| !own.expose().is_empty()),
            cells: (nth < cells.len()).then(|| cells.swap_remove(nth)),
        }))
    }

    /// As tests without an environment have them.
    #[cfg(test)]
    pub(crate) fn numbered(prefix: String, password: String) -> Self {
        Self::Numbered {
            prefix,
            password: Secret::new(password),
        }
    }

    /// The name of account `number`, from 0.
    pub(crate) fn name(&self, number: u32) -> String {
        match self {
            Self::Numbered { prefix, .. } => format!("{prefix}{:06}", u64::from(number) + 1),
            Self::Listed(listed) => {
                let one = listed.who.get(number as usize);
                one.map_or_else(String::new, |(name, _)| name.clone())
            }
        }
    }

    /// Its password.
    pub(crate) fn password(&self, number: u32) -> &str {
        match self {
            Self::Numbered { password, .. } => password.expose(),
            Self::Listed(listed) => {
                let one = listed.who.get(number as usize);
                one.map_or("", |(_, password)| password.expose())
            }
        }
    }

    /// What it has for the places of templates, where those name anything of a file.
    pub(crate) fn cells(&self, number: u32) -> Option<&Cells> {
        match self {
            Self::Numbered { .. } => None,
            Self::Listed(listed) => listed.cells.get(number as usize),
        }
    }
}

/// Whether a file of accounts holds passwords.
///
/// # Errors
///
/// It cannot be read.
pub(crate) fn lists_passwords(path: &str) -> Result<bool, TargetError> {
    let none = Secret::new(String::new());
    let mut listed = listed(path, &[], Some(&none))?.who.into_iter();
    Ok(listed.any(|(_, own)| !own.expose().is_empty()))
}

/// Accounts of the clients, and after them those of the trials.
fn needed(plan: &Plan) -> u32 {
    let clients = plan.load.clients;
    let trials = plan
        .trials
        .iter()
        .map(|trial| u32::from(trial.concurrency) * CREW_SIZE);
    match trials.sum() {
        0 => clients,
        trials => clients.next_multiple_of(CREW_SIZE) + trials,
    }
}

/// The heads of a file of accounts; `None`: it cannot be read, which whoever needs the accounts tells.
pub(crate) fn user_heads(path: &str) -> Option<UserHeads> {
    let row = table::heads(&read(path).ok()?)?;
    Some(UserHeads {
        file: path.to_owned(),
        line: row.line,
        heads: row.cells,
    })
}

/// The columns of a file that are read.
struct Stand {
    account: usize,
    password: Option<usize>,
    /// Those that fill places, in the order of their names.
    cells: Vec<usize>,
}

/// Finds them among the heads.
fn stand(path: &str, heads: &Row, names: &[String]) -> Result<Stand, TargetError> {
    let columns = |name: &str| {
        let cells = heads.cells.iter().enumerate();
        let same: Vec<usize> = cells
            .filter(|(_, head)| head.trim().eq_ignore_ascii_case(name))
            .map(|(place, _)| place)
            .collect();
        same
    };
    let first = |name: &str| columns(name).first().copied();
    let Some(account) = first(ACCOUNT) else {
        // Where the heads are forgotten, this is an account and its password.
        let fact = "no column `account`: the first line names the columns";
        return Err(wrong(path, heads.line, fact.to_owned()));
    };
    let cell = |name: &String| match columns(name)[..] {
        [one] => Ok(one),
        [] => {
            let fact = format!("no column `{name}`, and a template of [target] says {{{name}}}");
            Err(wrong(path, heads.line, fact))
        }
        _ => {
            let fact = format!(
                "more than one column `{name}`, and a template of [target] says {{{name}}}"
            );
            Err(wrong(path, heads.line, fact))
        }
    };
    Ok(Stand {
        account,
        password: first(PASSWORD),
        cells: names.iter().map(cell).collect::<Result<_, _>>()?,
    })
}

/// What an account has for the places of templates.
fn cells(row: &Row, stand: &Stand, names: &Arc<[String]>) -> Result<Cells, String> {
    let values = names.iter().zip(&stand.cells).map(|(name, place)| {
        let Some(value) = row.cell(*place) else {
            return Err(format!(
                "an empty `{name}`, and a template of [target] says {{{name}}}"
            ));
        };
        if value.chars().any(char::is_control) {
            return Err(format!(
                "a `{name}` with a line break or another control character"
            ));
        }
        if value.len() > CELL_BYTES_MAX {
            return Err(format!("a `{name}` of more than {CELL_BYTES_MAX} bytes"));
        }
        Ok(value.into())
    });
    Ok(Cells::new(names, values.collect::<Result<_, _>>()?))
}

/// `account,password`, with these heads, and columns that fill places. `usual` is the password of who has none of his own.
fn listed(path: &str, names: &[String], usual: Option<&Secret>) -> Result<Listed, TargetError> {
    let text = read(path)?;
    let rows = table::rows(&text).map_err(|error| wrong(path, error.line(), error.to_string()))?;
    let Some((heads, rows)) = rows.split_first() else {
        return Err(wrong(path, 0, "nothing stands in it".to_owned()));
    };
    let stand = stand(path, heads, names)?;
    let names: Arc<[String]> = names.into();
    let mut listed = Listed::default();
    for row in rows {
        let wrong = |fact: &str| wrong(path, row.line, fact.to_owned());
        if (heads.cells.len()..row.cells.len()).any(|place| row.cell(place).is_some()) {
            return Err(wrong(
                "more cells than there are columns: is a separator within one? put it in quotes",
            ));
        }
        let name = row.cell(stand.account);
        let name = name.ok_or_else(|| wrong("an empty account"))?;
        if name.chars().any(char::is_control) {
            return Err(wrong(
                "an account with a line break or another control character",
            ));
        }
        let own = stand.password.and_then(|place| row.cell(place));
        let own = match (own, usual) {
            (Some(own), _) => Secret::new(own.to_owned()),
            (None, Some(usual)) => usual.clone(),
            (None, None) => {
                return Err(wrong(
                    "no password, and environment.users.password names none for all",
                ));
            }
        };
        listed.who.push((name.to_owned(), own));
        if !names.is_empty() {
            let cells = cells(row, &stand, &names).map_err(|fact| wrong(&fact))?;
            listed.cells.push(cells);
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn list(text: &str) -> Result<Vec<(String, String)>, String> {
        let file = written(text);
        let usual = Secret::new("usual".to_owned());
        let listed = listed(file.path().to_str().unwrap(), &[], Some(&usual));
        let open = |(name, password): (String, Secret)| (name, password.expose().to_owned());
        listed
            .map(|listed| listed.who.into_iter().map(open).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn accounts_are_read_with_their_own_password_or_the_usual_one() {
        let pair = |name: &str, password: &str| (name.to_owned(), password.to_owned());
        assert_eq!(
            list("account,password\nanna,x\n\"b, c\" , y\n").unwrap(),
            [pair("anna", "x"), pair("b, c", "y")]
        );
        assert_eq!(list("account\nanna\n").unwrap(), [pair("anna", "usual")]);
        assert_eq!(
            list("\u{feff}Nr;PASSWORD;Account\r\n1;\" x \";anna\r\n2;;bert\r\n;;\r\n").unwrap(),
            [pair("anna", " x "), pair("bert", "usual")]
        );
    }

    #[test]
    fn a_mistake_in_the_file_is_named_with_its_line() {
        assert!(
            list("name\nanna\n")
                .unwrap_err()
                .contains(":1: no column `account`")
        );
        assert!(
            list("account,password\n,x\n")
                .unwrap_err()
                .contains(":2: an empty account")
        );
        assert!(
            list("account,password\na,b,c\n")
                .unwrap_err()
                .contains(":2: more cells")
        );
        assert!(!list("anna;secret\na;b\n").unwrap_err().contains("secret"));
        assert!(list("\n\n").unwrap_err().contains("nothing"));
        assert!(
            list("account\n\"a\nb\"\n")
                .unwrap_err()
                .contains(":2: an account with")
        );
        let file = written("account,password\nanna,\n");
        let path = file.path().to_str().unwrap();
        let problem = listed(path, &[], None).unwrap_err().to_string();
        assert!(problem.contains(":2: no password"), "{problem}");
    }

    #[test]
    fn columns_that_templates_name_fill_their_places_and_no_others_are_kept() {
        let text = "Room;account;Note;password\n r 1 ;anna;x;p\n\"\"\"2\"\"\";bert;y;q\n";
        let file = written(text);
        let path = file.path().to_str().unwrap();
        let rooms = listed(path, &["room".to_owned()], None).unwrap();
        let cells: Vec<_> = rooms
            .cells
            .iter()
            .map(|cells| cells.value("room"))
            .collect();
        assert_eq!(cells, [Some("r 1"), Some("\"2\"")]);
        assert_eq!(rooms.cells[0].value("note"), None);
        assert!(!format!("{rooms:?}").contains("\"p\""));
        assert!(listed(path, &[], None).unwrap().cells.is_empty());
    }

    #[test]
    fn a_mistake_in_a_column_that_templates_name_is_told_with_its_line() {
        let room = |text: &str| {
            let file = written(text);
            let usual = Secret::new("usual".to_owned());
            let listed = listed(
                file.path().to_str().unwrap(),
                &["room".to_owned()],
                Some(&usual),
            );
            listed.unwrap_err().to_string()
        };
        for (text, expected) in [
            (
                "account\nanna\n",
                ":1: no column `room`, and a template of [target] says {room}",
            ),
            (
                "account,room,ROOM\nanna,1,2\n",
                ":1: more than one column `room`",
            ),
            ("account,room\nanna,1\nbert,\n", ":3: an empty `room`"),
            (
                "account,room\nanna,\"1\n2\"\n",
                ":2: a `room` with a line break",
            ),
        ] {
            let problem = room(text);
            assert!(problem.contains(expected), "{problem}");
        }
        let long = format!("account,room\nanna,{}\n", "x".repeat(CELL_BYTES_MAX + 1));
        assert!(room(&long).ends_with(":2: a `room` of more than 2000 bytes"));
    }
}
