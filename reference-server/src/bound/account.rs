//! What one user has at once: sockets, bytes that wait for them, frames that are no message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::{Allowance, Bucket};

/// The users who have a socket, or had one a moment ago.
#[derive(Debug)]
pub(crate) struct Accounts {
    sockets_most: usize,
    /// Of messages, of other frames.
    frames: [Allowance; 2],
    known: Mutex<HashMap<u64, (usize, Arc<Account>)>>,
}

/// One user, whom all sockets of it share.
#[derive(Debug, Default)]
pub(crate) struct Account {
    bytes: AtomicUsize,
    frames: Mutex<[Option<Bucket>; 2]>,
}

/// What a frame counts to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sort {
    /// Chat messages. Their limit is kept by the store, for all instances; here it is seen to that
    /// a flood does not get there.
    Message,
    /// All others.
    Other,
}

/// One of a user's sockets; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    accounts: Arc<Accounts>,
    user: u64,
    /// The user.
    pub(crate) account: Arc<Account>,
}

impl Accounts {
    /// So many sockets for each, and frames at those rates: messages, others.
    pub(crate) fn new(sockets_most: usize, frames: [Allowance; 2]) -> Arc<Self> {
        Arc::new(Self {
            sockets_most,
            frames,
            known: Mutex::default(),
        })
    }

    /// A place for a socket of that user, or nothing where it has its number.
    pub(crate) fn enter(self: &Arc<Self>, user: u64) -> Option<Member> {
        let mut known = self.lock();
        let (sockets, account) = known.entry(user).or_default();
        if *sockets >= self.sockets_most {
            return None;
        }
        *sockets += 1;
        let account = Arc::clone(account);
        drop(known);
        let accounts = Arc::clone(self);
        Some(Member {
            accounts,
            user,
            account,
        })
    }

    /// Takes one of the frames that `account` may send, or says how long it takes until there is
    /// one.
    pub(crate) fn take_frame(
        &self,
        account: &Account,
        sort: Sort,
        now: Instant,
    ) -> Result<(), Duration> {
        let allowance = self.frames[sort as usize];
        let bucket = &mut account.frames()[sort as usize];
        let bucket = bucket.get_or_insert_with(|| Bucket::full(allowance, now));
        bucket.take(allowance, now)
    }

    /// Forgets who has no socket and owes nothing: one who comes back at once has not a whole burst
    /// again. Returns what is kept for those who stay.
    pub(crate) fn forget(&self, now: Instant) -> usize {
        let is_calm = |account: &Account| {
            let frames = *account.frames();
            let mut both = frames.iter().zip(self.frames);
            both.all(|(bucket, allowance)| {
                bucket.is_none_or(|bucket| bucket.is_full(allowance, now))
            })
        };
        let mut known = self.lock();
        known.retain(|_, (sockets, account)| *sockets > 0 || !is_calm(account));
        known.values().map(|(_, account)| account.bytes()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (usize, Arc<Account>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some((sockets, _)) = self.accounts.lock().get_mut(&self.user) {
            *sockets -= 1;
        }
    }
}

impl Account {
    /// Bytes that are kept for it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn frames(&self) -> MutexGuard<'_, [Option<Bucket>; 2]> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that one socket of an account holds; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    account: Arc<Account>,
    bytes: usize,
}

impl Held {
    /// Nothing yet.
    pub(crate) fn by(account: &Arc<Account>) -> Self {
        Self {
            account: Arc::clone(account),
            bytes: 0,
        }
    }

    /// How many.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many all sockets of the account hold.
    pub(crate) fn together(&self) -> usize {
        self.account.bytes()
    }

    /// Holds so many instead.
    pub(crate) fn set(&mut self, bytes: usize) {
        let account = &self.account.bytes;
        if bytes > self.bytes {
            account.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            account.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Allowance = Allowance {
        per_s: 1.0,
        burst: 2.0,
    };

    #[test]
    fn a_user_has_so_many_sockets() {
        let accounts = Accounts::new(2, [TWO; 2]);
        let (one, _two) = (accounts.enter(1).unwrap(), accounts.enter(1).unwrap());
        assert!(accounts.enter(1).is_none());
        assert!(accounts.enter(2).is_some(), "each for itself");
        drop(one);
        assert!(accounts.enter(1).is_some());
    }

    #[test]
    fn who_owes_frames_is_remembered_until_it_does_not() {
        let (accounts, now) = (Accounts::new(2, [TWO; 2]), Instant::now());
        let member = accounts.enter(1).unwrap();
        for expected in [true, true, false] {
            let taken = accounts.take_frame(&member.account, Sort::Other, now);
            assert_eq!(taken.is_ok(), expected);
        }
        let message = accounts.take_frame(&member.account, Sort::Message, now);
        assert!(message.is_ok(), "messages are counted apart");
        drop(member);
        accounts.forget(now);
        let again = accounts.enter(1).unwrap();
        assert!(
            accounts
                .take_frame(&again.account, Sort::Other, now)
                .is_err()
        );
        drop(again);
        accounts.forget(now + Duration::from_secs(2));
        assert!(accounts.lock().is_empty());
    }

    #[test]
    fn what_sockets_hold_is_added_up_and_given_back() {
        let account = Arc::default();
        let (mut one, mut two) = (Held::by(&account), Held::by(&account));
        one.set(10);
        two.set(5);
        one.set(7);
        assert_eq!((one.together(), account.bytes()), (12, 12));
        drop(one);
        assert_eq!(account.bytes(), 5);
    }
}
