//! This module describes the scenario file to editors.
//!
//! **In:** the lists of names that the readers use. **Out:** a JSON Schema (2020-12). It promises
//! less than `harness check` does: what the parts mean together is not expressed here.

pub(super) mod part;
mod target;

use schemars::{Schema, json_schema};
use serde_json::{Value, json};

use self::part::{choice, described, duration, integer, list, names, share, table, text_of};
use super::criterion::SAMPLES_MAX;
use super::environment::INSTANCES_MAX;
use super::fault::schema as fault;
use super::fault::{FAULTS_MAX, LINKS};
use super::load::{
    ARRIVALS, CLIENT_DEFECTS, CONVERSATIONS, CREDENTIALS, JITTERS, PACINGS, SHARDS_MAX,
};
use super::stages::CLIENTS_MAX;
use super::trial::TRIALS_MAX;
use super::trial::schema as trial;

/// The schema as it stands in `scenarios/schema.json`.
pub(crate) fn text() -> String {
    format!("{:#}\n", scenario().as_value())
}

fn scenario() -> Schema {
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario of the harness",
        "description": "One question about a WebSocket chat service: the load, the faults on a timeline, and what must hold.",
        "type": "object",
        "required": ["load"],
        "additionalProperties": false,
        "properties": {
            "$schema": text_of("Where this schema lies, for editors."),
            "title": text_of("Short name, used in run ids and file names; default: the file's name."),
            "seed": integer(0, i64::MAX, "Seed of everything random; default 1."),
            "environment": environment(),
            "target": target::table_of(),
            "load": load(),
            "fault": { "type": "array", "maxItems": FAULTS_MAX, "items": fault::entry() },
            "trial": { "type": "array", "maxItems": TRIALS_MAX, "items": trial::entry() },
            "expect": { "type": "array", "maxItems": 200, "items": criterion("What must hold.", &[]) },
            "abort_when": { "type": "array", "maxItems": 200, "items": criterion("What ends the run early.", &patience()) },
        },
    })
}

fn environment() -> Value {
    table(
        "What is started, or attached to; leave it out to start everything.",
        &[],
        json!({
            "target": text_of("Attach to this server instead of starting one: ws://host:port."),
            "resolve": list(text_of("chat.example.org:443:127.0.0.1; more addresses after commas."), "Addresses of hosts, in place of what a resolver says."),
            "via": text_of("HTTP proxy on the way to the target: http://host:port, with credentials http://user:${env:NAME}@host:port."),
            "server": table("How the reference server is started.", &[], json!({
                "instances": integer(1, i64::from(INSTANCES_MAX), "Servers on one Redis; clients are spread over them. Default 1, and more where the limit of open files asks for it."),
                "cpus": text_of("Processors of what the run starts (server, Redis, edge proxies), such as \"1\" or \"2-3\"; default all."),
                "defects": list(text_of("complete-missing, or chunk-reorder=0.1 for a share."), "Known failures to switch on."),
                "settings": {
                    "type": "object",
                    "description": "Further flags of `reference-server serve`, without the dashes; a password or secret only as ${env:NAME}.",
                    "additionalProperties": { "type": ["string", "number", "boolean"] },
                },
            })),
            "redis": text_of("\"private\" (default), \"none\", or a URL; its password only as ${env:NAME}."),
            "proxies": list(choice(&names(&LINKS), "A link."), "Links that run through the fault proxy; default [\"redis\"]."),
            "toxiproxy": text_of("Use this Toxiproxy instead of the embedded fault proxy: http://host:port."),
            "tls": table("Whose certificates are believed, with a target of wss:// or https://; default those the system trusts.", &[], json!({
                "ca": text_of("PEM file with further certificates: of authorities, or the server's own."),
                "insecure": { "type": "boolean", "description": "Believe every certificate; default false." },
                "cert": text_of("PEM file with a certificate of the clients, for a server that asks for one."),
                "key": text_of("PEM file with its key, without a passphrase."),
            })),
            "links": table("Proxies that exist on that Toxiproxy already, by the link they carry: faults act on them, nothing of them is deleted.", &[], {
                let named = LINKS.iter().map(|(name, _)| ((*name).to_owned(), text_of("Name of the proxy.")));
                Value::Object(named.collect())
            }),
            "edge_processes": integer(1, 32, "Processes that carry the edge link; default as many as the file limit asks for."),
            "users": table("How clients log in.", &[], json!({
                "prefix": text_of("Clients are PREFIX000001 and so on; default user-."),
                "password": text_of("Their password, only as ${env:NAME}."),
                "file": text_of("CSV file with a column `account`, and `password` where each has its own (empty: `password`); in place of the prefix. Other columns fill places of [target] by their names."),
            })),
        }),
    )
}

fn load() -> Value {
    let stage = table(
        "One stretch: a ramp with `to`, or a hold.",
        &[],
        json!({
            "ramp": described(duration(), "Go to `to` clients evenly in this time."),
            "to": integer(0, i64::from(CLIENTS_MAX), "Clients at the end of the ramp; default: all."),
            "hold": described(duration(), "Keep the clients there are for this time."),
            "name": { "type": "string", "pattern": "^[a-z0-9._-]+$", "description": "What `when` calls this stretch; without one the holds are hold-1, hold-2, … where there are several." },
        }),
    );
    table(
        "Who connects, when, and what they do.",
        &[],
        json!({
            "clients": integer(1, i64::from(CLIENTS_MAX), "Most clients at once; default: the largest `to`."),
            "stages": { "type": "array", "minItems": 1, "maxItems": 100, "items": stage },
            "ramp": described(duration(), "Short form of one ramp; default: 200 clients a second."),
            "hold": described(duration(), "Short form of one hold."),
            "mix": table("Shares of the behaviours; they need not add up to 100.", &[], json!({
                "chatter": share("Sends messages on a schedule."),
                "lurker": share("Connects and stays."),
                "reconnector": share("A chatter that leaves and comes back all the time."),
            })),
            "reconnector": table("What reconnectors do.", &[], json!({
                "every": described(duration(), "Mean length of a session; default 10s."),
            })),
            "session": table("How a session is opened.", &[], json!({
                "credential": choice(&names(&CREDENTIALS), "What opens the socket; default connection-token."),
                "conversation": choice(&names(&CONVERSATIONS), "Which conversation a client talks in; default own, or room where a template of [target] says {group}. group: all of a group share one, and each hears what is said to the others. room: one of its own, in a room that its group shares and may hear."),
                "group": integer(1, i64::from(CLIENTS_MAX), "Clients of a group, in the order of their numbers; default 10."),
                "connect_timeout": described(duration(), "Token, TCP, upgrade and `connected` together; default 10s."),
            })),
            "message": table("What is sent, and when.", &[], json!({
                "every": described(duration(), "Mean time between two sends of one client; default 5s."),
                "arrival": choice(&names(&ARRIVALS), "Law of the send times; default poisson."),
                "chunks": integer(1, 1000, "Chunks per answer; default 3."),
                "length": {
                    "description": "Characters of a message: 60, or [20, 120] for a range.",
                    "anyOf": [
                        { "type": "integer", "minimum": 1, "maximum": 10000 },
                        { "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "integer", "minimum": 1, "maximum": 10000 } },
                    ],
                },
                "retries": integer(0, 100, "Further attempts after `unavailable`, `rate_limited` or a lost socket; default 5."),
            })),
            "heartbeat": described(duration(), "Time between two heartbeats of a client; default 30s."),
            "reconnect": table("Backoff after an abnormal close.", &[], json!({
                "first": described(duration(), "First backoff; default 1s."),
                "factor": { "type": "number", "minimum": 1, "maximum": 100, "description": "Growth from one to the next; default 2." },
                "cap": described(duration(), "Longest backoff; default 30s."),
                "jitter": choice(&names(&JITTERS), "Spread: evenly down to zero, or none; default full."),
                "attempts": integer(0, 1000, "Attempts before a client gives up; default 5."),
            })),
            "drain": described(duration(), "How long after the last send an answer may still arrive; default 10s."),
            "lanes": integer(1, 64, "Threads that run sessions; default 1."),
            "shards": integer(1, i64::from(SHARDS_MAX), "Processes that drive the load, each a part of its clients; default: as many as the limit of open files asks for."),
            "sources": list(text_of("An address of this machine."), "Addresses that sockets are opened from, in turn; default: the system's choice, on loopback as many as the ports ask for."),
            "pacing": choice(&names(&PACINGS), "When a due message is sent: exactly, or on a tick of half a millisecond, which costs less; default auto: a tick from 10,000 messages a second and lane on."),
            "cpus": text_of("Processors of the harness itself, such as \"0\"; default all."),
            "payloads": text_of("File with what clients write, one text a line; default: filler of message.length."),
            "defects": list(choice(&names(&CLIENT_DEFECTS), "A known failure of clients."), "What the clients do wrong on purpose, to see that it shows."),
        }),
    )
}

/// What only the rules have that end a run.
fn patience() -> [(&'static str, Value); 3] {
    let most = i64::try_from(SAMPLES_MAX).unwrap_or(i64::MAX);
    [
        (
            "after",
            described(
                duration(),
                "Not looked at before this moment of the load; answers before it do not count. Default 0s.",
            ),
        ),
        (
            "for",
            described(
                duration(),
                "How long it must hold without a break before it ends the run. Default 0s.",
            ),
        ),
        (
            "min_samples",
            integer(
                1,
                most,
                "Fewest answers a latency is taken over; default five beyond the percentile and at least 50: p50 50, p90 50, p95 100, p99 500, p99.9 5000, mean and max 50.",
            ),
        ),
    ]
}

fn criterion(description: &str, more: &[(&str, Value)]) -> Value {
    let bound = |text: &str| json!({ "type": ["string", "integer"], "description": text });
    let mut criterion = table(
        description,
        &["what"],
        json!({
            "what": {
                "type": "string",
                "description": "What is observed.",
                "examples": ["complete p99", "token p99 service", "recovery", "lost", "duplicated", "out_of_order", "unexpected", "unheard", "fan_out p99", "cut sessions", "failed clients", "peak open", "closes 1006"],
            },
            "when": {
                "type": "string",
                "description": "Which part of the run; default: whole run.",
                "examples": ["whole run", "outside faults", "ramp", "during redis-down"],
            },
            "under": bound("Less than this: a duration for a time, a whole number for a count."),
            "at_most": bound("This or less."),
            "equals": bound("Exactly this."),
            "at_least": bound("This or more."),
        }),
    );
    if let Some(properties) = criterion["properties"].as_object_mut() {
        let more = more.iter().cloned();
        properties.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    if let Value::Object(object) = &mut criterion {
        let keys = ["under", "at_most", "equals", "at_least"];
        let one = keys.map(|key| json!({ "required": [key] }));
        object.insert("oneOf".to_owned(), Value::from(one.to_vec()));
    }
    criterion
}
