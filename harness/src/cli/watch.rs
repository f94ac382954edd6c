//! This module is `harness watch`: the parts of a load while they are under way, from the folder they share.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::overrides::duration;
use super::screen;
use crate::clock::RunClock;
use crate::exit::Exit;
use crate::fault::{FaultEvent, FaultMoment};
use crate::live::{View, Watched, watch};
use crate::record::counters::Counters;
use crate::record::fault::FaultSpan;
use crate::run::{Begun, begun};
use crate::shard::{Archive, Glimpse};

/// Between two looks into the folder: parts tell where they are every two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after the load and all patience of its clients the run may gather what its parts bring.
const GATHERING_MAX: Duration = Duration::from_mins(10);
/// Notes on faults that wait to be shown.
const EVENTS_MAX: usize = 256;

/// A line every few seconds, as a run without a terminal prints it, of all parts together; it ends when the run does. Nothing
/// is written to the folder
#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// The folder that the parts share: --shared of `harness shard`
    dir: PathBuf,
    /// How long the run is waited for
    #[arg(long, value_name = "D", default_value = "10min", value_parser = duration)]
    wait: Duration,
}

pub(super) fn run(args: &WatchArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let begun = awaited(&args.dir, args.wait)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Environment, format!("no runtime: {error}")))?;
    let is_over = runtime.block_on(follow(&args.dir, begun));
    let shown = args.dir.display();
    if !is_over {
        let fact = format!("{shown}: the run gives no sign of life any more, and has left no end");
        return Err(Failure::new(Exit::Environment, fact).hint(
            "see what the part with index 0 said; `harness merge` adds up what its parts left",
        ));
    }
    writeln!(out, "{shown}: the run is over")?;
    Ok(Exit::Pass)
}

/// The run, once its load is about to begin.
fn awaited(dir: &Path, wait: Duration) -> Result<Begun, Failure> {
    let looks = wait.as_secs() / LOOK_EVERY.as_secs();
    for _ in 0..=looks {
        if let Some(begun) = begun(dir)? {
            return Ok(begun);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let fact = format!(
        "{}: no run has begun there within {} s",
        dir.display(),
        wait.as_secs()
    );
    Err(Failure::new(Exit::Usage, fact)
        .hint("name the folder that is --shared of its parts, or raise --wait"))
}

/// Shows the run until it is over; `false`: it is gone.
async fn follow(dir: &Path, begun: Begun) -> bool {
    let (plan, roster) = (Arc::new(begun.plan), begun.roster);
    let archive = Archive::at(dir);
    let lanes = usize::from(plan.load.lanes.max(1));
    let counters = Arc::new(Counters::new(lanes * roster.members.len()));
    let mut glimpse = Glimpse::of(&archive, &roster, &counters, lanes);
    let clock = RunClock::with_wall_zero(roster.zero_wall_ns);
    let (events, faults) = mpsc::channel(EVENTS_MAX);
    let over = CancellationToken::new();
    let mut shown = JoinSet::new();
    let watched = Watched {
        plan: Arc::clone(&plan),
        run_id: begun.run.id,
        clock,
        counters,
        view: View::Lines,
        exporter: None,
        web: None,
    };
    shown.spawn(watch(watched, faults, over.clone()));
    let last = clock.until(plan.load.end_us()) + GATHERING_MAX;
    let looking = async {
        let mut known: Vec<FaultSpan> = Vec::new();
        loop {
            // A file system that hangs must not hold up what is shown.
            let looked = spawn_blocking(move || {
                let (changes, faults) = (glimpse.look(), glimpse.faults());
                (glimpse, changes, faults)
            });
            let Ok((looked, changes, spans)) = looked.await else {
                return false;
            };
            glimpse = looked;
            // With the load parts end, one after the other.
            let is_load = clock.now_us() < plan.load.load_us();
            for change in changes.iter().filter(|_| is_load) {
                let named = roster
                    .members
                    .get(change.place)
                    .map_or("", |member| &member.named);
                let word = if change.is_silent {
                    "is silent"
                } else {
                    "is back"
                };
                screen::say(&format!("{named}: {word}"));
            }
            for event in spans.iter().flat_map(|spans| news(&known, spans)) {
                // One that does not fit is not shown.
                drop(events.try_send(event));
            }
            known = spans.unwrap_or(known);
            if archive.is_over() {
                return true;
            }
            if glimpse.run_is_gone() {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let is_over = tokio::time::timeout(last, looking).await.unwrap_or(false);
    over.cancel();
    while shown.join_next().await.is_some() {}
    is_over
}

/// What became of faults between two looks, as far as parts were told.
fn news(known: &[FaultSpan], now: &[FaultSpan]) -> Vec<FaultEvent> {
    const NEVER: FaultSpan = (u64::MAX, u64::MAX);
    let mut events = Vec::new();
    for (fault, (from_us, to_us)) in now.iter().enumerate() {
        let before = known.get(fault).copied().unwrap_or(NEVER);
        for (was_us, at_us, moment) in [
            (before.0, *from_us, FaultMoment::Injected),
            (before.1, *to_us, FaultMoment::HealConfirmed),
        ] {
            if was_us != at_us && at_us != u64::MAX {
                events.push(FaultEvent {
                    fault,
                    at_us,
                    moment,
                });
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_when_it_begins_and_when_it_is_over() {
        const NEVER: u64 = u64::MAX;
        let told = |known: &[FaultSpan], now: &[FaultSpan]| -> Vec<(usize, u64)> {
            let news = news(known, now).into_iter();
            news.map(|event| (event.fault, event.at_us)).collect()
        };
        assert_eq!(told(&[], &[(NEVER, NEVER), (5, NEVER)]), [(1, 5)]);
        let one = [(NEVER, NEVER), (5, NEVER)];
        assert_eq!(told(&one, &one), []);
        assert_eq!(told(&one, &[(7, 8), (5, 9)]), [(0, 7), (0, 8), (1, 9)]);
    }
}
