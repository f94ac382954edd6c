//! This module tells whether a request over HTTP went out on a new connection or on one that was kept.
//!
//! **In:** a request, as a future. **Out:** the same, with whether a connection was made for it.
//!
//! A server may close a kept connection at the very moment at which a request goes out on it. Such a request is
//! lost through no fault of the server (RFC 9112, section 9.3.1), and may be sent again on a new one: for that it
//! must be known which it was.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// Whether the request under way had a connection made for it.
    static DIALLED: Cell<bool>;
}

/// The output of a request, and whether a connection was made for it. One that the pool made meanwhile for somebody
/// else does not count: it is made on a task of its own.
pub(crate) async fn noticing<F: Future>(request: F) -> (F::Output, bool) {
    let noticed = async {
        let output = request.await;
        (output, DIALLED.with(Cell::get))
    };
    DIALLED.scope(Cell::new(false), noticed).await
}

/// Notes every connection that is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notes;

impl<S> Layer<S> for Notes {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Noting(inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Noting<S>(S);

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connected = connecting.await;
            if connected.is_ok() {
                let noted = DIALLED.try_with(|dialled| dialled.set(true));
                if noted.is_err() {
                    tracing::trace!("a connection was made for nobody who asks");
                }
            }
            connected
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_first_request_dials_and_the_next_one_uses_its_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 1_024];
            for _ in 0..2 {
                assert!(stream.read(&mut bytes).await.unwrap() > 0);
                let answer = b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        };
        let asking = async {
            let client = crate::route::http().build().unwrap();
            let mut dialled = Vec::new();
            for _ in 0..2 {
                let asked = noticing(client.get(&url).send()).await;
                asked.0.unwrap();
                dialled.push(asked.1);
            }
            dialled
        };
        let ((), dialled) = tokio::join!(serving, asking);
        assert_eq!(dialled, [true, false]);
    }
}
