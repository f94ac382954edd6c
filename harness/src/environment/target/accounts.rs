//! This module knows the accounts of a run: by number, or from a file.
//!
//! **In:** `users` of the plan. **Out:** [`Accounts`]. The file is read before anything is started,
//! so that a mistake in it costs nothing.

use std::sync::Arc;

use super::TargetError;
use super::table;
use super::user_file::{read, wrong};
use crate::environment::secret::Secret;
use crate::plan::{CREW_SIZE, Credential, Plan, UsersPlan};

/// Who the clients are.
#[derive(Clone, Debug)]
pub(crate) enum Accounts {
    /// A prefix and six digits, from 1, and one password for all.
    Numbered { prefix: String, password: Secret },
    /// Names and passwords, in the order of the file.
    Listed(Arc<[(String, Secret)]>),
}

impl Accounts {
    /// Those of the plan; `password` is that of all whose own is not known.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has fewer accounts than the run needs.
    pub(crate) fn of(plan: &Plan, password: &Secret) -> Result<Self, TargetError> {
        let users = &plan.environment.users;
        let UsersPlan { prefix, file, .. } = users;
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
        let listed = listed(path, usual)?;
        let needed = needed(plan);
        if listed.len() < needed as usize {
            let fact = format!("{} accounts, and the run needs {needed}", listed.len());
            return Err(wrong(path, 0, fact));
        }
        Ok(Self::Listed(listed.into()))
    }

    /// The first of a plan's file, with its own password where there is one; `None`: there is no
    /// file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn first_listed(
        plan: &Plan,
    ) -> Result<Option<(String, Option<Secret>)>, TargetError> {
        let Some(path) = &plan.environment.users.file else {
            return Ok(None);
        };
        let none = Secret::new(String::new());
        let first = listed(path, Some(&none))?.into_iter().next();
        let own = |secret: Secret| Some(secret).filter(|secret| !secret.expose().is_empty());
        Ok(first.map(|(name, secret)| (name, own(secret))))
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
            Self::Listed(listed) => listed
                .get(number as usize)
                .map_or_else(String::new, |(name, _)| name.clone()),
        }
    }

    /// Its password.
    pub(crate) fn password(&self, number: u32) -> &str {
        match self {
            Self::Numbered { password, .. } => password.expose(),
            Self::Listed(listed) => listed
                .get(number as usize)
                .map_or("", |(_, password)| password.expose()),
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
    let mut listed = listed(path, Some(&none))?.into_iter();
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

/// `account,password`, with these heads. `usual` is the password of who has none of his own.
fn listed(path: &str, usual: Option<&Secret>) -> Result<Vec<(String, Secret)>, TargetError> {
    let text = read(path)?;
    let rows = table::rows(&text).map_err(|error| wrong(path, error.line(), error.to_string()))?;
    let Some((heads, rows)) = rows.split_first() else {
        return Err(wrong(path, 0, "nothing stands in it".to_owned()));
    };
    let column = |name: &str| {
        let mut cells = heads.cells.iter();
        cells.position(|head| head.trim().eq_ignore_ascii_case(name))
    };
    let (account, password) = (column("account"), column("password"));
    let Some(account) = account else {
        // Where the heads are forgotten, this is an account and its password.
        let fact = "no column `account`: the first line names the columns";
        return Err(wrong(path, heads.line, fact.to_owned()));
    };
    let mut listed = Vec::new();
    for row in rows {
        let wrong = |fact: &str| wrong(path, row.line, fact.to_owned());
        if (heads.cells.len()..row.cells.len()).any(|place| row.cell(place).is_some()) {
            return Err(wrong(
                "more cells than there are columns: is a separator within one? put it in quotes",
            ));
        }
        let name = row.cell(account).ok_or_else(|| wrong("an empty account"))?;
        if name.chars().any(char::is_control) {
            return Err(wrong(
                "an account with a line break or another control character",
            ));
        }
        let own = password.and_then(|place| row.cell(place));
        let own = match (own, usual) {
            (Some(own), _) => Secret::new(own.to_owned()),
            (None, Some(usual)) => usual.clone(),
            (None, None) => {
                return Err(wrong(
                    "no password, and environment.users.password names none for all",
                ));
            }
        };
        listed.push((name.to_owned(), own));
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
        let listed = listed(file.path().to_str().unwrap(), Some(&usual));
        let open = |(name, password): (String, Secret)| (name, password.expose().to_owned());
        listed
            .map(|listed| listed.into_iter().map(open).collect())
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
        let problem = listed(path, None).unwrap_err().to_string();
        assert!(problem.contains(":2: no password"), "{problem}");
    }
}
