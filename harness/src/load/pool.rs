//! This module is what a goose user does: it gets clients what opens their sockets, one after the other.
//!
//! **In:** [`Errand`]s of whichever client needs a credential. **Out:** a [`Ready`], or how it was refused.
//!
//! A client talks over HTTP for a moment and on its socket for an hour, and a goose user costs more memory than all the
//! rest of a client. So there are as many users as may be asking at once, and no more: up to [`estimate::REQUESTS_MAX`] each
//! client has one whenever it wants. Past that a client may have to wait, in the order of asking: that is lateness of the
//! harness, and one that waits for as long as a session may take to open has met a limit of ours.
//!
//! goose does not interrupt a transaction, and runs one that returns early again at once. So one lasts as long as there
//! are clients, and then waits for goose's signal in small steps.
//!
//! **Units:** microseconds since load start.

use std::time::Duration;

use goose::goose::GooseUser;

use super::credential::credential;
use super::denied::Denied;
use super::errand::{Errand, Ready};
use super::job::Job;
use super::user::UserContext;
use crate::failure::{Failure, FailureKind};
use crate::plan::visit::Visit;
use crate::plan::{ClientDefect, estimate};

/// How often a user that is no longer needed lets goose look for its Exit.
const PARKED: Duration = Duration::from_millis(20);
/// A shorter wait for a user is the way from one task to another.
const WAITED_US: u64 = 10_000;
/// Errands that may wait: more than there are clients.
pub(super) const ERRANDS_MAX: usize = 1 << 20;

/// Users for that many clients.
pub(super) fn users(clients: u32) -> u32 {
    clients.min(estimate::REQUESTS_MAX)
}

/// Runs errands until no client is left.
pub(super) async fn serve(user: &mut GooseUser, context: &UserContext) {
    user.client = context.job.target.requests.kept.clone();
    loop {
        let errand = tokio::select! {
            errand = context.errands.1.recv_async() => errand,
            () = context.finished.cancelled() => break,
        };
        // Boxed: goose holds a user's future, as large as its largest wait, for the whole run.
        let Ok(errand) = errand else { break };
        Box::pin(run(user, context, errand)).await;
    }
    tokio::time::sleep(PARKED).await;
}

async fn run(user: &mut GooseUser, context: &UserContext, mut errand: Errand) {
    let ready = tokio::select! {
        ready = ready(user, context, &mut errand) => ready,
        () = context.over.cancelled() => return,
    };
    let Errand { keys, reply, .. } = errand;
    if reply.send((keys, ready)).is_err() {
        tracing::trace!("a client was gone before its credential came");
    }
}

async fn ready(
    user: &mut GooseUser,
    context: &UserContext,
    errand: &mut Errand,
) -> Result<Ready, Denied> {
    let job = &context.job;
    let (begun_us, taken_us) = (errand.begun_us, job.clock.now_us());
    let timeout_us = job.load.session.connect_timeout_us;
    let waited_us = taken_us.saturating_sub(begun_us);
    if waited_us >= timeout_us {
        return Err(Denied::unserved());
    }
    if waited_us > WAITED_US {
        context.record(|recorder| recorder.late(errand.intended_us, waited_us));
    }
    // What it waited for a user is not the server's.
    let deadline_us = taken_us.saturating_add(timeout_us);
    aim(user, job, &errand.visit);
    let secret = credential(user, context, errand).await?;
    let stray = if job.load.has(ClientDefect::RacingConnects) {
        credential(user, context, errand).await.ok()
    } else {
        None
    };
    if job.clock.now_us() >= deadline_us {
        // The requests took all of the time: no connector was waited for.
        return Err(Denied::late(job.load.session.credential));
    }
    Ok(Ready {
        begun_us,
        deadline_us,
        secret,
        cookies: errand.keys.jar.header().unwrap_or_default(),
        stray,
    })
}

/// Points a user's HTTP requests at a client's share of the target.
fn aim(user: &mut GooseUser, job: &Job, visit: &Visit) {
    if let Some(base) = job.http_base(visit)
        && user.set_base_url(&base).is_err()
    {
        tracing::error!(
            base,
            "is no URL: this client's HTTP goes where the first one's does"
        );
    }
}

impl Denied {
    /// No user was free until the attempt's time was over.
    fn unserved() -> Self {
        Self {
            failure: Failure::new(FailureKind::ConnectQueue),
            unauthorized: false,
            retry_after_us: 0,
            repeated: false,
        }
    }
}
