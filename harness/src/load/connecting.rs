//! This module opens the socket of a session.
//!
//! **In:** an [`OpenRequest`]. **Out:** the upgraded socket, or why there is none; the stages that it took are recorded.

use std::cell::Cell;

use super::job::OpenRequest;
use super::lane::LaneContext;
use crate::client::connector::{ConnectError, Destination, Opened, dial};
use crate::failure::{DialProblem, Failure, FailureKind, UpgradeProblem};
use crate::record::recorder::Span;
use crate::stage::Stage;

/// Opens the socket of a request, and the one that its client forgets, within its time; or says why
/// not, and how many microseconds the server asks to wait.
pub(super) async fn connected(
    lane: &LaneContext,
    request: &OpenRequest,
) -> Result<(Opened, Option<Opened>), (Failure, u64)> {
    let job = lane.job();
    let limit = job.clock.until(request.deadline_us);
    let step = Cell::new(Step::Dial);
    let connecting = connect(lane, request, &request.secret, &step);
    let result = tokio::select! {
        result = tokio::time::timeout(limit, connecting) => result.ok(),
        () = job.cancel.cancelled() => None,
    };
    tell(lane, request, result.as_ref());
    match result {
        Some(Ok(opened)) => {
            let mut forgotten = None;
            if let Some(stray) = &request.stray {
                let connecting = connect(lane, request, stray, &step);
                let opened = tokio::time::timeout(limit, connecting).await;
                forgotten = opened.ok().and_then(Result::ok);
            }
            stages(lane, request, &opened);
            Ok((opened, forgotten))
        }
        Some(Err(error)) => {
            let retry_after_us = error.retry_after_us().unwrap_or(0);
            Err((error.failure(), retry_after_us))
        }
        None if limit.is_zero() => Err((FailureKind::ConnectQueue.into(), 0)),
        None => {
            let kind = match step.get() {
                Step::Dial => FailureKind::Dial(DialProblem::Timeout),
                Step::Upgrade => FailureKind::Upgrade(UpgradeProblem::Timeout),
            };
            Err((kind.into(), 0))
        }
    }
}

/// How far an attempt got.
#[derive(Clone, Copy)]
enum Step {
    /// TCP, and TLS where it is wanted.
    Dial,
    Upgrade,
}

async fn connect(
    lane: &LaneContext,
    request: &OpenRequest,
    secret: &str,
    step: &Cell<Step>,
) -> Result<Opened, ConnectError> {
    let job = lane.job();
    let visit = &job.visits[request.place as usize];
    let dialect = job.target.dialect.as_deref();
    let path = job.path(visit);
    let to = Destination {
        address: job.address(visit),
        tunnel: job.target.tunnel.as_deref(),
        tls: job.target.tls.as_ref(),
        host_header: &job.target.host_header,
        path: &path,
        origin: dialect.and_then(|dialect| dialect.socket.origin.as_deref()),
        dialect,
        credential: job.load.session.credential,
        secret,
        cookies: &request.cookies,
        source: job.source(visit),
        receive_buffer_bytes: None,
    };
    let dialled = dial(&to).await?;
    step.set(Step::Upgrade);
    dialled.upgrade(&to).await
}

/// The upgrade, without its credential.
fn tell(lane: &LaneContext, request: &OpenRequest, result: Option<&Result<Opened, ConnectError>>) {
    let job = lane.job();
    job.trace.tell(job.clock.now_us(), || {
        let path = job.path(&job.visits[request.place as usize]);
        match result {
            Some(Ok(_)) => format!("upgrade {path}: 101"),
            Some(Err(error)) => format!("upgrade {path}: {error}"),
            None => format!("upgrade {path}: no answer"),
        }
    });
}

fn stages(lane: &LaneContext, request: &OpenRequest, opened: &Opened) {
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
