//! This module spoils a link with toxics: slower, cut off, cut up, silent.
//!
//! **In:** the link's proxies, the planned fault and what its kind says of the toxic. **Out:** toxics called after
//! the run and the fault, later removed by those names.
//!
//! **Source:** Toxiproxy's toxics, and those that the embedded fault proxy has beside them.

use std::time::Duration;

use fault_proxy::client::{Client, ClientError};
use fault_proxy::{Stream, ToxicSpec};

use super::{Fault, FaultError, Links};
use crate::environment::{Answer, ProxyLink};
use crate::plan::{PlannedFault, Sign, Streams};

const NOT_FOUND: u16 = 404;
/// For an answer that nothing delays.
const PATIENCE: Duration = Duration::from_secs(1);
/// The proxy may round a delay down to its timer's millisecond.
const ROUNDING: Duration = Duration::from_millis(1);
/// A probe waits in silence up to this long to be cut off; what takes longer, the server itself may
/// cut off, and the proxy's counters tell.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How a probe knows the toxic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Answers take at least this long (latency − jitter) for each toxic on their way.
    Late { least: Duration, patience: Duration },
    /// No answer for this long, or the connection is closed without one.
    Silent { patience: Duration },
    /// The connection is reset.
    Reset { patience: Duration },
    /// A connection that says nothing is closed after this long, and not before.
    Cut { after: Duration },
    /// No probe can tell it, because it spares some connections or shows only in what clients do: it
    /// is read back, and the proxy counts a connection that it affected. A probe may be one of those, if it waits no
    /// longer than this for its answer; `None` where they are numbered.
    Counted { probe: Option<Duration> },
}

/// Toxics on a link.
pub(super) struct Toxic {
    links: Links,
    toxics: Vec<ToxicSpec>,
    mark: Mark,
}

impl Toxic {
    /// The toxics of `planned`, called `name` and made after `model`; `silence` is how long no answer is silence.
    pub(super) fn new(
        links: Links,
        name: &str,
        planned: &PlannedFault,
        (model, sign): (&ToxicSpec, Sign),
        silence: Duration,
    ) -> Self {
        let share = planned.toxicity_ratio;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share of 0..=1, as precise as Toxiproxy's"
        )]
        let share_of_connections = share as f32;
        let toxic = |stream: Stream, name: String| ToxicSpec {
            name,
            stream,
            toxicity: share_of_connections,
            ..model.clone()
        };
        let toxics = match planned.streams {
            Streams::Upstream => vec![toxic(Stream::Upstream, name.to_owned())],
            Streams::Both => [Stream::Upstream, Stream::Downstream]
                .map(|stream| toxic(stream, format!("{name}-{}", stream.name())))
                .into(),
            Streams::Downstream => vec![toxic(Stream::Downstream, name.to_owned())],
        };
        let mark = if share < 1.0 {
            let probe = Some(silence);
            Mark::Counted { probe }
        } else {
            expected(sign, silence)
        };
        Self {
            links,
            toxics,
            mark,
        }
    }

    /// A delay of one toxic, as often as a question and its answer meet it.
    fn together(&self, delay: Duration) -> Duration {
        let toxics = u32::try_from(self.toxics.len()).unwrap_or(u32::MAX);
        delay.saturating_mul(toxics)
    }

    /// Every toxic has affected a connection, or is in force where the proxy does not count.
    async fn is_counted(&self, probe: Option<Duration>) -> Result<(), String> {
        if let Some(patience) = probe {
            // A probe may be affected as any client may; what it sees says nothing.
            self.links.ask(patience, |_| true).await?;
        }
        let names: Vec<String> = self.toxics.iter().map(|toxic| toxic.name.clone()).collect();
        self.links
            .each(|link, client| counted(link, client, names.clone()))
            .await
    }

    /// A connection that says nothing is cut, on every proxy of the link.
    async fn is_cut(&self, after: Duration) -> Result<(), String> {
        let patience = after.saturating_add(PATIENCE);
        self.links
            .each(|link, _| async move {
                let (answer, waited) = link.probe.stay_silent(patience).await;
                let cut = matches!(answer, Answer::Closed | Answer::Reset);
                if cut && waited.saturating_add(ROUNDING) >= after {
                    return Ok(());
                }
                let (ms, how) = (waited.as_millis(), answer.describe());
                Err(format!("{}: after {ms} ms of silence {how}", link.name))
            })
            .await
    }
}

/// What a probe shall see of a toxic; `silence` is how long no answer is silence.
fn expected(sign: Sign, silence: Duration) -> Mark {
    let soon = |ms| Duration::from_millis(ms).saturating_add(PATIENCE);
    match sign {
        Sign::Late { least_ms, most_ms } => Mark::Late {
            least: Duration::from_millis(least_ms),
            patience: soon(most_ms),
        },
        Sign::Silent => Mark::Silent { patience: silence },
        Sign::Reset { after_ms } => Mark::Reset {
            patience: soon(after_ms),
        },
        Sign::Cut { after_ms } => match Duration::from_millis(after_ms) {
            after if after <= SILENCE_MAX => Mark::Cut { after },
            _ => Mark::Counted {
                probe: Some(silence),
            },
        },
        Sign::Counted { probes } => Mark::Counted {
            probe: probes.then_some(silence),
        },
    }
}

async fn counted(link: ProxyLink, client: Client, names: Vec<String>) -> Result<(), String> {
    let said = |error: ClientError| error.to_string();
    let statistics = match client.statistics(&link.name).await {
        Ok(statistics) => statistics,
        // A Toxiproxy counts nothing: that it has the toxic must do.
        Err(error) if error.status() == Some(NOT_FOUND) => {
            for name in &names {
                client.toxic(&link.name, name).await.map_err(said)?;
            }
            return Ok(());
        }
        Err(error) => return Err(said(error)),
    };
    for name in &names {
        let toxic = statistics.toxics.iter().find(|toxic| toxic.name == *name);
        match toxic {
            Some(toxic) if toxic.affected > 0 => {}
            Some(_) => return Err(format!("{}: it has affected no connection", link.name)),
            None => return Err(format!("{}: the toxic is not there", link.name)),
        }
    }
    Ok(())
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
                let (least, patience) = (self.together(least), self.together(patience));
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
            Mark::Cut { after } => self.is_cut(after).await,
            Mark::Counted { probe } => self.is_counted(probe).await,
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
            _ => Duration::MAX,
        };
        let prompt =
            move |answer: &Answer| matches!(answer, Answer::Good { waited } if *waited < least);
        self.links.ask(PATIENCE, prompt).await
    }
}
