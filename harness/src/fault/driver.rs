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
use super::life::{Lasts, Life, live};
use super::process::{Blow, Process};
use super::reset_now::ResetNow;
use super::toxic::Toxic;
use super::{FaultError, Links};
use crate::clock::RunClock;
use crate::environment::{Child, FaultAccess, link_name};
use crate::plan::{FaultKind, Link, PlannedFault};
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
    let name = format!("harness-{}-{}", access.run_id, planned.name);
    let life = Life {
        index,
        at_us: planned.at_us,
        for_us: planned.for_us,
        lasts: match planned.kind.is_moment() {
            true => Lasts::Moment,
            false if planned.condition => Lasts::Whole,
            false => Lasts::Window,
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
    let redis = access.redis.clone().ok_or(FaultError::NoRedis);
    let server = access.server.clone().ok_or(FaultError::NoServer);
    let lived = match planned.kind {
        FaultKind::RedisKill => process(redis, Blow::Kill, life).await,
        FaultKind::RedisPause => process(redis, Blow::Pause { silence }, life).await,
        FaultKind::RedisRestart => process(redis, Blow::Restart, life).await,
        FaultKind::RedisFlush => match (redis, access.tokens.clone()) {
            (Ok(redis), Some(store)) => Ok(live(&Flush { store, redis }, life).await),
            _ => Err(FaultError::NoRedis),
        },
        FaultKind::ServerKill => process(server, Blow::Kill, life).await,
        FaultKind::ServerPause => process(server, Blow::Pause { silence }, life).await,
        FaultKind::ServerRestart => process(server, Blow::Restart, life).await,
        FaultKind::Down { link } => match links(access, link) {
            Ok(links) => Ok(live(&Down { links }, life).await),
            Err(error) => Err(error),
        },
        FaultKind::ResetNow { link } => match links(access, link) {
            Ok(links) => Ok(live(&ResetNow::new(links), life).await),
            Err(error) => Err(error),
        },
        kind => {
            let links = kind.link().map(|link| links(access, link)).transpose();
            let toxic = |links| Toxic::of(links, &name, &planned, silence);
            match links.map(|links| links.and_then(toxic)) {
                Ok(Some(toxic)) => Ok(live(&toxic, life).await),
                Ok(None) => Err(FaultError::NoSuchKind { kind: kind.name() }),
                Err(error) => Err(error),
            }
        }
    };
    lived.unwrap_or_else(|error| unusable(&error.to_string()))
}

async fn process(
    child: Result<Child, FaultError>,
    blow: Blow,
    life: Life,
) -> Result<FaultStamps, FaultError> {
    let child = child?;
    Ok(live(&Process { child, blow }, life).await)
}

fn links(access: &FaultAccess, link: Link) -> Result<Links, FaultError> {
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
