//! Plans as a whole: what scenarios become, and that no text makes the planner panic.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::scenario::Overrides;
use crate::scenario::problem::Place;

const SCENARIOS: [&str; 8] = [
    include_str!("../../../scenarios/smoke.toml"),
    include_str!("../../../scenarios/redis-outage.toml"),
    include_str!("../../../scenarios/redis-slow.toml"),
    include_str!("../../../scenarios/redis-stall.toml"),
    include_str!("../../../scenarios/redis-kill.toml"),
    include_str!("../../../scenarios/soak-idle.toml"),
    include_str!("../../../scenarios/edge-faults.toml"),
    include_str!("../../tests/it/fixtures/every-key.toml"),
];

/// What is put in place of a value, a key or a line.
const SNIPPETS: [&str; 32] = [
    "0",
    "-1",
    "1",
    "4294967296",
    "9223372036854775807",
    "99999999999999999999999",
    "1e308",
    "nan",
    "inf",
    "0.5",
    "true",
    "1979-05-27",
    "\"\"",
    "\"0s\"",
    "\"1us\"",
    "\"24h\"",
    "\"366d\"",
    "\"18446744073709551615s\"",
    "\"5m\"",
    "\"during redis-down\"",
    "\"redis.tasks\"",
    "\"latency\"",
    "\"redis-pause\"",
    "\"${env:X}\"",
    "\"ws://[::1]:1\"",
    "[]",
    "[[]]",
    "[{}]",
    "{}",
    "[[fault]]",
    "[load.stages]",
    "\u{feff}\u{0}é\"",
];

/// A change to a text.
#[derive(Clone, Debug)]
enum Change {
    DropLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
    /// Everything behind the first `=` of a line.
    ReplaceValue(Index, Index),
    ReplaceLine(Index, Index),
    DropCharacter(Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Change::DropLine),
        index().prop_map(Change::RepeatLine),
        (index(), index()).prop_map(|(one, other)| Change::SwapLines(one, other)),
        (index(), index()).prop_map(|(line, snippet)| Change::ReplaceValue(line, snippet)),
        (index(), index()).prop_map(|(line, snippet)| Change::ReplaceValue(line, snippet)),
        (index(), index()).prop_map(|(line, snippet)| Change::ReplaceLine(line, snippet)),
        index().prop_map(Change::DropCharacter),
        index().prop_map(Change::Cut),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    let snippet = |index: &Index| (*index.get(&SNIPPETS)).to_owned();
    let count = lines.len();
    match change {
        Change::DropLine(line) => drop(lines.remove(line.index(count))),
        Change::RepeatLine(line) => {
            lines.insert(line.index(count), lines[line.index(count)].clone());
        }
        Change::SwapLines(one, other) => lines.swap(one.index(count), other.index(count)),
        Change::ReplaceValue(line, value) => {
            let line = &mut lines[line.index(count)];
            if let Some((key, _)) = line.split_once('=') {
                *line = format!("{key}= {}", snippet(value));
            }
        }
        Change::ReplaceLine(line, value) => lines[line.index(count)] = snippet(value),
        Change::DropCharacter(at) => {
            let mut characters: Vec<char> = text.chars().collect();
            characters.remove(at.index(characters.len()));
            return characters.into_iter().collect();
        }
        Change::Cut(at) => {
            let kept = at.index(text.chars().count());
            return text.chars().take(kept).collect();
        }
    }
    lines.join("\n")
}

fn overrides() -> impl Strategy<Value = Overrides> {
    let set = (any::<Index>(), any::<Index>()).prop_map(|(key, value)| {
        let keys = [
            "load.clients",
            "load.message.every",
            "fault.0.for",
            "expect.0",
            "load.stages.1.hold",
            "environment.redis",
            "a..b",
            "fault.redis-down.kind",
        ];
        format!("{}={}", key.get(&keys), value.get(&SNIPPETS))
    });
    let duration = proptest::option::weighted(0.3, 0..100_000_000_u64);
    (
        proptest::option::weighted(0.3, any::<u32>()),
        duration,
        proptest::option::weighted(0.3, any::<u64>()),
        prop::collection::vec(set, 0..3),
        proptest::option::weighted(0.2, Just("ws://127.0.0.1:8000".to_owned())),
    )
        .prop_map(|(clients, duration_us, seed, set, target)| Overrides {
            clients,
            duration: duration_us.map(Duration::from_micros),
            seed,
            set,
            target,
            ..Overrides::default()
        })
}

/// What holds for every plan, however it came about.
#[track_caller]
fn check_plan(plan: &Plan) {
    let load = &plan.load;
    let mut end_us = 0;
    let mut clients = 0;
    for stage in &load.stages {
        assert_eq!(
            (stage.start_us, stage.from),
            (end_us, clients),
            "{:?}",
            load.stages
        );
        assert!(stage.length_us > 0 && stage.to <= load.clients);
        end_us += stage.length_us;
        clients = stage.to;
    }
    assert_eq!(
        load.mix.iter().map(|share| share.clients).sum::<u32>(),
        load.clients
    );
    assert!(load.clients > 0 && load.message.every_us > 0 && plan.interval_us > 0);
    assert!(load.reconnect.first_us <= load.reconnect.cap_us);
    let mut names: Vec<&str> = plan
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    assert!(
        plan.faults
            .iter()
            .all(|fault| fault.at_us + fault.for_us <= end_us)
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), plan.faults.len(), "fault names repeat");
    let printed = to_toml(plan);
    let again = compile("printed", &printed, &Overrides::default());
    let again = again.unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
    assert_eq!(to_toml(&again), printed);
    assert_eq!(hash(&again), hash(plan), "{printed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_mutated_scenario_makes_the_planner_panic(
        scenario in any::<Index>(),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let original = (*scenario.get(&SCENARIOS)).to_owned();
        let text = changes.iter().fold(original, |text, change| apply(&text, change));
        match compile("mutated.toml", &text, &Overrides::default()) {
            Ok(plan) => check_plan(&plan),
            Err(problems) => {
                let lines = text.lines().count().max(1) + 1;
                prop_assert!(!problems.is_empty());
                for problem in problems.iter() {
                    let line = problem.at.line() as usize;
                    prop_assert!((1..=lines).contains(&line), "{line} of {lines}: {problems}");
                    prop_assert!(!problem.fact.is_empty() && !problem.fact.contains('\n'), "{problems}");
                }
            }
        }
    }

    #[test]
    fn flags_give_a_plan_or_a_problem_with_a_place(scenario in any::<Index>(), overrides in overrides()) {
        let text = scenario.get(&SCENARIOS);
        match compile("flagged.toml", text, &overrides) {
            Ok(plan) => check_plan(&plan),
            Err(problems) => {
                for problem in problems.iter() {
                    let placed = match &problem.at {
                        Place::Line(line) | Place::Protocol(_, line) => *line > 0,
                        Place::Flag(flag) => flag.starts_with("--"),
                    };
                    prop_assert!(placed, "{problems}");
                }
            }
        }
    }
}

fn plan(text: &str) -> Plan {
    compile("test.toml", text, &Overrides::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn scaled(clients: Option<u32>, seconds: Option<u64>) -> Vec<(u64, u32)> {
    let text = "[load]\nstages = [{ ramp = '10s', to = 100 }, { hold = '20s' }, { ramp = '10s', to = 30 }, { hold = '10s' }]";
    let overrides = Overrides {
        clients,
        duration: seconds.map(Duration::from_secs),
        ..Overrides::default()
    };
    let plan =
        compile("test.toml", text, &overrides).unwrap_or_else(|problems| panic!("{problems}"));
    plan.load
        .stages
        .iter()
        .map(|stage| (stage.length_us / 1_000_000, stage.to))
        .collect()
}

#[test]
fn clients_scale_every_stage_in_proportion() {
    assert_eq!(
        scaled(Some(1000), None),
        [(10, 1000), (20, 1000), (10, 300), (10, 300)]
    );
    assert_eq!(
        scaled(Some(10), None),
        [(10, 10), (20, 10), (10, 3), (10, 3)]
    );
    assert_eq!(scaled(Some(1), None), [(10, 1), (20, 1), (10, 1), (10, 1)]);
}

#[test]
fn a_bound_on_open_sockets_scales_with_the_clients() {
    let text = "[load]\nclients = 2000\nstages = [{ ramp = '1s' }, { hold = '9s' }]\n\
                [[expect]]\nwhat = 'peak open'\nat_least = 1990";
    let bound = |clients| {
        let overrides = Overrides {
            clients,
            ..Overrides::default()
        };
        let plan =
            compile("test.toml", text, &overrides).unwrap_or_else(|problems| panic!("{problems}"));
        plan.expect[0].bound_text.clone()
    };
    assert_eq!(bound(None), "1990");
    assert_eq!(bound(Some(200)), "199");
    assert_eq!(bound(Some(9000)), "8955");
}

#[test]
fn duration_scales_the_holds_and_leaves_the_ramps() {
    assert_eq!(
        scaled(None, Some(80)),
        [(10, 100), (40, 100), (10, 30), (20, 30)]
    );
    assert_eq!(
        scaled(None, Some(35)),
        [(10, 100), (10, 100), (10, 30), (5, 30)]
    );
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let plan = plan("[load]\nclients = 1000\nhold = '1min'\n");
    let reconnect = ReconnectPlan {
        first_us: 1_000_000,
        factor: 2.0,
        cap_us: 30_000_000,
        jitter: Jitter::Full,
        attempts: 5,
    };
    assert_eq!(plan.load.reconnect, reconnect);
    assert_eq!(
        (plan.load.message.chunks, plan.load.message.retries),
        (3, 5)
    );
    assert_eq!(
        (plan.load.heartbeat_us, plan.load.drain_us),
        (30_000_000, 10_000_000)
    );
    assert_eq!(plan.load.session.connect_timeout_us, 10_000_000);
    assert_eq!(
        plan.load.stages[0].length_us, 5_000_000,
        "200 clients a second"
    );
    assert_eq!(
        (plan.environment.redis, plan.environment.proxies),
        (RedisPlan::Private, vec![Link::Redis])
    );
    assert_eq!(
        (plan.title.as_str(), plan.seed, plan.interval_us),
        ("test", 1, 250_000)
    );
}

#[test]
fn faults_without_a_name_are_called_after_where_and_what() {
    let faults = "[[fault]]\nat = '1s'\nfor = '1s'\nlink = 'redis.tokens'\nkind = 'reset_peer'\n\
        [[fault]]\nat = '9s'\nfor = '1s'\nlink = 'redis'\nkind = 'down'\n\
        [[fault]]\nat = '5s'\nfor = '1s'\nlink = 'redis'\nkind = 'down'\n\
        [[fault]]\nat = '7s'\nfor = '1s'\nkind = 'redis-kill'\n";
    let plan = plan(&format!("[load]\nclients = 10\nhold = '30s'\n{faults}"));
    let names: Vec<&str> = plan
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "redis-tokens-reset-peer",
            "redis-down-2",
            "redis-kill",
            "redis-down"
        ]
    );
}

#[test]
fn a_reset_of_a_share_is_read_and_printed_and_one_of_all_keeps_the_hash_of_old_plans() {
    let environment = "proxies = ['edge']";
    let reset = |share: &str| {
        let fault = format!("at = '1s'\nlink = 'edge'\nkind = 'reset_now'\n{share}");
        outcome(environment, &fault)
    };
    let share_of = |plan: &Plan| match plan.faults[0].kind.mechanism() {
        Mechanism::ResetNow { share_ratio } => share_ratio,
        other => panic!("{other:?}"),
    };
    let all = reset("").unwrap();
    assert!((share_of(&all) - 1.0).abs() < 1e-9);
    let json = serde_json::to_value(all.faults[0].kind).unwrap();
    let old = serde_json::json!({ "kind": "reset_now", "link": "edge" });
    assert_eq!(json, old);
    assert_eq!(
        serde_json::from_value::<FaultKind>(old).unwrap(),
        all.faults[0].kind
    );
    assert_eq!(hash(&all), hash(&reset("share = 1").unwrap()));
    for written in ["share = '12.5%'", "share = ' 12.5 %'", "share = 0.125"] {
        let some = reset(written).unwrap();
        assert!((share_of(&some) - 0.125).abs() < 1e-9, "{written}");
        let printed = to_toml(&some);
        assert!(printed.contains("share = \"12.5%\""), "{printed}");
        let again = compile("test.toml", &printed, &Overrides::default()).unwrap();
        assert_eq!(hash(&some), hash(&again));
        assert_ne!(hash(&some), hash(&all));
    }
    for wrong in [
        "0", "'0%'", "'100.1%'", "1.5", "-1", "'half'", "true", "'nan%'",
    ] {
        let problem = reset(&format!("share = {wrong}")).unwrap_err();
        assert!(problem.contains("share"), "{wrong}: {problem}");
    }
    let other = outcome(
        environment,
        "at = '1s'\nfor = '1s'\nlink = 'edge'\nkind = 'down'\nshare = '50%'",
    );
    assert!(other.is_err());
}

/// The plan, or what is wrong with it, of a load of 30 s with these lines before and after it.
fn outcome(environment: &str, fault: &str) -> Result<Plan, String> {
    let text = format!(
        "[environment]\n{environment}\n[load]\nclients = 10\nhold = '30s'\n[[fault]]\n{fault}"
    );
    compile("test.toml", &text, &Overrides::default()).map_err(|problems| format!("{problems:?}"))
}

#[test]
fn a_fault_on_all_of_redis_acts_where_each_database_has_a_proxy() {
    let down = "at = '1s'\nfor = '1s'\nlink = 'redis'\nkind = 'down'\n";
    let proxies = |links: &str| outcome(&format!("proxies = [{links}]"), down);
    assert!(proxies("'redis.tokens', 'redis.tasks', 'redis.channel'").is_ok());
    let problem = proxies("'redis.tokens', 'redis.tasks'").unwrap_err();
    assert!(
        problem.contains("does not run through the fault proxy"),
        "{problem}"
    );
}

#[test]
fn a_cut_that_ends_before_it_can_be_seen_is_refused() {
    let idle = |length: &str| {
        let keys = "link = 'redis'\nkind = 'idle_timeout'\ntimeout = '3s'\n";
        outcome("", &format!("at = '1s'\n{length}{keys}"))
    };
    for short in ["for = '3s'\n", "for = '3400ms'\n"] {
        assert!(
            idle(short).unwrap_err().contains("seen to be cut"),
            "{short}"
        );
    }
    assert!(!idle("for = '3500ms'\n").unwrap().faults[0].condition);
    let lasting = idle("").unwrap();
    assert!(lasting.faults[0].condition);
    assert_eq!(lasting.faults[0].for_us, lasting.load.load_us() - 1_000_000);
}

#[test]
fn intervals_grow_with_the_run_so_that_memory_does_not() {
    let interval = |hold: &str| {
        plan(&format!(
            "[load]\nclients = 1\nramp = '1s'\nhold = '{hold}'\n"
        ))
        .interval_us
    };
    assert_eq!(interval("1199s"), 250_000);
    assert_eq!(interval("20min"), 500_000);
    assert_eq!(interval("23h"), 17_500_000);
}

#[test]
fn the_hash_is_of_the_plan_and_not_of_the_place() {
    let text = SCENARIOS[1];
    let here = compile("a/redis-outage.toml", text, &Overrides::default()).unwrap();
    let there = compile(
        "b/redis-outage.toml",
        &format!("{text}\n# end"),
        &Overrides::default(),
    )
    .unwrap();
    let moved = compile(
        "a/redis-outage.toml",
        &text.replace("\n[load]", "\n\n\n[load]"),
        &Overrides::default(),
    )
    .unwrap();
    let changed = compile(
        "a/redis-outage.toml",
        &text.replace("seed = 7", "seed = 8"),
        &Overrides::default(),
    )
    .unwrap();
    assert_eq!(hash(&here), hash(&there));
    assert_eq!(hash(&here), hash(&moved));
    assert_ne!(hash(&here), hash(&changed));
    assert_eq!(hash(&here).len(), 64);
}
