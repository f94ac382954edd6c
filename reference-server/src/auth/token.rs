//! Connection tokens: issued over HTTP, good for opening one socket once.
//!
//! Lives in Redis under `ws_conn_token:{token}`; consumed by GETDEL, so of any number of racing
//! connects exactly one wins. GETDEL is never repeated: where its answer is lost the token is
//! burnt, and the client fetches another.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::directory::User;
use super::secret;
use crate::args::AuthArgs;
use crate::clock;
use crate::defect::{Defects, token_double_spend, token_reusable};
use crate::store::{Link, LinkError, script};

/// What a token stands for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The user's number.
    pub(crate) user_id: u64,
    /// The user's name.
    pub(crate) username: String,
    /// The client's name for the connection.
    pub(crate) connection_id: String,
    /// Seconds since 1970.
    pub(crate) created_at: u64,
    /// When the access token it was bought with ends, seconds since 1970.
    pub(crate) jwt_expires_at: u64,
}

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// The user asks too often.
    #[error("too many tokens asked for; again in {0:?}")]
    RateLimited(Duration),
    /// Redis did not take it.
    #[error(transparent)]
    Store(#[from] LinkError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
}

/// Why a token opens no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsumeError {
    /// Never issued, expired or used.
    #[error("unknown, expired or already used")]
    Unknown,
    /// Redis did not say.
    #[error(transparent)]
    Store(#[from] LinkError),
}

/// The connection tokens of a server.
pub(crate) struct Tokens {
    link: Arc<Link>,
    defects: Defects,
    life: Duration,
    /// Per second and user, and at once.
    allowance: (f64, u32),
}

impl Tokens {
    /// Those that are kept behind `link`.
    pub(crate) fn new(link: &Arc<Link>, auth: &AuthArgs, defects: &Defects) -> Self {
        Self {
            link: Arc::clone(link),
            defects: defects.clone(),
            life: auth.token_ttl,
            allowance: defects.token_allowance(auth.token_rate, auth.token_burst),
        }
    }

    /// Returns at once; with the defect `connect-hang`, when Redis answers.
    pub(crate) async fn wait(&self) {
        self.defects.wait_for_tokens(&self.link).await;
    }

    /// Issues a token to a user whose access token ends at `jwt_expires_at`.
    pub(crate) async fn issue(
        &self,
        user: &User,
        (connection_id, jwt_expires_at): (String, u64),
    ) -> Result<String, IssueError> {
        let token = secret::random_token()?;
        let grant = Grant {
            user_id: user.id,
            username: user.name.clone(),
            connection_id,
            created_at: clock::unix_s(),
            jwt_expires_at,
        };
        let (link, defects) = (&self.link, &self.defects);
        defects.wait_to_issue(link).await;
        let (rate, burst) = self.allowance;
        let arguments = [
            (1e6 / rate).round().to_string(),
            burst.to_string(),
            serde_json::to_string(&grant).expect("a grant is plain data"),
            clock::millis(defects.token_life(self.life, &token)).to_string(),
        ];
        let keys = [format!("rlt:{}", user.id), key(&token)];
        let wait_ms: u64 = link.script(&script::ISSUE, &keys, &arguments).await?;
        if wait_ms > 0 {
            return Err(IssueError::RateLimited(Duration::from_millis(wait_ms)));
        }
        defects.keep_token(link, &keys[1]).await?;
        tracing::debug!(target: "[WS_TOKEN]", token = secret::prefix(&token), user = user.id, "issued");
        Ok(token)
    }

    /// Uses a token up.
    pub(crate) async fn consume(&self, token: &str) -> Result<Grant, ConsumeError> {
        let plain = token.len() == 43
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !plain {
            return Err(ConsumeError::Unknown);
        }
        let (link, key) = (&self.link, key(token));
        let value = if self.defects.spends_twice() {
            token_double_spend::take(link, &key).await?
        } else if self.defects.reuses_tokens() {
            token_reusable::look(link, &key).await?
        } else {
            take(link, &key).await?
        };
        let grant = value.and_then(|value| serde_json::from_str(&value).ok());
        tracing::debug!(target: "[WS_TOKEN]", token = secret::prefix(token), accepted = grant.is_some(), "consumed");
        grant.ok_or(ConsumeError::Unknown)
    }
}

async fn take(link: &Link, key: &str) -> Result<Option<String>, LinkError> {
    let mut command = redis::cmd("GETDEL");
    command.arg(key);
    link.run(&command).await
}

fn key(token: &str) -> String {
    format!("ws_conn_token:{token}")
}
