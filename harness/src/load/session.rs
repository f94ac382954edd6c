//! This module is a client's sessions as its life sees them: one after the other, and two at once while one succeeds
//! the other.
//!
//! **In:** when a session should begin. **Out:** [`Attempt`]: how the last of those that succeeded each other ended.

use tokio::sync::oneshot;

use super::defect;
use super::denied::Denied;
use super::errand::Ready;
use super::job::{Command, OpenRequest, SessionEnd};
use super::user::{Life, UserContext};

/// How an attempt at a session ended.
pub(super) enum Attempt {
    Ended(SessionEnd),
    /// No credential.
    Denied(Denied),
}

/// One attempt at a session, and the sessions that succeed it.
pub(super) async fn attempt(context: &UserContext, life: &mut Life, intended_us: u64) -> Attempt {
    let mut session = match ask(context, life, intended_us).await {
        Ok(session) => session,
        Err(denied) => return Attempt::Denied(denied),
    };
    loop {
        let Session { answer, renewal } = &mut session;
        tokio::select! {
            biased;
            end = ended(answer, context) => return Attempt::Ended(end),
            () = is_wanted(renewal) => {}
        }
        match Box::pin(succeed(context, life, &mut session)).await {
            Next::Session(next) => session = next,
            Next::Ended(end) => return Attempt::Ended(end),
        }
    }
}

/// Gets a credential and asks a lane for a session.
async fn ask(context: &UserContext, life: &mut Life, intended_us: u64) -> Result<Session, Denied> {
    if life.after_cut {
        context.record(|recorder| recorder.session(intended_us).reconnect_attempts += 1);
    }
    let Ready {
        begun_us,
        deadline_us,
        secret,
        cookies,
        stray,
    } = context.ready(life, intended_us).await?;
    let (reply, answer) = oneshot::channel();
    let (renew, renewal) = oneshot::channel();
    let request = OpenRequest {
        place: life.visit.place,
        secret,
        cookies,
        stray,
        intended_us,
        begun_us,
        deadline_us,
        reply,
        renew,
    };
    // A lane that is gone drops the request, and with it its side of the answer.
    Box::pin(context.tell(&life.visit, Command::Open(Box::new(request)))).await;
    Ok(Session {
        answer,
        renewal: Some(renewal),
    })
}

/// Opens a successor to a session while that one goes on; as often as after a cut, then it is left alone.
async fn succeed(context: &UserContext, life: &mut Life, session: &mut Session) -> Next {
    let job = &context.job;
    life.keys.access = None;
    life.after_cut = false;
    life.was_in = true;
    let mut intended_us = job.clock.now_us();
    for nth in 1..=job.load.reconnect.attempts {
        let (from_us, asked_us) = match ask(context, life, intended_us).await {
            Err(denied) => {
                let now_us = job.clock.now_us();
                context.failed(life, now_us, &denied.failure);
                (now_us, denied.retry_after_us)
            }
            Ok(mut next) => tokio::select! {
                biased;
                end = ended(&mut session.answer, context) => return match end {
                    SessionEnd::Finished => Next::Ended(end),
                    // Handed over, or over by itself: the next one is in its place.
                    SessionEnd::Cut { .. } => {
                        life.after_cut = true;
                        Next::Session(next)
                    }
                    _ => Next::Session(next),
                },
                end = ended(&mut next.answer, context) => {
                    let SessionEnd::Failed { failure, at_us, retry_after_us, .. } = end else {
                        break;
                    };
                    context.failed(life, at_us, &failure);
                    (at_us, retry_after_us)
                }
            },
        };
        let wait_us = defect::backoff_us(&job.load, nth, asked_us, &mut life.jitter);
        intended_us = from_us.saturating_add(wait_us);
        tokio::select! {
            biased;
            end = ended(&mut session.answer, context) => return Next::Ended(end),
            _ = context.sleep(job.clock.until(intended_us)) => {}
        }
    }
    Next::Ended(ended(&mut session.answer, context).await)
}

/// What follows the wish for a successor.
enum Next {
    /// The session to wait for from now on.
    Session(Session),
    /// There is no other, and this one has ended.
    Ended(SessionEnd),
}

/// A session that a lane was asked for.
struct Session {
    answer: oneshot::Receiver<SessionEnd>,
    /// Fires when a successor is wanted; `None`: it has.
    renewal: Option<oneshot::Receiver<()>>,
}

/// How a session ended, once.
async fn ended(answer: &mut oneshot::Receiver<SessionEnd>, context: &UserContext) -> SessionEnd {
    tokio::select! {
        // A lane that is gone says nothing.
        end = answer => end.unwrap_or(SessionEnd::Finished),
        () = context.stuck.cancelled() => SessionEnd::Finished,
    }
}

/// Waits until a successor is wanted; it may be that none ever is.
async fn is_wanted(renewal: &mut Option<oneshot::Receiver<()>>) {
    if let Some(receiver) = renewal.as_mut() {
        let wanted = receiver.await.is_ok();
        *renewal = None;
        if wanted {
            return;
        }
    }
    std::future::pending::<()>().await;
}
