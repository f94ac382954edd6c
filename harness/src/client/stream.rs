//! This module is the stream below a WebSocket: it remembers when the kernel received what it reads.
//!
//! **In:** a TCP connection, plain or with TLS on it. **Out:** bytes by `recvmsg` with `SO_TIMESTAMPNS`, and their stamp.
//!
//! **Units:** stamps are nanoseconds on `CLOCK_REALTIME`, as the kernel gives them; 0: none.

use std::cell::RefCell;
use std::io::{self, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

const NS_PER_S: u64 = 1_000_000_000;

/// A TCP stream that remembers when the bytes of its last read reached the kernel.
#[derive(Debug)]
pub(super) struct StampedStream {
    pub tcp: TcpStream,
    /// The last read was short: nothing is left, so the next one need not ask the kernel.
    pub drained: bool,
    /// Something may arrive between two reads without a new wake-up: see [`super::socket::ChatSocket::read_thoroughly`].
    pub thorough: bool,
    pub stamp_ns: u64,
}

impl StampedStream {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            drained: false,
            thorough: false,
            stamp_ns: 0,
        }
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
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

impl Read for StampedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
        Ok(read)
    }
}

impl Write for StampedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
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
