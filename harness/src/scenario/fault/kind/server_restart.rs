//! Fault `server-restart`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// The first server shuts down in order, and is started again at the end of the fault.
    pub(crate) struct ServerRestart {}
}

impl Spec for ServerRestart {
    const NAME: &str = "server-restart";
    const REACH: Reach = Reach::Server;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "restarted".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Restart)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
