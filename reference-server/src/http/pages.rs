//! A small server for pages that only operators ask for: few connections, short requests.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::accept::{HEADER_BYTES, KEEP_ALIVE, NO_FILES_PAUSE};

/// Connections at once; others wait in the kernel.
const CONNECTIONS: usize = 64;
/// Longest life of a connection: a scraper makes a new one now and then.
const LIFE: Duration = Duration::from_hours(1);

/// Serves until `stop`.
pub(crate) async fn serve_pages(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS => accepted,
            Some(_) = open.join_next() => continue,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                open.spawn(async move {
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(KEEP_ALIVE)
                        .max_buf_size(HEADER_BYTES)
                        .serve_connection(TokioIo::new(stream), service);
                    match tokio::time::timeout(LIFE, connection).await {
                        Ok(Ok(())) | Err(_) => {}
                        Ok(Err(problem)) => tracing::debug!(%problem, "a page was not served"),
                    }
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "not accepted");
                tokio::time::sleep(NO_FILES_PAUSE).await;
            }
        }
    }
}
