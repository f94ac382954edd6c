//! This module estimates how many samples a run will have of a latency.
//!
//! **In:** a plan, a stage, a part of the run. **Out:** how many are to be expected, before anything is started.
//! What depends on the service is taken on the high side (every socket that a fault of the plan can cut comes back
//! at once), so that a warning made of it is right; what depends on the plan alone is the mean over seeds.
//!
//! **Units:** microseconds since load start.

use super::visit::{Visit, visits};
use super::{Behavior, FaultKind, Jitter, Link, LoadPlan, Plan, PlannedFault, asks_token, copies};
use crate::scenario::expectation::{TimeKind, When};
use crate::stage::Stage;

/// What counts as the part of the run that belongs to a fault without length.
const MOMENT_US: u64 = 1_000_000;
/// What a service that refuses a token asks its client to wait, in full seconds and at least one.
const ASKED_WAIT_US: f64 = 1e6;
/// Moments at which a client may leave in an outage, when the requests that follow are counted.
const LEAVINGS: u32 = 200;

/// What is needed of a plan, put together once.
pub(super) struct Samples<'a> {
    plan: &'a Plan,
    visits: Vec<Visit>,
}

/// From when to when.
type Span = (u64, u64);

impl<'a> Samples<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self {
            plan,
            visits: visits(&plan.load),
        }
    }

    /// Samples of a stage in that part of the run, from `after_us` on.
    pub(super) fn expected(&self, stage: Stage, time: TimeKind, when: &When, after_us: u64) -> f64 {
        let plan = self.plan;
        if lacks(plan, stage).is_some() {
            return 0.0;
        }
        let spans = spans(plan, when);
        let spans = spans.into_iter().map(|(from, to)| (from.max(after_us), to));
        let each = spans.filter(|(from, to)| from < to).map(|span| {
            let outside = *when == When::OutsideFaults;
            match stage {
                Stage::TaskQueued | Stage::FirstChunk | Stage::Complete => messages(plan, span),
                Stage::FanOut => {
                    let others = plan.load.session.group.saturating_sub(1);
                    messages(plan, span) * f64::from(others)
                }
                Stage::Token if time == TimeKind::Service && !outside => {
                    (self.sessions(span, outside) + self.asked_again(span)).max(0.0)
                }
                Stage::Token | Stage::Tcp | Stage::Tls | Stage::Upgrade | Stage::SessionReady => {
                    self.sessions(span, outside)
                }
                Stage::Heartbeat => self.heartbeats(span),
                Stage::Reconnect | Stage::Silence if outside => 0.0,
                Stage::Reconnect | Stage::Silence => self.cut(span),
            }
        });
        each.sum()
    }

    /// Sockets that are asked for: by who comes, by who left and comes back, by who was cut.
    fn sessions(&self, span: Span, outside: bool) -> f64 {
        let come = self.visits.iter().filter(|visit| within(visit, span));
        let back = self.visits.iter().map(|visit| match visit.behavior {
            Behavior::Reconnector { every_us } => overlap_us(visit, span) / every_us.max(1) as f64,
            Behavior::Chatter | Behavior::Lurker => 0.0,
        });
        let cut = if outside { 0.0 } else { self.cut(span) };
        come.count() as f64 + back.sum::<f64>() + cut
    }

    /// Sockets that the faults of this stretch may cut.
    fn cut(&self, span: Span) -> f64 {
        let cutting = events(self.plan).filter(|fault| cuts(fault.kind));
        let cutting = cutting.filter(|fault| span.0 <= fault.at_us && fault.at_us < span.1);
        let cut = cutting.map(|fault| {
            let open = clients_at(&self.plan.load, fault.at_us);
            open * fault.toxicity_ratio
        });
        cut.sum()
    }

    /// By how many requests a service whose tokens are refused or slow is asked more often, or less.
    fn asked_again(&self, span: Span) -> f64 {
        let load = &self.plan.load;
        let faults = events(self.plan);
        let faults = faults.filter(|fault| span.0 <= fault.at_us && fault.at_us < span.1);
        let more = faults.map(|fault| {
            let there =
                |visit: &&Visit| visit.start_us <= fault.at_us && fault.at_us < visit.end_us;
            let each = self.visits.iter().filter(there).map(|visit| {
                let Behavior::Reconnector { every_us } = visit.behavior else {
                    return 0.0;
                };
                let every_us = every_us.max(1) as f64;
                let usual = fault.for_us as f64 / every_us;
                if refuses_tokens(fault.kind) {
                    requests_refused(load, every_us, fault) - usual
                } else {
                    usual * (slowed_ratio(load, every_us, fault.kind) - 1.0)
                }
            });
            each.sum::<f64>()
        });
        more.sum()
    }

    /// Heartbeats that are due: the first comes one period after the socket.
    fn heartbeats(&self, (from_us, to_us): Span) -> f64 {
        let period_us = self.plan.load.heartbeat_us.max(1);
        let each = self.visits.iter().map(|visit| match visit.behavior {
            Behavior::Reconnector { every_us } => {
                let a_session = (every_us / period_us) as f64;
                overlap_us(visit, (from_us, to_us)) / every_us.max(1) as f64 * a_session
            }
            Behavior::Chatter | Behavior::Lurker => {
                let due = |us: u64| us.min(visit.end_us).saturating_sub(visit.start_us) / period_us;
                due(to_us).saturating_sub(due(from_us)) as f64
            }
        });
        each.sum()
    }
}

/// Why a stage has no samples in any run of this plan, if it has none.
pub(super) fn lacks(plan: &Plan, stage: Stage) -> Option<&'static str> {
    let dialect = plan.environment.dialect.as_deref();
    let without = |has: fn(&super::Dialect) -> bool| dialect.is_some_and(|dialect| !has(dialect));
    let (lacks, why) = match stage {
        Stage::Token => (
            !asks_token(dialect, plan.load.session.credential)
                || without(|dialect| dialect.token.is_some()),
            "no connection tokens are asked for",
        ),
        Stage::TaskQueued => (
            without(|dialect| dialect.events.queued.is_some()),
            "the [target] has no event that acknowledges a message",
        ),
        Stage::FanOut => (
            copies(plan).is_none(),
            "nobody shares a conversation in which answers are told apart",
        ),
        Stage::Heartbeat => (
            without(|dialect| dialect.send.heartbeat.is_some() && dialect.events.pong.is_some()),
            "the [target] has no heartbeat that is answered",
        ),
        Stage::Tcp
        | Stage::Tls
        | Stage::Upgrade
        | Stage::SessionReady
        | Stage::FirstChunk
        | Stage::Complete
        | Stage::Reconnect
        | Stage::Silence => return None,
    };
    lacks.then_some(why)
}

/// The faults that begin and end within the run.
fn events(plan: &Plan) -> impl Iterator<Item = &PlannedFault> {
    plan.faults.iter().filter(|fault| !fault.condition)
}

/// The stretches of a part of the run, as planned.
fn spans(plan: &Plan, when: &When) -> Vec<Span> {
    let load_us = plan.load.load_us();
    match when {
        When::WholeRun => vec![(0, load_us)],
        When::Ramp => {
            let first_us = events(plan).map(|fault| fault.at_us).min();
            let ramp_us = plan.load.ramp_end_us();
            vec![(
                0,
                first_us.map_or(ramp_us, |first_us| first_us.min(ramp_us)),
            )]
        }
        When::During { fault } => {
            let mine = events(plan).filter(|planned| planned.name == *fault);
            mine.map(|planned| {
                let for_us = if planned.kind.is_moment() {
                    MOMENT_US
                } else {
                    planned.for_us
                };
                (planned.at_us, planned.at_us.saturating_add(for_us))
            })
            .collect()
        }
        When::Stage { name } => {
            let part = plan.load.part(name).into_iter();
            part.map(|part| (part.from_us, part.to_us)).collect()
        }
        When::OutsideFaults => {
            let mut calm = Vec::new();
            let mut from_us = 0;
            // In order of time, as plans have them.
            for fault in events(plan) {
                calm.push((from_us, fault.at_us));
                from_us = from_us.max(fault.at_us.saturating_add(fault.for_us));
            }
            calm.push((from_us, load_us));
            calm
        }
    }
}

/// Messages intended in a stretch, on average over seeds; for a closed load an upper bound.
fn messages(plan: &Plan, span: Span) -> f64 {
    super::estimate::messages(&plan.load, span)
}

fn clients_at(load: &LoadPlan, at_us: u64) -> f64 {
    super::estimate::client_us(load, (at_us, at_us.saturating_add(1)))
}

fn within(visit: &Visit, (from_us, to_us): Span) -> bool {
    from_us <= visit.start_us && visit.start_us < to_us
}

fn overlap_us(visit: &Visit, (from_us, to_us): Span) -> f64 {
    let (from_us, to_us) = (from_us.max(visit.start_us), to_us.min(visit.end_us));
    to_us.saturating_sub(from_us) as f64
}

/// It ends sockets between clients and server.
fn cuts(kind: FaultKind) -> bool {
    kind.ends_connections() && kind.link().is_none_or(|link| link == Link::Edge)
}

/// Whoever asks for a token meanwhile is refused.
fn refuses_tokens(kind: FaultKind) -> bool {
    let on_the_way = kind.link().is_none_or(|link| match link {
        Link::Redis | Link::RedisTokens | Link::Edge => true,
        Link::RedisTasks | Link::RedisChannel => false,
    });
    on_the_way && kind.stops_everything()
}

/// Requests of one client whose sessions last `every_us` on average, while a fault has them refused.
///
/// How long a session goes on is drawn evenly from half to one and a half times that; seen from the start of the
/// fault, it ends at any moment up to half of it alike, and then ever more rarely. Who has written meanwhile waits
/// for the answer before it leaves, and where messages are not answered either that is not before the end.
fn requests_refused(load: &LoadPlan, every_us: f64, fault: &PlannedFault) -> f64 {
    let for_us = fault.for_us as f64;
    let step_us = for_us / f64::from(LEAVINGS);
    let only_tokens = fault.kind.link() == Some(Link::RedisTokens);
    let each = (0..LEAVINGS).map(|nth| {
        let left_us = (f64::from(nth) + 0.5) * step_us;
        let goes_on = (1.5 - left_us / every_us).clamp(0.0, 1.0);
        let silent = if only_tokens {
            1.0
        } else {
            (-left_us / load.message.every_us.max(1) as f64).exp()
        };
        step_us / every_us * goes_on * silent * attempts_in(load, for_us - left_us)
    });
    each.sum()
}

/// What is left of the sessions that begin, where one takes longer by a delay, and its end waits for an answer that
/// does: at least one round trip each.
fn slowed_ratio(load: &LoadPlan, every_us: f64, kind: FaultKind) -> f64 {
    let (Some(link), delay_us @ 1..) = (kind.link(), kind.delays_us()) else {
        return 1.0;
    };
    let delay_us = delay_us as f64;
    let session = match link {
        Link::Redis | Link::RedisTokens | Link::Edge => every_us / (every_us + delay_us),
        Link::RedisTasks | Link::RedisChannel => 1.0,
    };
    let answer = match link {
        Link::RedisTokens => 1.0,
        Link::Redis | Link::RedisTasks | Link::RedisChannel | Link::Edge => {
            (-delay_us / load.message.every_us.max(1) as f64).exp()
        }
    };
    session * answer
}

/// Attempts of a client that is refused from now on.
fn attempts_in(load: &LoadPlan, left_us: f64) -> f64 {
    let reconnect = &load.reconnect;
    let share = match reconnect.jitter {
        Jitter::Full => 0.5,
        Jitter::None => 1.0,
    };
    let (mut attempts, mut waited_us) = (1.0, 0.0);
    let mut backoff_us = reconnect.first_us as f64;
    for _ in 0..reconnect.attempts {
        waited_us += ASKED_WAIT_US + backoff_us.min(reconnect.cap_us as f64) * share;
        if waited_us > left_us {
            break;
        }
        attempts += 1.0;
        backoff_us *= reconnect.factor;
    }
    attempts
}
