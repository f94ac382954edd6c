//! This module measures when toxics act: how late a delayed message is, and whether the pieces of a
//! slicer come one by one.
//!
//! Both ends are blocking sockets of this process, so that what is seen is the proxy's lateness and a
//! wake of the reader's.

use crate::{Outcome, part::Part, table::verdict, way::create_proxy};
use fault_proxy::{Stream, ToxicSpec};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

/// Messages that are delayed, one after the other.
const MESSAGES: usize = 500;
/// How late half of them, and nearly all, may be.
const LATE_P50_MS: f64 = 0.3;
const LATE_P99_MS: f64 = 1.0;
const PIECES: usize = 256;
const PIECE_BYTES: usize = 100;
/// Of the pieces, how many may come with the one before: the reader is sometimes not there in time.
const GLUED_MAX: f64 = 5.0;
/// A wait beyond this has failed.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn measure() -> Outcome<()> {
    println!("\n{:<56}{:>8}{:>10}", "when toxics act", "seen", "budget");
    for latency_ms in [1_u32, 5, 20] {
        let toxic = ToxicSpec::latency("t", Stream::Upstream, latency_ms.into(), 0);
        let mut late = Vec::with_capacity(MESSAGES);
        through(&toxic, |near, far| {
            let mut message = [b'm'; 60];
            for _ in 0..MESSAGES {
                let start = Instant::now();
                near.write_all(&message)?;
                far.read_exact(&mut message)?;
                let took_ms = start.elapsed().as_secs_f64() * 1e3;
                late.push(took_ms - f64::from(latency_ms));
            }
            Ok(())
        })?;
        late.sort_by(f64::total_cmp);
        let at = |share: usize| late.get(late.len() * share / 100).copied();
        for (share, most) in [(50, LATE_P50_MS), (99, LATE_P99_MS)] {
            let name = format!("latency of {latency_ms} ms: late by, p{share}, ms");
            verdict(&name, at(share).unwrap_or(f64::NAN), most);
        }
    }
    for delay_us in [500, 1_000, 2_000] {
        let toxic = ToxicSpec::slicer("t", Stream::Upstream, PIECE_BYTES as u64, delay_us);
        let mut reads = 0;
        through(&toxic, |near, far| {
            near.write_all(&vec![b's'; PIECES * PIECE_BYTES])?;
            let (mut buffer, mut got) = ([0; 4_096], 0);
            while got < PIECES * PIECE_BYTES {
                got += far.read(&mut buffer)?;
                reads += 1;
            }
            Ok(())
        })?;
        let name = format!("slicer, {delay_us} µs: of {PIECES} pieces, glued to another");
        verdict(&name, PIECES.saturating_sub(reads) as f64, GLUED_MAX);
    }
    Ok(())
}

/// Both ends of a connection through a proxy with that toxic, in a process of its own.
fn through(
    toxic: &ToxicSpec,
    work: impl FnOnce(&mut TcpStream, &mut TcpStream) -> std::io::Result<()>,
) -> Outcome<()> {
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let mut part = Part::role(&["fault"])?;
    let api = part.line()?;
    let toxics = std::slice::from_ref(toxic);
    let listen = create_proxy(&api, &upstream.local_addr()?.to_string(), toxics)?;
    let mut near = TcpStream::connect(listen)?;
    let (mut far, _) = upstream.accept()?;
    near.set_nodelay(true)?;
    far.set_read_timeout(Some(DEADLINE))?;
    work(&mut near, &mut far)?;
    Ok(())
}
