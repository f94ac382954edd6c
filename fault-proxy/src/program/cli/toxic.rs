//! `toxic`: add, change, remove one.

use super::{super::failure::Failure, ask::Asked, attribute, paper::Paper};
use clap::{Args, Subcommand};
use fault_proxy::{Stream, ToxicSpec, client::Client};
use serde_json::{Map, Value};

const TYPES: &str = "\
Types and their attributes, which are numbers:
  latency        latency, jitter (ms)
  bandwidth      rate (KB/s)
  slow_close     delay (ms)
  timeout        timeout (ms; 0 never closes)
  reset_peer     timeout (ms)
  slicer         average_size, size_variation (bytes), delay (microseconds)
  limit_data     bytes
Those of a fault proxy only: `GET /extensions` lists what a server has.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a toxic to a proxy
    #[command(visible_alias = "a", after_help = TYPES)]
    Add(AddArgs),
    /// Change attributes and toxicity; what is not named stays
    #[command(visible_alias = "u")]
    Update(UpdateArgs),
    /// Remove a toxic
    #[command(visible_aliases = ["delete", "r", "d"])]
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Name of the toxic; without one it is called by its type and stream
    #[arg(short = 'n', long = "toxicName", value_name = "NAME")]
    name: Option<String>,
    /// Type of the toxic
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    effect: Effect,
    /// On what goes from the client to the upstream
    #[arg(short, long, conflicts_with = "downstream")]
    upstream: bool,
    /// On what comes back from the upstream; the default
    #[arg(short, long)]
    downstream: bool,
    #[arg(value_name = "PROXY")]
    proxy: String,
}

#[derive(Debug, Args)]
struct Effect {
    /// Share of the connections that are affected, 0 to 1 [of a new toxic: 1]
    #[arg(long, visible_alias = "tox", value_name = "SHARE", value_parser = attribute::toxicity)]
    toxicity: Option<f32>,
    /// NAME=VALUE; can be repeated
    #[arg(short = 'a', long = "attribute", value_name = "NAME=VALUE", value_parser = attribute::pair)]
    attributes: Vec<(String, Value)>,
}

impl Effect {
    fn apply(self, toxic: &mut ToxicSpec) {
        toxic.toxicity = self.toxicity.unwrap_or(toxic.toxicity);
        toxic.attributes = Map::from_iter(self.attributes);
    }
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// Name of the toxic
    #[arg(short = 'n', long = "toxicName", value_name = "NAME")]
    name: String,
    #[command(flatten)]
    effect: Effect,
    #[arg(value_name = "PROXY")]
    proxy: String,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Name of the toxic
    #[arg(short = 'n', long = "toxicName", value_name = "NAME")]
    name: String,
    #[arg(value_name = "PROXY")]
    proxy: String,
}

pub(super) async fn run(
    command: Command,
    (asked, client): (&Asked, &Client),
    paper: &mut Paper,
) -> Result<(), Failure> {
    match command {
        Command::Add(args) => {
            let stream = if args.upstream {
                Stream::Upstream
            } else {
                Stream::Downstream
            };
            // The name that a server would give it.
            let name = args
                .name
                .unwrap_or_else(|| format!("{}_{stream}", args.kind));
            let mut toxic = ToxicSpec::new(name, args.kind, stream);
            args.effect.apply(&mut toxic);
            let added = client.add_toxic(&args.proxy, &toxic).await;
            let added = added.map_err(asked.about("toxic add"))?;
            let what = format!("Added {stream} {} toxic '", added.kind);
            told(paper, &what, &added.name, &args.proxy);
        }
        Command::Update(args) => {
            let place = asked.about("toxic update");
            let present = client
                .toxic(&args.proxy, &args.name)
                .await
                .map_err(&place)?;
            let mut toxic = ToxicSpec::new(args.name, present.kind, present.stream);
            toxic.toxicity = present.toxicity;
            args.effect.apply(&mut toxic);
            let updated = client.update_toxic(&args.proxy, &toxic).await;
            let updated = updated.map_err(&place)?;
            told(paper, "Updated toxic '", &updated.name, &args.proxy);
        }
        Command::Remove(args) => {
            let removed = client.remove_toxic(&args.proxy, &args.name).await;
            removed.map_err(asked.about("toxic remove"))?;
            told(paper, "Removed toxic '", &args.name, &args.proxy);
        }
    }
    Ok(())
}

fn told(paper: &mut Paper, what: &str, toxic: &str, proxy: &str) {
    paper.line(&[what, toxic, "' on proxy '", proxy, "'"]);
}
