//! This module is `--web`: a page of a run while it is under way.
//!
//! **In:** the flags, and how the run ended. **Out:** a server beside the run, its address on stderr, and its last word.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::screen;
use crate::exit::Exit;
use crate::intake;
use crate::live::web::{Ended, Hub, Web, WebError};
use crate::render::{file, words};
use crate::result::store::RunDir;
use crate::run::Finished;

/// The largest report that a page is given; a larger one stands on the disk all the same.
const REPORT_BYTES_MAX: u64 = 64 << 20;

/// The page of a run.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct WebArgs {
    /// Serve a page of the run while it is under way, such as 127.0.0.1:8080; its address is printed, with the token that
    /// can end the run
    #[arg(long, value_name = "ADDR")]
    web: Option<SocketAddr>,
    /// Allow --web an address that other machines reach: whoever comes there can watch
    #[arg(long, requires = "web")]
    allow_viewers: bool,
}

/// What serves, if anything does.
pub(super) struct Opened {
    web: Option<Web>,
    /// Where `/metrics` are still to be served: the page's server has them too.
    pub(super) exporter: Option<SocketAddr>,
}

impl WebArgs {
    /// Whether the address may be used.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.web {
            Some(address) if !address.ip().is_loopback() && !self.allow_viewers => {
                let fact = format!(
                    "--web {address}: other machines can reach it, and whoever does can watch"
                );
                let port = address.port();
                Err(Failure::new(Exit::Usage, fact)
                    .hint(format!("name 127.0.0.1:{port}, or add --allow-viewers")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Listens, and says where; a viewer with the token fires `cancel`.
    pub(super) async fn open(
        &self,
        exporter: Option<SocketAddr>,
        cancel: &CancellationToken,
    ) -> Result<Opened, Failure> {
        let Some(address) = self.web else {
            return Ok(Opened {
                web: None,
                exporter,
            });
        };
        if exporter == Some(address) && address.port() != 0 {
            let fact = format!(
                "--prometheus {address}: is the address of --web, which serves /metrics too"
            );
            let hint = "leave --prometheus (HARNESS_PROMETHEUS) out, or give it a port of its own";
            return Err(Failure::new(Exit::Usage, fact).hint(hint));
        }
        let web = Web::open(address, cancel.clone()).await?;
        // Not by way of the log: who reads that later has no use for the token.
        screen::over_starting(&format!("watch  {}\n", web.url()));
        Ok(Opened {
            web: Some(web),
            exporter,
        })
    }
}

impl Opened {
    pub(super) fn hub(&self) -> Option<Arc<Hub>> {
        self.web.as_ref().map(|web| Arc::clone(&web.hub))
    }

    /// Says how the run ended to who watches, and serves no more.
    pub(super) async fn close(self, ended: Ended) {
        if let Some(web) = self.web {
            web.close(ended).await;
        }
    }
}

/// The end of a run that has a verdict.
pub(super) fn ended(finished: &Finished, folder: &RunDir) -> Ended {
    let (result, page) = (&finished.result, folder.file(file::PAGE));
    Ended {
        verdict: words::status(result.verdict.status).word.to_owned(),
        code: result.exit_code,
        sentence: result.verdict.sentence.clone(),
        place: page.display().to_string(),
        // Where it was not written, its place says enough.
        report: intake::bytes(&page, REPORT_BYTES_MAX).ok(),
    }
}

/// The end of one that has none.
pub(super) fn failed(failure: &Failure) -> Ended {
    Ended {
        verdict: "NO VERDICT".to_owned(),
        code: failure.exit().code(),
        sentence: failure.to_string(),
        place: String::new(),
        report: None,
    }
}

impl From<WebError> for Failure {
    fn from(error: WebError) -> Self {
        match error {
            WebError::Bind(error) => error.into(),
            WebError::Random(_) => Self::new(Exit::Environment, error.to_string()),
        }
    }
}
