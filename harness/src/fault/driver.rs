//! This module walks the fault timeline.
//!
//! **In:** the planned faults. **Out:** their stamps, in the plan's order.
//!
//! The faults run in a thread and runtime of their own, so that neither thousands of clients nor a
//! slow disk delay an injection: what still does is the machine, and is recorded as its pause.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::down::Down;
use super::event::FaultEvent;
use super::flush::Flush;
use super::lifecycle::{Extent, Lifecycle};
use super::process::Process;
use super::reset_now::ResetNow;
use super::toxic::Toxic;
use super::{FaultError, Links};
use crate::clock::RunClock;
use crate::environment::{Child, FaultAccess, link_name};
use crate::plan::{Link, Mechanism, PlannedFault, Reach};
use crate::record::fault::{FaultBoard, FaultStamps};

/// How long nothing must answer to be called silent, unless the fault is shorter than three of it.
const SILENCE: Duration = Duration::from_millis(500);
const SILENCES_PER_FAULT: u64 = 3;

/// Causes and heals every fault at its time; returns their stamps in the plan's order.
///
/// `events` is only ever tried: a slow listener misses lines, it does not delay a fault. After
/// `cancel` (or when the returned future is dropped) nothing more is injected, and what is in force
/// is healed at once. Returns at the latest half a minute after the last heal.
#[expect(
    clippy::too_many_arguments,
    reason = "six handles of six rooms, each named at the one place that calls this"
)]
pub(crate) async fn drive(
    faults: &[PlannedFault],
    access: FaultAccess,
    clock: RunClock,
    board: Arc<FaultBoard>,
    events: mpsc::Sender<FaultEvent>,
    cancel: CancellationToken,
) -> Vec<FaultStamps> {
    let planned = faults.to_vec();
    let cancel = cancel.child_token();
    let guard = cancel.clone().drop_guard();
    let (done, finished) = oneshot::channel();
    let started = std::thread::Builder::new()
        .name("faults".to_owned())
        .spawn(move || {
            let common = Common {
                access,
                clock,
                board,
                events,
                cancel,
            };
            // Whoever waited may have gone; the faults are healed all the same.
            drop(done.send(run(planned, &common)));
        });
    let stamps = match started {
        Ok(_) => finished.await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    drop(guard);
    match stamps {
        Ok(Ok(stamps)) => stamps,
        Ok(Err(reason)) | Err(reason) => vec![unusable(&reason); faults.len()],
    }
}

/// What all faults share.
#[derive(Clone)]
struct Common {
    access: FaultAccess,
    clock: RunClock,
    board: Arc<FaultBoard>,
    events: mpsc::Sender<FaultEvent>,
    cancel: CancellationToken,
}

fn run(planned: Vec<PlannedFault>, common: &Common) -> Result<Vec<FaultStamps>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut stamps = vec![FaultStamps::default(); planned.len()];
    runtime.block_on(async {
        let mut lives = JoinSet::new();
        for (index, fault) in planned.into_iter().enumerate() {
            let common = common.clone();
            lives.spawn(async move { (index, one(index, fault, common).await) });
        }
        while let Some(ended) = lives.join_next().await {
            let (index, of_fault) = ended.map_err(|error| error.to_string())?;
            if let Some(slot) = stamps.get_mut(index) {
                *slot = of_fault;
            }
        }
        Ok(stamps)
    })
}

async fn one(index: usize, planned: PlannedFault, common: Common) -> FaultStamps {
    let access = &common.access;
    let lifecycle = Lifecycle {
        index,
        at_us: planned.at_us,
        for_us: planned.for_us,
        extent: match planned.kind.is_moment() {
            true => Extent::Moment,
            false if planned.condition => Extent::Whole,
            false => Extent::Window,
        },
        readyz_url: match planned.kind.link() {
            Some(Link::Edge) if access.readyz_on_edge => None,
            _ => Some(access.readyz_url.clone()),
        },
        http: access.http.clone(),
        clock: common.clock,
        board: Arc::clone(&common.board),
        events: common.events.clone(),
        cancel: common.cancel.clone(),
    };
    let silence = SILENCE.min(Duration::from_micros(planned.for_us / SILENCES_PER_FAULT));
    let lived = cause(access, &planned, silence, lifecycle).await;
    lived.unwrap_or_else(|error| unusable(&error.to_string()))
}

/// Causes the fault by its mechanism, and leads it through its life.
async fn cause(
    access: &FaultAccess,
    planned: &PlannedFault,
    silence: Duration,
    lifecycle: Lifecycle,
) -> Result<FaultStamps, FaultError> {
    Ok(match planned.kind.mechanism() {
        Mechanism::Disable => {
            let links = links(access, planned)?;
            lifecycle.lead(&Down { links }).await
        }
        Mechanism::ResetNow { share_ratio } => {
            let fault = ResetNow::new(links(access, planned)?, share_ratio);
            lifecycle.lead(&fault).await
        }
        Mechanism::Toxic(model, sign) => {
            let name = format!("harness-{}-{}", access.run_id, planned.name);
            let links = links(access, planned)?;
            let fault = Toxic::new(links, &name, planned, (&model, sign), silence);
            lifecycle.lead(&fault).await
        }
        Mechanism::Process(action) => {
            let child = process(access, planned)?;
            let fault = Process {
                child,
                action,
                silence,
            };
            lifecycle.lead(&fault).await
        }
        Mechanism::FlushTokens => {
            let redis = process(access, planned)?;
            let store = access.tokens.clone().ok_or(FaultError::NoRedis)?;
            lifecycle.lead(&Flush { store, redis }).await
        }
    })
}

fn process(access: &FaultAccess, planned: &PlannedFault) -> Result<Child, FaultError> {
    match planned.kind.reach() {
        Reach::Redis => access.redis.clone().ok_or(FaultError::NoRedis),
        Reach::Server => access.server.clone().ok_or(FaultError::NoServer),
        Reach::Bytes(_) | Reach::Connections | Reach::Link => Err(FaultError::NoProcess),
    }
}

fn links(access: &FaultAccess, planned: &PlannedFault) -> Result<Links, FaultError> {
    let link = planned.kind.link().ok_or(FaultError::NoLink)?;
    let mut found = Vec::new();
    for single in link.singles() {
        let link = link_name(*single);
        let proxies = access.links.get(single);
        found.extend_from_slice(proxies.ok_or(FaultError::NoProxy { link })?);
    }
    Links::new(found)
}

fn unusable(reason: &str) -> FaultStamps {
    FaultStamps {
        problem: Some(reason.to_owned()),
        ..FaultStamps::default()
    }
}
