//! This module checks that a proxy on the way to a target has a way to itself.

use super::Link;
use crate::route::Pin;
use crate::scenario::address;
use crate::scenario::environment::Environment;
use crate::scenario::fault::Fault;
use crate::scenario::problem::{Complaint, Problems};

/// `via` leads to a target, and nothing else stands on that way.
pub(super) fn check(typed: &Environment, faults: &[Fault], problems: &mut Problems) {
    const FIELD: &str = "environment.via";
    let Some(via) = &typed.via else {
        return;
    };
    if !typed.attached {
        let complaint = Complaint::new(
            "a server that the run starts is on this machine, and no proxy is on the way to it",
        )
        .hint("name a target, or leave `via` out");
        problems.add(&via.at, FIELD, complaint);
    }
    let proxies = typed.proxies.iter().flat_map(|proxies| &proxies.value);
    let links = typed.links.iter().map(|(link, _)| &link.value);
    let faulted = faults.iter().filter_map(|fault| fault.link.as_ref());
    let faulted = faulted.map(|link| &link.value);
    let mut named = proxies.chain(links).chain(faulted);
    if named.any(|link| *link == Link::Edge) {
        let complaint = Complaint::new("the fault proxy of the edge link connects to the target itself, and not through another proxy")
            .hint("leave out either `via` or the edge link and its faults");
        problems.add(&via.at, FIELD, complaint);
    }
    let target = typed.target.as_ref();
    let host = target.and_then(|target| address::host(&target.value));
    let mut pins = typed
        .resolve
        .iter()
        .filter_map(|text| Pin::parse(text).ok());
    if let Some(host) = host
        && pins.any(|pin| pin.is_of(&host))
    {
        let complaint = Complaint::new("the proxy looks the target's name up, and `resolve` says it here")
            .hint("write the address into target, and its name into target.headers as Host; or leave out one of the two");
        problems.add(&via.at, FIELD, complaint);
    }
}
