//! How many connections one process carries, and who may have them.
//!
//! **In:** the files this process may open. **Out:** a [`Place`] for each connection and each listener,
//! given back when it is dropped, or none.
//!
//! A reserve stays untouched, so that the API answers whatever the proxies carry. The last places of
//! all are for proxies that have less than an equal share: one that takes all it can get, because it
//! is flooded or leads back to itself through somebody else, leaves some to the others.

use nix::sys::resource::{Resource, getrlimit};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Files of a connection: one for the client, one for the upstream.
const FILES_EACH: usize = 2;
/// Files that are nobody's place: the API's connections, the runtime's, those of whoever embeds it.
const RESERVE_MAX: usize = 192;
/// One in so many places is for proxies with less than an equal share.
const SPARED: usize = 64;
/// Taken where the system does not say.
const FILES_UNKNOWN: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Places {
    /// Connections, were there no listener.
    connections_max: usize,
    connections: AtomicUsize,
    proxies: AtomicUsize,
}

impl Default for Places {
    fn default() -> Self {
        Self::of(files())
    }
}

impl Places {
    /// Those of a process that may open so many files.
    fn of(files: usize) -> Self {
        Self {
            connections_max: (files - reserve(files)) / FILES_EACH,
            connections: AtomicUsize::new(0),
            proxies: AtomicUsize::new(0),
        }
    }

    /// A place for a connection of a proxy that carries `here` already.
    pub(super) fn connection(self: &Arc<Self>, here: usize) -> Option<Place> {
        let proxies = self.proxies.load(Ordering::Relaxed);
        let all = self.connections_max.saturating_sub(proxies / FILES_EACH);
        let max = if here < all / proxies.max(1) {
            all
        } else {
            all - all / SPARED
        };
        // Alone, it spares nobody.
        let max = if proxies <= 1 { all } else { max };
        Place::take(self, Counted::Connection, max)
    }

    /// A place for a listener.
    pub(super) fn listener(self: &Arc<Self>) -> Option<Place> {
        let connections = self.connections.load(Ordering::Relaxed);
        let files = (self.connections_max.saturating_sub(connections)) * FILES_EACH;
        Place::take(self, Counted::Listener, files)
    }

    /// Connections that have one.
    pub(super) fn taken(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn counter(&self, counted: Counted) -> &AtomicUsize {
        match counted {
            Counted::Connection => &self.connections,
            Counted::Listener => &self.proxies,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Counted {
    Connection,
    Listener,
}

/// Held for as long as the files are open.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    counted: Counted,
}

impl Place {
    fn take(places: &Arc<Places>, counted: Counted, max: usize) -> Option<Self> {
        let more = |taken: usize| (taken < max).then_some(taken + 1);
        places
            .counter(counted)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Self {
            places: Arc::clone(places),
            counted,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let counter = self.places.counter(self.counted);
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connections the API may have open at one time: of the reserve, whatever the proxies carry.
pub(crate) fn api_connections_max() -> usize {
    (reserve(files()) * 2 / 3).max(1)
}

fn reserve(files: usize) -> usize {
    (files / 4).min(RESERVE_MAX)
}

/// The files this process may open.
fn files() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(FILES_UNKNOWN, |(soft, _hard)| {
        usize::try_from(soft).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_never_given_away() {
        for files in [0, 1, 40, 200, 1_024, 20_000, usize::MAX / 4] {
            let places = Places::of(files);
            assert!(places.connections_max * FILES_EACH + reserve(files) <= files);
        }
        assert_eq!(Places::of(20_000).connections_max, 9_904);
        assert_eq!(Places::of(200).connections_max, 75);
    }

    #[test]
    fn who_has_less_than_a_share_gets_the_last_places() {
        let places = Arc::new(Places::of(1_024));
        let _listeners = [places.listener().unwrap(), places.listener().unwrap()];
        let mut greedy = Vec::new();
        while let Some(place) = places.connection(greedy.len()) {
            greedy.push(place);
        }
        assert!(greedy.len() > 400, "{}", greedy.len());
        let modest: Vec<_> = (0..6).map_while(|here| places.connection(here)).collect();
        assert_eq!(modest.len(), 6, "the last places were gone");
        let full = (0..100).map_while(|_| places.connection(0)).count();
        assert_eq!(full, 0, "every place but the reserve is taken");
        drop(greedy);
        assert!(places.connection(100).is_some(), "places came back");
    }

    #[test]
    fn the_only_proxy_may_have_all_places() {
        let places = Arc::new(Places::of(1_024));
        let _listener = places.listener().unwrap();
        let mut all = Vec::new();
        while let Some(place) = places.connection(all.len()) {
            all.push(place);
        }
        assert_eq!(all.len(), (1_024 - 192) / 2);
        assert!(
            places.listener().is_none(),
            "no file is left for a listener"
        );
    }
}
