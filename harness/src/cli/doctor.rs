//! This module is `harness doctor`: what is wrong with that server?

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use miette::Diagnostic;

use super::failure::Failure;
use super::overrides::TlsArgs;
use super::{import, read, screen};
use crate::account::Cells;
use crate::doctor::{Account, Examination, Protocol, Report, examine};
use crate::environment::{Accounts, Mapping, Secret, mapping, resolve_secret, trust, via};
use crate::exit::Exit;
use crate::plan::{Plan, TlsPlan};
use crate::render::doctor::{json, text};
use crate::route::Pin;
use crate::scenario::{Overrides, address};
use crate::units;

/// Longest silence that can be asked for.
const IDLE_MAX: Duration = Duration::from_hours(1);

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// The server: ws://HOST:PORT, or wss://, http://, https://
    #[arg(value_name = "URL")]
    url: String,
    /// Account to log in with [default: the first of the scenario, user-000001]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Its password, as ${env:NAME} [default: that in the scenario's users.file]; without one only what needs no login is examined
    #[arg(long, value_name = "SECRET")]
    password: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Take that address for a host, whatever a resolver says: HOST:PORT:ADDRESS; repeatable
    #[arg(long, value_name = "PIN")]
    resolve: Vec<String>,
    /// Reach the server through this HTTP proxy: http://HOST:PORT, or 'http://USER:${env:NAME}@HOST:PORT'
    #[arg(long, value_name = "URL")]
    via: Option<String>,
    /// Watch a socket that long on which nothing is said, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = units::parse_duration)]
    idle: Option<Duration>,
    /// Speak as this scenario maps its server, and open sockets with its credential
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<PathBuf>,
    /// Speak as a browser did in this recording, an HTTP archive: see `harness import`
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    har: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let wanted = wanted(args)?;
    screen::say_direct();
    let report = examined(&wanted)?;
    let written = if args.json {
        json(&report).map_err(|error| Failure::new(Exit::Bug, error.to_string()))?
    } else {
        text(&report, screen::color())
    };
    out.write_all(written.as_bytes())?;
    Ok(if report.healthy {
        Exit::Pass
    } else {
        Exit::Threshold
    })
}

fn wanted(args: &DoctorArgs) -> Result<Examination, Failure> {
    let schemes = ["ws", "wss", "http", "https"];
    let url = address::base_url(&args.url, &schemes);
    let url = url.map_err(|complaint| Failure::of("URL", complaint))?;
    if let Some(idle) = args.idle.filter(|idle| idle.is_zero() || *idle > IDLE_MAX) {
        let idle = units::print_duration(idle);
        return Err(
            Failure::new(Exit::Usage, format!("--idle: {idle} is out of bounds"))
                .hint("write 1s to 1h; 30s shows whether a server pings"),
        );
    }
    let password = args.password.as_ref().map(|text| {
        let checked = address::check_secret(text, "CHAT_PASSWORD");
        checked.map_err(|complaint| Failure::of("--password", complaint))?;
        resolve_secret("--password", text).map_err(environment)
    });
    let recorded = args.har.as_deref().map(import::recorded).transpose()?;
    let scenario = args.scenario.as_deref();
    let scenario = scenario.map(|path| read::plan(path, &Overrides::default()));
    let (recorded, account) =
        recorded.map_or((None, None), |(plan, account)| (Some(plan), account));
    let scenario = scenario.transpose()?.or(recorded);
    let named = args.user.as_ref().or(account.as_ref());
    let Who { user, own, cells } = match &scenario {
        Some(plan) => who(plan, named.map(String::as_str))?,
        None => Who::of(named.map_or("user-000001", String::as_str)),
    };
    let password = password.transpose()?.map(Secret::new).or(own);
    let plan = TlsPlan {
        ca: args.tls.ca.clone(),
        insecure: args.tls.insecure,
        cert: args.tls.client_cert.clone(),
        key: args.tls.client_key.clone(),
    };
    let pins = args.resolve.iter().map(|text| pin("--resolve", text));
    let pins: Vec<Pin> = pins.collect::<Result<_, _>>()?;
    let via = args.via.as_deref().map(|text| {
        address::check_via(text).map_err(|complaint| Failure::of("--via", complaint))?;
        via(Some(text)).map_err(environment)
    });
    let secure = matches!(url.scheme(), "wss" | "https");
    let trust = secure.then(|| trust(&plan)).transpose();
    Ok(Examination {
        url,
        pins,
        via: via.transpose()?.flatten(),
        trust: trust.map_err(environment)?,
        user: user.clone(),
        cells,
        account: password.map(|password| Account {
            name: user,
            password,
        }),
        protocol: scenario
            .as_ref()
            .map(protocol)
            .transpose()?
            .unwrap_or_default(),
        idle: args.idle,
    })
}

/// Examines the target of a plan, as its first client.
pub(super) fn of_plan(plan: &Plan) -> Result<Report, Failure> {
    let url = plan.environment.target.as_deref().unwrap_or_default();
    let url = address::base_url(url, &["ws", "wss"]);
    let url = url.map_err(|complaint| Failure::of("--target", complaint))?;
    let Who { user, own, cells } = who(plan, None)?;
    let password = match (&plan.environment.users.password, own) {
        (_, Some(own)) => Some(own),
        (Some(text), None) => {
            let password = resolve_secret("environment.users.password", text);
            Some(Secret::new(password.map_err(environment)?))
        }
        (None, None) => None,
    };
    let secure = url.scheme() == "wss";
    let trust = secure.then(|| trust(&plan.environment.tls)).transpose();
    let pins = plan.environment.resolve.iter();
    let pins = pins.map(|text| pin("environment.resolve", text));
    let wanted = Examination {
        url,
        pins: pins.collect::<Result<_, _>>()?,
        via: via(plan.environment.via.as_deref()).map_err(environment)?,
        trust: trust.map_err(environment)?,
        user: user.clone(),
        cells,
        account: password.map(|password| Account {
            name: user,
            password,
        }),
        protocol: protocol(plan)?,
        idle: None,
    };
    examined(&wanted)
}

fn examined(wanted: &Examination) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, format!("no runtime: {error}")))?;
    Ok(runtime.block_on(examine(wanted)))
}

/// Addresses that a user named for a host.
fn pin(place: &str, text: &str) -> Result<Pin, Failure> {
    Pin::parse(text).map_err(|why| {
        let failure = Failure::new(Exit::Usage, format!("{place} {text}: {why}"));
        failure.hint("write HOST:PORT:ADDRESS, such as chat.example.org:443:127.0.0.1")
    })
}

/// Who the doctor is.
struct Who {
    user: String,
    /// Its own password, where a file names one.
    own: Option<Secret>,
    /// What else the file has of it.
    cells: Option<Cells>,
}

impl Who {
    fn of(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            own: None,
            cells: None,
        }
    }
}

/// An account of the scenario: the one that is named, else that of its first client.
fn who(plan: &Plan, named: Option<&str>) -> Result<Who, Failure> {
    let users = &plan.environment.users;
    if let Some(one) = Accounts::one(plan, named).map_err(environment)? {
        return Ok(Who {
            user: one.name,
            own: one.password,
            cells: one.cells,
        });
    }
    if let (Some(file), [column, ..], Some(named)) = (&users.file, &users.columns[..], named) {
        let fact = format!(
            "{file}: no account `{named}`, and a template of [target] says {{{column}}} of it"
        );
        return Err(Failure::new(Exit::Usage, fact).hint("write a row for it, or leave --user out"));
    }
    Ok(match named {
        Some(named) => Who::of(named),
        None => Who::of(&format!("{}000001", users.prefix)),
    })
}

/// How the scenario speaks to its server.
fn protocol(plan: &Plan) -> Result<Protocol, Failure> {
    let mut mix = plan.load.mix.iter();
    let Mapping { dialect, host } = mapping(plan).map_err(environment)?;
    Ok(Protocol {
        dialect: dialect.map(Arc::new),
        host,
        credential: plan.load.session.credential,
        writes: mix.any(|share| share.behavior.sends()),
    })
}

fn environment(error: impl Diagnostic) -> Failure {
    Failure::diagnosed(Exit::Usage, &error)
}
