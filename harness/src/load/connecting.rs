//! This module opens sessions for a lane, a bounded number at a time.
//!
//! **In:** [`OpenRequest`]s. **Out:** sockets handed to the lane, or [`SessionEnd::Failed`].
//!
//! A few connector tasks take requests from one queue: a task is as large as the largest wait of
//! its life, so thousands of clients must not each carry a connect.

use std::cell::Cell;
use std::rc::Rc;

use super::job::{OpenRequest, SessionEnd, answer};
use super::lane::Lane;
use crate::client::connector::{ConnectError, Destination, Opened, dial};
use crate::failure::{DialProblem, FailureKind, UpgradeProblem};
use crate::record::recorder::Span;
use crate::stage::Stage;

/// Connects under way at once, per lane: enough that a target which hangs does not make those who
/// come after it wait for the harness.
pub(super) const CONNECTORS_MAX: usize = 1_024;

/// Takes requests until there are none.
pub(super) async fn connector(lane: Rc<Lane>) {
    while let Some(request) = lane.next_request() {
        let job = lane.job();
        let limit = job.clock.until(request.deadline_us);
        let step = Cell::new(Step::Dial);
        let connecting = connect(&lane, &request, (&request.secret, &step));
        let result = tokio::select! {
            result = tokio::time::timeout(limit, connecting) => result.ok(),
            () = job.cancel.cancelled() => None,
        };
        tell(&lane, &request, result.as_ref());
        match result {
            Some(Ok(opened)) => {
                if let Some(stray) = &request.stray {
                    let connecting = connect(&lane, &request, (stray, &step));
                    let opened = tokio::time::timeout(limit, connecting).await;
                    lane.forget(opened.ok().and_then(Result::ok));
                }
                stages(&lane, &request, &opened);
                Lane::install(&lane, request, opened.socket);
            }
            Some(Err(error)) => {
                let retry_after_us = error.retry_after_us().unwrap_or(0);
                lane.connect_failed(request, error.failure(), retry_after_us);
            }
            None if limit.is_zero() => {
                lane.connect_failed(request, FailureKind::ConnectQueue.into(), 0);
            }
            None => {
                let kind = match step.get() {
                    Step::Dial => FailureKind::Dial(DialProblem::Timeout),
                    Step::Upgrade => FailureKind::Upgrade(UpgradeProblem::Timeout),
                };
                lane.connect_failed(request, kind.into(), 0);
            }
        }
    }
    lane.connector_done();
}

/// How far an attempt got.
#[derive(Clone, Copy)]
enum Step {
    /// TCP, and TLS where it is wanted.
    Dial,
    Upgrade,
}

async fn connect(
    lane: &Lane,
    request: &OpenRequest,
    (secret, step): (&str, &Cell<Step>),
) -> Result<Opened, ConnectError> {
    let job = lane.job();
    let visit = &job.visits[request.number as usize];
    let dialect = job.target.dialect.as_deref();
    let path = job.path(visit);
    let to = Destination {
        address: job.address(visit),
        tls: job.target.tls.as_ref(),
        host_header: &job.target.host_header,
        path: &path,
        origin: dialect.and_then(|dialect| dialect.socket.origin.as_deref()),
        dialect,
        credential: job.load.session.credential,
        secret,
        source: job.source(visit),
        receive_buffer_bytes: None,
    };
    let dialled = dial(&to).await?;
    step.set(Step::Upgrade);
    dialled.upgrade(&to).await
}

/// The upgrade, without its credential.
fn tell(lane: &Lane, request: &OpenRequest, result: Option<&Result<Opened, ConnectError>>) {
    let job = lane.job();
    job.trace.tell(job.clock.now_us(), || {
        let path = job.path(&job.visits[request.number as usize]);
        match result {
            Some(Ok(_)) => format!("upgrade {path}: 101"),
            Some(Err(error)) => format!("upgrade {path}: {error}"),
            None => format!("upgrade {path}: no answer"),
        }
    });
}

fn stages(lane: &Lane, request: &OpenRequest, opened: &Opened) {
    let clock = lane.job().clock;
    let mut recorder = lane.recorder();
    let steps = [
        (Stage::Tcp, opened.tcp_begun_ns, opened.tcp_done_ns),
        (Stage::Tls, opened.tcp_done_ns, opened.tls_done_ns),
        (Stage::Upgrade, opened.tls_done_ns, opened.upgrade_done_ns),
    ];
    let encrypted = lane.job().target.tls.is_some();
    for (stage, begun_ns, end_ns) in steps {
        if stage == Stage::Tls && !encrypted {
            continue;
        }
        recorder.session_stage(
            stage,
            Span {
                intended_us: request.intended_us,
                begun_us: clock.at_us(begun_ns),
                end_us: clock.at_us(end_ns),
            },
        );
    }
}

/// Answers a request whose session will not be opened because everything ends.
pub(super) fn turn_away(request: OpenRequest) {
    answer(request.reply, SessionEnd::Finished);
}
