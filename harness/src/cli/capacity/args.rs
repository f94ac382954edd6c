//! This module is what the command line says to `harness capacity`.
//!
//! **In:** flags. **Out:** [`CapacityArgs`], and the [`Question`] they ask.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::refusal::refused;
use crate::capacity::axis::Axis;
use crate::capacity::question::Question;
use crate::capacity::search::Bounds;
use crate::cli::again::{self, Asked};
use crate::cli::failure::Failure;
use crate::cli::marker;
use crate::cli::overrides::{OverrideArgs, quoted};
use crate::cli::read;
use crate::cli::rules::share;
use crate::environment::{ServerFlag, server_program};
use crate::exit::Exit;
use crate::format;
use crate::plan::{self, Plan};
use crate::result::limit_text;
use crate::run::identity;
use crate::scenario::expectation::Expectation;
use crate::units;

/// Find the largest load at which everything holds that the scenario expects
///
/// Runs the scenario at loads that grow by two until something that it expects does not hold, then between the last that held
/// and the first that broke, until both are as close as --precision says; then each end once more, until it came to the same
/// --confirm times. Each of these probes is a run of its own, with its report below --out.
///
/// A probe also breaks when what is in flight grows all the time: such a load has no response time, only one that grows with
/// the length of the probe. When the generator is full the answer is "at least".
///
/// With --want, half of the connections are then cut at once at the load that held (storm.toml, which can be run by itself):
/// is everybody back in time, and was nothing lost? It is what an instance meets when another one goes, and harsher than
/// that from three instances on. It changes no exit code; the answer says when the load does not survive it.
///
/// Ends with 0 when the limit lies between two loads or above --to, 10 when the smallest load breaks already, 12 when the
/// generator was full, the budget was used up or nothing could be told, 130 when it was interrupted; --resume goes on.
#[derive(Args, Debug)]
pub(crate) struct CapacityArgs {
    /// Scenario file; what it expects is what must hold
    pub(super) scenario: PathBuf,
    /// What grows
    #[arg(long, value_name = "AXIS", default_value = "clients")]
    pub(super) axis: Axis,
    /// Smallest load [default: an eighth of the scenario's own, or as much as it takes to tell]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// Largest load [default: 64 times the scenario's own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// How close the ends of the answer are to be
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    precision: f64,
    /// How often each end must come to the same
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    confirm: u16,
    /// Longest time for all probes of this call
    #[arg(long, value_name = "TIME", default_value = "20min", value_parser = duration)]
    pub(super) budget: Duration,
    /// Say how many instances carry so much
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    want: Option<u64>,
    /// So many of them may be gone
    #[arg(long, value_name = "N", default_value_t = 1)]
    spare: u64,
    /// Folder of an answer for another number of instances (environment.server.instances), to tell how they add up; repeatable
    #[arg(long, value_name = "DIR")]
    pub(super) beside: Vec<PathBuf>,
    /// What an instance costs an hour, in any currency
    #[arg(long, value_name = "PRICE", requires = "want", value_parser = price)]
    price_per_hour: Option<f64>,
    #[command(flatten)]
    storm: StormArgs,
    #[command(flatten)]
    pub(super) changes: OverrideArgs,
    /// The reference-server binary [default: the one beside this one]
    #[arg(long, value_name = "PATH", env = "HARNESS_SERVER")]
    pub(super) server: Option<PathBuf>,
    /// A flag of the server that is started, such as max-connections=500; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) server_flag: Vec<ServerFlag>,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    pub(super) allow_faults: bool,
    /// Folder for all probes and the answer, new or empty [default: a new one in `reports`]
    #[arg(
        long,
        value_name = "DIR",
        env = "HARNESS_OUT",
        conflicts_with = "resume"
    )]
    pub(super) out: Option<PathBuf>,
    /// Go on with the search in this folder: of the same axis, scenario, target and server, on the same kind of machine
    #[arg(long, value_name = "DIR")]
    pub(super) resume: Option<PathBuf>,
    /// No progress on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// What is asked of the load that held when half of its clients are cut.
#[derive(Args, Debug)]
struct StormArgs {
    /// How soon all clients must be back after half were cut; asks for that without --want too [default: what the
    /// scenario expects of `reconnect` or `recovery`, else its reconnect.cap, from 5 to 30 s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    storm_within: Option<Duration>,
    /// Cut nobody
    #[arg(long, conflicts_with = "storm_within")]
    no_storm: bool,
}

impl CapacityArgs {
    /// What is asked, in the words of the plan.
    pub(super) fn question(&self, plan: &Plan) -> Result<Question, Failure> {
        if self.axis == Axis::Clients && self.changes.has_clients() {
            let fact = "--clients: is what grows along --axis clients";
            return Err(
                Failure::new(Exit::Usage, fact).hint("say from where to where: --from, --to")
            );
        }
        if self.axis == Axis::FanOut && self.want.is_some() {
            let fact = "--want: more instances do not divide a conversation, which is what grows along --axis fan-out";
            return Err(
                Failure::new(Exit::Usage, fact).hint("leave --want out, or choose another --axis")
            );
        }
        let (from, to) = self
            .axis
            .range(plan)
            .map_err(|error| refused(plan, error))?;
        let to = self.to.unwrap_or(to);
        let from = match self.from {
            Some(from) => from,
            None => self.least(plan, from)?.min(to),
        };
        let most = self.axis.most(plan).map_err(|error| refused(plan, error))?;
        if to > most {
            let most = format::count(most);
            let fact = format!("--to {to}: is more than {most}, the most that can be asked for");
            return Err(Failure::new(Exit::Usage, fact).hint("ask for less"));
        }
        if from > to {
            let fact = format!("--from {from}: is more than --to {to}");
            return Err(Failure::new(Exit::Usage, fact).hint("from the smaller to the larger load"));
        }
        let expected = plan.expect.iter();
        Ok(Question {
            title: plan.title.clone(),
            scenario: plan.scenario.clone(),
            target: self.target(plan),
            instances: plan.environment.server.instances,
            beside: Vec::new(),
            axis: self.axis,
            bounds: Bounds {
                from,
                to,
                precision_ratio: self.precision,
                confirm: usize::from(self.confirm),
            },
            expected: expected.map(in_words).collect(),
            command: self.command(plan),
            plan_hash: plan::hash(plan),
            started_at: identity::now(),
            harness_version: env!("CARGO_PKG_VERSION").to_owned(),
            want: self.want,
            spare: self.spare,
            price_per_hour: self.price_per_hour,
            host: Some(identity::host()),
            server_sha256: self.server_sha256(plan),
        })
    }

    /// `None` where none is started; one that cannot be read is refused by the first probe.
    fn server_sha256(&self, plan: &Plan) -> Option<String> {
        if plan.environment.target.is_some() {
            return None;
        }
        let program = server_program(self.server.as_deref()).ok()?;
        marker::sha256(&program.canonicalize().ok()?).ok()
    }

    /// The changes that make a run one at that load, and its plan.
    pub(super) fn loaded(&self, plan: &Plan, load: u64) -> Result<(OverrideArgs, Plan), Failure> {
        let asked = self.axis.asked(plan, load);
        let asked = asked.map_err(|error| refused(plan, error))?;
        let mut set = asked.set;
        if plan.environment.target.is_none() {
            // The capacity of so many: none is added where files run short.
            let instances = plan.environment.server.instances;
            set.push(format!("environment.server.instances={instances}"));
        }
        let changes = self.changes.loaded(asked.clients, set);
        let text = read::text(&self.scenario)?;
        let name = self.scenario.to_string_lossy();
        let overrides = read::with_files(&self.scenario, &text, &changes.overrides())?;
        let plan = plan::compile(&name, &text, &overrides)?;
        Ok((changes, plan))
    }

    /// The smallest load from that one on of which a probe has samples enough for what is expected, up to what the scenario
    /// asks for itself: a search that begins where nothing can be told ends there.
    fn least(&self, plan: &Plan, from: u64) -> Result<u64, Failure> {
        let own = self.axis.own(plan).map_err(|error| refused(plan, error))?;
        let mut load = from;
        while load < own {
            // Chance may leave it a few samples short of what is to be expected.
            let (_, fewer) = self.loaded(plan, (load - load / 4).max(1))?;
            if plan::outlook::doubts(&fewer).is_empty() {
                break;
            }
            load = load.saturating_mul(2).min(own);
        }
        Ok(load)
    }

    fn target(&self, plan: &Plan) -> String {
        let environment = &plan.environment;
        let mut text = environment
            .target
            .clone()
            .unwrap_or_else(|| "the reference server".to_owned());
        for flag in &self.server_flag {
            format::append(&mut text, format_args!(" --{} {}", flag.name, flag.value));
        }
        text
    }

    /// Whether half of the clients are to be cut at the load that held.
    pub(super) const fn wants_storm(&self) -> bool {
        !self.storm.no_storm && (self.want.is_some() || self.storm.storm_within.is_some())
    }

    pub(super) fn storm_within_us(&self) -> Option<u64> {
        self.storm.storm_within.map(units::us)
    }

    /// What decides what a probe does, with these changes of its load.
    pub(super) fn probe<'a>(&'a self, changes: &'a OverrideArgs) -> Asked<'a> {
        Asked {
            scenario: &self.scenario,
            changes,
            server: self.server.as_deref(),
            server_flags: &self.server_flag,
            allow_hosts: &self.allow_host,
            allow_faults: self.allow_faults,
        }
    }

    /// The command that does all of it again, fit for a shell.
    fn command(&self, plan: &Plan) -> String {
        let words = self.probe(&self.changes).words(plan.seed);
        let words: Vec<String> = words.iter().skip(1).map(quoted).collect();
        let mut text = format!(
            "harness capacity {} --axis {} --precision {} --confirm {}",
            quoted(again::path(&self.scenario)),
            self.axis,
            self.precision,
            self.confirm
        );
        for (flag, value) in [
            ("--from", self.from),
            ("--to", self.to),
            ("--want", self.want),
        ] {
            if let Some(value) = value {
                format::append(&mut text, format_args!(" {flag} {value}"));
            }
        }
        for folder in &self.beside {
            format::append(&mut text, format_args!(" --beside {}", quoted(folder)));
        }
        if let Some(price) = self.price_per_hour {
            format::append(&mut text, format_args!(" --price-per-hour {price}"));
        }
        if let Some(within) = self.storm.storm_within {
            let within = units::print_duration(within);
            format::append(&mut text, format_args!(" --storm-within {within}"));
        }
        if self.storm.no_storm {
            text.push_str(" --no-storm");
        }
        format!("{text} --spare {} {}", self.spare, words.join(" "))
    }
}

/// `complete p99 < 500 ms`.
fn in_words(expected: &Expectation) -> String {
    let limit = limit_text(expected.what, expected.bound);
    format!("{} {limit}", expected.what.text())
}

fn duration(text: &str) -> Result<Duration, String> {
    let found = units::parse_duration(text).map_err(|error| format!("expected {error}"))?;
    if found.is_zero() {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(found)
}

fn price(text: &str) -> Result<f64, String> {
    let price: f64 = text
        .parse()
        .map_err(|_not_a_number| format!("expected a price such as 0.34, found \"{text}\""))?;
    if price.is_finite() && price >= 0.0 {
        Ok(price)
    } else {
        Err(format!("expected a price of 0 or more, found \"{text}\""))
    }
}
