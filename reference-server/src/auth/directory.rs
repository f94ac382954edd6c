//! Who may log in: a stand-in for an identity provider.
//!
//! Users are `user-000001`, `user-000002`, … and admins `admin-000001`, … up to configured numbers,
//! all with one configured password. People chat n is of the users nK+1 to nK+K. There is no slow
//! password hash on purpose: nothing here is worth stealing, and a hash would be what a load test
//! then measures.

use super::secret;
use crate::args::AuthArgs;

/// A user, as sockets and tokens carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Number, from 1.
    pub(crate) id: u64,
    /// Name, `user-000001`.
    pub(crate) name: String,
}

/// Admin n has the number `ADMINS_AFTER + n`, so that nobody shares one, and an id tells the role.
pub(crate) const ADMINS_AFTER: u64 = 1_000_000_000_000;

/// The known users.
#[derive(Debug)]
pub(crate) struct Directory {
    users: u64,
    admins: u64,
    /// Participants of a people chat.
    participants: u64,
    password: String,
}

impl Directory {
    /// The accounts of `auth`, which share `password`.
    pub(crate) fn new(auth: &AuthArgs, password: String) -> Self {
        Self {
            users: auth.users,
            admins: auth.admins,
            participants: auth.participants,
            password,
        }
    }

    /// Whether a user has the admin role.
    pub(crate) fn is_admin(&self, user: u64) -> bool {
        let number = user.checked_sub(ADMINS_AFTER);
        number.is_some_and(|number| (1..=self.admins).contains(&number))
    }

    /// Whether a user is in a people chat. In one that does not exist nobody is.
    pub(crate) fn participates(&self, chat: &str, user: u64) -> bool {
        // `007` and `+7` are not other names of chat 7.
        let number: Option<u64> = chat.parse().ok();
        let number = number.filter(|number| number.to_string() == chat);
        (1..=self.users).contains(&user) && number == Some((user - 1) / self.participants)
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
        let (role, digits) = name.split_once('-')?;
        let plain = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let id: u64 = if plain {
            digits.parse().ok()?
        } else {
            return None;
        };
        let (known, after) = match role {
            "user" => (self.users, 0),
            "admin" => (self.admins, ADMINS_AFTER),
            _ => return None,
        };
        let canonical = format!("{role}-{id:06}");
        ((1..=known).contains(&id) && canonical == name).then_some(User {
            id: after + id,
            name: canonical,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        Directory {
            users: 1_200_000,
            admins: 3,
            participants: 10,
            password: "secret".to_owned(),
        }
    }

    fn check(email: &str, password: &str, expected: Option<u64>) {
        let found = directory().login(email, password).map(|user| user.id);
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
        check("root-000001", "secret", None);
        check("admin-000004", "secret", None);
    }

    #[test]
    fn an_admin_is_no_user_and_a_user_no_admin() {
        check("admin-000003", "secret", Some(ADMINS_AFTER + 3));
        let is_admin = |user| directory().is_admin(user);
        assert!(is_admin(ADMINS_AFTER + 1) && is_admin(ADMINS_AFTER + 3));
        assert!(!is_admin(1) && !is_admin(ADMINS_AFTER) && !is_admin(ADMINS_AFTER + 4));
    }

    #[test]
    fn a_chat_is_of_ten_users_and_of_nobody_else() {
        let of = |chat: &str| -> Vec<u64> {
            let all = (0..=40).chain([1_200_000, 1_200_001, ADMINS_AFTER + 1]);
            all.filter(|user| directory().participates(chat, *user))
                .collect()
        };
        assert_eq!(of("0"), (1..=10).collect::<Vec<_>>());
        assert_eq!(of("3"), (31..=40).collect::<Vec<_>>());
        assert_eq!(of("119999"), [1_200_000]);
        for chat in [
            "03",
            "+3",
            "-1",
            "",
            "x",
            "120000",
            "100000000000",
            "99999999999999999999",
        ] {
            assert_eq!(of(chat), [0_u64; 0], "{chat}");
        }
    }
}
