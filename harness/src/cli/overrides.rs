//! This module holds the flags that change a scenario, the same for every command that reads one.
//!
//! **In:** flags, and the environment variable named beside each. **Out:** [`Overrides`].
//! A flag comes before its variable, which comes before the file, which comes before the default.

use std::time::Duration;

use clap::Args;

use crate::scenario::Overrides;
use crate::units;

#[derive(Args, Clone, Debug)]
pub(crate) struct OverrideArgs {
    /// Attach to a running server instead of starting one: ws://HOST:PORT or wss://
    #[arg(long, value_name = "URL", env = "HARNESS_TARGET")]
    target: Option<String>,
    /// Use a running Redis; name its password as ${env:NAME}
    #[arg(
        long,
        value_name = "URL",
        env = "HARNESS_REDIS_URL",
        hide_env_values = true
    )]
    redis_url: Option<String>,
    /// Use a running Toxiproxy instead of the embedded fault proxy
    #[arg(long, value_name = "URL", env = "HARNESS_TOXIPROXY")]
    toxiproxy: Option<String>,
    /// Believe the certificates in this PEM file too, where the target speaks TLS
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_CA",
        conflicts_with = "insecure"
    )]
    ca: Option<String>,
    /// Believe every certificate of the target: what it says may come from anybody
    #[arg(long)]
    insecure: bool,
    /// Most clients at once; every stage is scaled in proportion
    #[arg(long, value_name = "N", env = "HARNESS_CLIENTS")]
    clients: Option<u32>,
    /// Length of the load, such as 90s; holds are scaled, ramps stay as they are
    #[arg(long, value_name = "D", env = "HARNESS_DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Seed of everything random
    #[arg(long, value_name = "N", env = "HARNESS_SEED")]
    seed: Option<u64>,
    /// Switch a defect of the reference server on, such as complete-missing=0.01; repeatable
    #[arg(long, value_name = "NAME[=RATE]")]
    defect: Vec<String>,
    /// Change one key of the scenario, such as load.message.every=2s or fault.0.for=3s
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl OverrideArgs {
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            clients: self.clients,
            duration: self.duration,
            seed: self.seed,
            set: self.changes(),
            target: self.target.clone(),
            redis_url: self.redis_url.clone(),
            toxiproxy: self.toxiproxy.clone(),
        }
    }

    /// Every `--set`, and what `--defect` stands for.
    fn changes(&self) -> Vec<String> {
        let mut changes = self.set.clone();
        if !self.defect.is_empty() {
            let names: Vec<String> = self.defect.iter().map(|name| format!("{name:?}")).collect();
            changes.push(format!("environment.server.defects=[{}]", names.join(",")));
        }
        if let Some(ca) = &self.ca {
            changes.push(format!("environment.tls.ca={ca:?}"));
        }
        if self.insecure {
            changes.push("environment.tls.insecure=true".to_owned());
        }
        changes
    }

    /// The flags again, for the command that repeats a run; the seed is the run's own.
    pub(crate) fn again(&self, seed: u64) -> String {
        let text = |value: &Option<String>| value.as_deref().map(quoted);
        let named = [
            ("--target", text(&self.target)),
            ("--redis-url", text(&self.redis_url)),
            ("--toxiproxy", text(&self.toxiproxy)),
            ("--ca", text(&self.ca)),
            ("--clients", self.clients.map(|clients| clients.to_string())),
            ("--duration", self.duration.map(units::print_duration)),
            ("--seed", Some(seed.to_string())),
        ];
        let set = self
            .set
            .iter()
            .map(|change| ("--set", Some(quoted(change))));
        let defects = self
            .defect
            .iter()
            .map(|name| ("--defect", Some(quoted(name))));
        let given = named.into_iter().chain(defects).chain(set);
        let words = given.filter_map(|(flag, value)| Some(format!(" {flag} {}", value?)));
        let insecure = self.insecure.then(|| " --insecure".to_owned());
        words.chain(insecure).collect()
    }
}

/// Fit for a shell: in single quotes where it needs them.
pub(super) fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn duration(text: &str) -> Result<Duration, String> {
    units::parse_duration(text).map_err(|error| format!("expected {error}"))
}
