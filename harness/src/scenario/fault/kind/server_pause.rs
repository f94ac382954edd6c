//! Fault `server-pause`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// The first server stops, with its connections open, and goes on at the end of the fault.
    pub(crate) struct ServerPause {}
}

impl Spec for ServerPause {
    const NAME: &str = "server-pause";
    const REACH: Reach = Reach::Server;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "stopped".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Pause)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
