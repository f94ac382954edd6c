//! Connection tokens: issued over HTTP, good for opening one socket once.
//!
//! Lives in Redis under `ws_conn_token:{token}`; consumed by GETDEL, so of any number of racing connects exactly
//! one wins. GETDEL is never repeated: where its answer is lost the token is burnt, and the client fetches another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::defect::{Defect, token_double_spend, token_immortal, token_reusable, token_ttl_drift};
use crate::directory::User;
use crate::shared::Shared;
use crate::store::{Link, LinkError, script};
use crate::{clock, secret};

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

/// Issues a token to a user whose access token ends at `jwt_expires_at`.
pub(crate) async fn issue(
    shared: &Shared,
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
    let (auth, defects) = (&shared.config.auth, shared.config.defects);
    let link = &shared.links.tokens;
    defects.wait_to_issue(link).await;
    let life = if defects.has(Defect::TokenTtlDrift) {
        token_ttl_drift::life(auth.token_ttl, &token)
    } else {
        auth.token_ttl
    };
    let (rate, burst) = defects.token_allowance(auth.token_rate, auth.token_burst);
    let arguments = [
        (1e6 / rate).round().to_string(),
        burst.to_string(),
        serde_json::to_string(&grant).expect("a grant is plain data"),
        clock::millis(life).to_string(),
    ];
    let keys = [format!("rlt:{}", user.id), key(&token)];
    let wait_ms: u64 = link.script(&script::ISSUE, &keys, &arguments).await?;
    if wait_ms > 0 {
        return Err(IssueError::RateLimited(Duration::from_millis(wait_ms)));
    }
    if defects.has(Defect::TokenImmortal) {
        token_immortal::keep(link, &keys[1]).await?;
    }
    tracing::debug!(target: "[WS_TOKEN]", token = secret::prefix(&token), user = user.id, "issued");
    Ok(token)
}

/// Uses a token up.
pub(crate) async fn consume(shared: &Shared, token: &str) -> Result<Grant, ConsumeError> {
    let plain = token.len() == 43
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !plain {
        return Err(ConsumeError::Unknown);
    }
    let (link, key, defects) = (&shared.links.tokens, key(token), shared.config.defects);
    let value = if defects.has(Defect::TokenDoubleSpend) {
        token_double_spend::take(link, &key).await?
    } else if defects.has(Defect::TokenReusable) {
        token_reusable::look(link, &key).await?
    } else {
        take(link, &key).await?
    };
    let grant = value.and_then(|value| serde_json::from_str(&value).ok());
    tracing::debug!(target: "[WS_TOKEN]", token = secret::prefix(token), accepted = grant.is_some(), "consumed");
    grant.ok_or(ConsumeError::Unknown)
}

async fn take(link: &Link, key: &str) -> Result<Option<String>, LinkError> {
    let mut command = redis::cmd("GETDEL");
    command.arg(key);
    link.run(&command).await
}

fn key(token: &str) -> String {
    format!("ws_conn_token:{token}")
}
