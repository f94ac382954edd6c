//! This module spoils a link: later data, no data, reset connections.
//!
//! **In:** the link's proxies and what to do to them. **Out:** toxics called after the run and the
//! fault, later removed by those names.
//!
//! **Units:** the plan's times are microseconds, Toxiproxy's are milliseconds: rounded up.
//!
//! **Source:** Toxiproxy's `latency`, `timeout` and `reset_peer`.

use std::time::Duration;

use fault_proxy::{Stream, ToxicSpec};

use super::{Fault, FaultError, Links};
use crate::environment::Answer;

const US_PER_MS: u64 = 1_000;
const NOT_FOUND: u16 = 404;
/// For an answer that nothing delays.
const PATIENCE: Duration = Duration::from_secs(1);
/// The proxy may round a delay down to its timer's millisecond.
const ROUNDING: Duration = Duration::from_millis(1);

/// What the toxic does, by which a probe knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Answers take at least this long (latency − jitter).
    Late { least: Duration, patience: Duration },
    /// No answer for this long, or the connection is closed without one.
    Silent { patience: Duration },
    /// The connection is reset.
    Reset { patience: Duration },
}

/// Toxics on a link.
pub(super) struct Toxic {
    pub links: Links,
    pub toxics: Vec<ToxicSpec>,
    pub mark: Mark,
}

impl Toxic {
    /// Every answer later by `latency_us`, give or take `jitter_us`.
    pub(super) fn latency(links: Links, name: &str, latency_us: u64, jitter_us: u64) -> Self {
        let latency_ms = latency_us.div_ceil(US_PER_MS);
        let jitter_ms = jitter_us.div_ceil(US_PER_MS);
        let most = Duration::from_millis(latency_ms.saturating_add(jitter_ms));
        Self {
            links,
            toxics: vec![ToxicSpec::latency(
                name,
                Stream::Downstream,
                latency_ms,
                jitter_ms,
            )],
            mark: Mark::Late {
                least: Duration::from_millis(latency_ms.saturating_sub(jitter_ms)),
                patience: most.saturating_add(PATIENCE),
            },
        }
    }

    /// Nothing passes in either direction; connections close after `timeout_us` (0: never).
    pub(super) fn timeout(links: Links, name: &str, timeout_us: u64, silence: Duration) -> Self {
        let timeout_ms = timeout_us.div_ceil(US_PER_MS);
        let one = |stream: Stream| {
            ToxicSpec::timeout(&format!("{name}-{}", stream.name()), stream, timeout_ms)
        };
        Self {
            links,
            toxics: vec![one(Stream::Upstream), one(Stream::Downstream)],
            mark: Mark::Silent { patience: silence },
        }
    }

    /// Connections are reset `timeout_us` after the first answer on them.
    pub(super) fn reset_peer(links: Links, name: &str, timeout_us: u64) -> Self {
        let timeout_ms = timeout_us.div_ceil(US_PER_MS);
        Self {
            links,
            toxics: vec![ToxicSpec::reset_peer(name, Stream::Downstream, timeout_ms)],
            mark: Mark::Reset {
                patience: Duration::from_millis(timeout_ms).saturating_add(PATIENCE),
            },
        }
    }
}

impl Fault for Toxic {
    async fn prepare(&self) -> Result<(), FaultError> {
        self.links.look().await
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.links
            .each(|link, client| {
                let toxics = self.toxics.clone();
                async move {
                    for toxic in &toxics {
                        client.add_toxic(&link.name, toxic).await?;
                    }
                    Ok(())
                }
            })
            .await
    }

    async fn is_met(&self) -> Result<(), String> {
        match self.mark {
            Mark::Late { least, patience } => {
                let late = move |answer: &Answer| matches!(answer, Answer::Good { waited } if *waited + ROUNDING >= least);
                self.links.ask(patience, late).await
            }
            Mark::Silent { patience } => {
                let silent = |answer: &Answer| matches!(answer, Answer::Silent | Answer::Closed);
                self.links.ask(patience, silent).await
            }
            Mark::Reset { patience } => {
                self.links
                    .ask(patience, |answer| *answer == Answer::Reset)
                    .await
            }
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.links
            .each(|link, client| {
                let toxics = self.toxics.clone();
                async move {
                    for toxic in &toxics {
                        match client.remove_toxic(&link.name, &toxic.name).await {
                            // Gone already: this is the repetition of a call that did arrive.
                            Err(error) if error.status() == Some(NOT_FOUND) => {}
                            other => other?,
                        }
                    }
                    Ok::<(), FaultError>(())
                }
            })
            .await
    }

    async fn is_well(&self) -> Result<(), String> {
        let least = match self.mark {
            Mark::Late { least, .. } if least > ROUNDING => least,
            Mark::Late { .. } | Mark::Silent { .. } | Mark::Reset { .. } => Duration::MAX,
        };
        let prompt =
            move |answer: &Answer| matches!(answer, Answer::Good { waited } if *waited < least);
        self.links.ask(PATIENCE, prompt).await
    }
}
