//! This module measures a process from outside, the same way for everybody.
//!
//! **In:** its number. **Out:** processor time and anonymous memory, as the kernel counts them; and what the target says
//! of its sockets and answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Processor time is counted in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;
const POLL: Duration = Duration::from_millis(20);

/// What the target counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub open: u64,
    pub answered: u64,
    pub choked: u64,
}

/// A process and the target it talks to, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub counts: Counts,
    pub cpu_us: f64,
    pub memory_bytes: f64,
}

pub(crate) fn look(process: u32, target: SocketAddr) -> Outcome<Look> {
    Ok(Look {
        counts: counts(target)?,
        cpu_us: cpu_us(process)?,
        memory_bytes: memory_bytes(process)?,
    })
}

/// Looks again and again until so many sockets are open.
pub(crate) fn until_open(
    (process, target): (u32, SocketAddr),
    open: u64,
    patience: Duration,
) -> Outcome<Look> {
    let begun = Instant::now();
    loop {
        let seen = look(process, target)?;
        if seen.counts.open >= open {
            return Ok(seen);
        }
        if begun.elapsed() > patience {
            return Err(format!("{} of {open} sockets are open", seen.counts.open).into());
        }
        std::thread::sleep(POLL);
    }
}

fn counts(target: SocketAddr) -> Outcome<Counts> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /counts HTTP/1.1\r\nHost: t\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 1_024];
    loop {
        let read = stream.read(&mut part)?;
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        let numbers: Vec<u64> = body
            .unwrap_or_default()
            .split(' ')
            .filter_map(|number| number.parse().ok())
            .collect();
        match numbers[..] {
            [open, answered, choked] => {
                return Ok(Counts {
                    open,
                    answered,
                    choked,
                });
            }
            _ if read == 0 => return Err("the target counts nothing".into()),
            _ => {}
        }
    }
}

fn cpu_us(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may have blanks in it; it ends with the last bracket.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("no such field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) * 1e6 / TICKS_PER_S)
}

fn memory_bytes(process: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    let kib: f64 = kib.ok_or("the process is gone")?.parse()?;
    Ok(kib * 1_024.0)
}
