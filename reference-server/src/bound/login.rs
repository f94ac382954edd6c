//! A throttle on failed logins. Who logs in with the right password never meets it.
//!
//! A failure costs one of three allowances: of the account as guessed at from that address, of the
//! address, and of the account as guessed at from everywhere. Where one is spent, every further
//! attempt is refused, the right password too: a refusal tells nothing. An address has spent its
//! own long before it has spent the account's, so nobody alone keeps a user out; and where a user
//! has logged in before, what is guessed elsewhere does not count, so many do not either. Names
//! that do not exist are counted like others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::address::Client;
use super::bucket::{Allowance, Buckets};

/// Accounts and addresses that are remembered.
const REMEMBERED: usize = 65_536;
/// An address may fail so many times as often as an account from one address: a household, an
/// office.
const ACCOUNTS_PER_ADDRESS: f64 = 10.0;
/// An account may fail so many times as often from everywhere as from one address.
const ADDRESSES_PER_ACCOUNT: f64 = 10.0;
/// Bytes of a name that are looked at: no account has a longer one.
const NAME_BYTES: usize = 64;

/// The failed logins of late.
#[derive(Debug)]
pub(crate) struct Attempts(Mutex<Failed>);

#[derive(Debug)]
struct Failed {
    here: Buckets<Home>,
    address: Buckets<IpAddr>,
    account: Buckets<Box<str>>,
    /// Where somebody logged in with the right password, and when last.
    homes: HashMap<Home, Instant>,
}

/// An account, and an address.
type Home = (Box<str>, Option<IpAddr>);

impl Attempts {
    /// With what one account may fail from one address.
    pub(crate) fn new(allowance: Allowance) -> Self {
        let times = |factor: f64| Allowance {
            per_s: allowance.per_s * factor,
            burst: allowance.burst * factor,
        };
        Self(Mutex::new(Failed {
            here: Buckets::new(allowance, REMEMBERED),
            address: Buckets::new(times(ACCOUNTS_PER_ADDRESS), REMEMBERED),
            account: Buckets::new(times(ADDRESSES_PER_ACCOUNT), REMEMBERED),
            homes: HashMap::new(),
        }))
    }

    /// Tries once: the outcome of `attempt`, or how long to wait before another.
    pub(crate) fn attempt<T>(
        &self,
        (client, name): (Client, &str),
        now: Instant,
        attempt: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, Duration> {
        // `user-000001@here` and `user-000001` are one account.
        let name = name.split('@').next().unwrap_or_default();
        let name: Box<str> = name[..name.floor_char_boundary(NAME_BYTES)].into();
        let here = (name.clone(), client.0);
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.here.wait(&here, now)?;
        if let Client(Some(address)) = client {
            failed.address.wait(&address, now)?;
        }
        let at_home = failed.homes.contains_key(&here);
        if !at_home {
            failed.account.wait(&name, now)?;
        }
        let outcome = attempt();
        if outcome.is_some() {
            failed.remember(here, now);
        } else {
            // There is one in each: it was looked at above.
            failed.here.take(here, now)?;
            if let Client(Some(address)) = client {
                failed.address.take(address, now)?;
            }
            if !at_home {
                failed.account.take(name, now)?;
            }
        }
        Ok(outcome)
    }
}

impl Failed {
    fn remember(&mut self, home: Home, now: Instant) {
        if self.homes.len() >= REMEMBERED {
            let mut times: Vec<Instant> = self.homes.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(REMEMBERED / 2);
            let middle = *middle;
            self.homes.retain(|_, last| *last > middle);
        }
        self.homes.insert(home, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance {
        per_s: 0.1,
        burst: 5.0,
    };

    struct Door {
        attempts: Attempts,
        now: Instant,
    }

    impl Door {
        fn new() -> Self {
            Self {
                attempts: Attempts::new(ALLOWANCE),
                now: Instant::now(),
            }
        }

        fn knock(&self, address: u8, name: &str, right: bool) -> Result<bool, Duration> {
            let client = Client((address > 0).then(|| IpAddr::from([10, 0, 0, address])));
            let outcome = || right.then_some(());
            let outcome = self.attempts.attempt((client, name), self.now, outcome);
            outcome.map(|found| found.is_some())
        }

        fn failures(&self, address: u8, name: impl Fn(u32) -> String) -> usize {
            let tried = (0..1000).filter(|n| self.knock(address, &name(*n), false).is_ok());
            tried.count()
        }
    }

    #[test]
    fn an_account_is_guessed_at_a_few_times_and_then_not_even_rightly() {
        let mut door = Door::new();
        assert_eq!(door.failures(1, |_| "user-000001".to_owned()), 5);
        assert_eq!(door.failures(1, |n| format!("user-000001@{n}")), 0);
        let wait = door.knock(1, "user-000001", true).unwrap_err();
        assert_eq!(wait, Duration::from_secs(10));
        assert_eq!(door.knock(1, "user-000002", true), Ok(true));
        door.now += wait;
        assert_eq!(door.knock(1, "user-000001", true), Ok(true));
    }

    #[test]
    fn who_guesses_from_one_address_keeps_nobody_out_at_another() {
        let door = Door::new();
        door.failures(1, |_| "user-000001".to_owned());
        assert_eq!(door.knock(200, "user-000001", true), Ok(true));
        let from_everywhere: usize = (2..100)
            .map(|address| door.failures(address, |_| "user-000001".to_owned()))
            .sum();
        assert_eq!(from_everywhere, 45, "fifty in all");
    }

    #[test]
    fn who_guesses_from_everywhere_keeps_nobody_out_who_was_in() {
        let door = Door::new();
        assert_eq!(door.knock(1, "user-000001", true), Ok(true));
        for address in 2..100 {
            door.failures(address, |_| "user-000001".to_owned());
        }
        assert!(door.knock(200, "user-000001", true).is_err());
        assert_eq!(door.knock(1, "user-000001", true), Ok(true));
        assert_eq!(door.failures(1, |_| "user-000001".to_owned()), 5);
        assert!(
            door.knock(1, "user-000001", true).is_err(),
            "no more guesses"
        );
    }

    #[test]
    fn so_many_homes_are_remembered_and_the_latest_longest() {
        let mut door = Door::new();
        for number in 0..=REMEMBERED {
            door.now += Duration::from_millis(1);
            door.knock(1, &format!("user-{number}"), true).unwrap();
        }
        let failed = door.attempts.0.lock().unwrap();
        assert!(failed.homes.len() <= REMEMBERED);
        let last = format!("user-{REMEMBERED}").into_boxed_str();
        let last = (last, Some(IpAddr::from([10, 0, 0, 1])));
        assert!(failed.homes.contains_key(&last));
    }

    #[test]
    fn an_address_tries_so_many_accounts_and_loopback_any() {
        let door = Door::new();
        let name = |n: u32| format!("user-{n:06}");
        assert_eq!(door.failures(1, name), 50);
        assert!(door.knock(1, "user-900000", true).is_err());
        assert_eq!(door.failures(0, |n| format!("admin-{n:06}")), 1000);
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let door = Door::new();
        for _ in 0..1000 {
            assert_eq!(door.knock(1, "user-000001", true), Ok(true));
        }
    }
}
