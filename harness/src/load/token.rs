//! This module asks for credentials over HTTP, as a goose user, so that goose counts it too.
//!
//! **In:** an account, the cookie of a login or an access token. **Out:** an access token (`login`,
//! `refresh`) or a connection token (`token`), or how the request failed.
//!
//! The access token travels as `Authorization: Bearer`, which needs no CSRF header. One HTTP
//! client serves all users (a client each would cost 110 KiB and two files per user).

use goose::goose::{GooseMethod, GooseRequest, GooseUser, TransactionError};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method as HttpMethod, RequestBuilder, Response, header};

use super::denied::Denied;
use crate::account::{self, Ask, BODY_BYTES_MAX, Jar, NotGranted, Trail, Who, granted, is_success};
use crate::client::http::{request_problem, retry_after_us};
use crate::clock::{RunClock, monotonic_ns};
use crate::failure::{Request, RequestProblem};
use crate::format::append;
use crate::plan::Dialect;
use crate::route::noticing;
use crate::units;

const REFRESH_COOKIE: &str = "refresh_token=";
/// A credential and when it was asked for and given.
#[derive(Debug)]
pub(super) struct Granted {
    pub secret: String,
    /// The cookie that gets the next access token, of a login that gives one.
    pub refresh: Option<String>,
    /// When another access token is to follow this one; `None`: when it is refused.
    pub renew_us: Option<u64>,
    pub asked_us: u64,
    pub given_us: u64,
    /// The first request was lost with a kept connection.
    pub repeated: bool,
}

/// How requests are made.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub clock: RunClock,
    pub dialect: Option<&'a Dialect>,
    /// Where the target is asked, and the `Host` that it is told.
    pub place: (&'a str, &'a str),
    /// A proxy is on the way there.
    pub has_proxy: bool,
    /// Makes a new connection for every request.
    pub fresh: &'a Client,
}

/// Logs in. Without a login the password is the credential.
pub(super) async fn login(
    user: &mut GooseUser,
    way: Way<'_>,
    who: Who<'_>,
    jar: &mut Jar,
) -> Result<Granted, Denied> {
    let Way { clock, dialect, .. } = way;
    let asked_us = clock.now_us();
    let Some(path) = account::login_path(dialect) else {
        return Ok(Granted {
            secret: who.password.to_owned(),
            refresh: None,
            renew_us: None,
            asked_us,
            given_us: asked_us,
            repeated: false,
        });
    };
    let captured = page(user, way, jar).await?;
    let builder = prepared(user, (Request::Login, account::login_method(dialect)), path)?;
    let builder = account::with_login(builder, dialect, who, &captured);
    let builder = account::with_cookies(builder, jar);
    let good = request(user, way, Request::Login, builder).await;
    let good = good.map_err(|denied| denied.masked(&[who.password]))?;
    let Good {
        status,
        text,
        cookie,
        repeated,
        ..
    } = followed(user, way, (path, good), jar).await?;
    let secret = granted(dialect, Ask::Login, status, &text);
    let secret = secret.map_err(|why| unreadable(Request::Login, &why))?;
    Ok(Granted {
        secret,
        // Another server's refresh is not described.
        refresh: cookie.filter(|_| dialect.is_none()),
        renew_us: account::renewed_after(dialect, &text)
            .map(|after| asked_us.saturating_add(units::us(after))),
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
        repeated,
    })
}

/// The last answer to a login: where it leads on, and the scenario follows, the one at the end.
async fn followed(
    user: &mut GooseUser,
    way: Way<'_>,
    (path, mut good): (&str, Good),
    jar: &mut Jar,
) -> Result<Good, Denied> {
    let what = Request::Redirect;
    let mut trail = Trail::new(way.dialect, way.place, path);
    loop {
        account::keep(way.dialect, jar, &good.headers);
        let lead = trail.next(good.status, &good.headers);
        let lead = lead.map_err(|astray| {
            let problem = RequestProblem::Status(good.status);
            Denied::new(what, problem, &astray.to_string())
        })?;
        let Some(path) = lead else {
            return Ok(good);
        };
        let builder = prepared(user, (what, HttpMethod::GET), &path)?;
        let builder = account::with_cookies(builder, jar);
        let next = request(user, way, what, builder).await?;
        good = Good {
            cookie: next.cookie.or(good.cookie),
            repeated: next.repeated || good.repeated,
            ..next
        };
    }
}

/// Asks for the page before a login, where there is one; what the login repeats of it.
async fn page(
    user: &mut GooseUser,
    way: Way<'_>,
    jar: &mut Jar,
) -> Result<Vec<(String, String)>, Denied> {
    let Some(path) = account::page_path(way.dialect) else {
        return Ok(Vec::new());
    };
    let builder = prepared(user, (Request::Page, HttpMethod::GET), path)?;
    let builder = account::with_cookies(builder, jar);
    let good = request(user, way, Request::Page, builder).await?;
    account::keep(way.dialect, jar, &good.headers);
    let captured = account::captured_of_page(way.dialect, &good.text, jar);
    captured.map_err(|why| Denied::new(Request::Page, RequestProblem::Unreadable, &why))
}

/// A new access token for the cookie of a login (wire contract, section 1).
pub(super) async fn refresh(
    user: &mut GooseUser,
    way: Way<'_>,
    cookie: &str,
) -> Result<Granted, Denied> {
    let clock = way.clock;
    let asked_us = clock.now_us();
    let builder = prepared(
        user,
        (Request::Refresh, HttpMethod::POST),
        account::REFRESH_PATH,
    )?;
    let builder = builder.header(header::COOKIE, cookie);
    let good = request(user, way, Request::Refresh, builder).await?;
    let Good {
        status,
        text,
        repeated,
        ..
    } = good;
    let secret = granted(None, Ask::Refresh, status, &text);
    let secret = secret.map_err(|why| unreadable(Request::Refresh, &why))?;
    Ok(Granted {
        secret,
        refresh: None,
        renew_us: None,
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
        repeated,
    })
}

/// Fetches a connection token.
pub(super) async fn token(
    user: &mut GooseUser,
    way: Way<'_>,
    (access, conversation): (&str, &str),
    jar: &mut Jar,
) -> Result<Granted, Denied> {
    let Way { clock, dialect, .. } = way;
    let asked_us = clock.now_us();
    let path = account::token_path(dialect);
    let builder = prepared(user, (Request::Token, HttpMethod::POST), path)?;
    let builder = account::with_cookies(account::with_access(builder, access), jar);
    let builder = account::with_token_wish(builder, dialect, conversation);
    let good = request(user, way, Request::Token, builder).await;
    let good = good.map_err(|denied| {
        let secrets: Vec<&str> = jar.secrets().chain([access]).collect();
        denied.masked(&secrets)
    })?;
    account::keep(dialect, jar, &good.headers);
    let Good {
        status,
        text,
        repeated,
        ..
    } = good;
    let secret = granted(dialect, Ask::Token, status, &text);
    let secret = secret.map_err(|why| unreadable(Request::Token, &why))?;
    Ok(Granted {
        secret,
        refresh: None,
        renew_us: None,
        asked_us,
        given_us: clock.at_us(monotonic_ns()),
        repeated,
    })
}

/// A good answer.
struct Good {
    status: u16,
    text: Vec<u8>,
    /// `refresh_token=…`, as it is sent back.
    cookie: Option<String>,
    headers: HeaderMap,
    /// It is that of the second request.
    repeated: bool,
}

/// A request to that path, as goose wants it.
fn prepared(
    user: &GooseUser,
    (request, method): (Request, HttpMethod),
    path: &str,
) -> Result<RequestBuilder, Denied> {
    let method = match method {
        HttpMethod::GET => GooseMethod::Get,
        HttpMethod::PUT => GooseMethod::Put,
        _ => GooseMethod::Post,
    };
    let builder = user.get_request_builder(&method, path);
    // Only a path that makes no URL is refused, and plans hold none.
    builder.map_err(|error| Denied::new(request, RequestProblem::Unsent, &error.to_string()))
}

fn unreadable(request: Request, why: &NotGranted) -> Denied {
    Denied::new(request, RequestProblem::Unreadable, &why.to_string())
}

/// Asks; once more on a new connection where the first request was lost with one that was kept.
async fn request(
    user: &mut GooseUser,
    way: Way<'_>,
    what: Request,
    builder: RequestBuilder,
) -> Result<Good, Denied> {
    let again = builder.try_clone();
    let (first, dialled) = noticing(sent(user, what, builder)).await;
    let again = again.filter(|_| !dialled && first.as_ref().is_err_and(Denied::is_lost));
    let Some(builder) = again else {
        let first = first.map_err(|denied| denied.behind(way.has_proxy))?;
        return read(way, what, first).await;
    };
    let kept = std::mem::replace(&mut user.client, way.fresh.clone());
    let second = sent(user, what, builder).await;
    user.client = kept;
    let answer = async { read(way, what, second?).await }.await;
    answer
        .map(|good| Good {
            repeated: true,
            ..good
        })
        .map_err(|denied| Denied {
            repeated: true,
            ..denied.behind(way.has_proxy)
        })
}

/// Has goose send it, and count it.
async fn sent(
    user: &mut GooseUser,
    what: Request,
    builder: RequestBuilder,
) -> Result<Response, Denied> {
    let method = match what {
        Request::Page | Request::Redirect => GooseMethod::Get,
        Request::Login | Request::Refresh | Request::Token => GooseMethod::Post,
    };
    let request = GooseRequest::builder()
        .method(method)
        .name(what.name())
        .set_request_builder(builder)
        .build();
    match user.request(request).await {
        Ok(goose) => goose.response.map_err(|error| broken(what, &error)),
        Err(error) => Err(match *error {
            TransactionError::Reqwest(error) => broken(what, &error),
            error => Denied::new(what, RequestProblem::Unsent, &error.to_string()),
        }),
    }
}

/// Reads an answer.
async fn read(way: Way<'_>, what: Request, mut response: Response) -> Result<Good, Denied> {
    let status = response.status().as_u16();
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let retry_after = header("retry-after");
    let location = header("location");
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookie = cookies.find(|cookie| cookie.starts_with(REFRESH_COOKIE));
    let cookie = cookie.map(str::to_owned);
    // Read in any case, so that the connection can be used again; of a refusal as much as there is.
    let granted = is_good(way.dialect, what, status);
    let is_of_page = matches!(what, Request::Page | Request::Redirect)
        || account::is_followed(way.dialect, status);
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if text.len() + part.len() <= BODY_BYTES_MAX => text.extend(&part),
            Ok(None) => break,
            Ok(Some(_)) | Err(_) if !granted => break,
            // Of a page the beginning has to do.
            Ok(Some(_)) if is_of_page => break,
            Ok(Some(_)) => {
                let words = format!("at most {BODY_BYTES_MAX} bytes are read");
                return Err(Denied::new(what, RequestProblem::TooLong, &words));
            }
            Err(error) => return Err(broken(what, &error)),
        }
    }
    if granted {
        return Ok(Good {
            status,
            text,
            cookie,
            headers: std::mem::take(response.headers_mut()),
            repeated: false,
        });
    }
    let mut words = account::quoted(&text);
    if let Some(location) = location {
        words = format!("Location: {} {words}", account::location(&location));
    }
    if let Some(retry_after) = &retry_after {
        append(&mut words, format_args!(" (Retry-After: {retry_after})"));
    }
    let denied = Denied::new(what, RequestProblem::Status(status), &words);
    Err(Denied {
        unauthorized: status == 401,
        retry_after_us: retry_after.as_deref().and_then(retry_after_us).unwrap_or(0),
        ..denied
    })
}

/// Whether an answer with that status is read on.
fn is_good(dialect: Option<&Dialect>, what: Request, status: u16) -> bool {
    match what {
        Request::Login | Request::Redirect => {
            is_success(dialect, Ask::Login, status) || account::is_followed(dialect, status)
        }
        Request::Page | Request::Refresh | Request::Token => matches!(status, 200..=299),
    }
}

/// Why there is no answer, or no whole one.
fn broken(request: Request, error: &reqwest::Error) -> Denied {
    let (problem, words) = request_problem(error);
    Denied::new(request, problem, &words)
}
