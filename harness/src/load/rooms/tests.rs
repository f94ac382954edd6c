//! Who is owed what, case by case and at random.

use super::*;
use crate::plan::compile;
use crate::record::copies::Copied;
use crate::scenario::Overrides;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;
/// The drain of a plan that says nothing else.
const DRAIN_US: u64 = 10 * SECOND;

/// One conversation of three, all there from the beginning.
fn three(by: Copies) -> Rooms {
    let text = "# Why?\ntitle = \"t\"\n[load]\nclients = 3\nhold = \"60s\"\nsession = { conversation = \"group\", group = 3 }\n";
    let plan = compile("t.toml", text, &Overrides::default()).unwrap();
    let visits = crate::plan::visit::visits(&plan.load);
    let rooms = Rooms::of(&plan.load, (by, true), &visits).unwrap();
    for client in 0..3 {
        rooms.joined(client, 0);
    }
    rooms
}

fn is_copy(hearing: Hearing) -> bool {
    matches!(hearing, Hearing::Copy(_))
}

#[test]
fn a_copy_is_timed_from_when_its_message_was_meant() {
    let rooms = three(Copies::ById);
    assert_eq!(rooms.said(0, ((0, 7), true), (2 * SECOND, 3 * SECOND)), []);
    let copy = Copied {
        intended_us: 2 * SECOND,
        said_us: 3 * SECOND,
        at_us: 4 * SECOND,
    };
    assert_eq!(rooms.heard(1, (0, 7), 4 * SECOND), Hearing::Copy(copy));
    assert_eq!(
        rooms.heard(1, (0, 7), 5 * SECOND),
        Hearing::Again((0, 7), 5 * SECOND)
    );
    assert_eq!(rooms.heard(1, (0, 8), 5 * SECOND), Hearing::Passed);
}

#[test]
fn a_member_that_stays_deaf_is_found_and_one_that_hears_late_is_not() {
    let rooms = three(Copies::ById);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.answered(0, (0, 0), 2 * SECOND);
    rooms.said(0, ((0, 1), true), (3 * SECOND, 3 * SECOND));
    rooms.answered(0, (0, 1), 3 * SECOND);
    for message in [(0, 0), (0, 1)] {
        assert!(is_copy(rooms.heard(1, message, 3 * SECOND)));
    }
    assert!(is_copy(rooms.heard(2, (0, 1), 30 * SECOND)));
    let unheard = rooms.finish(40 * SECOND);
    let known: Vec<_> = unheard
        .iter()
        .map(|of| (of.message, of.clients.clone(), of.owed))
        .collect();
    assert_eq!(known, [((0, 0), vec![2], 2)]);
    assert_eq!(unheard[0].until_us, 2 * SECOND + DRAIN_US);
}

#[test]
fn what_nobody_heard_was_not_taken() {
    let rooms = three(Copies::ById);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    assert_eq!(rooms.finish(40 * SECOND), []);
}

#[test]
fn who_was_cut_or_left_soon_or_came_late_is_owed_nothing() {
    let (cut_us, left_us) = (30 * SECOND, 5 * SECOND);
    for (gone, at_us, orderly, members) in [
        // Nobody knows how long the socket was dead.
        (2, cut_us, false, 0),
        // It did not wait for a whole drain.
        (2, left_us, true, 0),
        (2, cut_us, true, 1),
    ] {
        let rooms = three(Copies::ById);
        rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
        assert!(is_copy(rooms.heard(1, (0, 0), 2 * SECOND)));
        let mut unheard = rooms.left(gone, at_us, orderly);
        unheard.extend(rooms.finish(40 * SECOND));
        let missed: usize = unheard.iter().map(|of| of.clients.len()).sum();
        assert_eq!(missed, members, "at {at_us}, orderly {orderly}");
    }
    let rooms = three(Copies::ById);
    rooms.left(2, SECOND, false);
    rooms.joined(2, 3 * SECOND);
    // What a server tells who comes back is no copy, and none that came twice.
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.said(0, ((0, 1), true), (3 * SECOND, 3 * SECOND + 1));
    for message in [(0, 0), (0, 1)] {
        assert!(is_copy(rooms.heard(1, message, 4 * SECOND)));
    }
    assert_eq!(rooms.heard(2, (0, 0), 4 * SECOND), Hearing::Passed);
    assert_eq!(rooms.heard(2, (0, 0), 4 * SECOND), Hearing::Passed);
    assert_eq!(rooms.finish(40 * SECOND), []);
}

#[test]
fn a_message_that_is_sent_again_is_owed_to_nobody_who_came_since() {
    let rooms = three(Copies::ById);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.left(2, 3 * SECOND, false);
    rooms.joined(2, 4 * SECOND);
    rooms.said(0, ((0, 0), false), (2 * SECOND, 8 * SECOND));
    assert!(is_copy(rooms.heard(1, (0, 0), 8 * SECOND)));
    // The server may have taken it twice.
    assert_eq!(rooms.heard(1, (0, 0), 9 * SECOND), Hearing::Passed);
    // Nor is one that was forgotten begun anew.
    rooms.said(0, ((0, 9), false), (2 * SECOND, 9 * SECOND));
    assert_eq!(rooms.heard(1, (0, 9), 9 * SECOND), Hearing::Passed);
    assert_eq!(rooms.finish(40 * SECOND), []);
}

#[test]
fn what_was_not_put_on_its_socket_is_owed_to_nobody() {
    let rooms = three(Copies::ById);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.unsaid(0, (0, 0));
    rooms.answered(0, (0, 0), 3 * SECOND);
    assert_eq!(rooms.finish(40 * SECOND), []);
    assert_eq!(rooms.remembered.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_with_two_sockets_is_owed_nothing_until_it_has_one_again() {
    let rooms = three(Copies::ById);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.joined(2, 3 * SECOND);
    for message in [(0, 0), (0, 1)] {
        if message.1 == 1 {
            rooms.said(0, (message, true), (6 * SECOND, 6 * SECOND));
        }
        // Each of its sockets hears it.
        for _ in 0..2 {
            assert_eq!(rooms.heard(2, message, 6 * SECOND), Hearing::Passed);
        }
    }
    rooms.left(2, 7 * SECOND, true);
    rooms.said(0, ((0, 2), true), (8 * SECOND, 8 * SECOND));
    assert_eq!(rooms.heard(2, (0, 2), 8 * SECOND), Hearing::Passed);
    rooms.said(0, ((0, 3), true), (9 * SECOND, 9 * SECOND));
    assert!(is_copy(rooms.heard(2, (0, 3), 9 * SECOND)));
    let unheard = rooms.finish(40 * SECOND);
    // The third member heard nothing of it all.
    assert!(unheard.iter().all(|of| of.clients == [1]), "{unheard:?}");
}

#[test]
fn before_anybody_has_heard_anybody_nothing_is_owed_where_nobody_says_so() {
    let mut rooms = three(Copies::ById);
    rooms.is_shared = AtomicBool::new(false);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    rooms.answered(0, (0, 0), 2 * SECOND);
    assert_eq!(rooms.remembered.load(Ordering::Relaxed), 0);
    assert_eq!(rooms.heard(1, (0, 0), 2 * SECOND), Hearing::Passed);
    rooms.said(0, ((0, 1), true), (3 * SECOND, 3 * SECOND));
    assert!(is_copy(rooms.heard(1, (0, 1), 3 * SECOND)));
    let unheard = rooms.finish(40 * SECOND);
    let known: Vec<_> = unheard
        .iter()
        .map(|of| (of.message, &*of.clients))
        .collect();
    assert_eq!(known, [((0, 1), &[2][..])]);
}

#[test]
fn answers_are_known_by_their_tasks_whoever_hears_first() {
    let rooms = three(Copies::ByTask);
    rooms.said(0, ((0, 0), true), (2 * SECOND, 2 * SECOND));
    assert_eq!(rooms.heard_task(1, 77, 2 * SECOND), Hearing::Passed);
    let early = rooms.named(0, (0, 0), 77);
    assert!(matches!(early[..], [Hearing::Copy(_)]), "{early:?}");
    assert!(is_copy(rooms.heard_task(2, 77, 3 * SECOND)));
    // Nobody can tell what became of an answer without a name.
    rooms.said(0, ((0, 1), true), (4 * SECOND, 4 * SECOND));
    rooms.answered(0, (0, 1), 4 * SECOND);
    assert_eq!(rooms.finish(40 * SECOND), []);
}

#[test]
fn what_everybody_heard_is_forgotten_and_past_a_bound_nothing_is_followed() {
    let rooms = three(Copies::ById);
    for number in 0..5_000 {
        let at_us = 2 * SECOND + u64::from(number) * 20_000;
        rooms.said(0, ((0, number), true), (at_us, at_us));
        for member in [1, 2] {
            assert!(is_copy(rooms.heard(member, (0, number), at_us)));
        }
    }
    let lingering = rooms.remembered.load(Ordering::Relaxed);
    assert!(lingering < 110, "{lingering}");
    assert_eq!(rooms.finish(200 * SECOND), []);

    let (mut unheard, said) = (Vec::new(), 200_100);
    for number in 0..said {
        let at_us = 200 * SECOND + u64::from(number) * 20;
        unheard.extend(rooms.said(0, ((1, number), true), (at_us, at_us)));
        rooms.heard(1, (1, number), at_us);
    }
    assert!(rooms.is_full());
    unheard.extend(rooms.left(2, 300 * SECOND, true));
    unheard.extend(rooms.finish(300 * SECOND));
    let missed: usize = unheard.iter().map(|of| of.clients.len()).sum();
    assert_eq!(missed, MESSAGES_MAX);
    assert_eq!(rooms.remembered.load(Ordering::Relaxed), 0);
}

proptest! {
    #[test]
    fn a_server_that_tells_everybody_is_never_accused(
        says in prop::collection::vec((0_u32..3, 0_u64..3_000_000, prop::array::uniform3(0_u64..9_000_000)), 1..200),
        leaves in prop::collection::vec((0_u32..3, any::<bool>()), 0..20),
    ) {
        let rooms = three(Copies::ById);
        // What happens, in the order of time: 0 said, 1 heard, 2 left, 3 came back.
        let mut moments = Vec::new();
        let mut at_us = 2 * SECOND;
        for (number, (writer, after_us, took_us)) in (0..).zip(&says) {
            at_us += after_us;
            moments.push((at_us, 0, *writer, number, false));
            for (member, took_us) in (0..).zip(took_us) {
                moments.push((at_us + took_us, 1, member, number, false));
            }
        }
        let end_us = at_us + 60 * SECOND;
        for (nth, (member, orderly)) in (1..).zip(&leaves) {
            let left_us = nth * end_us / 21;
            moments.push((left_us, 2, *member, 0, *orderly));
            moments.push((left_us + SECOND, 3, *member, 0, false));
        }
        moments.sort_unstable();
        let mut here = [true; 3];
        let mut unheard = Vec::new();
        for (at_us, what, client, number, orderly) in moments {
            let writer = says[number as usize].0;
            match what {
                0 if here[client as usize] => {
                    unheard.extend(rooms.said(client, ((client, number), true), (at_us, at_us)));
                }
                1 if here[client as usize] && client == writer => {
                    rooms.answered(client, (writer, number), at_us);
                }
                1 if here[client as usize] => {
                    rooms.heard(client, (writer, number), at_us);
                }
                2 => {
                    here[client as usize] = false;
                    unheard.extend(rooms.left(client, at_us, orderly));
                }
                3 => {
                    here[client as usize] = true;
                    rooms.joined(client, at_us);
                }
                _ => {}
            }
        }
        unheard.extend(rooms.finish(end_us));
        prop_assert!(unheard.is_empty(), "{unheard:?}");
    }
}
