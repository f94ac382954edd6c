//! This module gets a goose user what opens its next socket.
//!
//! **In:** what a life kept from its last session. **Out:** a connection token, or the access token where the
//! plan says so; a refresh or a login comes before it where there is no good access token.

use goose::goose::GooseUser;

use super::defect;
use super::job::Job;
use super::token::{Denied, Way, login, refresh, token};
use super::user::{Life, UserContext};
use crate::plan::Credential;

/// The secret that opens the next socket.
pub(super) async fn credential(
    user: &mut GooseUser,
    context: &UserContext,
    life: &mut Life,
    intended_us: u64,
) -> Result<String, Denied> {
    let job = &context.job;
    if let Some(stale) = defect::stale_token(&job.load, life.after_cut, life.used.as_ref()) {
        return Ok(stale);
    }
    if job.load.session.credential == Credential::None {
        return Ok(String::new());
    }
    let mut fresh = life.access.is_none();
    loop {
        if life.access.is_none() {
            life.access = Some(access(user, context, life).await?);
        }
        let Some(access) = life.access.as_deref() else {
            continue;
        };
        if job.load.session.credential != Credential::ConnectionToken {
            return Ok(access.to_owned());
        }
        let connection_id = job.conversation(&life.visit);
        let asked_us = job.clock.now_us();
        let wish = (access, connection_id.as_str());
        let result = token(user, way(job), wish).await;
        context.answered("connection token", &life.account, &result);
        context.token_answered(intended_us, asked_us, &result);
        match result {
            Ok(granted) => {
                life.used = defect::remembered(&job.load, &granted.secret);
                return Ok(granted.secret);
            }
            // The access token has run out: log in again, once.
            Err(denied) if denied.unauthorized => {
                life.access = None;
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
    life: &mut Life,
) -> Result<String, Denied> {
    let job = &context.job;
    if let Some(cookie) = life.refresh.take() {
        let granted = refresh(user, way(job), &cookie).await;
        context.answered("refresh", &life.account, &granted);
        match granted {
            Ok(granted) => {
                life.refresh = Some(cookie);
                return Ok(granted.secret);
            }
            // A login may do instead.
            Err(denied) => context.noted(&denied.failure),
        }
    }
    let password = job.target.accounts.password(life.visit.client);
    let who = (life.account.as_str(), password);
    let granted = login(user, way(job), who).await;
    context.answered("login", &life.account, &granted);
    let granted = granted?;
    life.refresh = granted.refresh;
    Ok(granted.secret)
}

fn way(job: &Job) -> Way<'_> {
    Way {
        clock: job.clock,
        dialect: job.target.dialect.as_deref(),
        fresh: &job.target.requests.fresh,
    }
}
