//! Flags about users, tokens and origins.

use std::time::Duration;

use clap::Args;

use super::value::{Refuse, duration};

/// Flags about users, tokens and origins.
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    /// Password of every user; random and printed to the log if absent.
    #[arg(long, env = "REFERENCE_SERVER_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Users that exist: user-000001 and so on.
    #[arg(long, env = "REFERENCE_SERVER_USERS", default_value_t = 1_000_000)]
    pub(crate) users: u64,
    /// Admins that exist: admin-000001 and so on.
    #[arg(long, env = "REFERENCE_SERVER_ADMINS", default_value_t = 100)]
    pub(crate) admins: u64,
    /// Participants of a people chat: chat n is of the users nK+1 to nK+K.
    #[arg(long, env = "REFERENCE_SERVER_PARTICIPANTS", default_value_t = 10)]
    pub(crate) participants: u64,
    /// Key that signs access and refresh tokens; random if absent.
    #[arg(long, env = "REFERENCE_SERVER_JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,
    /// Life of an access token.
    #[arg(long, env = "REFERENCE_SERVER_JWT_TTL", default_value = "15m", value_parser = duration)]
    pub(crate) jwt_ttl: Duration,
    /// Life of a refresh token.
    #[arg(long, env = "REFERENCE_SERVER_REFRESH_TTL", default_value = "7d", value_parser = duration)]
    pub(crate) refresh_ttl: Duration,
    /// How long before its access token expires a socket is told.
    #[arg(long, env = "REFERENCE_SERVER_JWT_WARNING", default_value = "2m", value_parser = duration)]
    pub(crate) jwt_warning: Duration,
    /// Life of a connection token.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_TTL", default_value = "60s", value_parser = duration)]
    pub(crate) token_ttl: Duration,
    /// Connection tokens per second and user.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_RATE", default_value_t = 10.0)]
    pub(crate) token_rate: f64,
    /// Connection tokens a user may ask for at once.
    #[arg(long, env = "REFERENCE_SERVER_TOKEN_BURST", default_value_t = 50)]
    pub(crate) token_burst: u32,
    /// Origin that may connect besides the host itself, as `https://chat.example`. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_ALLOWED_ORIGIN", value_delimiter = ',')]
    pub(crate) allowed_origin: Vec<String>,
    /// How a socket that must not be opened is refused.
    #[arg(
        long,
        env = "REFERENCE_SERVER_REFUSE",
        value_enum,
        default_value = "close"
    )]
    pub(crate) refuse: Refuse,
}
