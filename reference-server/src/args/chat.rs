//! Flags about messages and their answers.

use std::time::Duration;

use clap::Args;

use super::value::duration;

/// Flags about messages and the task queue.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Messages per second and user.
    #[arg(long, env = "REFERENCE_SERVER_RATE_LIMIT", default_value_t = 10.0)]
    pub(crate) rate_limit: f64,
    /// Messages a user may send at once.
    #[arg(long, env = "REFERENCE_SERVER_RATE_BURST", default_value_t = 50)]
    pub(crate) rate_burst: u32,
    /// Refusals in a row until a socket is closed with 4429.
    #[arg(long, env = "REFERENCE_SERVER_FLOOD_STRIKES", default_value_t = 100)]
    pub(crate) flood_strikes: u32,
    /// Characters of a message.
    #[arg(long, env = "REFERENCE_SERVER_MAX_MESSAGE", default_value_t = 10_000)]
    pub(crate) max_message: usize,
    /// How long a `client_message_id` is remembered.
    #[arg(long, env = "REFERENCE_SERVER_REMEMBER_IDS", default_value = "5m", value_parser = duration)]
    pub(crate) remember_ids: Duration,
    /// Tasks waiting or being worked on until messages are refused as `busy`.
    #[arg(long, env = "REFERENCE_SERVER_QUEUE_LIMIT", default_value_t = 10_000)]
    pub(crate) queue_limit: u32,
    /// An acknowledged task silent for so long is queued again if its entry is gone.
    #[arg(long, env = "REFERENCE_SERVER_REDRIVE_AFTER", default_value = "4s", value_parser = duration)]
    pub(crate) redrive_after: Duration,
    /// Bytes of unanswered messages kept for that; a task beyond it is lost with its entry, and the
    /// client is told.
    #[arg(long, env = "REFERENCE_SERVER_REDRIVE_BYTES", default_value_t = 64 << 20)]
    pub(crate) redrive_bytes: usize,
    /// An acknowledged message is answered within this, or said to be lost.
    #[arg(long, env = "REFERENCE_SERVER_ANSWER_WITHIN", default_value = "10m", value_parser = duration)]
    pub(crate) answer_within: Duration,
}

/// Flags about the answers, for whoever works on them.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkArgs {
    /// Chunks of an answer.
    #[arg(long, env = "REFERENCE_SERVER_CHUNKS", default_value_t = 3)]
    pub(crate) chunks: u32,
    /// From the start of processing to the first chunk.
    #[arg(long, env = "REFERENCE_SERVER_FIRST_AFTER", default_value = "10ms", value_parser = duration)]
    pub(crate) first_after: Duration,
    /// From chunk to chunk.
    #[arg(long, env = "REFERENCE_SERVER_CHUNK_INTERVAL", default_value = "10ms", value_parser = duration)]
    pub(crate) chunk_interval: Duration,
    /// Answers in hand at once; tasks past it stay in the queue.
    #[arg(long, env = "REFERENCE_SERVER_CONCURRENCY", default_value_t = 20_000)]
    pub(crate) concurrency: u32,
    /// A task untouched by its worker for so long is taken over.
    #[arg(long, env = "REFERENCE_SERVER_TAKE_OVER_AFTER", default_value = "3s", value_parser = duration)]
    pub(crate) take_over_after: Duration,
}
