//! This module says which columns of a file of accounts the templates of a mapped server name.
//!
//! **In:** a [`Dialect`] whose accounts stand in a file. **Out:** names, each once. That the file has them is checked where it is
//! read.

use std::collections::BTreeSet;

use crate::scenario::target::{Dialect, is_reserved, places};

/// What stands in braces and nothing else fills.
pub(super) fn columns(dialect: &Dialect) -> Vec<String> {
    let open = dialect.open.iter();
    let reply = dialect.reply.iter();
    let login = dialect.login.iter();
    let templates = [&dialect.socket.path, &dialect.send.message]
        .into_iter()
        .chain(&dialect.send.heartbeat)
        .chain(open.clone().filter_map(|step| step.send.as_ref()))
        .chain(reply.clone().filter_map(|rule| rule.send.as_ref()))
        .chain(login.clone().flat_map(|login| login.fields.values()))
        .chain(login.clone().flat_map(|login| login.headers.values()));
    let captured: BTreeSet<&String> = open
        .flat_map(|step| step.capture.keys())
        .chain(reply.flat_map(|rule| rule.capture.keys()))
        .chain(login.flat_map(|login| login.capture.keys()))
        .collect();
    let named: BTreeSet<&str> = templates.flat_map(|template| places(template)).collect();
    let named = named.into_iter();
    let free = named.filter(|name| !is_reserved(name) && !captured.contains(&(*name).to_owned()));
    free.map(str::to_owned).collect()
}
