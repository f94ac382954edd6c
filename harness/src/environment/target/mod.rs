//! This module runs the reference server or reaches a target that is there, and says where it is
//! and who its users are.

mod accounts;
mod credential;
mod direct;
mod error;
mod handover;
mod info;
mod mapping;
pub(crate) mod metrics;
mod payloads;
mod refused;
pub(crate) mod server;
mod table;
mod tls;
mod user_file;
mod via;

pub(crate) use accounts::{Accounts, Listed, lists_passwords, user_heads};
pub(crate) use direct::{DirectTarget, WATCH_TIMEOUT};
pub(crate) use error::TargetError;
pub(crate) use handover::TargetHandover;
pub(crate) use info::TargetInfo;
pub(crate) use mapping::{Mapping, mapping};
pub(crate) use payloads::payloads;
pub(crate) use tls::trust;
pub(crate) use via::via;
