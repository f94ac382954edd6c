//! This module is the life of one goose user: one client during one stay.
//!
//! **In:** its place in the order of starts. **Out:** nothing; its sessions run on a lane.
//!
//! ```text
//! wait for the start → login → token │ session on a lane → [ token → session ] again and again → wait for goose's Exit
//! ```
//!
//! What is left of the bar is a transaction of its own, `on_start`: after it goose sends what it counted of the user's
//! requests, and after any other only when there is more to add. A client that talks for an hour would keep its two
//! requests, and two kilobytes for them, for that hour, and goose's counts would lack them.
//!
//! A session whose credential ends soon goes on while its successor is opened, which then takes its place.
//!
//! The client model is that of the wire contract, section 6: after an abnormal close a new token,
//! exponential backoff, a bounded number of tries, then it gives up. The `Retry-After` of a refused request or
//! upgrade is added to the backoff, so that a client does not use up its tries in an outage it was told of. One that
//! never had a session by the end of its stay has given up too.
//!
//! goose does not interrupt a transaction, and runs one that returns early again at once. So a life
//! ends by the plan's clock, and one that is over waits for goose's signal in small steps.
//!
//! **Units:** microseconds since load start.

use std::time::Duration;

use goose::goose::GooseUser;

use super::defect;
use super::job::{Job, SessionEnd};
use super::session::{Attempt, attempt, ready};
use super::user::{Life, UserContext};
use crate::plan::visit::Visit;

/// How often a life that is over lets goose look for its Exit.
const PARKED: Duration = Duration::from_millis(250);
/// The same when the run is ending.
const PARKED_AT_END: Duration = Duration::from_millis(20);

/// Arrives when it is time, and gets what opens the first session.
pub(super) async fn arrive(user: &mut GooseUser, context: &UserContext) {
    let place = user.weighted_users_index;
    let Some(visit) = context.job.visits.get(place).copied() else {
        return;
    };
    // Boxed, here and below: goose holds a user's future, as large as its largest wait, for life.
    if !Box::pin(context.wait_for_start(&visit)).await {
        return;
    }
    aim(user, &context.job, &visit);
    let mut life = Box::new(Life::new(&context.job, visit));
    life.ready = Some(Box::pin(ready(user, context, &mut life, visit.start_us)).await);
    context.arrived(place, life);
}

/// Lives the life of a goose user that has arrived, once; returns soon when it is over.
pub(super) async fn live(user: &mut GooseUser, context: &UserContext) {
    let place = user.weighted_users_index;
    let Some(life) = context.begin(place) else {
        let visit = context.job.visits.get(place).copied();
        return Box::pin(park(context, visit)).await;
    };
    let visit = life.visit;
    Box::pin(stay(user, context, life)).await;
    Box::pin(context.leave(&visit)).await;
    // A client that gave up keeps its place until its stay is over: the run lasts as long as its
    // plan, and goose's own plan may be over before.
    Box::pin(context.sleep(context.job.clock.until(visit.end_us))).await;
}

/// Waits until goose may have something to say.
async fn park(context: &UserContext, visit: Option<Visit>) {
    let now_us = context.job.clock.now_us();
    let rest = match visit {
        Some(visit) if now_us < visit.end_us => context.job.clock.until(visit.end_us),
        _ => PARKED,
    };
    if context.over.is_cancelled() {
        tokio::time::sleep(PARKED_AT_END).await;
    } else {
        context.sleep(rest).await;
    }
}

/// Points a user's HTTP requests at its share of the target.
fn aim(user: &mut GooseUser, job: &Job, visit: &Visit) {
    if let Some(base) = job.http_base(visit)
        && user.set_base_url(&base).is_err()
    {
        tracing::error!(
            base,
            "is no URL: this client's HTTP goes where the first one's does"
        );
    }
    user.client = job.target.requests.kept.clone();
}

async fn stay(user: &mut GooseUser, context: &UserContext, mut life: Box<Life>) {
    let (job, visit) = (&context.job, life.visit);
    let mut intended_us = visit.start_us;
    while !context.over.is_cancelled() {
        let attempt = attempt(user, context, &mut life, intended_us).await;
        let now_us = job.clock.now_us();
        let (from_us, asked_us, idle) = match attempt {
            Attempt::Ended(SessionEnd::Finished | SessionEnd::HandedOver) => return,
            Attempt::Ended(SessionEnd::ComeBack { at_us, renew }) => {
                life.was_in = true;
                life.tries = 0;
                life.after_cut = false;
                if renew {
                    life.access = None;
                }
                intended_us = at_us;
                continue;
            }
            Attempt::Ended(SessionEnd::Cut {
                at_us,
                idle,
                fruitless,
            }) => {
                if !fruitless {
                    life.was_in = true;
                    life.tries = 0;
                }
                life.after_cut = true;
                (at_us, 0, idle)
            }
            Attempt::Ended(SessionEnd::Failed {
                failure,
                at_us,
                retry_after_us,
                idle,
            }) => {
                context.failed(&mut life, at_us, &failure);
                (at_us, retry_after_us, idle)
            }
            Attempt::Denied(denied) => {
                context.failed(&mut life, now_us, &denied.failure);
                let idle = now_us >= visit.end_us;
                (now_us, denied.retry_after_us, idle)
            }
        };
        if life.tries >= job.load.reconnect.attempts {
            context.gave_up(&life, now_us);
            return;
        }
        life.tries += 1;
        let wait_us = defect::backoff_us(&job.load, life.tries, asked_us, &mut life.jitter);
        intended_us = from_us.saturating_add(wait_us);
        let last_us = if idle {
            visit.end_us
        } else {
            job.stay_end_us(&visit)
        };
        if intended_us >= last_us {
            if !life.was_in {
                context.gave_up(&life, now_us);
            }
            return;
        }
        if !Box::pin(context.sleep(job.clock.until(intended_us))).await {
            return;
        }
    }
}
