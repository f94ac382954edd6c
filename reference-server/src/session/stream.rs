//! What the protocol library reads from and writes to.
//!
//! Reads come from the socket and never block; writes (pongs and close echoes, all the library ever
//! writes here) go through the outbox like every other frame.

use std::io;
use std::io::{Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};

use crate::bound::Held;
use crate::socket::Conn;
use crate::wire::Frame;

pub(super) struct Stream {
    conn: Arc<Conn>,
    /// Bytes that came together with the request headers.
    early: Bytes,
    waker: Waker,
    /// Bytes read since the last message: of frames that are not complete, or that carry none.
    unfinished: Held,
}

impl Stream {
    pub(super) fn new(conn: Arc<Conn>, early: Bytes) -> Self {
        Self {
            unfinished: Held::by(&conn.account),
            conn,
            early,
            waker: Waker::noop().clone(),
        }
    }

    /// A message is complete.
    pub(super) fn finished(&mut self) {
        self.unfinished.set(0);
    }

    /// So many bytes were of no message.
    pub(super) fn apart(&mut self, bytes: usize) {
        let left = self.unfinished.bytes().saturating_sub(bytes);
        self.unfinished.set(left);
    }

    /// Bytes read since then, and what all sockets of the user hold.
    pub(super) fn unfinished(&self) -> (usize, usize) {
        (self.unfinished.bytes(), self.unfinished.together())
    }

    fn note(&mut self, read: usize) {
        self.unfinished.set(self.unfinished.bytes() + read);
    }

    /// Whom to wake when the next read can go on.
    pub(super) fn wake_by(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.has_remaining() {
            let bytes = self.early.len().min(buffer.len());
            self.early.copy_to_slice(&mut buffer[..bytes]);
            if self.early.is_empty() {
                self.early = Bytes::new();
            }
            self.note(bytes);
            return Ok(bytes);
        }
        let mut context = Context::from_waker(&self.waker);
        match self.conn.transport.poll_read(&mut context, buffer) {
            Poll::Ready(read) => read.inspect(|bytes| self.note(*bytes)),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.conn.reply(&Frame::raw(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
