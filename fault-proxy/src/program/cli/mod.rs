//! The command line that drives a server, this one or a Toxiproxy.
//!
//! **In:** a command with Toxiproxy's names and flags. **Out:** its lines on stdout, for scripts as they are there:
//! fields apart by tabs and no headings. A terminal gets headings, columns and colors.

mod ask;
mod attribute;
mod inspect;
mod list;
mod paper;
mod toxic;

use super::failure::Failure;
use ask::Asked;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use fault_proxy::client::Client;
use paper::{Color, Paper};
use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
};

const AFTER_HELP: &str = "\
Flags may be written with one dash. NO_COLOR in the environment: no colors on a terminal either.";

/// Drives a fault proxy or a Toxiproxy
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_version_flag = true, after_help = AFTER_HELP)]
struct CliArgs {
    /// The API that is asked
    #[arg(
        short = 'h',
        long,
        env = "TOXIPROXY_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://localhost:8474"
    )]
    host: String,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all proxies
    #[command(visible_aliases = ["ls", "l"], alias = "li")]
    List,
    /// Show a proxy and its toxics
    #[command(visible_alias = "i", alias = "ins")]
    Inspect(Named),
    /// Create a proxy
    #[command(visible_alias = "c", alias = "new")]
    Create(CreateArgs),
    /// Take a proxy down, or up again
    #[command(visible_alias = "tog")]
    Toggle(Named),
    /// Delete a proxy
    #[command(visible_alias = "d")]
    Delete(Named),
    /// Add, change and remove toxics
    #[command(subcommand, visible_alias = "t")]
    Toxic(toxic::Command),
}

#[derive(Debug, Args)]
struct Named {
    /// Name of the proxy
    #[arg(value_name = "PROXY")]
    name: String,
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Where it listens, HOST:PORT; port 0 takes a free one
    #[arg(short, long, value_name = "ADDR")]
    listen: String,
    /// Where its connections go, HOST:PORT
    #[arg(short, long, value_name = "ADDR")]
    upstream: String,
    /// Name of the proxy
    #[arg(value_name = "PROXY")]
    name: String,
}

/// Whether there is a command of that name.
pub(super) fn has(word: &str) -> bool {
    CliArgs::command().find_subcommand(word).is_some()
}

/// `-h` is the host before the command, and help behind it, as there.
fn with_help(command: clap::Command) -> clap::Command {
    let help = Arg::new("help").short('h').long("help");
    let help = help.action(ArgAction::Help).help("Print help");
    command.arg(help).mut_subcommands(with_help)
}

/// Does what was asked; `program` is how whoever asked calls it.
pub(super) fn main(program: &'static str, words: Vec<OsString>) -> Result<(), Failure> {
    let command = CliArgs::command()
        .mut_subcommands(with_help)
        .name(program)
        .bin_name(program)
        .version(env!("CARGO_PKG_VERSION"));
    let matches = command.try_get_matches_from(std::iter::once(program.into()).chain(words))?;
    let args = CliArgs::from_arg_matches(&matches)?;
    let asked = Asked::new(program, args.host);
    let client = asked.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime did not start: {error}")))?;
    let out = io::stdout();
    let mut paper = Paper::new(out.is_terminal());
    runtime.block_on(run(args.command, (&asked, &client), &mut paper))?;
    out.lock().write_all(paper.text().as_bytes())?;
    Ok(out.lock().flush()?)
}

async fn run(
    command: Command,
    (asked, client): (&Asked, &Client),
    paper: &mut Paper,
) -> Result<(), Failure> {
    match command {
        Command::List => {
            let proxies = client.proxies().await;
            list::write(&proxies.map_err(asked.about("list"))?, paper);
            paper.hint(&format!("{} inspect PROXY shows its toxics", asked.program));
        }
        Command::Inspect(Named { name }) => {
            let proxy = client.proxy(&name).await;
            inspect::write(&proxy.map_err(asked.about("inspect"))?, paper);
            let hint = format!("{} toxic add adds a toxic", asked.program);
            paper.hint(&hint);
        }
        Command::Create(args) => {
            let created = client
                .create(&args.name, &args.listen, &args.upstream)
                .await
                .map_err(asked.about("create"))?;
            paper.line(&["Created new proxy ", &created.name]);
        }
        Command::Toggle(Named { name }) => {
            let place = asked.about("toggle");
            let now = client.proxy(&name).await.map_err(&place)?;
            let now = client.set_enabled(&name, !now.enabled).await;
            let now = now.map_err(&place)?;
            paper.put("Proxy ");
            paper.colored(Color::of(now.enabled), &now.name);
            paper.put(" is now ");
            paper.colored(Color::of(now.enabled), list::state(now.enabled));
            paper.end();
        }
        Command::Delete(Named { name }) => {
            let deleted = client.delete(&name).await;
            deleted.map_err(asked.about("delete"))?;
            paper.line(&["Deleted proxy ", &name]);
        }
        Command::Toxic(command) => toxic::run(command, (asked, client), paper).await?,
    }
    Ok(())
}
