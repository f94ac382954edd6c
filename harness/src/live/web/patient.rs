//! This module accepts viewers, few at a time, and gives up those that do not read.
//!
//! **In:** a listening socket. **Out:** streams whose writes fail once they could not go on for [`PATIENCE`]: what waits for
//! a viewer is then what the kernel and the server hold, and no more. One on which nothing was asked within
//! [`REQUEST_MAX`] is given up as well: it would keep others out.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections at a time; whoever comes then waits.
const CONNECTIONS_MAX: usize = 64;
/// How long a write may make no way.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request may take to be there.
const REQUEST_MAX: Duration = Duration::from_secs(15);
/// What the kernel keeps for a viewer who does not read.
const SEND_BUFFER_BYTES: usize = 64 * 1_024;

/// The listening socket.
pub(super) struct Patient {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
    request_max: Duration,
}

impl Patient {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            patience: PATIENCE,
            request_max: REQUEST_MAX,
        }
    }

    #[cfg(test)]
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self {
            patience,
            request_max: patience,
            ..self
        }
    }
}

impl Listener for Patient {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        // Never closed: then there would be no end to the wait.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Where the kernel does not want to, a viewer costs more of its memory, and nothing else.
        if let Err(error) = setsockopt(&stream, sockopt::SndBuf, &SEND_BUFFER_BYTES) {
            tracing::debug!("send buffer of a viewer: {error}");
        }
        let stream = Stream {
            stream,
            patience: self.patience,
            stuck: None,
            asking: Some(Box::pin(sleep(self.request_max))),
            _place: place,
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A viewer's connection.
#[derive(Debug)]
pub(super) struct Stream {
    stream: TcpStream,
    patience: Duration,
    /// Runs while a write makes no way.
    stuck: Option<Pin<Box<Sleep>>>,
    /// Runs until something is answered.
    asking: Option<Pin<Box<Sleep>>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Stream {
    fn patient<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.asking = None;
        if done.is_ready() {
            self.stuck = None;
            return done;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        match stuck.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let (true, Some(asking)) = (read.is_pending(), &mut self.asking)
            && asking.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patient(context, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.patient(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What becomes of a write of a megabyte.
    async fn written(reads: bool) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut patient = Patient::new(listener).with_patience(Duration::from_millis(200));
        let mut viewer = TcpStream::connect(address).await.unwrap();
        let (mut stream, _) = patient.accept().await;
        let bytes = vec![7; 16 << 20];
        let reading = async {
            let mut all = vec![0; bytes.len()];
            if reads {
                viewer.read_exact(&mut all).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&bytes), reading);
        written
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_is_asked_is_given_up_and_one_that_is_answered_stays() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut patient = Patient::new(listener).with_patience(Duration::from_millis(100));
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut stream, _) = patient.accept().await;
        let given_up = stream.read_u8().await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
        let mut viewer = TcpStream::connect(address).await.unwrap();
        let (mut stream, _) = patient.accept().await;
        stream.write_all(b"events").await.unwrap();
        let later = async {
            sleep(Duration::from_millis(300)).await;
            viewer.write_all(b"x").await.unwrap();
        };
        let (read, ()) = tokio::join!(stream.read_u8(), later);
        assert_eq!(read.unwrap(), b'x');
    }

    #[tokio::test]
    async fn a_viewer_that_does_not_read_is_given_up_and_one_that_reads_is_not() {
        assert!(written(true).await.is_ok());
        let given_up = written(false).await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
    }
}
