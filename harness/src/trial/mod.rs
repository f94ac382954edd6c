//! This module repeats small experiments beside the load: trials.
//!
//! **In:** the trials of a plan, and where the target is. **Out:** one [`TrialRecord`] for each: how often
//! the server did what it must, and every way in which it did not, with the experiment from its first step
//! to its last.
//!
//! Each account of a trial is a worker with accounts of its own, numbered after those of the clients, so
//! that a trial and the load do not meet. A worker does one experiment after the other, with a pause
//! between them, from the start of the load to its end; one that is under way when the run ends has no
//! outcome. An experiment never blames a server for what the harness did to the network: see
//! [`TestClient::is_disturbed`].
//!
//! One file per experiment, called like its declaration in `scenario::trial`. To add one: its two files, and its line in
//! the lists of the two folders.
//!
//! **Units:** microseconds since load start.

mod client;
mod connect;
mod context;
mod experiment;
mod kind;
mod message;
mod people;
mod request;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::client::TestClient;
use self::context::Context;
pub(crate) use self::context::Inputs;
use self::experiment::{Inconclusive, Iteration, Outcome, State};
use crate::clock::wall_ns;
use crate::plan::seed::{Purpose, Stream};
use crate::plan::{CREW_SIZE, Plan, TrialPlan};
use crate::record::trial::TrialRecord;

/// Longest experiment, besides the time that it is about.
const LIMIT: Duration = Duration::from_mins(2);

/// Repeats all trials of a plan until `stop` fires; none begins after the load's end.
pub(crate) async fn drive(
    plan: &Plan,
    inputs: Inputs,
    stop: &CancellationToken,
) -> Vec<TrialRecord> {
    let context = Arc::new(Context::new(plan, inputs));
    let mut workers = JoinSet::new();
    let tag = format!("trial-{:x}", wall_ns());
    let mut user = plan.load.clients.next_multiple_of(CREW_SIZE);
    for (place, trial) in plan.trials.iter().enumerate() {
        for number in 0..trial.concurrency {
            let worker = Worker {
                trial: trial.clone(),
                number,
                end_us: plan.load.load_us(),
                client: TestClient::new(
                    Arc::clone(&context),
                    user,
                    format!("{tag}-{place}-{number}"),
                ),
                chance: Stream::new(plan.seed, Purpose::Trial, user),
            };
            user += CREW_SIZE;
            let stop = stop.clone();
            workers.spawn(async move { (place, worker.work(&stop).await) });
        }
    }
    let mut records = vec![TrialRecord::default(); plan.trials.len()];
    while let Some(done) = workers.join_next().await {
        // A worker does not panic; were it to, what the others saw stands.
        if let Ok((place, record)) = done {
            records[place].merge(record);
        }
    }
    records
}

/// One account's part in a trial.
struct Worker {
    trial: TrialPlan,
    number: u16,
    end_us: u64,
    client: TestClient,
    chance: Stream,
}

impl Worker {
    async fn work(mut self, stop: &CancellationToken) -> TrialRecord {
        let mut record = TrialRecord::default();
        let mut state = State::default();
        // Evenly over the first pause, so that they do not come all at once.
        let share =
            u64::from(self.number) * self.trial.interval_us / u64::from(self.trial.concurrency);
        let mut due_us = share;
        for number in 0.. {
            let clock = self.client.clock();
            tokio::select! {
                () = tokio::time::sleep(clock.until(due_us)) => {}
                () = stop.cancelled() => break,
            }
            if clock.now_us() >= self.end_us {
                break;
            }
            let iteration = Iteration {
                number,
                chance: &mut self.chance,
                state: &mut state,
                record: &mut record,
            };
            self.client.begin();
            let limit = LIMIT + Duration::from_micros(self.trial.kind.longest_us());
            let outcome = tokio::select! {
                outcome = timeout(limit, kind::run(&mut self.client, self.trial.kind, iteration)) => outcome,
                () = stop.cancelled() => break,
            };
            let outcome = outcome.unwrap_or(Err(Inconclusive("it took too long")));
            match outcome {
                Ok(Outcome::Held) => record.held += 1,
                Ok(Outcome::Broke(known, what)) => {
                    record.add_broken(known, self.client.showing(what));
                }
                Ok(Outcome::Inconclusive(reason)) | Err(Inconclusive(reason)) => {
                    record.add_unclear(reason, |what| self.client.showing(what));
                }
            }
            due_us = clock.now_us() + self.trial.interval_us;
        }
        record
    }
}
