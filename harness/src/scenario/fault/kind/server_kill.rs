//! Fault `server-kill`.

use super::spec::{Mechanism, ProcessAction, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// The first server is killed, and started again at the end of the fault.
    pub(crate) struct ServerKill {}
}

impl Spec for ServerKill {
    const NAME: &str = "server-kill";
    const REACH: Reach = Reach::Server;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "killed".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Process(ProcessAction::Kill)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
