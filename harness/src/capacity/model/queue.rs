//! This module is the queue whose truth is known: M/M/c.
//!
//! **In:** arrivals of a Poisson process (1/s), exponential service (1/s of one server), servers.
//! **Out:** means and quantiles of waiting and response (s), first come first served. Tests of a
//! search use it as the truth.
//!
//! **Method.** Erlang C from the recursion of Erlang B, which only multiplies numbers below 1: no
//! factorial, no overflow at any number of servers. **Source:** Gross, Shortle, Thompson, Harris:
//! Fundamentals of Queueing Theory (2008), 2.3 and 2.4.

use thiserror::Error;

/// Most servers of a queue: one step of the recursion each.
const SERVERS_MAX: u32 = 1_000_000;
/// Steps by which a quantile is closed in on.
const HALVINGS: u32 = 60;

/// Why there is no such queue.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub(crate) enum QueueError {
    #[error("{arrivals_per_s} arrivals/s at {services_per_s}/s a server: both must be above 0")]
    Rates {
        arrivals_per_s: f64,
        services_per_s: f64,
    },
    #[error("{servers} servers: from 1 to {SERVERS_MAX}")]
    Servers { servers: u32 },
    #[error(
        "{arrivals_per_s} arrivals/s at {served_per_s}/s of all servers: the queue grows without end"
    )]
    Unstable {
        arrivals_per_s: f64,
        served_per_s: f64,
    },
}

/// A queue that has a steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Queue {
    services_per_s: f64,
    /// What all servers could do beyond what arrives.
    spare_per_s: f64,
    waits_ratio: f64,
}

impl Queue {
    /// The queue; refused where it has no steady state.
    pub(crate) fn new(
        arrivals_per_s: f64,
        services_per_s: f64,
        servers: u32,
    ) -> Result<Self, QueueError> {
        let rate = |rate: f64| rate.is_finite() && rate > 0.0;
        if !rate(arrivals_per_s) || !rate(services_per_s) {
            return Err(QueueError::Rates {
                arrivals_per_s,
                services_per_s,
            });
        }
        if servers == 0 || servers > SERVERS_MAX {
            return Err(QueueError::Servers { servers });
        }
        let served_per_s = services_per_s * f64::from(servers);
        if arrivals_per_s >= served_per_s {
            return Err(QueueError::Unstable {
                arrivals_per_s,
                served_per_s,
            });
        }
        let offered = arrivals_per_s / services_per_s;
        let blocked = (1..=servers).fold(1.0, |blocked, servers| {
            let busy = offered * blocked;
            busy / (f64::from(servers) + busy)
        });
        let used = arrivals_per_s / served_per_s;
        Ok(Self {
            services_per_s,
            spare_per_s: served_per_s - arrivals_per_s,
            waits_ratio: blocked / (1.0 - used * (1.0 - blocked)),
        })
    }

    /// The share of arrivals that wait at all (Erlang C).
    pub(crate) fn waits_ratio(&self) -> f64 {
        self.waits_ratio
    }

    /// Mean time before service begins, over all arrivals.
    pub(crate) fn mean_wait_s(&self) -> f64 {
        self.waits_ratio / self.spare_per_s
    }

    /// Mean time from arrival to the end of service.
    pub(crate) fn mean_response_s(&self) -> f64 {
        self.mean_wait_s() + 1.0 / self.services_per_s
    }

    /// The response time that the share `below` (0..1) of arrivals does not exceed; infinite at 1,
    /// 0 at 0 or less.
    pub(crate) fn response_quantile_s(&self, below: f64) -> f64 {
        if below.is_nan() || below >= 1.0 {
            return f64::INFINITY;
        }
        let above = 1.0 - below.max(0.0);
        let (mut low, mut high) = (0.0, self.mean_response_s());
        // Each tail is at most exponential: the end is reached after some tens of doublings.
        while self.slower_ratio(high) > above {
            high *= 2.0;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.slower_ratio(middle) > above {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }

    /// The share of arrivals whose response takes longer than `time_s`.
    fn slower_ratio(&self, time_s: f64) -> f64 {
        let (service, spare) = (self.services_per_s, self.spare_per_s);
        let served = (-service * time_s).exp();
        let gap = (service - spare) * time_s;
        // Who waits, waits exponentially with the spare rate; the sum with the service has a
        // removable pole where the two rates are one.
        let waited = if gap.abs() < 1e-5 {
            service * time_s * served * (1.0 + gap / 2.0)
        } else {
            service * ((-spare * time_s).exp() - served) / (service - spare)
        };
        served + self.waits_ratio * waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, known: f64, to: f64) {
        assert!((found / known - 1.0).abs() < to, "{found} {known}");
    }

    /// Rational by hand; the last is of the printed tables of call centres (10 erlangs, 13 agents).
    #[test]
    fn erlang_c_is_that_of_the_tables() {
        let waits = |offered, servers| Queue::new(offered, 1.0, servers).unwrap().waits_ratio();
        near(waits(0.7, 1), 0.7, 1e-12);
        near(waits(1.0, 2), 1.0 / 3.0, 1e-12);
        near(waits(2.0, 3), 4.0 / 9.0, 1e-12);
        near(waits(10.0, 13), 0.2853, 1e-3);
    }

    /// Hillier and Yu, Queueing Tables and Graphs (1981): mean number waiting, each server 90 %
    /// busy.
    #[test]
    fn the_mean_wait_is_that_of_the_tables() {
        for (servers, waiting) in [(1, 8.1), (2, 7.6737), (5, 6.8624), (10, 6.0186)] {
            let arrivals = 0.9 * f64::from(servers);
            let queue = Queue::new(arrivals, 1.0, servers).unwrap();
            near(queue.mean_wait_s() * arrivals, waiting, 1e-4);
        }
    }

    #[test]
    fn one_server_answers_exponentially() {
        let queue = Queue::new(6.0, 10.0, 1).unwrap();
        near(queue.mean_response_s(), 0.25, 1e-12);
        near(queue.response_quantile_s(0.99), 100.0_f64.ln() / 4.0, 1e-9);
        near(queue.response_quantile_s(0.5), 2.0_f64.ln() / 4.0, 1e-9);
    }

    #[test]
    fn the_tail_is_smooth_where_both_rates_are_one() {
        let at = |arrivals| {
            let queue = Queue::new(arrivals, 1.0, 4).unwrap();
            queue.response_quantile_s(0.99)
        };
        near(at(3.0), f64::midpoint(at(2.999_99), at(3.000_01)), 1e-8);
        near(at(3.0), f64::midpoint(at(2.999_999), at(3.000_001)), 1e-8);
    }

    /// The mean is the area below the tail.
    #[test]
    fn the_quantiles_add_up_to_the_mean() {
        for (arrivals, servers) in [(0.5, 1), (3.0, 4), (9.5, 10), (180.0, 200)] {
            let queue = Queue::new(arrivals, 1.0, servers).unwrap();
            let area: f64 = (0..60_000)
                .map(|step| queue.slower_ratio((f64::from(step) + 0.5) * 1e-3) * 1e-3)
                .sum();
            near(area, queue.mean_response_s(), 1e-5);
        }
    }

    /// Halfin and Whitt (1981): with c = a + b sqrt(a) the share that waits tends to 1 / (1 + b
    /// Φ(b) / φ(b)): 0.2234 at b = 1.
    #[test]
    fn ten_thousand_servers_are_not_too_many() {
        let offered = 10_000.0 - 100.0 * 0.995;
        let queue = Queue::new(offered, 1.0, 10_000).unwrap();
        near(queue.waits_ratio(), 0.2234, 0.02);
        let idle = Queue::new(1.0, 1.0, 10_000).unwrap();
        assert!(idle.waits_ratio() < 1e-300);
        near(idle.response_quantile_s(0.99), 100.0_f64.ln(), 1e-9);
    }

    #[test]
    fn what_has_no_steady_state_is_refused() {
        let refused =
            |arrivals, services, servers| Queue::new(arrivals, services, servers).unwrap_err();
        assert!(matches!(
            refused(10.0, 1.0, 10),
            QueueError::Unstable { .. }
        ));
        assert!(matches!(refused(1.0, 1.0, 0), QueueError::Servers { .. }));
        assert!(matches!(
            refused(f64::NAN, 1.0, 1),
            QueueError::Rates { .. }
        ));
        assert!(matches!(refused(1.0, 0.0, 1), QueueError::Rates { .. }));
        let ends = Queue::new(1.0, 2.0, 1).unwrap();
        assert!(ends.response_quantile_s(1.0).is_infinite());
        assert!(ends.response_quantile_s(-1.0) < 1e-12);
    }
}
