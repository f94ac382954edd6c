//! This module says how the servers of a run are started.
//!
//! **In:** the plan, what the preflight found, where Redis and the proxies in front of it are. **Out:** a command for each server.

use std::path::Path;

use super::super::EnvironmentError;
use super::super::janitor::SpawnSpec;
use super::super::machine::{ProgramError, limit};
use super::super::preflight::Found;
use super::super::proxy::LinkProxies;
use super::super::redis::{RedisEnd, database};
use super::super::secret::{self, Secret};
use super::super::target::server::{self, RedisUrls};
use crate::plan::{Link, Plan, estimate};

/// One for every instance; they differ in their logs.
pub(super) fn servers(
    plan: &Plan,
    found: &Found,
    redis: &RedisEnd,
    links: &LinkProxies,
    logs: &Path,
) -> Result<(Vec<SpawnSpec>, Secret), EnvironmentError> {
    let url = |link: Link| {
        let proxied = links.get(&link).and_then(|proxies| proxies.first());
        let proxied = proxied.map(|proxy| proxy.listen.to_string());
        let address = proxied.unwrap_or_else(|| redis.address.to_string());
        Secret::new(redis.url(&address, database(link)))
    };
    let urls = RedisUrls {
        tasks: url(Link::RedisTasks),
        tokens: url(Link::RedisTokens),
        channel: url(Link::RedisChannel),
    };
    let password = match &plan.environment.users.password {
        Some(text) => Secret::new(secret::resolve("environment.users.password", text)?),
        None => Secret::random()?,
    };
    let program = found
        .server_program
        .clone()
        .ok_or_else(|| ProgramError::ServerMissing {
            looked_at: "nothing".to_owned(),
        })?;
    let log = |number: u16| match number {
        1 => logs.join("server.log"),
        number => logs.join(format!("server-{number}.log")),
    };
    let commands = (1..=estimate::instances(plan, limit::open_files()?))
        .map(|number| server::command(plan, &program, &urls, &password, log(number)));
    let commands: Result<_, _> = commands.collect();
    Ok((commands?, password))
}
