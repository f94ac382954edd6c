//! This module holds the flags that change a scenario, the same for every command that reads one.
//!
//! **In:** flags, and the environment variable named beside each. **Out:** [`Overrides`].
//! A flag comes before its variable, which comes before the file, which comes before the default.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use clap::Args;

use crate::scenario::Overrides;
use crate::scenario::stages::CLIENTS_MAX;
use crate::units;

/// Whose certificates are believed.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TlsArgs {
    /// Believe the certificates in this PEM file too, where the target speaks TLS
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_CA",
        conflicts_with = "insecure"
    )]
    pub ca: Option<String>,
    /// Believe every certificate of the target: what it says may come from anybody
    #[arg(long)]
    pub insecure: bool,
    /// Show this certificate where the target asks for one, a PEM file; the same for all clients
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_CLIENT_CERT",
        requires = "client_key"
    )]
    pub client_cert: Option<String>,
    /// Its private key, a PEM file without a passphrase
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_CLIENT_KEY",
        requires = "client_cert"
    )]
    pub client_key: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OverrideArgs {
    /// Attach to a running server instead of starting one: ws://HOST:PORT or wss://
    #[arg(long, value_name = "URL", env = "HARNESS_TARGET")]
    target: Option<String>,
    /// Take that address for a host, whatever a resolver says: HOST:PORT:ADDRESS; repeatable
    #[arg(long, value_name = "PIN")]
    resolve: Vec<String>,
    /// Reach the target through this HTTP proxy: http://HOST:PORT, or 'http://USER:${env:NAME}@HOST:PORT'
    #[arg(long, value_name = "URL", env = "HARNESS_VIA", hide_env_values = true)]
    via: Option<String>,
    /// Use a running Redis; name its password as ${env:NAME}
    #[arg(long, value_name = "URL", env = "HARNESS_REDIS_URL")]
    redis_url: Option<String>,
    /// Use a running Toxiproxy instead of the embedded fault proxy
    #[arg(long, value_name = "URL", env = "HARNESS_TOXIPROXY")]
    toxiproxy: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Most clients at once; every stage is scaled in proportion
    #[arg(long, value_name = "N", env = "HARNESS_CLIENTS", value_parser = clients, allow_negative_numbers = true)]
    clients: Option<u32>,
    /// Processes that drive the load, each a part of its clients [default: as many as the file limit asks for]
    #[arg(long, value_name = "N", env = "HARNESS_SHARDS")]
    shards: Option<u16>,
    /// Length of the load, such as 90s; holds are scaled, ramps stay as they are
    #[arg(long, value_name = "D", env = "HARNESS_DURATION", value_parser = duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Seed of everything random
    #[arg(long, value_name = "N", env = "HARNESS_SEED", value_parser = seed, allow_negative_numbers = true)]
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
            defects: self.defect.clone(),
            target: self.target.clone(),
            redis_url: self.redis_url.clone(),
            toxiproxy: self.toxiproxy.clone(),
            protocol: None,
            users: None,
        }
    }

    /// Every `--set`, and what flags stand for that have a key.
    fn changes(&self) -> Vec<String> {
        let mut changes = self.set.clone();
        if let Some(shards) = self.shards {
            changes.push(format!("load.shards={shards}"));
        }
        if !self.resolve.is_empty() {
            changes.push(format!("environment.resolve={:?}", self.resolve));
        }
        if let Some(via) = &self.via {
            changes.push(format!("environment.via={via:?}"));
        }
        let tls = &self.tls;
        let files = [
            ("ca", &tls.ca),
            ("cert", &tls.client_cert),
            ("key", &tls.client_key),
        ];
        for (key, file) in files {
            changes.extend(
                file.as_ref()
                    .map(|file| format!("environment.tls.{key}={file:?}")),
            );
        }
        if self.tls.insecure {
            changes.push("environment.tls.insecure=true".to_owned());
        }
        changes
    }

    /// The flags again, word by word, for whoever repeats a run; the seed is the run's own.
    pub(crate) fn words(&self, seed: u64) -> Vec<String> {
        let named = [
            ("--target", self.target.clone()),
            ("--redis-url", self.redis_url.clone()),
            ("--toxiproxy", self.toxiproxy.clone()),
            ("--via", self.via.clone()),
            ("--ca", self.tls.ca.clone()),
            ("--client-cert", self.tls.client_cert.clone()),
            ("--client-key", self.tls.client_key.clone()),
            ("--clients", self.clients.map(|clients| clients.to_string())),
            ("--duration", self.duration.map(units::print_duration)),
            ("--shards", self.shards.map(|shards| shards.to_string())),
            ("--seed", Some(seed.to_string())),
        ];
        let defects = self.defect.iter();
        let defects = defects.map(|name| ("--defect", Some(name.clone())));
        let pins = self.resolve.iter();
        let pins = pins.map(|pin| ("--resolve", Some(pin.clone())));
        let set = self.set.iter();
        let set = set.map(|change| ("--set", Some(change.clone())));
        let given = named.into_iter().chain(defects).chain(pins).chain(set);
        let words = given.filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        let insecure = self.tls.insecure.then(|| "--insecure".to_owned());
        words.flatten().chain(insecure).collect()
    }

    /// The same at another target; `None`: a server is started.
    pub(crate) fn at(&self, target: Option<String>) -> Self {
        Self {
            target,
            ..self.clone()
        }
    }

    /// The same at another load.
    pub(crate) fn loaded(&self, clients: Option<u32>, set: Vec<String>) -> Self {
        let mut changed = self.clone();
        changed.clients = clients.or(changed.clients);
        changed.set.extend(set);
        changed
    }

    /// Whether the number of clients is given.
    pub(crate) const fn has_clients(&self) -> bool {
        self.clients.is_some()
    }

    /// Whether a target is named.
    pub(crate) const fn has_target(&self) -> bool {
        self.target.is_some()
    }
}

/// Fit for a shell: in single quotes where it needs them. What cannot be seen is written as `printf` writes it, so that
/// it survives a terminal, a page and a paste: any POSIX shell makes the very bytes of it.
pub(super) fn quoted(text: impl AsRef<OsStr>) -> String {
    let bytes = text.as_ref().as_bytes();
    let text = str::from_utf8(bytes).ok();
    match text.filter(|text| !text.chars().any(is_unseen)) {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => {
            let octal: String = bytes.iter().map(|byte| printed(*byte)).collect();
            if bytes.ends_with(b"\n") {
                // A shell cuts line ends off what a command wrote; these quotes keep them, and not every shell has them.
                format!("$'{octal}'")
            } else {
                format!("\"$(printf '{octal}')\"")
            }
        }
    }
}

const fn is_plain(letter: char) -> bool {
    matches!(letter, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '/' | ':' | '=' | '@' | '%' | '+' | ',')
}

/// Control characters, and those that change the direction of what stands around them or have no width.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// One byte in the words of `printf`, for which a `-` in front would be a flag.
fn printed(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' | b'/' | b' ' => char::from(byte).to_string(),
        other => format!("\\{other:03o}"),
    }
}

/// A number below zero is read, so that it is refused for what it is and not taken for a flag.
fn whole(text: &str, (least, most): (i64, i64)) -> Result<i64, String> {
    let number: i128 = text
        .trim()
        .parse()
        .map_err(|_not_a_number| format!("expected a whole number, found \"{text}\""))?;
    let number = i64::try_from(number).ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("must lie between {least} and {most}, found {text}"))
}

fn clients(text: &str) -> Result<u32, String> {
    let number = whole(text, (1, i64::from(CLIENTS_MAX)))?;
    u32::try_from(number).map_err(|error| error.to_string())
}

fn seed(text: &str) -> Result<u64, String> {
    whole(text, (0, i64::MAX)).map(i64::unsigned_abs)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text.trim_start().starts_with('-') {
        return Err(format!("must be longer than nothing, found \"{text}\""));
    }
    units::parse_duration(text).map_err(|error| format!("expected {error}"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell makes of it, byte by byte.
    fn read_by(shell: &str, word: &OsStr) -> Vec<u8> {
        let script = format!("printf '%s\\0' {}", quoted(word));
        let done = Command::new(shell).args(["-c", &script]).output().unwrap();
        let mut read = done.stdout;
        assert_eq!(read.pop(), Some(0), "{script}");
        read
    }

    #[test]
    fn a_shell_reads_the_very_words_that_were_meant() {
        for word in [
            "",
            "plain-1_2.toml",
            "a`;touch PWNED;`.toml",
            "$(touch PWNED)",
            "it's; \"$HOME\" & | < > \\",
            "two\nlines",
            "\u{1b}[2Jtab\tend",
            "-n\t%s",
            "```",
            "~x{a,b}*?",
            "\u{202e}txt.exe",
            "ü",
        ] {
            assert_eq!(read_by("sh", word.as_ref()), word.as_bytes(), "{word:?}");
        }
        let raw = OsString::from_vec(b"\xff'\n7".to_vec());
        assert_eq!(read_by("sh", &raw), raw.as_bytes());
        assert_eq!(read_by("bash", "ends\n\n".as_ref()), b"ends\n\n");
    }

    #[test]
    fn what_stays_as_it_is_needs_no_quotes() {
        assert_eq!(
            quoted("scenarios/redis-outage.toml"),
            "scenarios/redis-outage.toml"
        );
        assert_eq!(quoted("a b"), "'a b'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_that_is_quoted_can_move_a_cursor(text in ".*") {
            let quoted = quoted(&text);
            prop_assert_eq!(crate::format::harmless(&quoted), quoted);
        }
    }
}
