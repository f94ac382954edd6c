//! This module gets a client what opens its next socket, by a goose user.
//!
//! **In:** an errand, with what the client kept from its last session. **Out:** a connection token, or the access token where the
//! plan says so; a refresh or a login comes before it where there is no good access token.

use goose::goose::GooseUser;

use super::defect;
use super::denied::Denied;
use super::errand::Errand;
use super::job::Job;
use super::token::{Way, login, refresh, token};
use super::user::UserContext;
use crate::account::Who;
use crate::plan::{Credential, asks_token};

/// The secret that opens the next socket.
pub(super) async fn credential(
    user: &mut GooseUser,
    context: &UserContext,
    errand: &mut Errand,
) -> Result<String, Denied> {
    let job = &context.job;
    if let Some(stale) = defect::stale_token(&job.load, errand.after_cut, errand.keys.used.as_ref())
    {
        return Ok(stale);
    }
    if job.load.session.credential == Credential::None {
        return Ok(String::new());
    }
    // Ahead of its end: who waits for a refusal pays for it with a request.
    if errand
        .keys
        .renew_us
        .is_some_and(|at_us| at_us <= job.clock.now_us())
    {
        errand.keys.access = None;
    }
    let mut fresh = errand.keys.access.is_none();
    loop {
        if errand.keys.access.is_none() {
            errand.keys.access = Some(access(user, context, errand).await?);
        }
        let Some(access) = errand.keys.access.as_deref() else {
            continue;
        };
        if !asks_token(job.target.dialect.as_deref(), job.load.session.credential) {
            return Ok(access.to_owned());
        }
        let connection_id = job.conversation(&errand.visit);
        let asked_us = job.clock.now_us();
        let wish = (access, connection_id.as_str());
        let result = token(user, way(job), wish, &mut errand.keys.jar).await;
        context.answered("connection token", &errand.visit, &result);
        context.token_answered(errand.intended_us, asked_us, &result);
        match result {
            Ok(granted) => {
                errand.keys.used = defect::remembered(&job.load, &granted.secret);
                return Ok(granted.secret);
            }
            // The access token has run out: log in again, once.
            Err(denied) if denied.unauthorized => {
                errand.keys.access = None;
                if fresh {
                    return Err(denied);
                }
                fresh = true;
            }
            Err(denied) => return Err(denied),
        }
    }
}

/// A new access token: by what is left of the last login, else by another one.
async fn access(
    user: &mut GooseUser,
    context: &UserContext,
    errand: &mut Errand,
) -> Result<String, Denied> {
    let job = &context.job;
    if let Some(cookie) = errand.keys.refresh.take() {
        let granted = refresh(user, way(job), &cookie).await;
        context.answered("refresh", &errand.visit, &granted);
        match granted {
            Ok(granted) => {
                errand.keys.refresh = Some(cookie);
                return Ok(granted.secret);
            }
            // A login may do instead.
            Err(denied) => context.noted(&denied.failure),
        }
    }
    let password = job.target.accounts.password(errand.visit.client);
    let account = job.account(&errand.visit);
    let who = Who {
        account: &account,
        password,
        cells: job.target.accounts.cells(errand.visit.client),
    };
    let granted = login(user, way(job), who, &mut errand.keys.jar).await;
    context.answered("login", &errand.visit, &granted);
    let granted = granted?;
    errand.keys.refresh = granted.refresh;
    errand.keys.renew_us = granted.renew_us;
    Ok(granted.secret)
}

fn way(job: &Job) -> Way<'_> {
    Way {
        clock: job.clock,
        dialect: job.target.dialect.as_deref(),
        place: (&job.target.http_base, &job.target.host_header),
        has_proxy: job.target.tunnel.is_some(),
        fresh: &job.target.requests.fresh,
    }
}
