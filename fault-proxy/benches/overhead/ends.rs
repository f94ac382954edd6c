//! This module is both ends of a connection under test: blocking sockets and threads, which cost
//! the least between a byte's arrival and the code that waits for it.
//!
//! A client's first nine bytes say what the server does: echo, take so many bytes, give so many.

use crate::Outcome;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

const BLOCK: usize = 64 << 10;
const ECHO: u8 = b'e';
const TAKE: u8 = b't';
const GIVE: u8 = b'g';
/// A wait beyond this has failed.
const DEADLINE: Duration = Duration::from_secs(30);

/// The server behind every way.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || serve(stream));
            }
        });
        Ok(Self { address })
    }
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [what, length @ ..] = head;
    let length = u64::from_le_bytes(length);
    match what {
        TAKE => {
            take(&mut stream, length)?;
            stream.write_all(b".")
        }
        GIVE => give(&mut stream, length),
        _ => {
            let mut buffer = [0; 256];
            loop {
                let read = stream.read(&mut buffer)?;
                if read == 0 {
                    return Ok(());
                }
                stream.write_all(&buffer[..read])?;
            }
        }
    }
}

fn give(stream: &mut TcpStream, mut bytes: u64) -> io::Result<()> {
    let block = vec![b'x'; BLOCK];
    while bytes > 0 {
        let now = usize::try_from(bytes).unwrap_or(BLOCK).min(BLOCK);
        stream.write_all(&block[..now])?;
        bytes -= now as u64;
    }
    Ok(())
}

fn take(stream: &mut TcpStream, mut bytes: u64) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    while bytes > 0 {
        let read = stream.read(&mut block)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes -= read as u64;
    }
    Ok(())
}

fn open(address: SocketAddr, what: u8, length: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut head = vec![what];
    head.extend_from_slice(&length.to_le_bytes());
    stream.write_all(&head)?;
    Ok(stream)
}

/// Times of round trips of 60 bytes over one connection, the first few left out.
pub(crate) fn round_trips(address: SocketAddr, count: usize) -> io::Result<Vec<Duration>> {
    const WARM: usize = 20;
    let mut stream = open(address, ECHO, 0)?;
    let mut times = Vec::with_capacity(count + WARM);
    let mut message = [b'm'; 60];
    for _ in 0..count + WARM {
        let start = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        times.push(start.elapsed());
    }
    times.drain(..WARM);
    Ok(times)
}

/// Moves so many bytes each way at once, over a connection each.
pub(crate) fn bulk(address: SocketAddr, bytes: u64) -> io::Result<()> {
    let up = thread::spawn(move || -> io::Result<()> {
        let mut stream = open(address, TAKE, bytes)?;
        give(&mut stream, bytes)?;
        stream.read_exact(&mut [0])
    });
    let mut down = open(address, GIVE, bytes)?;
    take(&mut down, bytes)?;
    up.join()
        .unwrap_or_else(|_panic| Err(io::Error::other("the sending thread panicked")))
}

/// Opens, uses and closes connections one after the other.
pub(crate) fn short_connections(address: SocketAddr, count: usize) -> io::Result<()> {
    (0..count).try_for_each(|_| idle_connection(address).map(drop))
}

/// A connection that has carried one message each way.
pub(crate) fn idle_connection(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = open(address, ECHO, 0)?;
    let mut message = [b'm'; 16];
    stream.write_all(&message)?;
    stream.read_exact(&mut message)?;
    Ok(stream)
}
