//! This module writes a plan as a scenario file with every default filled in.
//!
//! **In:** a plan. **Out:** TOML that makes the same plan again, flags and all: `plan.toml` of a run
//! can itself be run. Secrets stay the names of environment variables.

mod target;

use std::net::IpAddr;

use toml::{Table, Value};

use crate::plan::{
    Behavior, LoadPlan, Pacing, Plan, PlannedFault, Reach, RedisPlan, STREAMS, ServerPlan,
    SessionPlan, TrialPlan,
};
use crate::scenario::expectation::{AbortRule, Expectation};
use crate::scenario::load::{
    ARRIVALS, CLIENT_DEFECTS, CONVERSATIONS, CREDENTIALS, GROUP, JITTERS, PACINGS,
};
use crate::scenario::name_of;
use crate::units::{print_us, rounded};

/// The resolved scenario.
pub(crate) fn to_toml(plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.question.is_empty() {
        line(&mut text, &format!("# {}\n", plan.question));
    }
    pair(&mut text, "title", plan.title.as_str());
    pair(
        &mut text,
        "seed",
        i64::try_from(plan.seed).unwrap_or(i64::MAX),
    );
    environment(&mut text, plan);
    if let Some(spoken) = &plan.environment.dialect {
        line(&mut text, "\n[target]");
        for (key, value) in target::pairs(spoken) {
            pair(&mut text, &key, value);
        }
    }
    load(&mut text, &plan.load);
    for planned in &plan.faults {
        line(&mut text, "\n[[fault]]");
        fault(&mut text, planned);
    }
    for planned in &plan.trials {
        line(&mut text, "\n[[trial]]");
        trial(&mut text, planned);
    }
    for expectation in &plan.expect {
        line(&mut text, "\n[[expect]]");
        criterion(&mut text, expectation);
    }
    for rule in &plan.abort_when {
        line(&mut text, "\n[[abort_when]]");
        criterion(&mut text, &rule.expectation);
        patience(&mut text, rule);
    }
    text
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}

fn pair(text: &mut String, key: &str, value: impl Into<Value>) {
    line(text, &format!("{key} = {}", value.into()));
}

fn inline<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Table(
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn session(session: &SessionPlan) -> Value {
    let pairs = [
        (
            "credential",
            name_of(&CREDENTIALS, session.credential).into(),
        ),
        (
            "conversation",
            name_of(&CONVERSATIONS, session.conversation).into(),
        ),
        (
            "connect_timeout",
            print_us(session.connect_timeout_us).into(),
        ),
    ];
    let group = (session.group != GROUP).then(|| ("group", i64::from(session.group).into()));
    inline(pairs.into_iter().chain(group))
}

fn environment(text: &mut String, plan: &Plan) {
    let environment = &plan.environment;
    line(text, "\n[environment]");
    if let Some(target) = &environment.target {
        pair(text, "target", target.as_str());
        if !environment.resolve.is_empty() {
            let pins: Vec<&str> = environment.resolve.iter().map(String::as_str).collect();
            pair(text, "resolve", pins);
        }
        if let Some(via) = &environment.via {
            pair(text, "via", via.as_str());
        }
        let tls = &environment.tls;
        if !tls.is_usual() {
            let named = [("ca", &tls.ca), ("cert", &tls.cert), ("key", &tls.key)];
            let named = named.into_iter();
            let named = named.filter_map(|(key, file)| Some((key, file.as_deref()?.into())));
            let insecure = tls.insecure.then(|| ("insecure", true.into()));
            pair(text, "tls", inline(named.chain(insecure)));
        }
    } else {
        pair(text, "server", server(&environment.server));
    }
    pair(
        text,
        "redis",
        match &environment.redis {
            RedisPlan::Private => "private",
            RedisPlan::None => "none",
            RedisPlan::Url { url } => url,
        },
    );
    let proxies: Vec<&str> = environment.proxies.iter().map(|link| link.name()).collect();
    pair(text, "proxies", proxies);
    if let Some(processes) = environment.edge_processes {
        pair(text, "edge_processes", i64::from(processes));
    }
    if let Some(url) = &environment.toxiproxy {
        pair(text, "toxiproxy", url.as_str());
    }
    if !environment.links.is_empty() {
        let links = environment.links.iter();
        let links: Table = links
            .map(|(link, name)| (link.name().to_owned(), name.as_str().into()))
            .collect();
        pair(text, "links", Value::Table(links));
    }
    let mut users = Table::new();
    users.insert(
        "prefix".to_owned(),
        environment.users.prefix.as_str().into(),
    );
    if let Some(password) = &environment.users.password {
        users.insert("password".to_owned(), password.as_str().into());
    }
    if let Some(file) = &environment.users.file {
        users.insert("file".to_owned(), file.as_str().into());
    }
    pair(text, "users", Value::Table(users));
}

fn server(server: &ServerPlan) -> Value {
    let settings = server.settings.iter();
    let settings: Table = settings
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    let cpus = server.cpus.as_ref();
    let cpus = cpus.map(|cpus| ("cpus", Value::from(cpus.to_string())));
    let instances = i64::from(server.instances);
    let instances = server.exact.then(|| ("instances", instances.into()));
    let pairs = [
        ("defects", server.defects.clone().into()),
        ("settings", Value::Table(settings)),
    ];
    inline(instances.into_iter().chain(pairs).chain(cpus))
}

fn load(text: &mut String, load: &LoadPlan) {
    line(text, "\n[load]");
    pair(text, "clients", i64::from(load.clients));
    line(text, "stages = [");
    for (place, stage) in (0..).zip(&load.stages) {
        let length = print_us(stage.length_us);
        let name = load.stage_names.get(&place);
        let name = name.map(|name| ("name", name.as_str().into()));
        let shape = if stage.to == stage.from {
            vec![("hold", length.into())]
        } else {
            vec![("ramp", length.into()), ("to", i64::from(stage.to).into())]
        };
        let stage = inline(shape.into_iter().chain(name));
        line(text, &format!("  {stage},"));
    }
    line(text, "]");
    let mut mix = Table::new();
    let mut reconnector_every_us = None;
    for share in &load.mix {
        let name = match share.behavior {
            Behavior::Chatter => "chatter",
            Behavior::Lurker => "lurker",
            Behavior::Reconnector { every_us } => {
                reconnector_every_us = Some(every_us);
                "reconnector"
            }
        };
        mix.insert(name.to_owned(), i64::from(share.clients).into());
    }
    pair(text, "mix", Value::Table(mix));
    pair(text, "session", session(&load.session));
    if load.mix.iter().any(|share| share.behavior.sends()) {
        message(text, load);
    }
    pair(text, "heartbeat", print_us(load.heartbeat_us));
    pair(
        text,
        "reconnect",
        inline([
            ("first", print_us(load.reconnect.first_us).into()),
            ("factor", load.reconnect.factor.into()),
            ("cap", print_us(load.reconnect.cap_us).into()),
            ("jitter", name_of(&JITTERS, load.reconnect.jitter).into()),
            ("attempts", i64::from(load.reconnect.attempts).into()),
        ]),
    );
    rest(text, load);
    if let Some(every_us) = reconnector_every_us {
        line(text, "\n[load.reconnector]");
        pair(text, "every", print_us(every_us));
    }
}

fn rest(text: &mut String, load: &LoadPlan) {
    pair(text, "drain", print_us(load.drain_us));
    pair(text, "lanes", i64::from(load.lanes));
    if let Some(shards) = load.shards {
        pair(text, "shards", i64::from(shards));
    }
    if !load.sources.is_empty() {
        let sources: Vec<String> = load.sources.iter().map(IpAddr::to_string).collect();
        pair(text, "sources", sources);
    }
    if load.pacing != Pacing::Auto {
        pair(text, "pacing", name_of(&PACINGS, load.pacing));
    }
    if let Some(cpus) = &load.cpus {
        pair(text, "cpus", cpus.to_string());
    }
    if let Some(payloads) = &load.payloads {
        pair(text, "payloads", payloads.as_str());
    }
    if !load.defects.is_empty() {
        let defects = load.defects.iter();
        let defects: Vec<&str> = defects
            .map(|defect| name_of(&CLIENT_DEFECTS, *defect))
            .collect();
        pair(text, "defects", defects);
    }
}

fn message(text: &mut String, load: &LoadPlan) {
    let message = &load.message;
    let lengths = vec![i64::from(message.length_min), i64::from(message.length_max)];
    pair(
        text,
        "message",
        inline([
            ("every", print_us(message.every_us).into()),
            ("arrival", name_of(&ARRIVALS, message.arrival).into()),
            ("chunks", i64::from(message.chunks).into()),
            ("length", lengths.into()),
            ("retries", i64::from(message.retries).into()),
        ]),
    );
}

fn fault(text: &mut String, fault: &PlannedFault) {
    pair(text, "name", fault.name.as_str());
    pair(text, "at", print_us(fault.at_us));
    if !fault.kind.is_moment() && !fault.condition {
        pair(text, "for", print_us(fault.for_us));
    }
    if let Some(link) = fault.kind.link() {
        pair(text, "link", link.name());
    }
    pair(text, "kind", fault.kind.name());
    for (key, value) in fault.kind.print() {
        pair(text, key, value);
    }
    if let Reach::Bytes(_) = fault.kind.reach() {
        pair(text, "stream", name_of(&STREAMS, fault.streams));
    }
    if fault.toxicity_ratio < 1.0 {
        pair(text, "toxicity", fault.toxicity_ratio);
    }
}

fn trial(text: &mut String, trial: &TrialPlan) {
    pair(text, "name", trial.name.as_str());
    pair(text, "kind", trial.kind.name());
    for (key, value) in trial.kind.print() {
        pair(text, key, value);
    }
    pair(text, "concurrency", i64::from(trial.concurrency));
    pair(text, "interval", print_us(trial.interval_us));
    pair(
        text,
        "min_samples",
        i64::try_from(trial.min_samples).unwrap_or(i64::MAX),
    );
}

fn criterion(text: &mut String, expectation: &Expectation) {
    pair(text, "what", expectation.what.text());
    pair(text, "when", expectation.when.text());
    let key = expectation.bound.comparison.name();
    if expectation.what.is_time() {
        pair(text, key, print_us(rounded(expectation.bound.value)));
    } else {
        let count = i64::try_from(rounded(expectation.bound.value)).unwrap_or(i64::MAX);
        pair(text, key, count);
    }
}

fn patience(text: &mut String, rule: &AbortRule) {
    pair(text, "after", print_us(rule.after_us));
    pair(text, "for", print_us(rule.for_us));
    if rule.min_samples > 0 {
        let samples = i64::try_from(rule.min_samples).unwrap_or(i64::MAX);
        pair(text, "min_samples", samples);
    }
}
