//! The bytes of a socket, plain or encrypted, for whoever holds a reference.
//!
//! Reading is for one task; writing is for everybody and never waits. With TLS both go through one
//! session under a lock, which is never held across a wait; what it encrypted and the kernel did
//! not take is flushed by the socket's own task. Without TLS there is nothing but the TCP stream.

use std::io;
use std::io::{Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;

/// Encrypted bytes that may wait for the kernel.
const TLS_BUFFER_BYTES: usize = 64 << 10;

/// One connection.
pub(crate) struct Transport {
    stream: TcpStream,
    tls: Option<Box<Mutex<ServerConnection>>>,
}

impl Transport {
    /// Bytes as they are.
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Bytes of an established TLS session.
    pub(crate) fn tls(stream: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(TLS_BUFFER_BYTES));
        Self {
            stream,
            tls: Some(Box::new(Mutex::new(session))),
        }
    }

    /// Writes what can be written now.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(mut session) = self.session() else {
            return self.stream.try_write(bytes);
        };
        // Nothing more is taken while the kernel has not had the last.
        flush(&mut session, &self.stream)?;
        let written = session.writer().write(bytes)?;
        match flush(&mut session, &self.stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(written),
        }
    }

    /// Writes what was taken and is still waiting; `false` where the kernel has no room for all of
    /// it.
    pub(super) fn flush(&self) -> io::Result<bool> {
        let Some(mut session) = self.session() else {
            return Ok(true);
        };
        match flush(&mut session, &self.stream) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the kernel has room.
    pub(super) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
    }

    /// Reads; 0 at the end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(mut session) = self.session() {
                match session.reader().read(buffer) {
                    // An end without farewell is an end.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Poll::Ready(Ok(0));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return Poll::Ready(read),
                }
            }
            ready!(self.stream.poll_read_ready(context))?;
            let read = match self.session() {
                Some(mut session) => receive(&mut session, &self.stream).map(|()| None),
                None => self.stream.try_read(buffer).map(Some),
            };
            match read {
                Ok(Some(read)) => return Poll::Ready(Ok(read)),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                // More bytes of a record, or none after all.
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn finish_writing(&self) -> io::Result<()> {
        self.say_goodbye();
        socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)
    }

    /// Ends the TLS session, so that the peer can tell an end from a cut.
    pub(crate) fn say_goodbye(&self) {
        let Some(mut session) = self.session() else {
            return;
        };
        session.send_close_notify();
        if let Err(error) = flush(&mut session, &self.stream) {
            tracing::trace!(%error, "the peer was gone before the end");
        }
    }

    fn session(&self) -> Option<MutexGuard<'_, ServerConnection>> {
        let session = self.tls.as_ref()?;
        Some(session.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes what the kernel has and decrypts it.
fn receive(session: &mut ServerConnection, stream: &TcpStream) -> io::Result<()> {
    session.read_tls(&mut Kernel(stream))?;
    let processed = session.process_new_packets();
    // The session may have something to say to that: an alert, a new key.
    let answered = flush(session, stream);
    processed.map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))?;
    match answered {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

fn flush(session: &mut ServerConnection, stream: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        if session.write_tls(&mut Kernel(stream))? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// A TCP stream that never waits.
struct Kernel<'a>(&'a TcpStream);

impl io::Read for Kernel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl io::Write for Kernel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
