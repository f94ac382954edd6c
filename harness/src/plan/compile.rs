//! This module makes the plan of a scenario, or says everything that stands in its way.
//!
//! **In:** the text of a scenario and what the command line changes. **Out:** a [`Plan`] with every
//! default filled in, or all problems at once: those of the file and those of its parts together.
//! Pure: whether a host answers or a port is free is not asked here.

use crate::plan::{
    EnvironmentPlan, Link, LoadPlan, MessagePlan, Plan, ReconnectPlan, RedisPlan, ServerPlan,
    SessionPlan, TlsPlan, UsersPlan, columns, copies, criteria, dialect, part, shape, timeline,
    trial, via,
};
use crate::scenario::environment::{Environment, Redis};
use crate::scenario::load::{Conversation, Credential, Load, Reconnect};
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::{self, Overrides, ScenarioFile};
use crate::units;

/// Length of one recorder interval of a short run.
const INTERVAL_US: u64 = 250_000;
/// Most intervals of a run: 20 minutes of short ones. Longer runs get longer intervals.
const INTERVALS_MAX: u64 = 20 * 60 * 1_000_000 / INTERVAL_US;
/// Most messages a second that one process is asked for: ten times what a fast one manages.
const MESSAGES_PER_S_MAX: f64 = 500_000.0;

/// The plan of the scenario in `text`, which was read from `path`.
pub(crate) fn compile(path: &str, text: &str, overrides: &Overrides) -> Result<Plan, Problems> {
    let (file, mut problems) = scenario::read(path, text, overrides);
    let plan = resolve(&file, overrides, &mut problems);
    problems.or_else(plan)
}

fn resolve(file: &ScenarioFile, overrides: &Overrides, problems: &mut Problems) -> Option<Plan> {
    let mut environment = EnvironmentPlan {
        dialect: file.dialect.clone().map(Box::new),
        ..environment(&file.environment, dialect::asks_who(file), problems)
    };
    if let (Some(dialect), Some(_)) = (&file.dialect, &file.environment.users_file) {
        environment.users.columns = columns::columns(dialect);
    }
    let load = load(&file.load, overrides, problems);
    let load = load.map(|mut load| {
        load.message.retries = dialect::retries(file.dialect.as_ref(), load.message.retries);
        load.session.conversation = copies::conversation(file, problems);
        load
    });
    if file.dialect.is_none() && file.load.session.credential == Credential::FirstFrame {
        let complaint = Complaint::new("frames of the contract hold no credential")
            .hint("say how the server is spoken to: [target], with [[target.open]]");
        problems.add(&file.load.at, "load.session.credential", complaint);
    }
    if let Some(typed) = &file.dialect {
        dialect::check(typed, file, load.as_ref(), problems);
    }
    let load_us = load.as_ref().map(LoadPlan::load_us);
    let faults = timeline::resolve(&file.faults, load_us, problems);
    via::check(&file.environment, &file.faults, problems);
    timeline::check_reach(&file.faults, &environment, problems);
    let trials = trial::resolve(file, problems);
    let view = criteria::View {
        environment: &environment,
        load_us,
        sends: file.load.mix.sends() || !file.load.mix.asks(),
        hears: load
            .as_ref()
            .is_none_or(|load| copies::of(&load.session, file.dialect.as_ref()).is_some()),
        faults: &faults,
        parts: load.as_ref().map(LoadPlan::parts),
    };
    let mut expect = criteria::resolve(&file.expect, &view, problems);
    let mut abort_when = criteria::resolve_aborts(&file.abort_when, &view, problems);
    if let (Some(written), Some(wanted)) = (&file.load.clients, overrides.clients) {
        criteria::scale(
            expect
                .iter_mut()
                .chain(abort_when.iter_mut().map(|rule| &mut rule.expectation)),
            written.value,
            wanted,
        );
    }
    let load_us = load_us?;
    Some(Plan {
        title: file.title.clone(),
        question: file.question.clone(),
        scenario: file.path.clone(),
        seed: file.seed,
        interval_us: INTERVAL_US * load_us.div_ceil(INTERVAL_US * INTERVALS_MAX).max(1),
        environment,
        load: load?,
        faults: faults.into_iter().map(|fault| fault.planned).collect(),
        trials,
        expect,
        abort_when,
    })
}

fn environment(typed: &Environment, asks_who: bool, problems: &mut Problems) -> EnvironmentPlan {
    let redis = redis(typed, problems);
    let proxies = proxies(typed, problems);
    if let (true, Some(at)) = (typed.attached, &typed.server_at) {
        let complaint = Complaint::new("no server is started: the run attaches to a target")
            .hint("leave out either `server` or `target`");
        problems.add(at, "environment.server", complaint);
    }
    let known = typed.password.is_some() || typed.users_file.is_some();
    if let (Some(target), false, true) = (&typed.target, known, asks_who) {
        let complaint = Complaint::new("clients need a password to log in at a target")
            .hint("write users = { prefix = \"user-\", password = \"${env:CHAT_PASSWORD}\" } into [environment], or add --set environment.users.password='${env:CHAT_PASSWORD}'");
        problems.add(&target.at, "environment.users.password", complaint);
    }
    check_tls(typed, problems);
    EnvironmentPlan {
        // One that could not be read is a problem already: no plan comes of it.
        target: match &typed.target {
            Some(target) => Some(target.value.clone()),
            None => typed.attached.then(String::new),
        },
        resolve: typed.resolve.clone(),
        via: typed.via.as_ref().map(|via| via.value.clone()),
        tls: TlsPlan {
            ca: typed.ca.clone(),
            insecure: typed.insecure,
            cert: typed.cert.clone(),
            key: typed.key.clone(),
        },
        server: ServerPlan {
            instances: typed.instances.unwrap_or(1),
            exact: typed.instances.is_some(),
            cpus: typed.cpus.clone(),
            defects: typed.defects.clone(),
            settings: typed.settings.clone(),
        },
        redis,
        proxies,
        links: typed
            .links
            .iter()
            .map(|(link, name)| (link.value, name.clone()))
            .collect(),
        edge_processes: typed.edge_processes,
        toxiproxy: typed.toxiproxy.as_ref().map(|url| url.value.clone()),
        dialect: None,
        users: UsersPlan {
            prefix: typed.user_prefix.clone(),
            password: typed
                .password
                .as_ref()
                .map(|password| password.value.clone()),
            file: typed.users_file.clone(),
            columns: Vec::new(),
        },
    }
}

fn redis(typed: &Environment, problems: &mut Problems) -> RedisPlan {
    let attached = typed.attached;
    let Some(redis) = &typed.redis else {
        return if attached {
            RedisPlan::None
        } else {
            RedisPlan::Private
        };
    };
    let wrong = |problems: &mut Problems, fact: &str, hint: &str| {
        problems.add(
            &redis.at,
            "environment.redis",
            Complaint::new(fact).hint(hint),
        );
    };
    match &redis.value {
        Redis::Private if attached => {
            let hint =
                "leave `redis` out, or name the target's own: redis = \"redis://127.0.0.1:6379\"";
            wrong(
                problems,
                "a target would not use a Redis that is started for this run",
                hint,
            );
            RedisPlan::None
        }
        Redis::Private => RedisPlan::Private,
        Redis::None if !attached => {
            wrong(
                problems,
                "the server that is started needs Redis",
                "write redis = \"private\"",
            );
            RedisPlan::Private
        }
        Redis::None => RedisPlan::None,
        Redis::Url(url) => RedisPlan::Url { url: url.clone() },
    }
}

/// `tls` has something to do, and says one thing.
fn check_tls(typed: &Environment, problems: &mut Problems) {
    let Some(at) = &typed.tls_at else {
        return;
    };
    let secure = typed.target.as_ref().is_some_and(|target| {
        target.value.starts_with("wss://") || target.value.starts_with("https://")
    });
    if !typed.attached || typed.target.is_some() && !secure {
        let complaint = Complaint::new("nothing is encrypted")
            .hint("it is for a target with wss:// or https://; leave it out");
        problems.add(at, "environment.tls", complaint);
    }
    if typed.ca.is_some() && typed.insecure {
        let complaint = Complaint::new("both an authority and no check at all")
            .hint("leave out either `ca` or `insecure`");
        problems.add(at, "environment.tls", complaint);
    }
    if typed.cert.is_some() != typed.key.is_some() {
        let complaint = Complaint::new(
            "a certificate of the client has a key, and a key a certificate",
        )
        .hint(
            "write cert = \"client.pem\", key = \"client.key\", or --client-cert and --client-key",
        );
        problems.add(at, "environment.tls", complaint);
    }
}

/// The links that run through a proxy: as written, and those that a proxy of a Toxiproxy carries
/// already.
fn proxies(typed: &Environment, problems: &mut Problems) -> Vec<Link> {
    let linked = typed.links.iter().map(|(link, _)| link.value);
    let mut proxies: Vec<Link> = linked.collect();
    check_toxiproxy(typed, problems);
    match &typed.proxies {
        Some(written) => {
            let own = |link: &&Link| !proxies.iter().any(|linked| linked.covers(**link));
            let own: Vec<Link> = written.value.iter().filter(own).copied().collect();
            if typed.attached && own.iter().any(|link| *link != Link::Edge) {
                let complaint = Complaint::new("a target keeps its own way to Redis").hint(
                    "write proxies = [\"edge\"] or leave it out, name the target's own proxies in `links`, or leave `target` out to start the server here",
                );
                problems.add(&written.at, "environment.proxies", complaint);
            }
            proxies.extend(own);
        }
        None if typed.attached || !proxies.is_empty() => {}
        None => proxies.push(Link::Redis),
    }
    proxies.sort_unstable();
    proxies.dedup();
    proxies
}

/// A Toxiproxy has something to do, and what lies on it can be reached.
fn check_toxiproxy(typed: &Environment, problems: &mut Problems) {
    let edge = typed
        .proxies
        .as_ref()
        .is_some_and(|written| written.value.contains(&Link::Edge));
    if let (true, Some(toxiproxy), true, false) = (
        typed.attached,
        &typed.toxiproxy,
        typed.links.is_empty(),
        edge,
    ) {
        let complaint = Complaint::new("nothing of a target runs through it").hint(
            "leave it out, write proxies = [\"edge\"], or name the target's own proxies there: links = { redis = \"name\" }",
        );
        problems.add(&toxiproxy.at, "environment.toxiproxy", complaint);
    }
    let Some((first, _)) = typed.links.first() else {
        return;
    };
    if typed.toxiproxy.is_none() {
        let complaint = Complaint::new("names proxies, but not where they are")
            .hint("write toxiproxy = \"http://127.0.0.1:8474\", or run with --toxiproxy");
        problems.add(&first.at, "environment.links", complaint);
    }
    let started_here = !typed.attached
        && !matches!(&typed.redis, Some(redis) if matches!(redis.value, Redis::Url(_)));
    let to_redis = typed
        .links
        .iter()
        .find(|(link, _)| link.value != Link::Edge);
    if let (true, Some((link, _))) = (started_here, to_redis) {
        let complaint =
            Complaint::new("a proxy that exists cannot lead to a Redis that is started here")
                .hint("write the URL of its Redis: redis = \"redis://…\", or attach to a `target`");
        problems.add(&link.at, "environment.links", complaint);
    }
    let edge = typed
        .links
        .iter()
        .find(|(link, _)| link.value == Link::Edge);
    if let (false, Some((link, _))) = (typed.attached, edge) {
        let complaint = Complaint::new(
            "a proxy that exists cannot lead to a server that is started here",
        )
        .hint("attach to the server behind it: target = \"ws://…\" with the proxy's own address");
        problems.add(&link.at, "environment.links", complaint);
    }
}

fn load(typed: &Load, overrides: &Overrides, problems: &mut Problems) -> Option<LoadPlan> {
    let reconnect = reconnect(&typed.reconnect, problems);
    let stages = shape::stages(typed, overrides, problems);
    let clients = stages
        .as_ref()
        .map(|stages| stages.iter().map(|stage| stage.to).max().unwrap_or(0));
    let mix = shape::mix(typed, clients, overrides.clients.is_some(), problems);
    check_use(typed, problems);
    let stage_names = part::names(typed, stages.as_deref().unwrap_or_default(), problems);
    let (stages, clients, mix) = (stages?, clients?, mix?);
    let senders = mix
        .iter()
        .filter(|share| share.behavior.sends())
        .map(|share| f64::from(share.clients));
    let per_s = senders.sum::<f64>() / typed.message.every.as_secs_f64();
    if per_s > MESSAGES_PER_S_MAX {
        let fact = format!(
            "asks for {} messages a second, at most {MESSAGES_PER_S_MAX} are tried",
            units::rounded(per_s)
        );
        let at = typed.message.at.as_ref().unwrap_or(&typed.at);
        problems.add(
            at,
            "load.message.every",
            Complaint::new(fact).hint("raise `every` or lower the clients"),
        );
    }
    Some(LoadPlan {
        clients,
        stages,
        stage_names,
        mix,
        session: SessionPlan {
            credential: typed.session.credential,
            conversation: typed.session.conversation.unwrap_or(Conversation::Own),
            group: typed.session.group,
            connect_timeout_us: units::us(typed.session.connect_timeout),
        },
        message: MessagePlan {
            every_us: units::us(typed.message.every),
            arrival: typed.message.arrival,
            chunks: typed.message.chunks,
            length_min: typed.message.length_min,
            length_max: typed.message.length_max,
            retries: typed.message.retries,
        },
        heartbeat_us: units::us(typed.heartbeat),
        reconnect,
        drain_us: units::us(typed.drain),
        lanes: typed.lanes,
        shards: typed.shards,
        sources: typed.sources.clone(),
        pacing: typed.pacing,
        cpus: typed.cpus.clone(),
        defects: typed.defects.clone(),
        payloads: typed.payloads.clone(),
    })
}

fn reconnect(typed: &Reconnect, problems: &mut Problems) -> ReconnectPlan {
    if typed.cap.value < typed.first.value {
        let (first, cap) = (typed.first.value, typed.cap.value);
        let fact = format!(
            "the longest backoff, {}, is shorter than the first, {}",
            units::print_duration(cap),
            units::print_duration(first)
        );
        problems.add(
            &typed.cap.at,
            "load.reconnect.cap",
            Complaint::new(fact).hint("raise `cap` or lower `first`"),
        );
    }
    ReconnectPlan {
        first_us: units::us(typed.first.value),
        factor: typed.factor,
        cap_us: units::us(typed.cap.value),
        jitter: typed.jitter,
        attempts: typed.attempts,
    }
}

/// A setting that nothing reads is a slip: the mix was meant to be another.
fn check_use(typed: &Load, problems: &mut Problems) {
    let asks = typed.mix.asks();
    if let (Some(at), true) = (&typed.reconnector_at, asks && typed.mix.reconnector <= 0.0) {
        let complaint = Complaint::new("no client of the mix is a reconnector")
            .hint("write mix = { chatter = 95, reconnector = 5 }, or leave [load.reconnector] out");
        problems.add(at, "load.reconnector", complaint);
    }
    if let (Some(at), true) = (&typed.message.at, asks && !typed.mix.sends()) {
        let complaint = Complaint::new("no client of the mix sends messages")
            .hint("add `chatter` to the mix, or leave `message` out");
        problems.add(at, "load.message", complaint);
    }
}
