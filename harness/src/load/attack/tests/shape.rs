//! This module describes loads for the tests of the engine: plans, targets, signals.

use std::collections::BTreeMap;

use crate::plan::{
    Arrival, Behavior, BehaviorShare, Conversation, Credential, EnvironmentPlan, Jitter, LoadPlan,
    LoadStage, MessagePlan, Pacing, Plan, ReconnectPlan, RedisPlan, ServerPlan, SessionPlan,
    TlsPlan, UsersPlan,
};

const RAMP_US: u64 = 200_000;

/// 20 clients for a second, ten messages each and second.
pub(super) fn plan() -> Plan {
    let clients = 20;
    let stage = |start_us, length_us, from| LoadStage {
        start_us,
        length_us,
        from,
        to: clients,
    };
    Plan {
        title: "test".to_owned(),
        question: String::new(),
        scenario: String::new(),
        seed: 7,
        interval_us: 250_000,
        environment: environment(),
        load: LoadPlan {
            clients,
            stages: vec![stage(0, RAMP_US, 0), stage(RAMP_US, 800_000, clients)],
            stage_names: BTreeMap::new(),
            mix: vec![BehaviorShare {
                behavior: Behavior::Chatter,
                clients,
            }],
            session: SessionPlan {
                credential: Credential::ConnectionToken,
                conversation: Conversation::Own,
                group: 10,
                connect_timeout_us: 2_000_000,
            },
            message: MessagePlan {
                every_us: 100_000,
                arrival: Arrival::Poisson,
                chunks: 3,
                length_min: 10,
                length_max: 40,
                retries: 5,
            },
            heartbeat_us: 300_000,
            reconnect: ReconnectPlan {
                first_us: 10_000,
                factor: 1.5,
                cap_us: 50_000,
                jitter: Jitter::Full,
                attempts: 5,
            },
            drain_us: 2_000_000,
            pacing: Pacing::Auto,
            shards: None,
            sources: Vec::new(),
            lanes: 2,
            cpus: None,
            defects: Vec::new(),
            payloads: None,
        },
        faults: Vec::new(),
        trials: Vec::new(),
        expect: Vec::new(),
        abort_when: Vec::new(),
    }
}

/// Nothing is started for it.
fn environment() -> EnvironmentPlan {
    EnvironmentPlan {
        target: None,
        server: ServerPlan {
            exact: false,
            instances: 1,
            cpus: None,
            defects: Vec::new(),
            settings: BTreeMap::new(),
        },
        redis: RedisPlan::None,
        resolve: Vec::new(),
        via: None,
        tls: TlsPlan::default(),
        links: BTreeMap::new(),
        edge_processes: None,
        proxies: Vec::new(),
        toxiproxy: None,
        dialect: None,
        users: UsersPlan {
            prefix: "user-".to_owned(),
            password: None,
            file: None,
            columns: Vec::new(),
        },
    }
}
