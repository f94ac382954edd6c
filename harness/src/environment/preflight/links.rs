//! This module decides which links run through a proxy of this run.

use std::collections::BTreeSet;

use crate::plan::{Link, Plan};

/// The links that need a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Single databases, [`Link::Redis`] spelt out, that a proxy of this run carries.
    pub redis: BTreeSet<Link>,
    /// Clients go through proxies of this run.
    pub edge: bool,
}

/// The links the plan names, by itself or through its faults, and that no proxy carries yet. A
/// target that was not started by this run keeps its own way to Redis.
pub(crate) fn needs(plan: &Plan) -> Needs {
    let environment = &plan.environment;
    let named = environment.proxies.iter().copied();
    let faulted = plan.faults.iter().filter_map(|fault| fault.kind.link());
    let mut needs = Needs::default();
    for single in named.chain(faulted).flat_map(Link::singles) {
        if environment.links.keys().any(|link| link.covers(*single)) {
            continue;
        }
        match single {
            Link::Edge => needs.edge = true,
            Link::Redis | Link::RedisTokens | Link::RedisTasks | Link::RedisChannel => {
                if environment.target.is_none() {
                    needs.redis.insert(*single);
                }
            }
        }
    }
    needs
}
