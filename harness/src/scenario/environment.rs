//! This module holds the `[environment]` table as typed.
//!
//! **In:** a section of the document. **Out:** [`Environment`]. What was left out stays `None`: the
//! default depends on whether a server is started or attached to, which is for the plan to say.

use std::collections::BTreeMap;

use super::address;
use super::cpus::Cpus;
use super::document::{Node, Value, shortened};
use super::fault::{LINKS, Link};
use super::load::CLIENT_DEFECTS;
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::suggest;
use super::value::{self};
use crate::known::SWITCHES;
use crate::route::Pin;

/// Most servers that are started.
pub(crate) const INSTANCES_MAX: u16 = 16;
/// Most settings and defects handed to the server.
const SETTINGS_MAX: usize = 64;
const SETTING_CHARACTERS_MAX: usize = 200;
/// Most processes that carry the edge link: each takes some ten thousand connections.
const EDGE_PROCESSES_MAX: u16 = 32;
/// Longest name of a proxy.
const PROXY_NAME_CHARACTERS_MAX: usize = 200;
/// Most hosts with addresses of their own.
const PINS_MAX: usize = 16;
/// Longest URL.
const URL_CHARACTERS_MAX: usize = 2000;

/// `[environment]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Environment {
    /// Whether `target` was written, rightly or not.
    pub attached: bool,
    pub target: Option<Located<String>>,
    /// `HOST:PORT:ADDRESS`, as written.
    pub resolve: Vec<String>,
    /// `http://[user:${env:NAME}@]host:port`, as written.
    pub via: Option<Located<String>>,
    /// Where `tls` was written, if it was.
    pub tls_at: Option<Place>,
    /// Path of a file with certificates.
    pub ca: Option<String>,
    pub insecure: bool,
    /// Paths of the files with the certificate of the clients and its key.
    pub cert: Option<String>,
    pub key: Option<String>,
    /// Where `server` was written, if it was.
    pub server_at: Option<Place>,
    /// `None`: one, and more where the limit of open files asks for it.
    pub instances: Option<u16>,
    /// Processors of what the run starts.
    pub cpus: Option<Cpus>,
    pub defects: Vec<String>,
    pub settings: BTreeMap<String, String>,
    pub redis: Option<Located<Redis>>,
    pub proxies: Option<Located<Vec<Link>>>,
    /// Proxies that exist already, by the link they carry.
    pub links: Vec<(Located<Link>, String)>,
    pub edge_processes: Option<u16>,
    pub toxiproxy: Option<Located<String>>,
    pub user_prefix: String,
    pub password: Option<Located<String>>,
    pub users_file: Option<String>,
}

/// `redis = …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redis {
    Private,
    None,
    Url(String),
}

/// Reads `[environment]`.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Environment {
    let mut section = root.table(problems, "environment");
    let target = section.read(problems, "target", |node| {
        url(node, &["ws", "wss", "http", "https"])
    });
    let mut tls = section.table(problems, "tls");
    let tls_at = tls.is_present().then(|| tls.at.clone());
    let ca = tls.read(problems, "ca", value::text(URL_CHARACTERS_MAX));
    let insecure = tls.read_or(problems, "insecure", false, value::truth).value;
    let cert = tls.read(problems, "cert", value::text(URL_CHARACTERS_MAX));
    let key = tls.read(problems, "key", value::text(URL_CHARACTERS_MAX));
    tls.finish(problems);
    let mut server = section.table(problems, "server");
    let server_at = server.is_present().then(|| server.at.clone());
    let instances = server.read(problems, "instances", value::integer(1..=INSTANCES_MAX));
    let cpus = server.read(problems, "cpus", value::cpus);
    let defects = defects(&mut server, problems);
    let settings = settings(&mut server, problems);
    server.finish(problems);
    let mut users = section.table(problems, "users");
    let user_prefix = users
        .read_or(problems, "prefix", "user-".to_owned(), value::text(40))
        .value;
    let password = users.read(problems, "password", |node| secret(node, "CHAT_PASSWORD"));
    let users_file = users.read(problems, "file", value::text(URL_CHARACTERS_MAX));
    users.finish(problems);
    let environment = Environment {
        attached: section.has("target"),
        target,
        resolve: section
            .read(problems, "resolve", value::list(PINS_MAX, pin))
            .map_or_else(Vec::new, |pins| pins.value),
        via: section.read(problems, "via", via),
        tls_at,
        ca: ca.map(|ca| ca.value),
        insecure,
        cert: cert.map(|cert| cert.value),
        key: key.map(|key| key.value),
        server_at,
        instances: instances.map(|instances| instances.value),
        cpus: cpus.map(|cpus| cpus.value),
        defects,
        settings,
        redis: section.read(problems, "redis", redis),
        proxies: section.read(
            problems,
            "proxies",
            value::list(LINKS.len(), value::choice(&LINKS)),
        ),
        links: links(&mut section, problems),
        edge_processes: section
            .read(
                problems,
                "edge_processes",
                value::integer(1..=EDGE_PROCESSES_MAX),
            )
            .map(|processes| processes.value),
        toxiproxy: section.read(problems, "toxiproxy", |node| url(node, &["http"])),
        user_prefix,
        password,
        users_file: users_file.map(|file| file.value),
    };
    section.finish(problems);
    environment
}

/// `defects = ["complete-missing", "chunk-reorder=0.1"]`, each complained about where it stands.
fn defects(server: &mut Section<'_>, problems: &mut Problems) -> Vec<String> {
    let field = server.field("defects");
    let Some(node) = server.node("defects") else {
        return Vec::new();
    };
    let items = match &node.value {
        Value::List(items) if items.len() <= SETTINGS_MAX => items,
        Value::List(items) => {
            let fact = format!("at most {SETTINGS_MAX} entries, found {}", items.len());
            problems.add(&node.at, field, Complaint::new(fact));
            return Vec::new();
        }
        other => {
            let complaint = Complaint::new(format!("expected a list, found {}", other.found()));
            let hint = "write it in brackets: [\"complete-missing\"]";
            problems.add(&node.at, field, complaint.hint(hint));
            return Vec::new();
        }
    };
    let mut defects = Vec::new();
    for item in items {
        match defect(item) {
            Ok(defect) => defects.push(defect),
            Err(complaint) => problems.add(&item.at, field.clone(), complaint),
        }
    }
    defects
}

/// A switch of the server: `complete-missing`, or `chunk-reorder=0.1` where it takes a share.
fn defect(node: &Node) -> Result<String, Complaint> {
    let text = value::text(80)(node)?;
    let (name, share) = match text.split_once('=') {
        Some((name, share)) => (name, Some(share)),
        None => (text.as_str(), None),
    };
    let mut switches = SWITCHES.iter();
    let Some((_, shared)) = switches.find(|(known, _)| known.name() == name) else {
        let complaint = Complaint::new(format!("unknown defect \"{}\"", shortened(name)));
        if CLIENT_DEFECTS.iter().any(|(client, _)| *client == name) {
            return Err(complaint.hint("that is one of the clients: write it into load.defects"));
        }
        let known = SWITCHES.map(|(known, _)| known.name());
        return Err(complaint.hint(suggest::hint(name, &known)));
    };
    match share {
        None => Ok(text),
        Some(share) if !shared => {
            let fact = format!(
                "\"{}\" is always so and takes no share, found \"{}\"",
                name,
                shortened(share)
            );
            Err(Complaint::new(fact).hint(format!("write \"{name}\"")))
        }
        Some(share) => {
            let within = share
                .parse()
                .is_ok_and(|share: f64| share > 0.0 && share <= 1.0);
            if within {
                return Ok(text);
            }
            let fact = format!(
                "the share must be over 0 and at most 1, found \"{}\"",
                shortened(share)
            );
            Err(Complaint::new(fact).hint(format!("write \"{name}=0.01\" for one in a hundred")))
        }
    }
}

fn is_flag_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// `links = { redis = "redis-master" }`.
fn links(section: &mut Section<'_>, problems: &mut Problems) -> Vec<(Located<Link>, String)> {
    let table = section.table(problems, "links");
    let mut links: Vec<(Located<Link>, String)> = Vec::new();
    for (key, node) in table.pairs() {
        let field = table.field(key);
        let Some((_, link)) = LINKS.iter().find(|(name, _)| *name == key) else {
            let known: Vec<&str> = LINKS.iter().map(|(name, _)| *name).collect();
            let complaint = Complaint::new(format!("\"{key}\" is no link"));
            let hint = format!(
                "known: {}; one with a dot is written in quotes",
                known.join(", ")
            );
            problems.add(&node.at, field, complaint.hint(hint));
            continue;
        };
        if let Some((other, _)) = links
            .iter()
            .find(|(other, _)| other.value.covers(*link) || link.covers(other.value))
        {
            let fact = format!("\"{}\" carries it already", other.value.name());
            problems.add(
                &node.at,
                field,
                Complaint::new(fact).hint("name each link once"),
            );
            continue;
        }
        match value::text(PROXY_NAME_CHARACTERS_MAX)(node) {
            Ok(name) => links.push((Located::new(*link, node.at.clone()), name)),
            Err(complaint) => problems.add(&node.at, field, complaint),
        }
    }
    links
}

fn settings(server: &mut Section<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let table = server.table(problems, "settings");
    let mut settings = BTreeMap::new();
    for (key, node) in table.pairs() {
        let field = table.field(key);
        if !is_flag_name(key) {
            let complaint = Complaint::new("expected the name of a server flag")
                .hint("write a flag of `reference-server serve` without its dashes, such as ping-interval");
            problems.add(&node.at, field, complaint);
        } else if settings.len() == SETTINGS_MAX {
            problems.add(
                &node.at,
                field,
                Complaint::new(format!("at most {SETTINGS_MAX} settings")),
            );
        } else {
            match setting(key, node) {
                Ok(text) => drop(settings.insert(key.to_owned(), text)),
                Err(complaint) => problems.add(&node.at, field, complaint),
            }
        }
    }
    settings
}

/// A flag's value; numbers may stand without quotes. A secret is only named, and so is the password of a Redis URL.
fn setting(key: &str, node: &Node) -> Result<String, Complaint> {
    if ["password", "secret"].iter().any(|mark| key.contains(mark)) {
        return secret(node, &key.to_ascii_uppercase().replace('-', "_"));
    }
    match &node.value {
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => {
            let digits = Value::Text(number.to_string());
            let at = node.at.clone();
            value::text(SETTING_CHARACTERS_MAX)(&Node { value: digits, at })
        }
        Value::Boolean(value) => Ok(value.to_string()),
        Value::Text(text) if key.ends_with("-url") => {
            address::check_redis_url(text)?;
            value::any_text(SETTING_CHARACTERS_MAX)(node)
        }
        _ => value::text(SETTING_CHARACTERS_MAX)(node),
    }
}

/// Addresses of a host, in place of what a resolver says.
fn pin(node: &Node) -> Result<String, Complaint> {
    let text = value::text(URL_CHARACTERS_MAX)(node)?;
    match Pin::parse(&text) {
        Ok(_) => Ok(text),
        Err(why) => Err(Complaint::new(format!("\"{}\": {why}", shortened(&text)))
            .hint("write \"chat.example.org:443:127.0.0.1\"")),
    }
}

/// A proxy, its password only named.
fn via(node: &Node) -> Result<String, Complaint> {
    let text = value::secret_text(URL_CHARACTERS_MAX)(node)?;
    address::check_via(&text).map(|()| text.clone())
}

fn url(node: &Node, schemes: &[&str]) -> Result<String, Complaint> {
    let text = value::text(URL_CHARACTERS_MAX)(node)?;
    address::base_url(&text, schemes)?;
    Ok(text.trim_end_matches('/').to_owned())
}

fn redis(node: &Node) -> Result<Redis, Complaint> {
    let text = value::secret_text(URL_CHARACTERS_MAX)(node)?;
    match text.as_str() {
        "private" => Ok(Redis::Private),
        "none" => Ok(Redis::None),
        _ if !text.contains("://") => {
            // What is no slip of the finger may be a password.
            let slip = suggest::nearest(&text, &["private", "none"]);
            let found = slip.map_or_else(|| address::shown(&text), |_| text.clone());
            let complaint = Complaint::new(format!("unknown value \"{found}\""));
            Err(complaint
                .hint("write \"private\", \"none\" or a URL such as \"redis://127.0.0.1:6379\""))
        }
        _ => {
            address::check_redis_url(&text)?;
            Ok(Redis::Url(text))
        }
    }
}

/// `${env:NAME}` and nothing else: a password has no place in a file that is shown in reports.
fn secret(node: &Node, example: &str) -> Result<String, Complaint> {
    let text = value::secret_text(200)(node)?;
    address::check_secret(&text, example).map(|()| text.clone())
}
