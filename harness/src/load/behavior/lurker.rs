//! This module is the client that only listens: it connects, sends heartbeats and stays.

/// Says nothing.
#[derive(Debug)]
pub(in crate::load) struct Lurker;
