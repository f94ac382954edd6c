//! This module says what grows from probe to probe, and how a run is asked for so much of it.
//!
//! **In:** a plan, a load. **Out:** what the command line of a run says. **Units:** clients; messages or connects per second.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plan::{Arrival, Behavior, Conversation, LoadPlan, Matching, Plan};
use crate::scenario::stages::CLIENTS_MAX;
use crate::units::US_PER_S;

/// Largest load that is asked for.
const RATE_MAX: u64 = 1_000_000;
/// Of one client.
const SENDS_PER_S_MAX: u64 = 1_000;
const CONNECTS_PER_S_MAX: u64 = 10;
/// What a template of a target has where the group belongs, and the conversation.
const GROUP_PLACE: &str = "{group}";
const CONVERSATION_PLACE: &str = "{conversation}";
/// Where nobody says how far to go: so many times what the scenario itself asks for, and down to that part of it.
const TO_FACTOR: u64 = 64;
const FROM_PART: u64 = 8;

/// What grows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Axis {
    /// Clients at once; each does what it does.
    Clients,
    /// Messages per second, of as many clients as the scenario has
    MessageRate,
    /// Connects per second, by reconnectors that stay as long as that makes it
    ConnectRate,
    /// Clients that hear each message: how many share a conversation (what is left over shares a smaller one)
    FanOut,
}

/// Why a scenario cannot be loaded along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum AxisError {
    #[error("no client of the scenario sends messages")]
    Silent,
    #[error("no client of the scenario ends its session and comes back")]
    NobodyLeaves,
    #[error("no clients of the scenario share a conversation")]
    NothingShared,
    #[error(
        "answers are matched by their order, so that those to others would be taken for one's own"
    )]
    MatchedByOrder,
    #[error(
        "clients wait for an answer before they send again, so that no rate can be asked of them"
    )]
    Closed,
}

impl AxisError {
    /// What to do about it.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Silent => "give load.mix some chatter, or choose another --axis",
            Self::NobodyLeaves => "give load.mix some reconnector, or choose another --axis",
            Self::NothingShared => {
                "write load.session.conversation = \"group\", with {conversation} or {group} in the path of a [target] socket"
            }
            Self::MatchedByOrder => "match them by an id, with {id} in [target] send.message",
            Self::Closed => "write load.message.arrival = \"poisson\", or choose another --axis",
        }
    }
}

/// What a run is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub clients: Option<u32>,
    /// As `--set` has it.
    pub set: Vec<String>,
}

impl Axis {
    /// What a load is a number of.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::MessageRate => "messages/s",
            Self::ConnectRate => "connects/s",
            Self::FanOut => "clients to a conversation",
        }
    }

    /// The load that the scenario itself asks for; at least 1.
    pub(crate) fn own(self, plan: &Plan) -> Result<u64, AxisError> {
        let load = &plan.load;
        let found = match self {
            Self::Clients => u64::from(load.clients),
            Self::MessageRate => {
                if load.message.arrival == Arrival::Closed {
                    return Err(AxisError::Closed);
                }
                per_second(senders(load)?, load.message.every_us)
            }
            Self::ConnectRate => {
                let (clients, every_us) = reconnectors(load)?;
                per_second(clients, every_us)
            }
            Self::FanOut => group(plan)?,
        };
        Ok(found.max(1))
    }

    /// From where to where the search goes if nobody says.
    pub(crate) fn range(self, plan: &Plan) -> Result<(u64, u64), AxisError> {
        let own = self.own(plan)?;
        let to = own.saturating_mul(TO_FACTOR).min(self.most(plan)?);
        Ok((own.div_ceil(FROM_PART), to))
    }

    /// The largest load that may be asked for: no client sends or comes back more often than a scenario may say.
    pub(crate) fn most(self, plan: &Plan) -> Result<u64, AxisError> {
        Ok(match self {
            Self::Clients => u64::from(CLIENTS_MAX),
            Self::MessageRate => senders(&plan.load)? * SENDS_PER_S_MAX,
            Self::ConnectRate => reconnectors(&plan.load)?.0 * CONNECTS_PER_S_MAX,
            Self::FanOut => group(plan).map(|_| u64::from(plan.load.clients))?,
        }
        .min(RATE_MAX))
    }

    /// How a run is asked for that load.
    pub(crate) fn asked(self, plan: &Plan, load: u64) -> Result<Asked, AxisError> {
        let every = |clients: u64| {
            let us = (clients * US_PER_S / load.max(1)).max(1);
            format!("{us}us")
        };
        Ok(match self {
            Self::Clients => Asked {
                clients: Some(u32::try_from(load).unwrap_or(u32::MAX)),
                set: Vec::new(),
            },
            Self::MessageRate => Asked {
                clients: None,
                set: vec![format!(
                    "load.message.every={}",
                    every(senders(&plan.load)?)
                )],
            },
            Self::ConnectRate => {
                let (clients, _) = reconnectors(&plan.load)?;
                Asked {
                    clients: None,
                    set: vec![format!("load.reconnector.every={}", every(clients))],
                }
            }
            Self::FanOut => Asked {
                clients: None,
                set: vec![format!("load.session.group={load}")],
            },
        })
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Clients => "clients",
            Self::MessageRate => "message-rate",
            Self::ConnectRate => "connect-rate",
            Self::FanOut => "fan-out",
        })
    }
}

const fn per_second(clients: u64, every_us: u64) -> u64 {
    let every_us = if every_us == 0 { 1 } else { every_us };
    clients * US_PER_S / every_us
}

fn senders(load: &LoadPlan) -> Result<u64, AxisError> {
    let senders = load.mix.iter().filter(|share| share.behavior.sends());
    let senders = senders.map(|share| u64::from(share.clients)).sum();
    if senders == 0 {
        return Err(AxisError::Silent);
    }
    Ok(senders)
}

fn reconnectors(load: &LoadPlan) -> Result<(u64, u64), AxisError> {
    let found = load.mix.iter().find_map(|share| match share.behavior {
        Behavior::Reconnector { every_us } if share.clients > 0 => {
            Some((u64::from(share.clients), every_us))
        }
        Behavior::Reconnector { .. } | Behavior::Chatter | Behavior::Lurker => None,
    });
    found.ok_or(AxisError::NobodyLeaves)
}

/// Clients that hear what one of them says.
fn group(plan: &Plan) -> Result<u64, AxisError> {
    senders(&plan.load)?;
    let shares = match (plan.load.session.conversation, &plan.environment.dialect) {
        (Conversation::Group, None) => true,
        (Conversation::Own | Conversation::Room, None) => false,
        (conversation, Some(dialect)) => {
            let named = |place: &str| {
                dialect.socket.path.contains(place) || dialect.send.message.contains(place)
            };
            named(GROUP_PLACE) || conversation == Conversation::Group && named(CONVERSATION_PLACE)
        }
    };
    if let Some(dialect) = &plan.environment.dialect
        && dialect.matching == Matching::Order
    {
        return Err(AxisError::MatchedByOrder);
    }
    let group = u64::from(plan.load.session.group);
    shares.then_some(group).ok_or(AxisError::NothingShared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    fn plan_of(mix: &str, message: &str) -> Plan {
        let text = format!(
            "# Why?\ntitle = \"t\"\n[load]\nclients = 80\nstages = [{{ ramp = \"1s\" }}, {{ hold = \"5s\" }}]\nmix = {mix}\n{message}"
        );
        compile("t.toml", &text, &Overrides::default()).unwrap()
    }

    #[test]
    fn each_axis_asks_for_its_load() {
        let plan = plan_of(
            "{ chatter = 6, reconnector = 2 }",
            "message = { every = \"2s\" }\n",
        );
        assert_eq!(Axis::Clients.own(&plan), Ok(80));
        assert_eq!(Axis::MessageRate.own(&plan), Ok(40));
        assert_eq!(Axis::Clients.asked(&plan, 500).unwrap().clients, Some(500));
        let asked = Axis::MessageRate.asked(&plan, 160).unwrap();
        assert_eq!(asked.set, ["load.message.every=500000us"]);
        let asked = Axis::ConnectRate.asked(&plan, 10).unwrap();
        assert_eq!(asked.set, ["load.reconnector.every=2000000us"]);
        let shared = plan_of(
            "{ chatter = 6 }",
            "session = { conversation = \"group\", group = 20 }\n",
        );
        assert_eq!(
            (Axis::FanOut.own(&shared), Axis::FanOut.most(&shared)),
            (Ok(20), Ok(80))
        );
        let asked = Axis::FanOut.asked(&shared, 40).unwrap();
        assert_eq!(asked.set, ["load.session.group=40"]);
        let (from, to) = Axis::Clients.range(&plan).unwrap();
        assert_eq!((from, to), (10, 5_120));
    }

    #[test]
    fn what_nobody_does_cannot_grow() {
        let closed = plan_of("{ chatter = 1 }", "message = { arrival = \"closed\" }\n");
        assert_eq!(Axis::MessageRate.own(&closed), Err(AxisError::Closed));
        let alone = plan_of("{ chatter = 1 }", "");
        assert_eq!(Axis::FanOut.own(&alone), Err(AxisError::NothingShared));
        let plan = plan_of("{ lurker = 1 }", "");
        assert_eq!(Axis::MessageRate.own(&plan), Err(AxisError::Silent));
        assert_eq!(Axis::ConnectRate.own(&plan), Err(AxisError::NobodyLeaves));
    }
}
