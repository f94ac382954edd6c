//! What the load engine costs, beside a client that somebody would write by hand and beside the kernel's TCP:
//! `cargo bench -p harness --bench engine`.
//!
//! **Method.** The target is a server of one thread that does next to nothing (`target`), in a process of its own. Each
//! kind of client is a process too, and is measured from outside: processor time and anonymous memory as the kernel
//! counts them, answers as the target counts them. A message is one frame out and six in, a connect is token, TCP,
//! upgrade and `connected`. Ratios of one run can be compared with those of another machine; the rest cannot.
//!
//! **Units:** µs of processor time for each answered message, once all are connected; µs of processor time for each
//! connect of a ramp of three seconds; KiB of anonymous memory for each further client, idle; µs of lateness as the
//! harness reports it.
//!
//! `HARNESS_BINARY` names the harness, else that of this build is taken. With `--json FILE`
//! the figures are written there too.

#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own, which is no part of a run: it has no clock of one"
)]

mod bare;
mod target;
mod watch;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use self::bare::{Kind, Work};
use self::watch::{Look, look, until_open};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const RAMP: Duration = Duration::from_secs(3);
/// After the last connect, before anything is measured.
const SETTLE: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(12);
/// Longer than all of that: who measures ends the process.
const HOLD: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_secs(1);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Floor,
    Bare,
    Exact,
    Tick,
}

impl Who {
    const ALL: [Self; 4] = [Self::Floor, Self::Bare, Self::Exact, Self::Tick];

    const fn name(self) -> &'static str {
        match self {
            Self::Floor => "plain TCP",
            Self::Bare => "bare client",
            Self::Exact => "harness, exact",
            Self::Tick => "harness, tick",
        }
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    match arguments.first().map(String::as_str) {
        Some("target") => return target::serve(),
        Some("client") => return client(&arguments[1..]),
        // Only `cargo bench` means to measure; `cargo test --benches` wants to know whether it starts.
        _ if !arguments.iter().any(|argument| argument == "--bench") => return Ok(()),
        _ => {}
    }
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let sizes = argument("--clients").unwrap_or("2000,9000");
    let sizes: Vec<u32> = sizes.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let folder = tempfile::tempdir()?;
    let mut runs = Vec::new();
    // All of one kind of run one after the other: a machine that changes meanwhile changes for everybody.
    for talks in [true, false] {
        for &clients in &sizes {
            for who in Who::ALL {
                runs.push((who, talks, run(who, (clients, talks), folder.path())?));
            }
        }
    }
    let rows: Vec<Value> = Who::ALL
        .into_iter()
        .map(|who| {
            let of = |talks: bool| {
                let own = runs
                    .iter()
                    .filter(move |run| run.0 == who && run.1 == talks);
                own.map(|(.., run)| run).collect::<Vec<_>>()
            };
            row(who, (&of(true), &of(false)), &sizes)
        })
        .collect();
    print(&rows, &sizes);
    if let Some(file) = argument("--json") {
        let text = serde_json::to_string_pretty(&json!({ "clients": sizes, "rows": rows }))?;
        std::fs::write(file, text + "\n")?;
    }
    Ok(())
}

/// `client KIND TARGET CLIENTS EVERY_MS`; 0: they say nothing.
fn client(arguments: &[String]) -> Outcome<()> {
    let [kind, target, clients, every] = arguments else {
        return Err("client KIND TARGET CLIENTS EVERY_MS".into());
    };
    let every = Duration::from_millis(every.parse()?);
    bare::run(Work {
        kind: if kind == "bare" {
            Kind::Bare
        } else {
            Kind::Floor
        },
        target: target.parse()?,
        clients: clients.parse()?,
        ramp: RAMP,
        hold: HOLD,
        every: Some(every).filter(|every| !every.is_zero()),
    })
}

/// All figures of one kind of client, from its runs that talk and those that are idle, by size.
fn row(who: Who, (talk, idle): (&[&Run], &[&Run]), sizes: &[u32]) -> Value {
    let messages = talk.iter().map(|run| {
        let answered = run.end.counts.answered - run.begin.counts.answered;
        (run.end.cpu_us - run.begin.cpu_us) / answered as f64
    });
    let lateness = talk.iter().map(|run| &run.result["lateness"]["p99_us"]);
    let wakes = talk.iter().map(|run| {
        let of = &run.result["generator"];
        let each = of["wakes"].as_f64().zip(of["actual_sends"].as_f64());
        each.map(|(wakes, sends)| wakes / sends)
    });
    let connects = idle.iter().map(|run| {
        let opened = run.begin.counts.open - run.first.counts.open;
        (run.begin.cpu_us - run.first.cpu_us) / opened as f64
    });
    let memory = match (idle, sizes) {
        ([small, .., large], [few, .., many]) => {
            let further = large.end.memory_bytes - small.end.memory_bytes;
            Some(further / 1_024.0 / f64::from(many - few))
        }
        _ => None,
    };
    json!({
        "who": who.name(),
        "message_us": messages.collect::<Vec<_>>(),
        "connect_us": connects.collect::<Vec<_>>(),
        "client_kib": memory,
        "lateness_p99_us": lateness.collect::<Vec<_>>(),
        "wakes_per_message": wakes.collect::<Vec<_>>(),
    })
}

/// One run of one kind of client.
struct Run {
    /// The first socket was open.
    first: Look,
    /// All were; where they talk, for a while.
    begin: Look,
    end: Look,
    /// What the harness says; else null.
    result: Value,
}

fn run(who: Who, (clients, talks): (u32, bool), folder: &Path) -> Outcome<Run> {
    let (_target, target) = serve()?;
    let out = folder.join("out");
    let mut client = Process(command(who, (clients, talks), (target, folder))?.spawn()?);
    let process = client.0.id();
    let to = (process, target);
    let opened = until_open(to, 1, PATIENCE).and_then(|first| {
        let all = until_open(to, u64::from(clients), PATIENCE)?;
        Ok((first, all))
    });
    let (first, mut begin) = opened.map_err(|error| {
        let log = std::fs::read_to_string(folder.join("client.log")).unwrap_or_default();
        format!("{}: {error}\n{log}", who.name())
    })?;
    std::thread::sleep(SETTLE);
    if talks {
        begin = look(process, target)?;
        std::thread::sleep(WINDOW);
    }
    let end = look(process, target)?;
    if end.counts.choked > 0 || end.counts.open < u64::from(clients) {
        return Err(format!("{}: {:?}", who.name(), end.counts).into());
    }
    let mut result = Value::Null;
    if matches!(who, Who::Exact | Who::Tick) && talks {
        // It is asked to end, and says what it saw.
        let process = nix::unistd::Pid::from_raw(i32::try_from(process)?);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT)?;
        let asked = Instant::now();
        while client.0.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                return Err("the harness does not end".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        result = serde_json::from_str(&std::fs::read_to_string(out.join("result.json"))?)?;
    }
    Ok(Run {
        first,
        begin,
        end,
        result,
    })
}

fn command(
    who: Who,
    (clients, talks): (u32, bool),
    (target, folder): (SocketAddr, &Path),
) -> Outcome<Command> {
    let log = || File::create(folder.join("client.log"));
    let (pacing, kind) = match who {
        Who::Floor => ("", "floor"),
        Who::Bare => ("", "bare"),
        Who::Exact => ("exact", ""),
        Who::Tick => ("tick", ""),
    };
    let mut command = if kind.is_empty() {
        let scenario = folder.join("engine.toml");
        let mix = if talks { "chatter" } else { "lurker" };
        let hold = HOLD.as_secs();
        let message = if talks {
            let every = EVERY.as_secs();
            format!("message = {{ every = \"{every}s\", arrival = \"fixed\", length = 65 }}\n")
        } else {
            String::new()
        };
        let text = format!(
            "# What does a client cost?\ntitle = \"engine\"\nseed = 1\n\n[environment]\nproxies = []\nusers = {{ password = \"${{env:ENGINE_PASSWORD}}\" }}\n\n[load]\nclients = {clients}\nstages = [{{ ramp = \"{}s\" }}, {{ hold = \"{hold}s\" }}]\nmix = {{ {mix} = 1 }}\n{message}pacing = \"{pacing}\"\n\n[target]\nlogin = \"none\"\n",
            RAMP.as_secs(),
        );
        std::fs::write(&scenario, text)?;
        let mut command = Command::new(harness());
        command
            .arg("run")
            .arg(scenario)
            .args([
                "--quiet",
                "--overwrite",
                "--target",
                &format!("ws://{target}"),
                "--out",
            ])
            .arg(folder.join("out"))
            .env("ENGINE_PASSWORD", "x");
        command
    } else {
        let every = if talks { EVERY.as_millis() } else { 0 };
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "client",
            kind,
            &target.to_string(),
            &clients.to_string(),
            &every.to_string(),
        ]);
        command
    };
    command.stdout(log()?).stderr(log()?);
    Ok(command)
}

fn harness() -> PathBuf {
    let usual = env!("CARGO_BIN_EXE_harness");
    std::env::var_os("HARNESS_BINARY").map_or_else(|| PathBuf::from(usual), PathBuf::from)
}

/// Starts the target.
fn serve() -> Outcome<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    let child = command.arg("target").stdout(Stdio::piped()).spawn()?;
    let mut child = Process(child);
    let stdout = child.0.stdout.take().ok_or("the target has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, line.trim().parse()?))
}

/// Killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn print(rows: &[Value], sizes: &[u32]) {
    let size = |n: &u32| n.to_string();
    let sizes: Vec<String> = sizes.iter().map(size).collect();
    println!("\nclients: {}", sizes.join(", "));
    let list = |value: &Value, digits: usize| {
        let all = value.as_array().map_or(&[][..], Vec::as_slice);
        let all = all.iter().map(|value| match value.as_f64() {
            Some(value) => format!("{value:.digits$}"),
            None => "–".to_owned(),
        });
        all.collect::<Vec<_>>().join(" / ")
    };
    println!(
        "{:<16}{:>20}{:>12}{:>20}{:>14}{:>18}{:>14}",
        "", "µs per message", "× bare", "µs per connect", "KiB a client", "late p99 µs", "wakes"
    );
    let bare = rows.iter().find(|row| row["who"] == Who::Bare.name());
    for row in rows {
        let ratios = row["message_us"]
            .as_array()
            .zip(bare.and_then(|bare| bare["message_us"].as_array()));
        let ratios = ratios.map_or_else(Vec::new, |(own, bare)| {
            let pairs = own
                .iter()
                .zip(bare)
                .filter_map(|(own, bare)| Some(own.as_f64()? / bare.as_f64()?));
            pairs.map(Value::from).collect()
        });
        println!(
            "{:<16}{:>20}{:>12}{:>20}{:>14}{:>18}{:>14}",
            row["who"].as_str().unwrap_or_default(),
            list(&row["message_us"], 1),
            list(&Value::Array(ratios), 2),
            list(&row["connect_us"], 0),
            row["client_kib"]
                .as_f64()
                .map_or_else(|| "–".to_owned(), |kib| format!("{kib:.1}")),
            list(&row["lateness_p99_us"], 0),
            list(&row["wakes_per_message"], 2),
        );
    }
}
