//! This module is `harness doctor`: what is wrong with that server?

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::failure::{Exit, Failure};
use super::screen;
use crate::doctor::{Account, Order, examine};
use crate::environment::{EnvironmentError, Secret, resolve_secret, trust};
use crate::plan::TlsPlan;
use crate::render::doctor::{json, text};
use crate::scenario::address;
use crate::scenario::problem::Complaint;
use crate::units;

/// Longest silence that can be asked for.
const IDLE_MAX: Duration = Duration::from_hours(1);

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// The server: ws://HOST:PORT, or wss://, http://, https://
    #[arg(value_name = "URL")]
    url: String,
    /// Account to log in with
    #[arg(long, value_name = "NAME", default_value = "user-000001")]
    user: String,
    /// Its password, as ${env:NAME}; without it only what needs no login is examined
    #[arg(long, value_name = "SECRET")]
    password: Option<String>,
    /// Believe the certificates in this PEM file too
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_CA",
        conflicts_with = "insecure"
    )]
    ca: Option<String>,
    /// Believe every certificate
    #[arg(long)]
    insecure: bool,
    /// Watch a socket that long on which nothing is said, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = units::parse_duration)]
    idle: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let order = order(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, format!("no runtime: {error}")))?;
    let report = runtime.block_on(examine(&order));
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

fn order(args: &DoctorArgs) -> Result<Order, Failure> {
    let schemes = ["ws", "wss", "http", "https"];
    let url = address::base_url(&args.url, &schemes);
    let url = url.map_err(|complaint| usage("URL", complaint))?;
    if let Some(idle) = args.idle.filter(|idle| idle.is_zero() || *idle > IDLE_MAX) {
        let idle = units::print_duration(idle);
        return Err(
            Failure::new(Exit::Usage, format!("--idle: {idle} is out of bounds"))
                .hint("write 1s to 1h; 30s shows whether a server pings"),
        );
    }
    let password = args.password.as_ref().map(|text| {
        let checked = address::check_secret(text, "CHAT_PASSWORD");
        checked.map_err(|complaint| usage("--password", complaint))?;
        resolve_secret("--password", text).map_err(environment)
    });
    let plan = TlsPlan {
        ca: args.ca.clone(),
        insecure: args.insecure,
    };
    Ok(Order {
        url,
        trust: trust(&plan).map_err(environment)?,
        account: password.transpose()?.map(|password| Account {
            name: args.user.clone(),
            password: Secret::new(password),
        }),
        idle: args.idle,
    })
}

fn usage(place: &str, complaint: Complaint) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("{place}: {}", complaint.fact));
    match complaint.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn environment(error: EnvironmentError) -> Failure {
    let failure = Failure::new(Exit::Usage, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
