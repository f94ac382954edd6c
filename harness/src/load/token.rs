//! This module asks for credentials over HTTP, as a goose user, so that goose counts it too.
//!
//! **In:** an account, the cookie of a login or an access token. **Out:** an access token (`login`,
//! `refresh`) or a connection token (`token`), or how the request failed.
//!
//! The access token travels as `Authorization: Bearer`, which needs no CSRF header. One HTTP
//! client serves all users (a client each would cost 110 KiB and two files per user).

use goose::goose::{GooseMethod, GooseRequest, GooseUser};
use reqwest::{RequestBuilder, header};

use crate::account::{self, Ask, granted};
use crate::client::wire::retry_after_us;
use crate::clock::{RunClock, monotonic_ns};
use crate::plan::Dialect;

/// Names of the requests in goose's metrics.
const LOGIN: &str = "login";
const REFRESH: &str = "refresh";
const TOKEN: &str = "token";
const REFRESH_COOKIE: &str = "refresh_token=";
/// Longest answer that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A credential and when it was asked for and given.
#[derive(Debug)]
pub(super) struct Granted {
    pub secret: String,
    /// The cookie that gets the next access token, of a login that gives one.
    pub refresh: Option<String>,
    pub asked_us: u64,
    pub given_us: u64,
}

/// Why there is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// From a small fixed set.
    pub label: &'static str,
    /// The access token is not accepted (any more).
    pub unauthorized: bool,
    /// The server asked to wait that long.
    pub retry_after_us: u64,
}

/// Logs in. Without a login the password is the credential.
pub(super) async fn login(
    user: &mut GooseUser,
    clock: RunClock,
    dialect: Option<&Dialect>,
    (account, password): (&str, &str),
) -> Result<Granted, Denied> {
    let names = &LOGIN_LABELS;
    let asked_us = clock.now_us();
    let Some(path) = account::login_path(dialect) else {
        return Ok(Granted {
            secret: password.to_owned(),
            refresh: None,
            asked_us,
            given_us: asked_us,
        });
    };
    let Ok(builder) = user.get_request_builder(&GooseMethod::Post, path) else {
        return Err(denied(names.unreachable));
    };
    let builder = account::with_login(builder, dialect, (account, password));
    let Good { text, cookie } = request(user, names, builder).await?;
    let secret = granted(dialect, Ask::Login, 200, &text).map_err(|_unread| denied(names.body))?;
    Ok(Granted {
        secret,
        // Another server's refresh is not described.
        refresh: cookie.filter(|_| dialect.is_none()),
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
    })
}

/// A new access token for the cookie of a login (wire contract, section 1).
pub(super) async fn refresh(
    user: &mut GooseUser,
    clock: RunClock,
    cookie: &str,
) -> Result<Granted, Denied> {
    let names = &REFRESH_LABELS;
    let asked_us = clock.now_us();
    let Ok(builder) = user.get_request_builder(&GooseMethod::Post, account::REFRESH_PATH) else {
        return Err(denied(names.unreachable));
    };
    let builder = builder.header(header::COOKIE, cookie);
    let Good { text, .. } = request(user, names, builder).await?;
    let secret = granted(None, Ask::Refresh, 200, &text).map_err(|_unread| denied(names.body))?;
    Ok(Granted {
        secret,
        refresh: None,
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
    })
}

/// Fetches a connection token.
pub(super) async fn token(
    user: &mut GooseUser,
    clock: RunClock,
    dialect: Option<&Dialect>,
    (access, conversation): (&str, &str),
) -> Result<Granted, Denied> {
    let names = &TOKEN_LABELS;
    let asked_us = clock.now_us();
    let path = account::token_path(dialect);
    let Ok(builder) = user.get_request_builder(&GooseMethod::Post, path) else {
        return Err(denied(names.unreachable));
    };
    let builder = account::with_token_wish(builder.bearer_auth(access), dialect, conversation);
    let Good { text, .. } = request(user, names, builder).await?;
    let secret = granted(dialect, Ask::Token, 200, &text).map_err(|_unread| denied(names.body))?;
    Ok(Granted {
        secret,
        refresh: None,
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
    })
}

/// A good answer.
struct Good {
    text: Vec<u8>,
    /// `refresh_token=…`, as it is sent back.
    cookie: Option<String>,
}

async fn request(
    user: &mut GooseUser,
    names: &Labels,
    builder: RequestBuilder,
) -> Result<Good, Denied> {
    let unsent = denied(names.unreachable);
    let request = GooseRequest::builder()
        .method(GooseMethod::Post)
        .name(names.name)
        .set_request_builder(builder)
        .build();
    let Ok(goose) = user.request(request).await else {
        return Err(unsent);
    };
    let mut response = match goose.response {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(denied(names.timeout)),
        Err(_) => return Err(unsent),
    };
    let status = response.status().as_u16();
    let retry_after_us = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .and_then(retry_after_us)
        .unwrap_or(0);
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookie = cookies.find(|cookie| cookie.starts_with(REFRESH_COOKIE));
    let cookie = cookie.map(str::to_owned);
    // Read in any case, so that the connection can be used again.
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if text.len() + part.len() <= BODY_BYTES_MAX => text.extend(&part),
            Ok(None) => break,
            Ok(Some(_)) | Err(_) => return Err(denied(names.body)),
        }
    }
    if (200..300).contains(&status) {
        return Ok(Good { text, cookie });
    }
    Err(Denied {
        label: names.status(status),
        unauthorized: status == 401,
        retry_after_us,
    })
}

/// What a request's failures are called.
struct Labels {
    name: &'static str,
    unreachable: &'static str,
    timeout: &'static str,
    body: &'static str,
    /// By status; the last is for all others.
    statuses: [(u16, &'static str); 7],
}

const LOGIN_LABELS: Labels = Labels {
    name: LOGIN,
    unreachable: "login unreachable",
    timeout: "login timeout",
    body: "login: bad answer",
    statuses: [
        (400, "login 400"),
        (401, "login 401"),
        (429, "login 429"),
        (500, "login 500"),
        (502, "login 502"),
        (503, "login 503"),
        (0, "login: other status"),
    ],
};

const REFRESH_LABELS: Labels = Labels {
    name: REFRESH,
    unreachable: "refresh unreachable",
    timeout: "refresh timeout",
    body: "refresh: bad answer",
    statuses: [
        (400, "refresh 400"),
        (401, "refresh 401"),
        (429, "refresh 429"),
        (500, "refresh 500"),
        (502, "refresh 502"),
        (503, "refresh 503"),
        (0, "refresh: other status"),
    ],
};

const TOKEN_LABELS: Labels = Labels {
    name: TOKEN,
    unreachable: "token unreachable",
    timeout: "token timeout",
    body: "token: bad answer",
    statuses: [
        (400, "token 400"),
        (401, "token 401"),
        (429, "token 429"),
        (500, "token 500"),
        (502, "token 502"),
        (503, "token 503"),
        (0, "token: other status"),
    ],
};

impl Labels {
    fn status(&self, status: u16) -> &'static str {
        let known = self.statuses.iter().find(|known| known.0 == status);
        known.unwrap_or(&self.statuses[6]).1
    }
}

const fn denied(label: &'static str) -> Denied {
    Denied {
        label,
        unauthorized: false,
        retry_after_us: 0,
    }
}
