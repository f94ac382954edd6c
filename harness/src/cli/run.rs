//! This module is `harness run`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::Args;
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::again::Asked;
use super::claim::{self, Taken};
use super::failure::Failure;
use super::overrides::OverrideArgs;
use super::place::PlaceArgs;
use super::web::{self, WebArgs};
use super::{hosts, interrupt, log, read, save, screen, warning};
use crate::environment::{ServerFlag, Settings, affinity, headroom, open_files, preflight};
use crate::exit::Exit;
use crate::intake;
use crate::live::exporter::{self, BindError};
use crate::live::web::Hub;
use crate::live::{Watched, watch};
use crate::plan::{Plan, estimate};
use crate::record::trace::Trace;
use crate::render::{file, terminal};
use crate::result::store::RunDir;
use crate::run::{Finished, Order, RunError, execute, identity};
use crate::scenario::Overrides;
use crate::scenario::cpus::Cpus;
use crate::shard::Place;

const UNCHECKED: &str = "warning: no certificate is checked: \
whoever stands between here and the target can read and answer";
/// How long the files wait for the verdict to be heard.
const TELL_PATIENCE: Duration = Duration::from_secs(1);
/// How long the live view may take to end.
const VIEW_GRACE: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Scenario file
    pub scenario: PathBuf,
    #[command(flatten)]
    changes: OverrideArgs,
    /// Folder for the result and its reports, new or empty [default: a new one in `reports`]
    #[arg(long, value_name = "DIR", env = "HARNESS_OUT")]
    pub out: Option<PathBuf>,
    /// Replace the run that --out already holds; files that are not of it are kept
    #[arg(long)]
    pub overwrite: bool,
    /// Do it N times, each run in a folder of its own below --out; the verdict is that of the worst run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=999), conflicts_with_all = ["prometheus", "web", "trace"])]
    pub repeat: Option<u16>,
    /// Serve Prometheus metrics while running
    #[arg(long, value_name = "ADDR", env = "HARNESS_PROMETHEUS")]
    pub prometheus: Option<std::net::SocketAddr>,
    #[command(flatten)]
    page: WebArgs,
    /// The reference-server binary [default: the one beside this one]
    #[arg(long, value_name = "PATH", env = "HARNESS_SERVER")]
    pub server: Option<PathBuf>,
    /// A flag of the server that is started, such as slow-cpu=10%, beside those of the scenario; repeatable. It is no
    /// part of the plan: runs with and without it count as runs of the same
    #[arg(long, value_name = "NAME=VALUE")]
    pub server_flag: Vec<ServerFlag>,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    pub allow_faults: bool,
    #[command(flatten)]
    screen: ScreenArgs,
}

/// What is shown while it runs.
#[derive(Args, Debug)]
struct ScreenArgs {
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
    /// Print every step and frame of the one client there is (--clients 1)
    #[arg(long, conflicts_with = "quiet")]
    trace: bool,
}

impl RunArgs {
    /// Those of a shard; paths count from here, wherever it works.
    pub(super) fn of_shard(args: &PlaceArgs, shared: &Path) -> Result<Self, Failure> {
        let from_here = |path: &PathBuf| {
            std::path::absolute(path)
                .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))
        };
        let out = args.out.as_ref().map(from_here).transpose()?;
        Ok(Self {
            scenario: PathBuf::new(),
            changes: OverrideArgs::default(),
            out: Some(out.unwrap_or_else(|| shared.join("result"))),
            overwrite: false,
            repeat: None,
            prometheus: args.prometheus,
            page: WebArgs::default(),
            server: args.server.as_ref().map(from_here).transpose()?,
            server_flag: Vec::new(),
            allow_host: args.allow_host.clone(),
            allow_faults: args.allow_faults,
            screen: ScreenArgs {
                quiet: args.quiet,
                trace: false,
            },
        })
    }

    /// What was asked for beside the plan goes with it.
    fn fit(&self, plan: &Plan) -> Result<(), Failure> {
        self.page.check()?;
        if plan.environment.target.is_some() && !self.server_flag.is_empty() {
            let fact =
                "--server-flag: no server is started, and that of --target has its flags already";
            return Err(Failure::new(Exit::Usage, fact).hint("leave one of the two out"));
        }
        if self.screen.trace
            && (plan.load.clients != 1 || plan.load.shards.is_some_and(|of| of > 1))
        {
            let fact = format!(
                "--trace: follows one client in one process, and there are {} in {}",
                plan.load.clients,
                plan.load.shards.unwrap_or(1)
            );
            return Err(Failure::new(Exit::Usage, fact).hint("add --clients 1 --shards 1"));
        }
        Ok(())
    }

    /// What decides what is run.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            scenario: &self.scenario,
            changes: &self.changes,
            server: self.server.as_deref(),
            server_flags: &self.server_flag,
            allow_hosts: &self.allow_host,
            allow_faults: self.allow_faults,
        }
    }

    /// Whether progress is to be shown.
    pub(super) const fn is_shown(&self) -> bool {
        !self.screen.quiet
    }
}

pub(crate) fn overrides(args: &RunArgs) -> Overrides {
    args.changes.overrides()
}

pub(crate) fn run(args: &RunArgs, out: &mut (impl Write + Send)) -> Result<Exit, Failure> {
    let plan = read::plan(&args.scenario, &overrides(args))?;
    let command = args.asked().command(plan.seed);
    begin(args, plan, (command, None), out)
}

/// Does a plan, which `command` repeats; with the other shards of its load where it has a place among them.
pub(super) fn begin(
    args: &RunArgs,
    plan: Plan,
    (command, place): (String, Option<Place>),
    out: &mut (impl Write + Send),
) -> Result<Exit, Failure> {
    let plan = settled(plan)?;
    hosts::check(
        (&args.allow_host, args.allow_faults),
        &plan.environment,
        !plan.faults.is_empty(),
    )?;
    if plan.environment.tls.insecure {
        // Where nobody reads stderr, the summary and the plan say so too.
        drop(writeln!(std::io::stderr(), "{UNCHECKED}"));
    }
    args.fit(&plan)?;
    warning::tell(&plan);
    let run_id = identity::run_id();
    let default = || PathBuf::from("reports").join(&run_id);
    let folder = args.out.clone().unwrap_or_else(default);
    let claim = claim::look(&folder, args.overwrite)?;
    let order = Order {
        settings: Settings {
            run_id,
            out: folder,
            server_binary: args.server.clone(),
            server_flags: args.server_flag.clone(),
            cpus: theirs(&plan)?,
            allow_hosts: args.allow_host.clone(),
            allow_faults: args.allow_faults,
            say: screen::say,
            step: screen::step(args.screen.quiet || args.screen.trace),
        },
        command,
        place,
        trace: if args.screen.trace {
            log::tracing_to_stderr()?
        } else {
            Trace::default()
        },
        plan,
    };
    headroom::check(&order.here()).map_err(|error| RunError::Environment(error.into()))?;
    if order.plan.environment.target.is_some() {
        screen::say_direct();
    }
    let cancel = interrupt::token()?;
    if let Some(cpus) = &order.plan.load.cpus {
        // Before the first thread: all of them are to be there.
        affinity::run_on(cpus).map_err(|error| RunError::Environment(error.into()))?;
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Environment, format!("no runtime: {error}")))?;
    // Until here nothing was changed, in the folder or anywhere else.
    let opened = runtime.block_on(args.page.open(args.prometheus, &cancel))?;
    let exporter = runtime.block_on(ready(&order, opened.exporter))?;
    let mut taken = claim.take(identity::begun(&order.settings.run_id))?;
    let doors = (exporter, opened.hub());
    let finished = log::start(&taken.folder)
        .and_then(|()| runtime.block_on(watched(&order, args, (&cancel, doors, &mut taken))));
    let (ended, kept) = match finished {
        Ok(finished) => {
            let folder = taken.folder.clone();
            let kept = keep(&finished, taken, (&order.settings.out, out));
            (web::ended(&finished, &folder), kept)
        }
        Err(failure) => {
            taken.unbegun();
            (web::failed(&failure), Err(failure))
        }
    };
    runtime.block_on(opened.close(ended));
    kept
}

/// The plan with what the limits of this machine ask for: how many servers there are is part of what happens.
fn settled(mut plan: Plan) -> Result<Plan, Failure> {
    if plan.environment.target.is_none() {
        let limit = open_files().map_err(|error| RunError::Environment(error.into()))?;
        let server = estimate::instances(&plan, limit);
        plan.environment.server.exact |= server > plan.environment.server.instances;
        plan.environment.server.instances = server;
    }
    Ok(plan)
}

/// The processors of what the run starts: where the harness moves aside, the others stay where all were.
fn theirs(plan: &Plan) -> Result<Option<Cpus>, Failure> {
    let named = plan.environment.server.cpus.clone();
    if named.is_some() || plan.load.cpus.is_none() {
        return Ok(named);
    }
    let all = affinity::current().map_err(|error| RunError::Environment(error.into()))?;
    Ok(Some(all))
}

/// Tells the verdict and writes the files.
pub(super) fn keep(
    finished: &Finished,
    taken: Taken,
    (place, out): (&Path, &mut (impl Write + Send)),
) -> Result<Exit, Failure> {
    for problem in &finished.problems {
        tracing::warn!("{problem}");
    }
    let folder = taken.folder.clone();
    let (told, missing) = thread::scope(|scope| {
        let (end, told) = mpsc::sync_channel(1);
        let shown = &folder;
        // Without a thread nothing is told, and the files say it all the same.
        let telling = move || drop(end.send(tell(finished, shown, out)));
        drop(thread::Builder::new().spawn_scoped(scope, telling));
        // First: whatever becomes of the files, the verdict is told. Nor do the files wait for a reader that does not read.
        let early = told.recv_timeout(TELL_PATIENCE).ok();
        let missing = save::all(finished, &folder);
        taken.done();
        (early.or_else(|| told.recv().ok()), missing)
    });
    save::whole(place, &missing)?;
    if let Some(Err(error)) = told {
        let summary = folder.file("summary.md");
        let (reason, summary) = (intake::reason(&error), summary.display());
        screen::say(&format!(
            "warning: stdout: cannot be written: {reason}; the verdict stands in {summary}"
        ));
    }
    Ok(Exit::of(finished.result.exit_code))
}

fn tell(finished: &Finished, folder: &RunDir, out: &mut impl Write) -> std::io::Result<()> {
    let style = terminal::Style {
        report: Some(folder.file(file::PAGE).display().to_string()),
        color: screen::color(),
        width: screen::width(),
    };
    out.write_all(terminal::summary(&finished.result, &style).as_bytes())?;
    out.flush()
}

/// Whether the run can work here; the socket for `/metrics`, where they are asked for.
async fn ready(
    order: &Order,
    metrics: Option<std::net::SocketAddr>,
) -> Result<Option<TcpListener>, Failure> {
    // Heard, so that a file that may not grow is an error to name, and not the end of the harness.
    drop(signal(SignalKind::from_raw(Signal::SIGXFSZ as i32))?);
    let exporter = match metrics {
        Some(address) => Some(exporter::bind("--prometheus", address).await?),
        None => None,
    };
    preflight(&order.here(), &order.settings)
        .await
        .map_err(RunError::Environment)?;
    Ok(exporter)
}

/// Where those who watch from elsewhere come in.
type Doors = (Option<TcpListener>, Option<Arc<Hub>>);

/// Does the run, shown as it goes.
async fn watched(
    order: &Order,
    args: &RunArgs,
    (cancel, (exporter, web), taken): (&CancellationToken, Doors, &mut Taken),
) -> Result<Finished, Failure> {
    let plan = Arc::new(order.plan.clone());
    let mut live = JoinSet::new();
    let finished = Box::pin(execute(order, cancel, |run| {
        screen::started();
        taken.begin();
        let watched = Watched {
            plan,
            run_id: order.settings.run_id.clone(),
            clock: run.clock,
            counters: run.counters,
            view: screen::view(args.screen.quiet || args.screen.trace),
            exporter,
            web,
        };
        live.spawn(watch(watched, run.faults, run.over));
    }))
    .await;
    screen::started();
    // The view ends with the load; where it does not, the result must not wait for it.
    let ended = async { while live.join_next().await.is_some() {} };
    if tokio::time::timeout(VIEW_GRACE, ended).await.is_err() {
        live.abort_all();
    }
    Ok(finished?)
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let hint = if error.is_taken() {
            "something listens there already: name another port"
        } else {
            "name an address of this machine, such as 127.0.0.1:9464"
        };
        Self::new(Exit::Environment, error.to_string()).hint(hint)
    }
}
