//! A small server for pages that only operators ask for: few connections, short requests.

use std::future::Future as _;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::accept::{NO_FILES_PAUSE, builder, in_time};
use super::head;
use super::places::{Phase, Place, Places, Timeouts};
use super::watch::Watched;

/// Connections at once.
const CONNECTIONS: usize = 64;
/// Longest life of a connection: a scraper makes a new one now and then.
const LIFE: Duration = Duration::from_hours(1);
const TIMEOUTS: Timeouts = Timeouts {
    idle: Duration::from_mins(2),
    asking: Duration::from_secs(10),
    reading: Duration::from_secs(10),
};

/// Serves until `stop`.
pub(crate) async fn serve_pages(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Places::new(CONNECTIONS, TIMEOUTS.idle);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some(place) = places.enter().await {
                    open.spawn(serve(stream, router.clone(), place));
                }
            }
            Err(problem) => {
                tracing::warn!(%problem, "not accepted");
                tokio::time::sleep(NO_FILES_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, place: Place) {
    let activity = &place.activity;
    let service = service_fn(|request: Request<Incoming>| {
        activity.begin(Phase::Served);
        let mut router = router.clone();
        async move {
            let answered: Result<Response, _> = match head::flaw(&request) {
                Some(flaw) => Ok(flaw),
                None => router.call(request.map(Body::new)).await,
            };
            activity.begin(Phase::Reading);
            answered
        }
    });
    let watched = TokioIo::new(Watched::new(stream, Arc::clone(activity)));
    let mut connection = std::pin::pin!(builder().serve_connection(watched, service));
    let serving = |context: &mut Context<'_>| connection.as_mut().poll(context);
    let ended = tokio::select! {
        ended = tokio::time::timeout(LIFE, in_time(activity, &TIMEOUTS, serving)) => ended,
        () = activity.asked_to_leave() => return,
    };
    if let Ok(Some(Err(problem))) = ended {
        tracing::debug!(%problem, "a page was not served");
    }
}
