//! This module is the database of connection tokens of a Redis that the run started.
//!
//! **In:** how Redis is reached. **Out:** a marker put there, and every key of it forgotten.
//!
//! The database holds the tokens and the rate limits of the reference server, and nothing else.

use redis::{Cmd, FromRedisValue, RedisError, cmd};

use super::{RedisEnd, database};
use crate::environment::EnvironmentError;
use crate::environment::endpoint::EndpointError;
use crate::plan::Link;

/// A key of ours, by which a flush is confirmed.
const MARKER: &str = "harness:marker";
/// It does not outlive the run for long.
const MARKER_SECONDS: u32 = 3_600;

/// The database of the tokens, at Redis itself and not through a proxy.
#[derive(Clone, Debug)]
pub(crate) struct TokenStore {
    end: RedisEnd,
}

impl TokenStore {
    pub(crate) const fn new(end: RedisEnd) -> Self {
        Self { end }
    }

    /// Puts the marker there.
    pub(crate) async fn mark(&self) -> Result<(), EnvironmentError> {
        let mut set = cmd("SET");
        set.arg(MARKER).arg("1").arg("EX").arg(MARKER_SECONDS);
        self.ask(&set).await
    }

    /// Whether the marker is still there.
    pub(crate) async fn is_marked(&self) -> Result<bool, EnvironmentError> {
        let mut exists = cmd("EXISTS");
        exists.arg(MARKER);
        self.ask(&exists).await
    }

    /// Forgets every key.
    pub(crate) async fn flush(&self) -> Result<(), EnvironmentError> {
        let mut flush = cmd("FLUSHDB");
        flush.arg("SYNC");
        self.ask(&flush).await
    }

    async fn ask<Reply: FromRedisValue>(&self, question: &Cmd) -> Result<Reply, EnvironmentError> {
        let asked = async {
            let mut connection = self.end.connect(database(Link::RedisTokens)).await?;
            question.query_async(&mut connection).await
        };
        asked.await.map_err(|error: RedisError| {
            EndpointError::Unreachable {
                place: "environment.redis",
                address: self.end.upstream.clone(),
                reason: error.to_string(),
            }
            .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::TestRedis;

    #[tokio::test]
    async fn a_flush_takes_the_tokens_and_leaves_the_tasks() {
        // As the reference server is told them (wire contract, section 4).
        const TASKS: u8 = 0;
        const TOKENS: u8 = 2;
        let redis_run = TestRedis::new("flush-tokens", false).await;
        let end = &redis_run.redis.end;
        for database in [TASKS, TOKENS] {
            let mut connection = end.connect(database).await.unwrap();
            let mut set = cmd("SET");
            set.arg("a-key").arg("1");
            set.query_async::<()>(&mut connection).await.unwrap();
        }
        TokenStore::new(end.clone()).flush().await.unwrap();
        let mut kept = Vec::new();
        for database in [TASKS, TOKENS] {
            let mut connection = end.connect(database).await.unwrap();
            let size = cmd("DBSIZE").query_async::<u64>(&mut connection).await;
            kept.push(size.unwrap());
        }
        assert_eq!(kept, [1, 0]);
        redis_run.stop().await;
    }
}
