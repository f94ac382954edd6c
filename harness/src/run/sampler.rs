//! This module samples, while the load runs, what nobody reports by event.
//!
//! **In:** the counters and the environment. **Out:** [`Samples`]: gauges per interval, what
//! the server used, which processes ended before their time.
//!
//! **Units:** one sample per recorder interval; processes once a second.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::guard::Guard;
use super::machine::Uses;
use super::network::Network;
use super::usage::Usage;
use crate::clock::RunClock;
use crate::environment::{Environment, ProcessSample};
use crate::plan::Plan;
use crate::record::counters::{Counters, Reader};
use crate::result::{Abort, EndedProcess, Gauges, ServerAccount};
use crate::units::US_PER_S;

/// Time between two looks at the processes.
const PROCESSES_EVERY_US: u64 = US_PER_S;

/// What was sampled.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub gauges: Gauges,
    pub account: Option<ServerAccount>,
    /// The `[[abort_when]]` rule that ended the run.
    pub abort: Option<Abort>,
    /// Processes of the run that ended although no fault ended them.
    pub ended: Vec<EndedProcess>,
    /// What the processes of the run used.
    pub uses: Uses,
    pub usage: Usage,
    pub network: Network,
    /// What the target counted, where that is expected to be something.
    pub counts: Option<Counts>,
}

/// What is sampled.
pub(super) struct Sampling<'a> {
    pub environment: &'a Environment,
    pub plan: &'a Plan,
    pub counters: &'a Counters,
    pub clock: RunClock,
    pub guard: Guard<'a>,
    pub counts: Option<Counts>,
}

/// Samples until `over` fires; fires `stop` when the guard ends the run.
pub(super) async fn sample(
    mut sampling: Sampling<'_>,
    stop: &CancellationToken,
    over: &CancellationToken,
) -> Samples {
    let environment = sampling.environment;
    let load = &sampling.plan.load;
    let mut samples = Samples {
        usage: Usage::of(environment.allowed().await),
        network: Network::within((load.ramp_end_us(), load.load_us())),
        ..Samples::default()
    };
    let first = environment.sample().await.server;
    samples.network.add_backlog(environment.backlog().await);
    let mut processes_due_us = 0;
    for interval in 1_u64.. {
        let due_us = interval * sampling.plan.interval_us;
        tokio::select! {
            () = tokio::time::sleep(sampling.clock.until(due_us)) => {}
            () = over.cancelled() => break,
        }
        let open = sampling.counters.open.load(Ordering::Relaxed);
        samples.gauges.open.push(open);
        samples.gauges.in_flight.push(sampling.counters.in_flight());
        let recent = sampling.counters.take_recent(Reader::Guard);
        let broken = sampling.guard.look(due_us, &recent);
        if broken.is_some() && samples.abort.is_none() {
            samples.abort = broken;
            stop.cancel();
        }
        if let Some(counts) = &mut sampling.counts
            && let Some(page) = environment.server_metrics().await
        {
            let now_us = sampling.clock.now_us();
            counts.look(&page, now_us, sampling.plan.interval_us);
        }
        if due_us < processes_due_us {
            continue;
        }
        processes_due_us = due_us + PROCESSES_EVERY_US;
        let now = environment.sample().await;
        let now_us = sampling.clock.now_us();
        samples.add_ended(&now, now_us);
        samples.uses.add(now_us, &now);
        samples.usage.add(now_us, &now);
        let server = now.server.and_then(|_| samples.usage.server_now());
        sampling.counters.used.set_server(server);
        samples.network.add_backlog(environment.backlog().await);
        let traffic = sampling.counters.traffic();
        samples
            .network
            .add_traffic(sampling.clock.now_us(), traffic);
        if let Some(now) = now.server {
            let account = samples.account.get_or_insert_default();
            let start = first.map_or(0.0, |first| first.cpu_seconds);
            account.cpu_seconds = Some((now.cpu_seconds - start).max(0.0));
            account.rss_peak_bytes = account.rss_peak_bytes.max(Some(now.rss_bytes));
        }
    }
    // What ended since the last look, while everything should still be there.
    let last = environment.sample().await;
    let now_us = sampling.clock.now_us();
    samples.add_ended(&last, now_us);
    samples.uses.add(now_us, &last);
    samples.usage.add(now_us, &last);
    samples.network.add_backlog(environment.backlog().await);
    samples.counts = sampling.counts;
    samples
}

impl Samples {
    fn add_ended(&mut self, now: &ProcessSample, seen_us: u64) {
        for what in &now.ended {
            if self.ended.iter().all(|known| known.what != *what) {
                tracing::error!(what, "ended before the run did");
                self.ended.push(EndedProcess {
                    what: (*what).to_owned(),
                    seen_us,
                    fact: None,
                });
            }
        }
        for (what, fact) in &now.stuck {
            let is_new = |known: &EndedProcess| known.what != *what || known.fact.is_none();
            if self.ended.iter().all(is_new) {
                tracing::error!(what, fact, "it cannot go on");
                self.ended.push(EndedProcess {
                    what: (*what).to_owned(),
                    seen_us,
                    fact: Some(fact.clone()),
                });
            }
        }
    }

    /// What the target says when the load is over; it said `before` when the load began, and how deep its queue was at most.
    pub(super) async fn close(
        &mut self,
        environment: &Environment,
        before: Option<BTreeMap<String, f64>>,
        queue_depth_peak: Option<u64>,
    ) {
        if let Some(peak) = queue_depth_peak {
            let account = self.account.get_or_insert_default();
            account.queue_depth_peak = Some(peak);
        }
        if let Some(counts) = self.counts.take() {
            let account = self.account.get_or_insert_default();
            counts.finish(environment, before.as_ref(), account).await;
        }
        self.add_counters(before, environment.server_metrics().await);
    }

    /// The target's own counters: how much each grew over the run.
    fn add_counters(
        &mut self,
        before: Option<BTreeMap<String, f64>>,
        after: Option<BTreeMap<String, f64>>,
    ) {
        let Some(after) = after else { return };
        let before = before.unwrap_or_default();
        let grown = after
            .into_iter()
            .filter(|(name, _)| is_counter(name))
            .map(|(name, value)| {
                let start = before.get(&name).copied().unwrap_or(0.0);
                (name, value - start)
            });
        self.account.get_or_insert_default().counters = grown.collect();
    }
}

/// Counters by Prometheus's naming rule: the sample's name, labels left out, ends in one of these.
fn is_counter(sample: &str) -> bool {
    let name = sample.split('{').next().unwrap_or(sample);
    ["_total", "_count", "_sum"]
        .iter()
        .any(|ending| name.ends_with(ending))
}
