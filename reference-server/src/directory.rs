//! Who may log in: a stand-in for an identity provider.
//!
//! Users are `user-000001`, `user-000002`, … up to a configured number, all with one configured
//! password. There is no slow password hash on purpose: nothing here is worth stealing, and a hash
//! would be what a load test then measures.

use crate::secret;

/// A user, as sockets and tokens carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Number, from 1.
    pub(crate) id: u64,
    /// Name, `user-000001`.
    pub(crate) name: String,
}

/// The known users.
#[derive(Debug)]
pub(crate) struct Directory {
    users: u64,
    password: String,
}

impl Directory {
    /// `users` accounts that share `password`.
    pub(crate) fn new(users: u64, password: String) -> Self {
        Self { users, password }
    }

    /// The user of that e-mail address or name, if the password fits.
    ///
    /// The password is compared also for unknown users, so that both refusals take as long.
    pub(crate) fn login(&self, email: &str, password: &str) -> Option<User> {
        let fits = secret::equal(password.as_bytes(), self.password.as_bytes());
        let user = self.find(email);
        if fits { user } else { None }
    }

    fn find(&self, email: &str) -> Option<User> {
        let name = email.split_once('@').map_or(email, |(name, _)| name);
        let digits = name.strip_prefix("user-")?;
        let plain = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let id: u64 = if plain {
            digits.parse().ok()?
        } else {
            return None;
        };
        let canonical = format!("user-{id:06}");
        ((1..=self.users).contains(&id) && canonical == name).then_some(User {
            id,
            name: canonical,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(email: &str, password: &str, expected: Option<u64>) {
        let directory = Directory::new(1_200_000, "secret".to_owned());
        let found = directory.login(email, password).map(|user| user.id);
        assert_eq!(found, expected, "{email} with {password}");
    }

    #[test]
    fn users_are_found_by_name_and_by_address() {
        check("user-000001", "secret", Some(1));
        check("user-000001@example.test", "secret", Some(1));
        check("user-1200000", "secret", Some(1_200_000));
    }

    #[test]
    fn everybody_else_is_not() {
        check("user-000001", "Secret", None);
        check("user-000001", "", None);
        check("user-000000", "secret", None);
        check("user-1200001", "secret", None);
        check("user-1", "secret", None);
        check("user-+00001", "secret", None);
        check("user-0000001", "secret", None);
        check("", "secret", None);
    }
}
