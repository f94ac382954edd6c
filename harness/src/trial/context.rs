//! This module is where all experiments of a run take place, and what the run does to it meanwhile.
//!
//! **In:** a plan and its target. **Out:** [`Context`]: how the target is reached, and whether a fault of the run is in
//! the way.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Client as Http;

use crate::clock::RunClock;
use crate::environment::TargetInfo;
use crate::plan::{Credential, Link, Plan, PlannedFault, Reach};
use crate::record::fault::FaultBoard;

/// Where trials take place.
pub(crate) struct Inputs {
    pub clock: RunClock,
    pub board: Arc<FaultBoard>,
    pub target: TargetInfo,
    /// Logs of the servers that the run started.
    pub server_logs: Vec<PathBuf>,
    /// Sockets go straight to a server that the run started: nothing between keeps what is sent.
    pub direct: bool,
}

/// What all workers of a run share.
pub(super) struct Context {
    pub inputs: Inputs,
    pub http: Http,
    /// Places in the plan of the faults between clients and server, and of the server itself.
    on_edge: Vec<usize>,
    /// What opens a socket.
    pub credential: Credential,
    /// Clients that are a group, at least 1.
    pub group: u32,
    /// Conditions are on no board: from when each is in force, and whether it is between the two.
    conditions: Vec<(u64, bool)>,
}

impl Context {
    pub(super) fn new(plan: &Plan, inputs: Inputs) -> Self {
        let between = |fault: &PlannedFault| {
            fault.kind.link() == Some(Link::Edge) || fault.kind.reach() == Reach::Server
        };
        let faults = plan.faults.iter().enumerate();
        let on_edge = faults.filter(|(_, fault)| between(fault));
        let on_edge = on_edge.map(|(place, _)| place).collect();
        let conditions = plan.faults.iter().filter(|fault| fault.condition);
        let conditions = conditions
            .map(|fault| (fault.at_us, between(fault)))
            .collect();
        Self {
            http: inputs.target.requests.fresh.clone(),
            credential: match inputs.target.dialect {
                Some(_) => plan.load.session.credential,
                // Every server of the contract has tokens, whatever the clients use.
                None => Credential::ConnectionToken,
            },
            group: plan.load.session.group.max(1),
            inputs,
            on_edge,
            conditions,
        }
    }

    /// A fault of the run between clients and server was in force since then, so that what the network does says
    /// nothing of the server.
    pub(super) fn is_disturbed_since(&self, from_us: u64) -> bool {
        let (board, now_us) = (&self.inputs.board, self.inputs.clock.now_us());
        let mut faults = self.on_edge.iter();
        let mut conditions = self.conditions.iter();
        faults.any(|&fault| board.touches(fault, from_us, now_us))
            || conditions.any(|&(since_us, between)| between && since_us <= now_us)
    }

    /// No fault of the run was in force since then.
    pub(super) fn is_calm_since(&self, from_us: u64) -> bool {
        let (board, now_us) = (&self.inputs.board, self.inputs.clock.now_us());
        let mut conditions = self.conditions.iter();
        board.touched(from_us, now_us).is_none()
            && !conditions.any(|&(since_us, _)| since_us <= now_us)
    }
}
