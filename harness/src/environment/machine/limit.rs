//! This module compares what clients need with what this machine has: open files, ports, memory.
//!
//! **In:** needs of a plan, limits of the system. **Out:** a line for each, or what is missing.
//!
//! **Units:** files and ports in pieces, memory in MiB.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::MachineError;
use super::port::ephemeral_range;

const KIB_PER_MIB: u64 = 1_024;

/// # Errors
///
/// A process needs more open files than it may have.
pub(crate) fn files(clients: u32, needed: u64, limit: u64) -> Result<String, MachineError> {
    if needed > limit {
        return Err(MachineError::TooFewFiles {
            clients,
            needed,
            limit,
        });
    }
    Ok(format!("files: {needed} needed, {limit} allowed"))
}

/// Raises the soft limit to the hard one, for this process and its children; returns it.
pub(crate) fn raise_files() -> Result<u64, MachineError> {
    let hard = open_files()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(no_limit)?;
    Ok(hard)
}

/// The files each process of a run may open.
pub(crate) fn open_files() -> Result<u64, MachineError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(no_limit)?;
    Ok(hard)
}

fn no_limit(error: nix::errno::Errno) -> MachineError {
    MachineError::SystemFile {
        path: PathBuf::from("RLIMIT_NOFILE"),
        source: error.into(),
    }
}

/// # Errors
///
/// Clients need more local ports than there are.
pub(crate) fn ports(clients: u32, needed: u64) -> Result<String, MachineError> {
    let (low, high) = ephemeral_range()?;
    let available = u64::from(high.saturating_sub(low)) + 1;
    if needed > available {
        return Err(MachineError::TooFewPorts {
            clients,
            needed,
            available,
        });
    }
    Ok(format!("ports: {needed} needed, {available} there"))
}

/// # Errors
///
/// An address is not one of this machine, or not of the kind of the target's. `None`: that of a server that is started.
pub(crate) fn sources(
    addresses: &[IpAddr],
    target: Option<SocketAddr>,
) -> Result<(), MachineError> {
    for &address in addresses {
        let target = target.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |target| target.ip());
        if address.is_ipv4() != target.is_ipv4() || address.is_unspecified() {
            return Err(MachineError::NoSource { address, target });
        }
        let bound = TcpListener::bind((address, 0));
        bound.map_err(|source| MachineError::NotOurs { address, source })?;
    }
    Ok(())
}

/// # Errors
///
/// Clients need more memory than is free.
pub(crate) fn memory(clients: u32, needed_bytes: u64) -> Result<String, MachineError> {
    let path = PathBuf::from("/proc/meminfo");
    let text =
        fs::read_to_string(&path).map_err(|source| MachineError::SystemFile { path, source })?;
    let available_mib = available_kib(&text).unwrap_or(u64::MAX) / KIB_PER_MIB;
    let needed_mib = needed_bytes >> 20;
    if needed_mib > available_mib {
        return Err(MachineError::TooLittleMemory {
            clients,
            needed_mib,
            available_mib,
        });
    }
    Ok(format!(
        "memory: about {needed_mib} MiB needed, {available_mib} MiB free"
    ))
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_clients_for_the_file_limit_are_refused_with_figures() {
        let problem = files(3_000_000, 3_001_256, 20_000).unwrap_err();
        assert!(matches!(
            problem,
            MachineError::TooFewFiles {
                needed: 3_001_256,
                ..
            }
        ));
    }

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let text = "MemTotal: 9 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_kib(text), Some(2_048));
    }
}
