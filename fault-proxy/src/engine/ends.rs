//! The two sockets of one direction, as far as they are still open, and how one is closed by force.

use super::traffic::Flow;
use socket2::SockRef;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{io::AsyncWrite, net::TcpStream};

/// What a link reads from, writes to, and counts in.
pub(super) struct Ends<'a> {
    pub(super) source: Option<&'a mut TcpStream>,
    pub(super) destination: Destination<'a>,
    pub(super) flow: &'a Flow,
}

/// Where a link writes; `None` once it is closed.
pub(super) struct Destination<'a>(pub(super) Option<&'a mut TcpStream>);

impl Destination<'_> {
    /// Writes as much as the peer takes now, at least one byte.
    pub(super) fn write_some(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(destination) = &mut self.0 else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        match Pin::new(&mut **destination).poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => written,
        }
    }
}

/// Closes a socket so that its peer sees a reset.
pub(super) fn reset(socket: TcpStream) {
    if let Err(error) = SockRef::from(&socket).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "a socket was gone before it could be reset");
    }
}
