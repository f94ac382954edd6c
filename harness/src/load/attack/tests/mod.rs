//! These tests hold the engine to a server that is good, bad, stalled or gone.

mod peer;
mod shape;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::{Mutex, MutexGuard};

use self::peer::{Fault, Peer};
use self::shape::plan;
use super::*;
use crate::environment::{Accounts, TargetInfo};
use crate::plan::{Arrival, Behavior, BehaviorShare, LoadStage};
use crate::record::delivery::Delivery;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::CloseCause;
use crate::route::Requests;
use crate::stage::Stage;

/// goose's stop switch is one for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Run {
    outcome: AttackOutcome,
    signals: Signals,
    delivery: Delivery,
    complete: SparseHistogram,
    _alone: MutexGuard<'static, ()>,
}

/// Runs the plan against a peer while `meanwhile` goes on.
async fn run_beside(
    plan: &Plan,
    peer: Arc<Peer>,
    meanwhile: impl AsyncFnOnce(&Peer, &Signals),
) -> Run {
    run_over(plan, &[peer], meanwhile).await
}

/// The same against several addresses; `meanwhile` sees the first peer.
async fn run_over(
    plan: &Plan,
    peers: &[Arc<Peer>],
    meanwhile: impl AsyncFnOnce(&Peer, &Signals),
) -> Run {
    let alone = ONE_AT_A_TIME.lock().await;
    let mut tasks = JoinSet::new();
    let mut addresses = Vec::new();
    for peer in peers {
        addresses.push(Arc::clone(peer).serve(&mut tasks).await);
    }
    let signals = Signals {
        clock: RunClock::starting_in(head_start(plan.load.clients, 1)),
        counters: Arc::new(Counters::new(usize::from(plan.load.lanes))),
        faults: Arc::new(FaultBoard::new(0)),
        cancel: CancellationToken::new(),
        trace: Trace::default(),
    };
    let attack = run(plan, Part::whole(), target(&addresses), signals.clone());
    let (outcome, ()) = tokio::join!(Box::pin(attack), meanwhile(&peers[0], &signals));
    let outcome = outcome.unwrap();
    let mut delivery = Delivery::default();
    let mut complete = SparseHistogram::default();
    for cell in outcome.recording.cells.values() {
        delivery.merge(cell.delivery);
        complete.merge(&cell.complete);
    }
    let run = Run {
        outcome,
        signals,
        delivery,
        complete,
        _alone: alone,
    };
    run.check_sums();
    run
}

async fn run_against(plan: &Plan, fault: Fault) -> Run {
    let peer = Peer {
        fault,
        ..Peer::default()
    };
    run_beside(plan, Arc::new(peer), async |_, _| {}).await
}

fn target(addresses: &[SocketAddr]) -> TargetInfo {
    TargetInfo {
        http_base: format!("http://{}", addresses[0]),
        host_header: addresses[0].to_string(),
        addresses: addresses.into(),
        named: None,
        tunnel: None,
        tls: None,
        requests: Requests::build(|| Ok(crate::route::http())).unwrap(),
        accounts: Accounts::numbered("user-".to_owned(), "secret".to_owned()),
        payloads: [].into(),
        dialect: None,
        readyz_url: String::new(),
        metrics_urls: Vec::new(),
    }
}

impl Run {
    /// What is true of every run, whatever the server did.
    #[track_caller]
    fn check_sums(&self) {
        let delivery = self.delivery;
        assert_eq!(delivery.sent, delivery.ended(), "{delivery:?}");
        assert_eq!(delivery.sent, self.outcome.recording.planned_sends);
        assert_eq!(self.closes(None), self.session(|s| s.opened));
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.signals.counters;
        assert_eq!(load(&counters.open), 0);
        assert_eq!(load(&counters.reconnecting), 0);
        assert_eq!(load(&counters.sent), delivery.sent);
        assert_eq!(load(&counters.completed), delivery.completed);
        assert_eq!(load(&counters.lost), delivery.lost);
        assert_eq!(load(&counters.duplicated), delivery.duplicated);
    }

    fn session(&self, field: impl Fn(&crate::record::recording::SessionInterval) -> u64) -> u64 {
        self.outcome.recording.sessions.values().map(field).sum()
    }

    fn closes(&self, wanted: Option<(u16, CloseCause)>) -> u64 {
        self.session(|session| {
            let closes = session.closes.iter();
            closes
                .filter(|(key, _)| wanted.is_none_or(|wanted| wanted == **key))
                .map(|(_, count)| count)
                .sum()
        })
    }

    fn stage_count(&self, stage: Stage) -> u64 {
        self.session(|session| session.response[stage.index()].count())
    }

    fn requests(&self, name: &str) -> GooseRequest {
        let requests = &self.outcome.goose.requests;
        requests.get(name).copied().unwrap_or_default()
    }

    fn error(&self, label: &str) -> u64 {
        let failures = self.outcome.recording.failures.iter();
        failures
            .filter(|((_, kind), _)| kind.to_string() == label)
            .map(|(_, count)| count)
            .sum()
    }
}

#[tokio::test]
async fn clients_are_spread_over_all_addresses_tokens_and_sockets_alike() {
    let plan = plan();
    let peers: [Arc<Peer>; 2] = Default::default();
    let run = run_over(&plan, &peers, async |_, _| {}).await;
    assert_eq!(run.delivery.completed, run.delivery.sent);
    for peer in &peers {
        assert_eq!(peer.tokens.load(Ordering::Relaxed), plan.load.clients / 2);
        assert!(peer.messages.load(Ordering::Relaxed) > 0);
    }
    let tokens = run.requests("token");
    assert_eq!((tokens.ok, tokens.failed), (20, 0));
}

#[tokio::test]
async fn a_good_server_answers_everything_and_goose_counts_the_same() {
    let mut plan = plan();
    plan.load.mix = vec![
        BehaviorShare {
            behavior: Behavior::Chatter,
            clients: 12,
        },
        BehaviorShare {
            behavior: Behavior::Lurker,
            clients: 3,
        },
        BehaviorShare {
            behavior: Behavior::Reconnector { every_us: 200_000 },
            clients: 5,
        },
    ];
    let run = run_against(&plan, Fault::None).await;
    let delivery = run.delivery;
    assert!(delivery.sent > 80, "{delivery:?}");
    assert_eq!(delivery.completed, delivery.sent);
    assert_eq!(delivery.attempts, delivery.sent);
    assert_eq!((delivery.duplicated, delivery.unexpected), (0, 0));
    assert_eq!(run.outcome.goose.users, 20);
    assert_eq!(run.requests("login").ok, 20);
    let tokens = run.session(|session| session.tokens_ok);
    assert!(tokens > 25, "reconnectors fetch new tokens: {tokens}");
    assert_eq!(
        run.requests("token"),
        GooseRequest {
            ok: tokens,
            failed: 0
        }
    );
    // A reconnector may fetch a token just when its stay ends, and need no socket any more.
    let opened = run.session(|session| session.opened);
    assert!(
        (tokens - 5..=tokens).contains(&opened),
        "{opened} of {tokens}"
    );
    assert_eq!(run.closes(Some((1000, CloseCause::Planned))), opened);
    assert_eq!(run.stage_count(Stage::SessionReady), opened);
    assert!(run.stage_count(Stage::Heartbeat) >= 20);
    assert_eq!(run.outcome.recording.failures.len(), 0);
    let ended_us = run.signals.clock.now_us();
    assert!(ended_us < plan.load.load_us() + 1_000_000, "{ended_us}");
}

#[tokio::test]
async fn the_same_plan_intends_the_same_sends_whatever_the_server_does() {
    let plan = plan();
    let intended = |run: &Run| -> Vec<(u32, u64)> {
        let mut sent = BTreeMap::new();
        for (key, cell) in &run.outcome.recording.cells {
            *sent.entry(key.interval).or_insert(0) += cell.delivery.sent;
        }
        sent.into_iter().collect()
    };
    let good = run_against(&plan, Fault::None).await;
    let of_good = intended(&good);
    drop(good);
    let bad = run_against(&plan, Fault::NoTokens).await;
    assert_eq!(of_good, intended(&bad));
    assert_eq!(bad.delivery.unanswered, bad.delivery.sent);
    assert_eq!(bad.session(|session| session.clients_failed), 20);
    assert_eq!(
        bad.requests("token").failed,
        bad.session(|s| s.tokens_failed)
    );
    assert_eq!(bad.error("token 503"), 20 * 6);
}

#[tokio::test]
async fn a_refused_message_is_sent_again_with_its_id() {
    let run = run_against(&plan(), Fault::RefusesOnce).await;
    assert_eq!(run.delivery.completed, run.delivery.sent);
    assert_eq!(run.delivery.attempts, 2 * run.delivery.sent);
    assert_eq!(run.error("unavailable"), run.delivery.sent);
    assert!(
        run.complete.min_us() >= 20_000,
        "counted from the first intent"
    );
}

#[tokio::test]
async fn a_client_that_is_cut_off_comes_back_and_gets_its_answer() {
    let run = run_against(&plan(), Fault::CutsAnswers).await;
    let cut = run.closes(Some((1006, CloseCause::Cut)));
    assert!(cut > 10, "{cut}");
    assert_eq!(run.stage_count(Stage::Reconnect), cut);
    assert_eq!(
        run.delivery.completed, run.delivery.sent,
        "{:?}",
        run.delivery
    );
    assert_eq!((run.delivery.duplicated, run.delivery.out_of_order), (0, 0));
    // Every cut leaves at least the message whose answer it ended.
    assert!(run.delivery.attempts >= run.delivery.sent + cut);
}

#[tokio::test]
async fn a_burnt_token_is_replaced() {
    let run = run_against(&plan(), Fault::BurntTokens).await;
    let refused = run.error("refused 4001");
    assert_eq!(refused, 20);
    assert_eq!(run.session(|session| session.connects_failed), refused);
    assert_eq!(run.delivery.completed, run.delivery.sent);
}

#[tokio::test]
async fn garbled_answers_are_found() {
    let run = run_against(&plan(), Fault::Garbles).await;
    let delivery = run.delivery;
    assert_eq!(delivery.completed, delivery.sent);
    assert_eq!(delivery.out_of_order, delivery.sent);
    assert_eq!(delivery.duplicated, delivery.sent);
    assert_eq!(delivery.unexpected, delivery.sent);
    assert!(run.outcome.recording.examples_dropped > 0);
}

#[tokio::test]
async fn what_never_completes_is_lost_after_the_drain() {
    let mut plan = plan();
    plan.load.drain_us = 500_000;
    let run = run_against(&plan, Fault::NeverCompletes).await;
    assert_eq!(run.delivery.lost, run.delivery.sent);
    let ended_us = run.signals.clock.now_us();
    assert!(ended_us >= 1_400_000, "{ended_us}");
}

#[tokio::test]
async fn a_stall_is_not_hidden() {
    let mut plan = plan();
    plan.load.message.arrival = Arrival::Fixed;
    plan.load.message.every_us = 20_000;
    let run = run_beside(&plan, Arc::new(Peer::default()), async |peer, signals| {
        for (at_us, stalled) in [(400_000, true), (800_000, false)] {
            tokio::time::sleep(signals.clock.until(at_us)).await;
            peer.stalled.store(stalled, Ordering::Relaxed);
        }
    })
    .await;
    // A fifth of all messages were meant within the stall's first 200 ms of 400, and so waited for
    // 200 ms and more. A client that waits for answers would have sent one message into it.
    let late = run.complete.count() - run.complete.count_at_or_below(200_000);
    let share = late as f64 / run.complete.count() as f64;
    assert!((0.15..0.3).contains(&share), "{share}");
    assert_eq!(run.delivery.completed, run.delivery.sent);
}

#[tokio::test]
async fn a_cancelled_run_returns_soon_with_what_it_has() {
    let mut plan = plan();
    plan.load.stages[1].length_us = 60_000_000;
    let run = run_beside(&plan, Arc::new(Peer::default()), async |_, signals| {
        tokio::time::sleep(signals.clock.until(500_000)).await;
        signals.cancel.cancel();
    })
    .await;
    let ended_us = run.signals.clock.now_us();
    assert!(ended_us < 2_500_000, "{ended_us}");
    assert!(run.delivery.completed > 40, "{:?}", run.delivery);
    assert_eq!(run.delivery.lost + run.delivery.unanswered, 0);
}

#[tokio::test]
async fn clients_come_and_go_with_the_stages() {
    let mut plan = plan();
    let stage = |start_us, length_us, from, to| LoadStage {
        start_us,
        length_us,
        from,
        to,
    };
    plan.load.stages = vec![
        stage(0, 200_000, 0, 20),
        stage(200_000, 300_000, 20, 5),
        stage(500_000, 200_000, 5, 12),
        stage(700_000, 300_000, 12, 12),
    ];
    let run = run_against(&plan, Fault::None).await;
    assert_eq!(run.outcome.goose.users, 20);
    assert_eq!(run.delivery.completed, run.delivery.sent);
    assert_eq!(run.closes(Some((1000, CloseCause::Planned))), 27);
}

#[tokio::test]
async fn without_clients_nothing_is_asked_of_the_target() {
    let target = target(&[SocketAddr::from(([127, 0, 0, 1], 1))]);
    let signals = Signals {
        clock: RunClock::starting_in(Duration::ZERO),
        counters: Arc::new(Counters::new(1)),
        faults: Arc::new(FaultBoard::new(0)),
        cancel: CancellationToken::new(),
        trace: Trace::default(),
    };
    let mut nobody = plan();
    nobody.load.stages.clear();
    let nothing = run(&nobody, Part::whole(), target, signals).await.unwrap();
    assert_eq!(nothing.goose.users, 0);
}
