//! What becomes of a message, case by case and at random.

use super::*;
use proptest::prelude::*;

const DRAIN_US: u64 = 1_000;

/// A ledger with one message, intended at 0 and sent at 10.
fn one_sent() -> Ledger {
    let mut ledger = Ledger::new(DRAIN_US, 2);
    ledger.new_socket();
    assert_eq!(ledger.intend(0, 0), None);
    let attempt = ledger.next_attempt(0).unwrap();
    assert!(attempt.first);
    ledger.sent(attempt.number, 10);
    assert_eq!(ledger.next_attempt(500), None);
    ledger
}

#[track_caller]
fn settled(finding: Finding) -> Settled {
    match finding {
        Finding::Done { settled, .. } => settled,
        other => panic!("not done: {other:?}"),
    }
}

#[test]
fn an_answer_in_order_is_timed_from_its_attempt() {
    let mut ledger = one_sent();
    assert_eq!(
        ledger.queued(Some(0), 77, 15),
        Finding::Queued { service_us: 5 }
    );
    assert_eq!(ledger.processing(77), Finding::Fine);
    assert_eq!(
        ledger.chunk(77, 0, 20),
        Finding::FirstChunk { service_us: 10 }
    );
    assert_eq!(ledger.chunk(77, 1, 30), Finding::Fine);
    let done = settled(ledger.complete(77, 2, 40));
    assert_eq!(done.fate, Fate::Completed);
    assert_eq!((done.duplicated, done.out_of_order), (0, None));
    assert_eq!((done.queued_us, done.ended_us), (Some(15), 40));
    assert!(!done.late);
}

#[test]
fn a_chunk_out_of_order_is_found_and_the_answer_still_whole() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    for seq in [0, 2, 1] {
        ledger.chunk(77, seq, 20);
    }
    let done = settled(ledger.complete(77, 3, 40));
    assert_eq!((done.duplicated, done.out_of_order), (0, Some(1)));
}

#[test]
fn complete_before_the_last_chunk_is_out_of_order_and_not_lost() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    assert_eq!(ledger.complete(77, 2, 30), Finding::Fine);
    let done = settled(ledger.chunk(77, 1, 31));
    assert_eq!(done.out_of_order, Some(1));
}

#[test]
fn a_missing_chunk_makes_the_message_lost() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    ledger.chunk(77, 2, 21);
    assert_eq!(ledger.complete(77, 3, 30), Finding::Fine);
    assert_eq!(
        ledger.expire(15 + DRAIN_US),
        [(0, Fate::Lost(LostReason::Incomplete { missing_seq: 1 }))]
    );
    assert_eq!(
        ledger.expire(15 + DRAIN_US + 1),
        [],
        "a deadline passes only once"
    );
    let end: Vec<_> = ledger.settle_all(15 + DRAIN_US).collect();
    assert_eq!(
        end[0].fate,
        Fate::Lost(LostReason::Incomplete { missing_seq: 1 })
    );
    assert_eq!(end[0].expired_as, Some(end[0].fate));
}

#[test]
fn repeats_are_found_before_and_after_the_end() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    ledger.chunk(77, 0, 21);
    let done = settled(ledger.complete(77, 1, 30));
    assert_eq!(done.duplicated, 1);
    assert_eq!(
        ledger.complete(77, 1, 31),
        Finding::Duplicated { number: 0 }
    );
    assert_eq!(ledger.chunk(77, 0, 32), Finding::Duplicated { number: 0 });
    assert_eq!(ledger.chunk(78, 0, 33), Finding::Unexpected);
}

#[test]
fn a_second_run_of_the_same_id_is_a_repeat() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    settled(ledger.complete(77, 1, 30));
    assert_eq!(
        ledger.queued(Some(0), 99, 40),
        Finding::Duplicated { number: 0 }
    );
    assert_eq!(ledger.chunk(99, 0, 41), Finding::Duplicated { number: 0 });
    assert_eq!(ledger.queued(Some(5), 99, 42), Finding::Unexpected);
}

#[test]
fn after_a_lost_socket_the_whole_answer_may_come_again() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    ledger.new_socket();
    let again = ledger.next_attempt(100).unwrap();
    assert!(!again.first);
    ledger.sent(again.number, 100);
    assert_eq!(ledger.queued(Some(0), 77, 110), Finding::Fine);
    ledger.chunk(77, 0, 120);
    ledger.chunk(77, 1, 121);
    let done = settled(ledger.complete(77, 2, 130));
    assert_eq!(
        (done.duplicated, done.out_of_order, done.attempts),
        (0, None, 2)
    );
}

#[test]
fn what_two_sockets_bring_of_an_answer_is_one_answer() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 20);
    ledger.chunk(77, 0, 30);
    ledger.change_sockets();
    // The new one brings what it heard too, then both bring the rest.
    for (seq, at_us) in [(0, 31), (1, 32), (1, 33)] {
        assert!(!matches!(
            ledger.chunk(77, seq, at_us),
            Finding::Done { .. }
        ));
    }
    let whole = settled(ledger.complete(77, 2, 40));
    assert_eq!((whole.duplicated, whole.out_of_order), (0, None));
    // And the end once more.
    assert_eq!(ledger.complete(77, 2, 41), Finding::Fine);
    assert_eq!(ledger.queued(Some(0), 77, 42), Finding::Fine);
    // What is asked on the new socket is held to its order as ever.
    ledger.intend(50, 50);
    ledger.sent(1, 50);
    ledger.queued(Some(1), 88, 51);
    ledger.chunk(88, 1, 52);
    ledger.chunk(88, 0, 53);
    let strict = settled(ledger.complete(88, 2, 54));
    assert_eq!(strict.out_of_order, Some(0));
    assert_eq!(ledger.chunk(88, 0, 55), Finding::Duplicated { number: 1 });
}

#[test]
fn what_was_asked_on_the_old_socket_is_asked_again_only_when_that_is_gone() {
    let mut ledger = one_sent();
    ledger.change_sockets();
    assert!(ledger.is_owed_before_change(20));
    assert_eq!(ledger.next_attempt(20), None);
    ledger.forget_old_socket();
    assert_eq!(
        ledger.next_attempt(20).map(|attempt| attempt.number),
        Some(0)
    );
    ledger.sent(0, 21);
    assert!(!ledger.is_owed_before_change(21));
    assert_eq!(ledger.next_attempt(22), None);
}

#[test]
fn a_refusal_is_tried_again_with_growing_waits_and_then_final() {
    let mut ledger = one_sent();
    for attempt in 1..=2_u16 {
        let now = u64::from(attempt) * 100;
        let refusal = ledger.refused(Some(0), now, |nth| u64::from(nth) * 10);
        assert_eq!(
            refusal,
            Refusal::Again {
                at_us: now + u64::from(attempt) * 10
            }
        );
        assert_eq!(ledger.next_attempt(now), None);
        assert_eq!(ledger.next_attempt_us(now), now + u64::from(attempt) * 10);
        ledger.sent(0, now + 50);
    }
    let Refusal::Ended(end) = ledger.refused(Some(0), 300, |_| 1) else {
        panic!("two retries only");
    };
    assert_eq!((end.fate, end.attempts), (Fate::Refused, 3));
    assert_eq!(ledger.refused(Some(0), 301, |_| 1), Refusal::Moot);
    assert_eq!(ledger.refused(Some(9), 301, |_| 1), Refusal::Unexpected);
}

#[test]
fn an_answer_that_comes_before_the_retry_cancels_it() {
    let mut ledger = one_sent();
    ledger.refused(Some(0), 20, |_| 100);
    assert_eq!(
        ledger.queued(Some(0), 77, 30),
        Finding::Queued { service_us: 20 }
    );
    assert_eq!(ledger.next_attempt(10_000), None);
}

#[test]
fn a_server_without_ids_is_matched_in_order() {
    let mut ledger = one_sent();
    ledger.intend(5, 5);
    ledger.sent(1, 12);
    ledger.queued(None, 70, 15);
    ledger.queued(None, 71, 16);
    ledger.chunk(71, 0, 17);
    assert_eq!(settled(ledger.complete(71, 1, 18)).number, 1);
    assert_eq!(ledger.queued(None, 72, 19), Finding::Unexpected);
}

#[test]
fn an_interrupted_run_leaves_young_messages_pending() {
    let mut ledger = one_sent();
    ledger.intend(900, 900);
    let fates: Vec<_> = ledger.settle_all(1_500).map(|end| end.fate).collect();
    assert_eq!(fates, [Fate::Unanswered, Fate::Pending]);
}

#[test]
fn a_full_book_settles_its_oldest_page() {
    let mut ledger = Ledger::new(DRAIN_US, 2);
    for intended in 0..OPEN_MAX as u64 {
        assert_eq!(ledger.intend(intended, intended), None);
    }
    assert_eq!(ledger.intend(2_000, 2_000).unwrap().fate, Fate::Unanswered);
}

/// Anything a server, good or bad, can do to a client.
#[derive(Clone, Debug)]
enum Step {
    Intend,
    Send,
    Socket,
    Queued(Option<u32>, u64),
    Chunk(u64, u32),
    Complete(u64, u32),
    Refused(Option<u32>),
    Final(u32),
    Told(u64),
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let task = 1_u64..6;
    let step = prop_oneof![
        3 => Just(Step::Intend),
        3 => Just(Step::Send),
        1 => Just(Step::Socket),
        3 => (prop::option::of(0_u32..6), task.clone()).prop_map(|(n, t)| Step::Queued(n, t)),
        4 => (task.clone(), 0_u32..4).prop_map(|(t, s)| Step::Chunk(t, s)),
        2 => (task.clone(), 0_u32..4).prop_map(|(t, c)| Step::Complete(t, c)),
        1 => prop::option::of(0_u32..6).prop_map(Step::Refused),
        1 => (0_u32..6).prop_map(Step::Final),
        1 => task.prop_map(Step::Told),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn every_message_is_settled_exactly_once_whatever_the_frames(steps in steps(), interrupted: bool) {
        let mut ledger = Ledger::new(DRAIN_US, 2);
        let mut ends: Vec<Settled> = Vec::new();
        let mut intended = 0_u32;
        let mut now = 0;
        for step in steps {
            now += 7;
            let finding = match step {
                Step::Intend => { intended += 1; ends.extend(ledger.intend(now, now)); Finding::Fine }
                Step::Send => {
                    if let Some(attempt) = ledger.next_attempt(now) { ledger.sent(attempt.number, now); }
                    Finding::Fine
                }
                Step::Socket => { ledger.new_socket(); Finding::Fine }
                Step::Queued(number, task) => ledger.queued(number, task, now),
                Step::Chunk(task, seq) => ledger.chunk(task, seq, now),
                Step::Complete(task, chunks) => ledger.complete(task, chunks, now),
                Step::Refused(number) => { if let Refusal::Ended(end) = ledger.refused(number, now, |_| 5) { ends.push(end); } Finding::Fine }
                Step::Final(number) => { if let Refusal::Ended(end) = ledger.refused_for_good(Some(number), now) { ends.push(end); } Finding::Fine }
                Step::Told(task) => { if let Refusal::Ended(end) = ledger.told_lost(task, now) { ends.push(end); } Finding::Fine }
                Step::Expire => { ledger.expire(now); Finding::Fine }
            };
            if let Finding::Done { settled, .. } = finding { ends.push(settled); }
        }
        let end_us = if interrupted { now } else { now + DRAIN_US };
        ends.extend(ledger.settle_all(end_us));
        let mut numbers: Vec<u32> = ends.iter().map(|end| end.number).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..intended).collect::<Vec<_>>());
        prop_assert!(interrupted || ends.iter().all(|end| end.fate != Fate::Pending));
        prop_assert!(ends.iter().all(|end| end.fate != Fate::Completed || end.queued_us.is_some()));
    }

    #[test]
    fn any_order_of_the_chunks_makes_the_answer_whole(order in Just((0_u32..40).collect::<Vec<_>>()).prop_shuffle(), repeat in 0_usize..40) {
        let mut ledger = one_sent();
        ledger.queued(Some(0), 77, 15);
        for &seq in &order {
            ledger.chunk(77, seq, 20);
        }
        ledger.chunk(77, order[repeat], 21);
        let done = settled(ledger.complete(77, 40, 30));
        prop_assert_eq!(done.fate, Fate::Completed);
        prop_assert_eq!(done.duplicated, 1);
        prop_assert_eq!(done.out_of_order.is_some(), !order.is_sorted());
    }
}

#[test]
fn a_message_acknowledged_late_is_given_a_drain_of_its_own() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, DRAIN_US - 10);
    assert_eq!(ledger.waiting(DRAIN_US + 10), 1);
    ledger.chunk(77, 0, DRAIN_US + 20);
    let done = settled(ledger.complete(77, 1, DRAIN_US + 30));
    assert_eq!(done.fate, Fate::Completed);
    assert!(done.late);
}

#[test]
fn a_message_acknowledged_at_the_end_of_the_run_is_pending_not_lost() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, DRAIN_US - 10);
    let fates: Vec<Fate> = ledger
        .settle_all(DRAIN_US + 100)
        .map(|end| end.fate)
        .collect();
    assert_eq!(fates, [Fate::Pending]);
}

#[test]
fn what_was_over_before_a_socket_is_history_on_it_and_what_is_owed_is_not() {
    let mut ledger = one_sent();
    ledger.queued(Some(0), 77, 15);
    ledger.chunk(77, 0, 20);
    settled(ledger.complete(77, 1, 30));
    assert_eq!(ledger.intend(40, 40), None);
    assert!(!ledger.is_history(0), "it came twice on one socket");
    ledger.new_socket();
    assert_eq!(ledger.intend(50, 50), None);
    let history = [0, 1, 2].map(|number| ledger.is_history(number));
    assert_eq!(history, [true, false, false]);
}
