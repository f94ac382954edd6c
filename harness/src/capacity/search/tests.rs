//! The search against services whose limit is known.

use super::*;
use crate::capacity::model::queue::Queue;
use crate::gate::synthetic::Dice;

const BOUNDS: Bounds = Bounds {
    from: 10,
    to: 100_000,
    precision_ratio: 0.05,
    confirm: 3,
};

/// Searches until there is an answer; every probe by what `service` says of its load and of how often it was asked.
fn search(bounds: &Bounds, mut service: impl FnMut(u64, usize) -> Came) -> (Found, Vec<Seen>) {
    let mut seen: Vec<Seen> = Vec::new();
    loop {
        match next(bounds, &seen) {
            Next::Done(found) => return (found, seen),
            Next::Probe { load, .. } => {
                assert!((bounds.from..=bounds.to).contains(&load), "{load}");
                let before = seen.iter().filter(|(other, _)| *other == load).count();
                seen.push((load, service(load, before)));
            }
        }
    }
}

fn limited(limit: u64) -> impl FnMut(u64, usize) -> Came {
    move |load, _| {
        if load <= limit {
            Came::Held
        } else {
            Came::Broke
        }
    }
}

#[test]
fn the_limit_lies_between_the_ends_and_they_are_close_and_confirmed() {
    for limit in [10, 11, 17, 99, 100, 1_000, 4_321, 99_999] {
        let (found, seen) = search(&BOUNDS, limited(limit));
        let Found::Between { held, broke } = found else {
            panic!("{limit}: {found:?}");
        };
        assert!(held <= limit && limit < broke, "{limit}: {found:?}");
        let close = broke as f64 <= held as f64 * 1.05 || broke == held + 1;
        assert!(close, "{limit}: {found:?}");
        for (load, came) in [(held, Came::Held), (broke, Came::Broke)] {
            let times = seen.iter().filter(|one| **one == (load, came)).count();
            assert_eq!(times, BOUNDS.confirm, "{limit}: {load}");
        }
        assert!(seen.len() <= 30, "{limit}: {} probes", seen.len());
    }
}

#[test]
fn a_limit_outside_the_bounds_is_said_to_be_outside() {
    assert_eq!(search(&BOUNDS, limited(9)).0, Found::LessThan { broke: 10 });
    assert_eq!(
        search(&BOUNDS, limited(u64::MAX)).0,
        Found::AtLeast { held: 100_000 }
    );
}

#[test]
fn a_full_generator_is_never_the_service_s_fault() {
    let (found, _) = search(&BOUNDS, |load, _| match load {
        ..=3_000 => Came::Held,
        _ => Came::Full,
    });
    let Found::GeneratorFull { held, full } = found else {
        panic!("{found:?}");
    };
    assert!(held <= 3_000 && 3_000 < full && full as f64 <= held as f64 * 1.05);
    // Once is not enough to believe it.
    let (found, _) = search(&BOUNDS, |load, before| match (load, before) {
        (..=3_000, 0) if load > 100 => Came::Full,
        (..=3_000, _) => Came::Held,
        _ => Came::Broke,
    });
    assert!(matches!(found, Found::Between { held, .. } if held <= 3_000 && held > 2_800));
    let (found, _) = search(&BOUNDS, |_, _| Came::Full);
    assert_eq!(found, Found::Unclear);
}

#[test]
fn where_the_limit_flaps_the_answer_is_wider() {
    let (found, seen) = search(&BOUNDS, |load, before| match load {
        ..=1_000 => Came::Held,
        1_001..=1_200 if before % 2 == 0 => Came::Held,
        _ => Came::Broke,
    });
    let Found::Between { held, broke } = found else {
        panic!("{found:?}");
    };
    assert!(held <= 1_000 && broke > 1_200, "{found:?}");
    assert!(!flapping(&seen).is_empty());
    assert!(seen.len() < 40, "{}", seen.len());
}

#[test]
fn what_goes_wrong_once_changes_no_answer() {
    // The first probe at 640 breaks for no reason.
    let (found, seen) = search(&BOUNDS, |load, before| match load {
        640 if before == 0 => Came::Broke,
        ..=3_000 => Came::Held,
        _ => Came::Broke,
    });
    let Found::Between { held, broke } = found else {
        panic!("{found:?}");
    };
    assert!(held <= 3_000 && 3_000 < broke && broke as f64 <= held as f64 * 1.05);
    assert!(is_sure(&BOUNDS, &seen, found));
}

#[test]
fn an_end_that_cannot_be_confirmed_is_not_sure_and_ends_soon() {
    let (found, seen) = search(&BOUNDS, |load, before| match load {
        ..=400 if before == 0 => Came::Held,
        ..=400 => Came::Full,
        _ => Came::Broke,
    });
    assert!(matches!(found, Found::Between { .. }), "{found:?}");
    assert!(!is_sure(&BOUNDS, &seen, found));
    assert!(seen.len() < 25, "{}", seen.len());
    let (found, seen) = search(&BOUNDS, |load, _| match load {
        ..=110 => Came::Held,
        _ => Came::Unclear,
    });
    assert!(matches!(found, Found::AtLeast { .. }), "{found:?}");
    assert!(!is_sure(&BOUNDS, &seen, found));
    assert!(seen.len() < 12, "{}", seen.len());
}

#[test]
fn a_search_that_is_gone_on_with_may_begin_lower() {
    let seen = [(100, Came::Broke), (100, Came::Broke), (100, Came::Broke)];
    let bounds = |from| Bounds { from, ..BOUNDS };
    let found = so_far(&bounds(100), &seen);
    assert_eq!(found, Found::LessThan { broke: 100 });
    assert!(is_sure(&bounds(100), &seen, found));
    let lower = Next::Probe {
        load: 10,
        why: Why::Step,
    };
    assert_eq!(next(&bounds(10), &seen), lower);
}

#[test]
fn a_load_that_holds_above_one_that_breaks_is_told_of() {
    let seen = [
        (10, Came::Held),
        (20, Came::Broke),
        (40, Came::Held),
        (15, Came::Held),
    ];
    assert_eq!(held_above_break(&seen), Some(40));
    assert_eq!(held_above_break(&seen[..2]), None);
    assert_eq!(
        so_far(&BOUNDS, &seen),
        Found::Between {
            held: 15,
            broke: 20
        }
    );
}

#[test]
fn what_cannot_be_told_ends_all_the_same() {
    let (found, seen) = search(&BOUNDS, |_, _| Came::Unclear);
    assert_eq!(found, Found::Unclear);
    assert_eq!(seen.len(), VAIN_MAX);
    assert_eq!(so_far(&BOUNDS, &[]), Found::Unclear);
}

#[test]
fn an_interrupted_search_knows_what_it_knows() {
    let seen = [(10, Came::Held), (20, Came::Held), (40, Came::Broke)];
    assert_eq!(
        so_far(&BOUNDS, &seen),
        Found::Between {
            held: 20,
            broke: 40
        }
    );
    assert_eq!(so_far(&BOUNDS, &seen[..2]), Found::AtLeast { held: 20 });
}

/// p99 of a service with 20 workers and exponential service times of 31.5 ms, in seconds.
fn p99_s(per_s: f64) -> f64 {
    let queue = Queue::new(per_s, 1.0 / 0.0315, 20);
    queue.map_or(f64::INFINITY, |queue| queue.response_quantile_s(0.99))
}

#[test]
fn a_queue_is_loaded_up_to_where_its_p99_meets_the_limit() {
    const LIMIT_S: f64 = 0.2;
    let (mut low, mut high) = (10.0, 634.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if p99_s(middle) < LIMIT_S {
            low = middle;
        } else {
            high = middle;
        }
    }
    for seed in 0..3 {
        let mut dice = Dice::new(seed);
        let (found, _) = search(&BOUNDS, |load, _| {
            // What a probe of some thousand answers measures.
            let seen = p99_s(load as f64) * (1.0 + 0.05 * dice.normal());
            if seen < LIMIT_S {
                Came::Held
            } else {
                Came::Broke
            }
        });
        let Found::Between { held, broke } = found else {
            panic!("{found:?}");
        };
        let (held, broke) = (held as f64, broke as f64);
        assert!(
            held * 0.95 <= low && low <= broke * 1.05,
            "{held} {low} {broke}"
        );
        assert!(broke <= held * 1.2, "{held} {broke}");
    }
}
