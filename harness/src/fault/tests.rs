//! This module tests the faults on a real Redis behind the real proxy.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::flush::Flush;
use super::{Fault, FaultEvent, FaultMoment, drive};
use crate::clock::RunClock;
use crate::environment::tests::TestRedis;
use crate::plan::{FaultKind, Link, PlannedFault, Streams};
use crate::record::fault::{FaultBoard, FaultStamps};
use crate::scenario::fault::{
    Bandwidth, Blackhole, Corrupt, Down, IdleTimeout, Latency, LimitData, LimitTime, NoAnswer,
    RedisFlush, RedisKill, RedisPause, RedisRestart, Refuse, ResetNow, ResetPeer, Slicer,
    SlowClose, SlowConnect, Timeout,
};

const US_PER_MS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// An address that refuses: nothing there to be ready.
const NO_READYZ: &str = "http://127.0.0.1:1/readyz";

fn planned(kind: FaultKind, at_ms: u64, for_ms: u64) -> PlannedFault {
    PlannedFault {
        name: "f".to_owned(),
        at_us: at_ms * US_PER_MS,
        for_us: for_ms * US_PER_MS,
        kind,
        streams: match kind {
            FaultKind::Timeout(_) => Streams::Both,
            _ => Streams::Downstream,
        },
        toxicity_ratio: 1.0,
        condition: false,
        line: 1,
    }
}

/// Drives the faults over a fresh Redis with its three proxies.
async fn driven(name: &str, durable: bool, faults: &[PlannedFault]) -> Vec<FaultStamps> {
    let redis_run = TestRedis::new(name, durable).await;
    let (events, mut heard) = mpsc::channel(1_000);
    let board = Arc::new(FaultBoard::new(faults.len()));
    let driving = drive(
        faults,
        redis_run.access(NO_READYZ),
        RunClock::starting_in(Duration::ZERO),
        Arc::clone(&board),
        events,
        CancellationToken::new(),
    );
    let stamps = tokio::time::timeout(PATIENCE, driving).await.unwrap();
    heard.close();
    while let Some(FaultEvent { moment, .. }) = heard.recv().await {
        assert!(!matches!(moment, FaultMoment::Problem(_)), "{moment:?}");
    }
    for (index, stamps) in stamps.iter().enumerate() {
        let [begin, end] = [stamps.injecting_us, stamps.heal_confirmed_us].map(Option::unwrap);
        assert!(board.touched(begin, begin).is_some(), "{stamps:?}");
        assert_ne!(board.touched(end + 1, end + 1), Some(index), "{stamps:?}");
    }
    redis_run.stop().await;
    stamps
}

/// Drives one fault, and leaves what it acted on as it then is.
async fn driven_on(redis_run: &TestRedis, fault: &PlannedFault) -> (FaultStamps, Arc<FaultBoard>) {
    let (events, _heard) = mpsc::channel(1_000);
    let board = Arc::new(FaultBoard::new(1));
    let driving = drive(
        std::slice::from_ref(fault),
        redis_run.access(NO_READYZ),
        RunClock::starting_in(Duration::ZERO),
        Arc::clone(&board),
        events,
        CancellationToken::new(),
    );
    let mut stamps = tokio::time::timeout(PATIENCE, driving).await.unwrap();
    (stamps.remove(0), board)
}

/// All six moments are there, in order, each not before its planned one.
#[track_caller]
fn check_order(fault: &PlannedFault, stamps: &FaultStamps) {
    assert_eq!(stamps.problem, None);
    let order = [
        Some(fault.at_us),
        stamps.injecting_us,
        stamps.injected_us,
        stamps.confirmed_us,
        stamps.healing_us,
        stamps.healed_us,
        stamps.heal_confirmed_us,
    ];
    let order: Vec<u64> = order.into_iter().map(Option::unwrap).collect();
    assert!(order.is_sorted(), "{stamps:?}");
    assert!(stamps.healing_us.unwrap() >= fault.at_us + fault.for_us);
    assert!(!stamps.readiness_watched);
}

async fn check(name: &str, kind: FaultKind) {
    let fault = planned(kind, 200, 1_500);
    let stamps = driven(name, true, std::slice::from_ref(&fault)).await;
    check_order(&fault, &stamps[0]);
}

#[tokio::test]
async fn a_link_that_is_down_refuses() {
    check("down", Down {}.on(Link::Redis)).await;
}

#[tokio::test]
async fn a_slow_link_is_measured_slow() {
    let kind = Latency {
        latency_us: 150_000,
        jitter_us: 20_000,
    }
    .on(Link::RedisTokens);
    check("latency", kind).await;
}

#[tokio::test]
async fn a_link_that_drops_everything_is_silent() {
    let link = Link::RedisChannel;
    check("timeout", Timeout { timeout_us: 0 }.on(link)).await;
}

#[tokio::test]
async fn a_link_that_resets_is_met_as_a_reset() {
    let link = Link::RedisTasks;
    check("reset", ResetPeer { timeout_us: 0 }.on(link)).await;
}

/// Every toxic is met by its probe, one after the other on each of the three links.
#[tokio::test]
async fn every_kind_of_toxic_is_confirmed_and_healed() {
    let (tokens, tasks, channel) = (Link::RedisTokens, Link::RedisTasks, Link::RedisChannel);
    let (delay_us, timeout_us, time_us) = (150_000, 200_000, 200_000);
    let kinds = |link: Link| match link {
        Link::RedisTokens => vec![
            Bandwidth { kb_per_s: 0 }.on(link),
            Bandwidth { kb_per_s: 9 }.on(link),
            SlowClose { delay_us }.on(link),
            Corrupt { one_in: 5 }.on(link),
            Blackhole {}.on(link),
        ],
        Link::RedisTasks => vec![
            Slicer {
                piece_bytes: 2,
                delay_us: 10,
            }
            .on(link),
            LimitData { bytes: 3 }.on(link),
            IdleTimeout { timeout_us }.on(link),
            LimitTime { time_us }.on(link),
        ],
        _ => vec![
            SlowConnect { delay_us }.on(link),
            Refuse { connections: 0 }.on(link),
            NoAnswer {}.on(link),
            Latency {
                latency_us: 100_000,
                jitter_us: 0,
            }
            .on(link),
        ],
    };
    let mut faults = Vec::new();
    for link in [tokens, tasks, channel] {
        for (place, kind) in (0_u64..).zip(kinds(link)) {
            let mut fault = planned(kind, 200 + place * 2_000, 1_500);
            fault.name = format!("{}-{place}", link.name());
            if place == 3 && link == channel {
                fault.toxicity_ratio = 0.5;
                fault.streams = Streams::Both;
            }
            faults.push(fault);
        }
    }
    let stamps = driven("toxics", false, &faults).await;
    for (fault, stamps) in faults.iter().zip(&stamps) {
        check_order(fault, stamps);
    }
}

/// Stamps of one fault on a link nobody uses.
async fn alone(name: &str, fault: PlannedFault) -> FaultStamps {
    let redis_run = TestRedis::new(name, false).await;
    let (events, _heard) = mpsc::channel(1_000);
    let faults = [fault];
    let driving = drive(
        &faults,
        redis_run.access(NO_READYZ),
        RunClock::starting_in(Duration::ZERO),
        Arc::new(FaultBoard::new(1)),
        events,
        CancellationToken::new(),
    );
    let stamps = tokio::time::timeout(PATIENCE, driving).await.unwrap();
    redis_run.stop().await;
    stamps[0].clone()
}

#[tokio::test]
async fn a_fault_that_met_nobody_is_not_confirmed() {
    let link = Link::RedisTasks;
    let stamps = alone("nobody", planned(ResetNow::ALL.on(link), 200, 0)).await;
    let problem = stamps.problem.unwrap();
    assert!(problem.contains("no connection was open"), "{problem}");
    assert!(stamps.confirmed_us.is_none() && stamps.heal_confirmed_us.is_some());

    let kind = Refuse { connections: 3 }.on(link);
    let stamps = alone("unrefused", planned(kind, 200, 600)).await;
    assert!(stamps.confirmed_us.is_none() && stamps.heal_confirmed_us.is_some());
}

#[tokio::test]
async fn every_open_connection_is_reset_at_once_and_later_ones_live() {
    let redis_run = TestRedis::new("reset-now", false).await;
    let listen = redis_run.links[&Link::RedisTasks][0].listen;
    let mut open = tokio::net::TcpStream::connect(listen).await.unwrap();
    let link = Link::RedisTasks;
    let fault = planned(ResetNow::ALL.on(link), 300, 0);
    let (stamps, _) = driven_on(&redis_run, &fault).await;
    check_order(&fault, &stamps);
    let read = tokio::io::AsyncReadExt::read(&mut open, &mut [0_u8; 8]).await;
    assert_eq!(
        read.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    redis_run.stop().await;
}

#[tokio::test]
async fn a_condition_touches_no_message() {
    let redis_run = TestRedis::new("condition", false).await;
    let link = Link::RedisTasks;
    let timeout_us = 200_000;
    let mut fault = planned(IdleTimeout { timeout_us }.on(link), 0, 900);
    fault.condition = true;
    let (stamps, board) = driven_on(&redis_run, &fault).await;
    check_order(&fault, &stamps);
    assert_eq!(board.touched(0, u64::MAX - 1), None);
    redis_run.stop().await;
}

#[tokio::test]
async fn a_killed_redis_refuses_and_comes_back_on_its_port() {
    check("kill", FaultKind::RedisKill(RedisKill {})).await;
}

#[tokio::test]
async fn a_paused_redis_is_silent_and_goes_on() {
    check("pause", FaultKind::RedisPause(RedisPause {})).await;
}

#[tokio::test]
async fn a_redis_that_is_restarted_ends_orderly_and_comes_back() {
    check("restart", FaultKind::RedisRestart(RedisRestart {})).await;
}

#[tokio::test]
async fn tokens_are_flushed_at_one_moment() {
    let redis_run = TestRedis::new("flush", false).await;
    let tokens = redis_run.access(NO_READYZ).tokens.unwrap();
    let fault = planned(FaultKind::RedisFlush(RedisFlush {}), 300, 0);
    let (stamps, _) = driven_on(&redis_run, &fault).await;
    check_order(&fault, &stamps);
    assert!(!tokens.is_marked().await.unwrap());
    redis_run.stop().await;
}

#[tokio::test]
async fn a_flush_that_did_not_happen_is_not_confirmed() {
    let redis_run = TestRedis::new("no-flush", false).await;
    let flush = Flush {
        store: redis_run.access(NO_READYZ).tokens.unwrap(),
        redis: redis_run.redis.child.clone(),
    };
    flush.prepare().await.unwrap();
    assert!(flush.is_met().await.is_err());
    flush.inject().await.unwrap();
    assert_eq!(flush.is_met().await, Ok(()));
    redis_run.stop().await;
}

#[tokio::test]
async fn faults_that_overlap_do_not_wait_for_each_other() {
    let down = Down {}.on(Link::RedisTasks);
    let timeout = Timeout { timeout_us: 0 }.on(Link::RedisTokens);
    let faults = [planned(down, 200, 1_500), planned(timeout, 600, 1_500)];
    let stamps = driven("overlap", false, &faults).await;
    for (fault, stamps) in faults.iter().zip(&stamps) {
        check_order(fault, stamps);
    }
    assert!(stamps[1].injecting_us < stamps[0].healing_us);
}

#[tokio::test]
async fn a_cancelled_run_heals_at_once_and_injects_nothing_more() {
    let redis_run = TestRedis::new("cancel", false).await;
    let down = |at_ms| planned(Down {}.on(Link::Redis), at_ms, 600_000);
    let faults = [down(100), down(900_000)];
    let (events, mut heard) = mpsc::channel(100);
    let cancel = CancellationToken::new();
    let driving = drive(
        &faults,
        redis_run.access(NO_READYZ),
        RunClock::starting_in(Duration::ZERO),
        Arc::new(FaultBoard::new(faults.len())),
        events,
        cancel.clone(),
    );
    let (stamps, ()) = tokio::join!(tokio::time::timeout(PATIENCE, driving), async {
        while let Some(event) = heard.recv().await {
            if event.moment == FaultMoment::Confirmed {
                cancel.cancel();
            }
        }
    });
    let stamps = stamps.unwrap();
    assert!(stamps[0].heal_confirmed_us.is_some(), "{stamps:?}");
    assert_eq!(stamps[1].injecting_us, None);
    assert!(
        stamps[1]
            .problem
            .as_ref()
            .unwrap()
            .starts_with("not injected")
    );
    for link in redis_run.links.values() {
        assert!(link[0].probe.ask(PATIENCE).await.is_good());
    }
    redis_run.stop().await;
}

#[tokio::test]
async fn a_fault_that_does_not_take_has_a_problem_and_is_healed() {
    let redis_run = TestRedis::new("problem", false).await;
    // Answers take no second here, and the toxic that would delay them is refused as a duplicate.
    let api = fault_proxy::client::Client::new(&redis_run.links[&Link::RedisTasks][0].api).unwrap();
    let name = format!("harness-{}-f", redis_run.run.run_id);
    let toxic = fault_proxy::ToxicSpec::latency(&name, fault_proxy::Stream::Downstream, 0, 0);
    let proxy = &redis_run.links[&Link::RedisTasks][0].name;
    api.add_toxic(proxy, &toxic).await.unwrap();
    let kind = Latency {
        latency_us: 1_000_000,
        jitter_us: 0,
    }
    .on(Link::RedisTasks);
    let (events, _heard) = mpsc::channel(100);
    let faults = [planned(kind, 0, 300)];
    let stamps = drive(
        &faults,
        redis_run.access(NO_READYZ),
        RunClock::starting_in(Duration::ZERO),
        Arc::new(FaultBoard::new(1)),
        events,
        CancellationToken::new(),
    );
    let stamps = tokio::time::timeout(PATIENCE, stamps).await.unwrap();
    assert!(
        stamps[0].problem.as_ref().unwrap().contains("409"),
        "{stamps:?}"
    );
    assert_eq!(stamps[0].confirmed_us, None);
    assert!(stamps[0].heal_confirmed_us.is_some());
    redis_run.stop().await;
}

/// A target that is ready when a PING through one link is answered.
async fn ready_target(redis_run: &TestRedis, tasks: &mut JoinSet<()>) -> String {
    let probe = redis_run.links[&Link::RedisTasks][0].probe.clone();
    let readyz = move || {
        let probe = probe.clone();
        async move {
            if probe.ask(Duration::from_secs(1)).await.is_good() {
                axum::http::StatusCode::OK
            } else {
                axum::http::StatusCode::SERVICE_UNAVAILABLE
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let router = Router::new().route("/readyz", get(readyz));
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn readiness_turns_red_in_the_fault_and_green_after_it() {
    let redis_run = TestRedis::new("ready", false).await;
    let mut tasks = JoinSet::new();
    let readyz = ready_target(&redis_run, &mut tasks).await;
    let (events, _heard) = mpsc::channel(100);
    let kind = Down {}.on(Link::RedisTasks);
    let faults = [planned(kind, 1_500, 1_000)];
    let driving = drive(
        &faults,
        redis_run.access(&readyz),
        RunClock::starting_in(Duration::ZERO),
        Arc::new(FaultBoard::new(1)),
        events,
        CancellationToken::new(),
    );
    let stamps = tokio::time::timeout(PATIENCE, driving).await.unwrap();
    let stamps = &stamps[0];
    assert!(stamps.readiness_watched, "{stamps:?}");
    assert!(stamps.injecting_us < stamps.readiness_red_us, "{stamps:?}");
    assert!(stamps.healing_us < stamps.readiness_green_us, "{stamps:?}");
    redis_run.stop().await;
}

#[tokio::test]
async fn a_link_that_is_slow_both_ways_is_waited_for_twice() {
    let kind = Latency {
        // Twice this is more than once this and the patience for an answer.
        latency_us: 1_100_000,
        jitter_us: 0,
    }
    .on(Link::RedisTasks);
    let mut fault = planned(kind, 200, 4_000);
    fault.streams = Streams::Both;
    let stamps = driven("slow-both", false, std::slice::from_ref(&fault)).await;
    check_order(&fault, &stamps[0]);
    let waited_us = stamps[0].confirmed_us.unwrap() - stamps[0].injected_us.unwrap();
    assert!(waited_us >= 2_100_000, "{waited_us}");
}

#[tokio::test]
async fn an_idle_timeout_is_seen_on_all_links_at_once() {
    let kind = IdleTimeout {
        timeout_us: 500_000,
    }
    .on(Link::Redis);
    // One probe after the other would take longer than it lasts.
    let fault = planned(kind, 200, 1_300);
    let stamps = driven("idle-all", false, std::slice::from_ref(&fault)).await;
    check_order(&fault, &stamps[0]);
}
