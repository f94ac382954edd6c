//! This module holds 10,000 connections through a pair of `harness proxy` processes.
//!
//! Two processes share one address (`--share-ports`) and the kernel spreads the connections over
//! them. Every connection carries a message when it is opened and one more when all are open.

use crate::{
    Outcome,
    part::{Part, file_limit},
    table::{IDLE_KIB_MAX, verdict},
};
use fault_proxy::client::Client;
use std::{net::TcpListener, process::Command};

/// Connections held at one time.
const CONNECTIONS: usize = 10_000;
/// Files for these on either end, with room for everything else.
const FILES: usize = CONNECTIONS + 500;
/// Memory is compared with what it was at this many open connections.
const WARM: usize = 200;

pub(crate) fn measure() -> Outcome<()> {
    let Some(binary) = std::env::var_os("HARNESS_BINARY") else {
        println!("\nSKIPPED: 10,000 connections; set HARNESS_BINARY to a release `harness`");
        return Ok(());
    };
    let files = file_limit()?;
    if files < FILES {
        println!("\nSKIPPED: 10,000 connections need {FILES} files per process, here are {files}");
        return Ok(());
    }
    let mut echo = Part::role(&["echo"])?;
    let upstream = echo.line()?;
    let mut pair = Vec::new();
    for _ in 0..2 {
        let mut command = Command::new(&binary);
        command.args(["proxy", "--share-ports", "--listen", "127.0.0.1:0"]);
        pair.push(Part::start(&mut command)?);
    }
    let address = share_address(&mut pair, &upstream)?;
    let mut warming = Part::role(&["clients", &address, &WARM.to_string()])?;
    warming.line()?;
    let before = memory(&pair)?;
    drop(warming);
    let mut clients = Part::role(&["clients", &address, &CONNECTIONS.to_string()])?;
    let opened: usize = clients.line()?.parse()?;
    let files = pair
        .iter()
        .map(Part::open_files)
        .collect::<Outcome<Vec<_>>>()?;
    let each = (memory(&pair)? - before) / (CONNECTIONS - WARM) as f64;
    clients.go_on()?;
    let alive: usize = clients.line()?.parse()?;
    println!("\n10,000 connections through a pair of `harness proxy --share-ports`");
    println!("opened {opened}, all carried a message again once open: {alive}; files {files:?}");
    verdict(
        "memory per idle connection, KiB, both processes",
        each,
        IDLE_KIB_MAX,
    );
    if (opened, alive) == (CONNECTIONS, CONNECTIONS) {
        Ok(())
    } else {
        Err("the pair did not hold every connection".into())
    }
}

fn memory(pair: &[Part]) -> Outcome<f64> {
    pair.iter().map(Part::anonymous_kib).sum()
}

/// One proxy in each process, all on one address, which is answered.
fn share_address(pair: &mut [Part], upstream: &str) -> Outcome<String> {
    // A port that was free a moment ago: port 0 would give each process its own.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for part in pair {
        let line = part.line()?;
        let (_, api) = line.rsplit_once(' ').ok_or("no address of the API")?;
        runtime.block_on(async {
            let created = Client::new(api)?.create("p", &address, upstream).await;
            created.map(drop)
        })?;
    }
    Ok(address)
}
