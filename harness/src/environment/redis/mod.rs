//! This module runs a Redis of our own, or checks one that is there.

mod end;
mod error;
mod server;
mod token_store;

pub(crate) use end::{REDIS_PORT, RedisEnd, database};
pub(crate) use error::RedisError;
pub(crate) use server::{RedisServer, is_durable};
pub(crate) use token_store::TokenStore;
