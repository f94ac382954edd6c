//! This module picks ports that stay ours.
//!
//! **In:** the kernel's range of ephemeral ports. **Out:** a free port of 127.0.0.1 outside it.
//!
//! A fault closes a listener and opens it again seconds later. Were its port an ephemeral one, one
//! of the thousands of client sockets that connect meanwhile could be given it as its own local
//! port, and the heal would fail with "address in use". So every listener that is opened twice has
//! a port the kernel never hands out.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use super::{MachineError, random};

const RANGE_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Below this live well-known services.
const LOWEST: u16 = 15_000;
/// A stretch smaller than this is not worth searching.
const STRETCH_MIN: u16 = 1_000;
const TRIES: u32 = 64;

/// First and last port the kernel gives to outgoing connections.
pub(crate) fn ephemeral_range() -> Result<(u16, u16), MachineError> {
    let text = std::fs::read_to_string(RANGE_FILE).map_err(|source| MachineError::SystemFile {
        path: PathBuf::from(RANGE_FILE),
        source,
    })?;
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    Ok((
        numbers.next().unwrap_or(32_768),
        numbers.next().unwrap_or(60_999),
    ))
}

/// A port of 127.0.0.1 that is free now and that no outgoing connection will take.
pub(crate) fn free_port() -> Result<u16, MachineError> {
    let (low, high) = ephemeral_range()?;
    let (first, last) = stretch(low, high);
    let mut source = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let mut bytes = [0_u8; 2];
        random::fill(&mut bytes)?;
        let port = first + u16::from_le_bytes(bytes) % (last - first).max(1);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => source = error,
        }
    }
    Err(MachineError::NoFreePort {
        tried: TRIES,
        source,
    })
}

/// The ports to choose from: below the ephemeral range, else above it, else (a system that gives
/// out all of them) inside.
fn stretch(low: u16, high: u16) -> (u16, u16) {
    if low.saturating_sub(LOWEST) >= STRETCH_MIN {
        (LOWEST, low - 1)
    } else if u16::MAX - high >= STRETCH_MIN {
        (high + 1, u16::MAX)
    } else {
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_from_outside_the_ephemeral_range() {
        assert_eq!(stretch(32_768, 60_999), (15_000, 32_767));
        assert_eq!(stretch(1_024, 60_999), (61_000, 65_535));
        assert_eq!(stretch(1_024, 65_535), (1_024, 65_535));
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
