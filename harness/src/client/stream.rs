//! This module is the stream below a WebSocket: it remembers when the kernel received what it reads, and ends a turn
//! that is long enough.
//!
//! **In:** a TCP connection, plain or with TLS on it. **Out:** bytes by `recvmsg` with `SO_TIMESTAMPNS`, and their stamp.
//!
//! Who reads from it (tungstenite, rustls) reads on until a message is whole, or nothing is there. A server that sends
//! faster than that would keep its thread for ever, so reads are counted: after [`READS_PER_TURN`] nothing is there.
//!
//! What is read and written is counted by thread: [`traffic`].
//!
//! **Units:** stamps are nanoseconds on `CLOCK_REALTIME`, as the kernel gives them; 0: none.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::meter::Meter;
use crate::clock::NS_PER_S;

/// Reads of one socket before others have their turn.
const READS_PER_TURN: u8 = 64;

/// A TCP stream that remembers when the bytes of its last read reached the kernel.
#[derive(Debug)]
pub(super) struct StampedStream {
    pub tcp: TcpStream,
    /// The last read was short: nothing is left, so the next one need not ask the kernel.
    pub drained: bool,
    /// Something may arrive between two reads without a new wake-up: see [`super::socket::ChatSocket::read_thoroughly`].
    pub thorough: bool,
    pub stamp_ns: u64,
    /// Reads of this turn; its reader begins the next one.
    pub reads: u8,
}

impl StampedStream {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            drained: false,
            thorough: false,
            stamp_ns: 0,
            reads: 0,
        }
    }

    /// Others have their turn before anything more is read.
    pub(super) const fn is_turn_over(&self) -> bool {
        self.reads >= READS_PER_TURN
    }
}

/// What frames travel on.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(StampedStream),
    Secure(Box<StreamOwned<ClientConnection, StampedStream>>),
}

impl Wire {
    pub(super) fn stamped(&self) -> &StampedStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => &stream.sock,
        }
    }

    pub(super) fn stamped_mut(&mut self) -> &mut StampedStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => &mut stream.sock,
        }
    }

    /// Reads past the meter, for what is thrown away.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

/// The same, and what came on it so far.
#[derive(Debug)]
pub(super) struct Metered {
    pub wire: Wire,
    pub meter: Meter,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.broken().is_some() {
            // What came before it is parsed by now; its reader asks the meter what it is.
            return Err(io::ErrorKind::Other.into());
        }
        let read = self.wire.read(buffer)?;
        self.meter.pass(&buffer[..read]);
        Ok(read)
    }
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.flush(),
            Wire::Secure(stream) => stream.flush(),
        }
    }
}

impl Read for StampedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_turn_over() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.reads += 1;
        let drained = std::mem::take(&mut self.drained);
        let fd = self.tcp.as_raw_fd();
        let size = buffer.len();
        let stamp_ns = &mut self.stamp_ns;
        let read = self.tcp.try_io(Interest::READABLE, || {
            if drained {
                // Tells tokio to wait for the next arrival; an end of file stays readable.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            receive(fd, buffer, stamp_ns)
        })?;
        self.drained = read > 0 && read < size && !self.thorough;
        count(read, 0);
        Ok(read)
    }
}

impl Write for StampedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tcp.try_write(bytes)?;
        count(0, written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that went over sockets, those of TLS included; what opened a socket (TCP, TLS, the upgrade) is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub read_bytes: u64,
    pub written_bytes: u64,
}

/// Of all sockets of this thread, since it began.
pub(crate) fn traffic() -> Traffic {
    TRAFFIC.get()
}

fn count(read: usize, written: usize) {
    let before = TRAFFIC.get();
    TRAFFIC.set(Traffic {
        read_bytes: before.read_bytes + read as u64,
        written_bytes: before.written_bytes + written as u64,
    });
}

thread_local! {
    static TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic { read_bytes: 0, written_bytes: 0 }) };
    /// Where the kernel puts a stamp: one for all sockets of a thread.
    static CONTROL: RefCell<Vec<u8>> = RefCell::new(nix::cmsg_space!(TimeSpec));
}

/// One `recvmsg`; the stamp is 0 where the kernel gives none.
fn receive(
    fd: std::os::fd::RawFd,
    buffer: &mut [u8],
    stamp_ns: &mut u64,
) -> Result<usize, io::Error> {
    CONTROL.with_borrow_mut(|control| {
        let mut slices = [IoSliceMut::new(buffer)];
        let message = recvmsg::<()>(fd, &mut slices, Some(control), MsgFlags::empty())?;
        *stamp_ns = 0;
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampns(time) = part {
                let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
                let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
                *stamp_ns = seconds * NS_PER_S + nanoseconds;
            }
        }
        Ok(message.bytes)
    })
}
