//! This module holds what the made-up runs have in common: plan, description, stamps.

use serde_json::{Value, json};

use super::story::{CLIENTS, Story};
use crate::plan::Plan;
use crate::record::fault::FaultStamps;
use crate::result::{Host, Run};

const QUESTION: &str = "Does chat come back after Redis is gone for five seconds, and is anything lost? 2,000 clients, each sending a message a second on its own schedule, answered in four chunks.";

fn expect(
    what: Value,
    when: &Value,
    (comparison, value, text): (&str, f64, &str),
    line: u32,
) -> Value {
    json!({
        "what": what, "when": when, "line": line, "bound_text": text,
        "bound": {"comparison": comparison, "value": value},
    })
}

fn expectations() -> Vec<Value> {
    let latency = |stage: &str| json!({"kind": "latency", "stage": stage, "statistic": "p99", "time": "response"});
    let delivery = |outcome: &str| json!({"kind": "delivery", "outcome": outcome});
    let whole = json!({"kind": "whole_run"});
    let outside = json!({"kind": "outside_faults"});
    let during = json!({"kind": "during", "fault": "redis-down"});
    let none = ("equals", 0.0, "0");
    vec![
        expect(
            latency("complete"),
            &outside,
            ("under", 250_000.0, "250ms"),
            29,
        ),
        expect(
            latency("session_ready"),
            &json!({"kind": "ramp"}),
            ("under", 100_000.0, "100ms"),
            33,
        ),
        expect(
            json!({"kind": "recovery"}),
            &during,
            ("under", 5_000_000.0, "5s"),
            37,
        ),
        expect(delivery("lost"), &whole, none, 41),
        expect(
            json!({"kind": "detect"}),
            &during,
            ("under", 2_000_000.0, "2s"),
            45,
        ),
        expect(json!({"kind": "failed_clients"}), &whole, none, 49),
        expect(
            json!({"kind": "peak_open"}),
            &whole,
            ("at_least", 1_990.0, "1990"),
            53,
        ),
        expect(delivery("duplicated"), &whole, none, 57),
    ]
}

pub(super) fn plan(story: Story) -> Plan {
    let defects = if story == Story::Fail {
        vec!["complete-missing"]
    } else {
        Vec::new()
    };
    let hold_us = if story == Story::Inconclusive {
        18_000_000
    } else {
        45_000_000
    };
    let plan = json!({
        "title": "redis-outage", "question": QUESTION, "scenario": "scenarios/redis-outage.toml", "seed": 7,
        "interval_us": 250_000,
        "environment": {
            "target": null, "proxies": ["redis"], "toxiproxy": null, "redis": {"kind": "private"},
            "server": {"instances": 1, "defects": defects, "settings": {}},
            "users": {"prefix": "user", "password": null},
        },
        "load": {
            "clients": CLIENTS, "lanes": 1, "heartbeat_us": 30_000_000, "drain_us": 10_000_000,
            "stages": [
                {"start_us": 0, "length_us": 10_000_000, "from": 0, "to": CLIENTS},
                {"start_us": 10_000_000, "length_us": hold_us, "from": CLIENTS, "to": CLIENTS},
            ],
            "mix": [{"behavior": {"kind": "chatter"}, "clients": CLIENTS}],
            "session": {"credential": "connection-token", "conversation": "own", "connect_timeout_us": 10_000_000},
            "message": {"every_us": 1_000_000, "arrival": "poisson", "chunks": 4, "length_min": 20, "length_max": 20, "retries": 5},
            "reconnect": {"first_us": 1_000_000, "factor": 2.0, "cap_us": 30_000_000, "jitter": "full", "attempts": 5},
        },
        "faults": [{"name": "redis-down", "at_us": 20_000_000, "for_us": 5_000_000, "kind": {"kind": "down", "link": "redis"}, "line": 20}],
        "expect": expectations(),
        "abort_when": [],
    });
    serde_json::from_value(plan).unwrap()
}

pub(super) fn description(story: Story) -> Run {
    let defects = match story {
        Story::Fail => " --set environment.server.defects=complete-missing",
        Story::Pass | Story::Invalid | Story::Interrupted | Story::Inconclusive => "",
    };
    Run {
        id: "r-7f3a91c2".to_owned(),
        scenario: "scenarios/redis-outage.toml".to_owned(),
        title: "redis-outage".to_owned(),
        question: QUESTION.to_owned(),
        seed: 7,
        plan_hash: "c41f09a2be5533d07e6610c9a1f4d2783b5a9e0c6d7f81427a90b3c5d1e288e2".to_owned(),
        harness_version: "0.1.0".to_owned(),
        commit: Some("4be81d0".to_owned()),
        started_at: "2026-11-21T06:12:04Z".to_owned(),
        duration_us: story.end_us(),
        interrupted: story == Story::Interrupted,
        aborted: None,
        abort: None,
        command: format!("harness run scenarios/redis-outage.toml --seed 7{defects}"),
        host: Host {
            name: Some("ci-runner-3".to_owned()),
            cores: 2,
            memory_bytes: 25_769_803_776,
            cpu: None,
            kernel: "Linux 6.18.5 x86_64".to_owned(),
            file_limit: 20_000,
            load_average: [0.11, 0.08, 0.02],
            redis_version: Some("7.0.15".to_owned()),
            target: "http://127.0.0.1:41873".to_owned(),
            target_version: Some("0.1.0".to_owned()),
            links: vec![
                "redis: embedded fault proxy".to_owned(),
                "edge: direct".to_owned(),
            ],
        },
    }
}

pub(super) fn stamps(story: Story) -> FaultStamps {
    let met = FaultStamps {
        injecting_us: Some(20_001_000),
        injected_us: Some(20_004_000),
        confirmed_us: Some(20_061_000),
        healing_us: Some(25_000_400),
        healed_us: Some(25_006_000),
        heal_confirmed_us: Some(25_118_000),
        readiness_red_us: Some(21_344_000),
        readiness_green_us: Some(25_700_000),
        readiness_watched: true,
        machine_pause_us: 0,
        problem: None,
    };
    match story {
        Story::Pass | Story::Fail | Story::Interrupted | Story::Inconclusive => met,
        Story::Invalid => FaultStamps {
            confirmed_us: None,
            readiness_red_us: None,
            problem: Some("the probe through the path was answered for 2 s".to_owned()),
            ..met
        },
    }
}
