//! This module follows how many tasks wait in the queue of the target.
//!
//! **In:** pages of its counters, one a second: a page costs the target well under a millisecond. **Out:** the most that
//! waited at any look. A target that does not tell is not asked again.
//!
//! It looks beside the sampler, which does not wait for a target that is slow to answer.
//!
//! **Units:** entries of the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::environment::Environment;
use crate::units;

/// Entries in the task queue. Every instance tells that of the one queue they share.
const DEPTH: &str = "chat_queue_depth";
const EVERY: Duration = Duration::from_secs(1);

/// Looks until `over` fires; `None`: the target does not tell.
pub(super) async fn peak(environment: &Environment, over: &CancellationToken) -> Option<u64> {
    let mut peak = look(environment).await?;
    loop {
        let next = async {
            tokio::time::sleep(EVERY).await;
            look(environment).await
        };
        tokio::select! {
            depth = next => peak = peak.max(depth.unwrap_or(0)),
            () = over.cancelled() => return Some(peak),
        }
    }
}

async fn look(environment: &Environment) -> Option<u64> {
    let pages = environment.server_pages().await?;
    deepest(&pages)
}

fn deepest(pages: &[BTreeMap<String, f64>]) -> Option<u64> {
    let depths = pages.iter().filter_map(|page| page.get(DEPTH));
    depths.map(|depth| units::rounded(*depth)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_tell_of_one_queue() {
        let page = |depth: f64| BTreeMap::from([(DEPTH.to_owned(), depth)]);
        assert_eq!(deepest(&[page(7.0), page(9.0)]), Some(9));
        assert_eq!(deepest(&[BTreeMap::new(), page(2.0)]), Some(2));
        assert_eq!(deepest(&[BTreeMap::new()]), None);
    }
}
