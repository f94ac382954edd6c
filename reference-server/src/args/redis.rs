//! Flags about Redis: how it is reached, the queue and the histories.

use std::time::Duration;

use clap::Args;

use super::value::{ChannelKind, duration};

/// Flags about reaching the channel layer, for every process.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Base URL without a database; 0, 2 and 3 are used. A password belongs in the environment
    /// variable.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub(crate) redis_url: String,
    /// URL of the channel layer; the base URL with database 3 if absent.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_CHANNEL_URL",
        hide_env_values = true
    )]
    pub(crate) redis_channel_url: Option<String>,
    /// Longest wait for one Redis command.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_TIMEOUT", default_value = "1s", value_parser = duration)]
    pub(crate) redis_timeout: Duration,
}

/// Flags about the queue and the histories, for whoever writes to them.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// URL of the task queue; the base URL with database 0 if absent.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_TASKS_URL", hide_env_values = true)]
    pub(crate) redis_tasks_url: Option<String>,
    /// Pause between the PINGs of the watchdog.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_PING", default_value = "500ms", value_parser = duration)]
    pub(crate) redis_ping: Duration,
    /// Entries kept per conversation.
    #[arg(long, env = "REFERENCE_SERVER_HISTORY_ENTRIES", default_value_t = 1500)]
    pub(crate) history_entries: u32,
    /// How long a conversation's history outlives its last event; at least twice the grace.
    #[arg(long, env = "REFERENCE_SERVER_HISTORY_EXPIRY", default_value = "30s", value_parser = duration)]
    pub(crate) history_expiry: Duration,
}

/// Flags about Redis that only a server has.
#[derive(Debug, Args)]
pub(crate) struct RedisArgs {
    /// URL of tokens and rate limits; the base URL with database 2 if absent.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REDIS_TOKENS_URL",
        hide_env_values = true
    )]
    pub(crate) redis_tokens_url: Option<String>,
    /// Sockets stay open through an outage shorter than this.
    #[arg(long, env = "REFERENCE_SERVER_REDIS_GRACE", default_value = "15s", value_parser = duration)]
    pub(crate) redis_grace: Duration,
    /// What carries events from the worker to the sockets.
    #[arg(
        long,
        env = "REFERENCE_SERVER_CHANNEL_LAYER",
        value_enum,
        default_value = "redis"
    )]
    pub(crate) channel_layer: ChannelKind,
    /// Messages kept per people chat.
    #[arg(long, env = "REFERENCE_SERVER_CHATS_ENTRIES", default_value_t = 1000)]
    pub(crate) chats_entries: u32,
    /// How long a people chat's history outlives its last message.
    #[arg(long, env = "REFERENCE_SERVER_CHATS_EXPIRY", default_value = "24h", value_parser = duration)]
    pub(crate) chats_expiry: Duration,
}
