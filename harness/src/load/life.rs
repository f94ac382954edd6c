//! This module is the life of one client during one stay.
//!
//! **In:** its stay, when it begins. **Out:** nothing; its requests are a goose user's, its sessions run on a lane.
//!
//! ```text
//! login, token, session on a lane → [ token → session ] again and again
//! ```
//!
//! A session whose credential ends soon goes on while its successor is opened, which then takes its place.
//!
//! The client model is that of the wire contract, section 6: after an abnormal close a new token,
//! exponential backoff, a bounded number of tries, then it gives up. The `Retry-After` of a refused request or
//! upgrade is added to the backoff, so that a client does not use up its tries in an outage it was told of. One that
//! never had a session by the end of its stay has given up too.
//!
//! **Units:** microseconds since load start.

use std::sync::Arc;

use super::defect;
use super::job::SessionEnd;
use super::session::{Attempt, attempt};
use super::user::{Life, UserContext};
use crate::plan::visit::Visit;

/// Lives it.
pub(super) async fn live(context: Arc<UserContext>, visit: Visit) {
    stay(&context, Life::new(&context.job, visit)).await;
    context.leave(&visit).await;
    // A client that gave up keeps its place until its stay is over: the run lasts as long as its plan.
    context.sleep(context.job.clock.until(visit.end_us)).await;
}

async fn stay(context: &UserContext, mut life: Life) {
    let (job, visit) = (&context.job, life.visit);
    let mut intended_us = visit.start_us;
    while !context.over.is_cancelled() {
        let attempt = attempt(context, &mut life, intended_us).await;
        let now_us = job.clock.now_us();
        let (from_us, asked_us, idle) = match attempt {
            Attempt::Ended(SessionEnd::Finished | SessionEnd::HandedOver) => return,
            Attempt::Ended(SessionEnd::ComeBack { at_us, renew }) => {
                life.was_in = true;
                life.tries = 0;
                life.after_cut = false;
                if renew {
                    life.keys.access = None;
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
