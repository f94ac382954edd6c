//! This module checks the bench's own arithmetic, so that what it finds is the harness's: percentiles of a record, the laws,
//! the judgement, the wire.
//!
//! **Out:** what does not hold, as an error. A bench has no tests of its own; `cargo test` runs this in their place.

use crate::Outcome;
use crate::law::{Law, NS_PER_MS, NS_PER_S, STALL_EVERY_NS};
use crate::record::{PERCENTILES, nearest_rank, tolerance_ns};
use crate::verdict::Row;
use crate::wire::{Request, take_frame, text};

/// Values of which percentiles of a law are taken.
const GRID: u32 = 20_000;

pub(crate) fn arithmetic() -> Outcome<()> {
    ranks()?;
    tolerances()?;
    laws()?;
    stalls()?;
    judgement()?;
    wire()
}

fn holds(what: &str, does: bool) -> Outcome<()> {
    if does {
        Ok(())
    } else {
        Err(format!("this bench is wrong: {what}").into())
    }
}

fn ranks() -> Outcome<()> {
    let values: Vec<u64> = (1..=1_000).collect();
    let of = |count: usize, ratio: f64| nearest_rank(&values[..count], ratio);
    holds("nothing has no percentile", of(0, 0.5).is_none())?;
    holds("one value is every percentile", of(1, 0.999) == Some(1))?;
    holds("p50 of 10 is the 5th", of(10, 0.5) == Some(5))?;
    holds("p50 of 11 is the 6th", of(11, 0.5) == Some(6))?;
    holds("p90 of 10 is the 9th", of(10, 0.9) == Some(9))?;
    holds("p99 of 10 is the last", of(10, 0.99) == Some(10))?;
    holds("p99.9 of 1,000 is the 999th", of(1_000, 0.999) == Some(999))?;
    holds("p0 is the least", of(1_000, 0.0) == Some(1))?;
    holds("p100 is the most", of(1_000, 1.0) == Some(1_000))
}

fn tolerances() -> Outcome<()> {
    let of = |record_ms: u64| tolerance_ns(record_ms * NS_PER_MS);
    holds("a short time has the floor", of(1) == 100_000)?;
    holds("a long time has the share", of(800) == 4_000_000)
}

fn laws() -> Outcome<()> {
    let at = |law: Law, ratio: f64| law.quantile_ns(ratio) as f64 / NS_PER_MS as f64;
    holds(
        "constant is 20 ms",
        (at(Law::Constant, 0.1), at(Law::Constant, 1.0)) == (20.0, 20.0),
    )?;
    let sides = (at(Law::Bimodal, 0.85), at(Law::Bimodal, 0.851));
    holds("bimodal has its step at 85 of 100", sides == (5.0, 50.0))?;
    let ends = (at(Law::Tail, 0.0), at(Law::Tail, 1.0));
    holds("the tail is 5 ms to 2 s", ends == (5.0, 2_000.0))?;
    // 1 - F(x) = ((L/x)^a - (L/H)^a) / (1 - (L/H)^a), of which the quantile is the inverse.
    let bound = (5.0_f64 / 2_000.0).powf(1.5);
    let beyond = ((5.0 / at(Law::Tail, 0.99)).powf(1.5) - bound) / (1.0 - bound);
    holds(
        "a hundredth lies beyond the p99 of the tail",
        (beyond - 0.01).abs() < 1e-8,
    )?;
    for law in Law::ALL {
        holds(
            "a law is found by its name",
            Law::of(law.name()) == Some(law),
        )?;
        // Evenly over the units, and over whole periods of the stall.
        let step_ns = STALL_EVERY_NS / u64::from(GRID);
        let served = (0..GRID).map(|n| {
            let (at_ns, unit) = (u64::from(n) * step_ns, f64::from(n) / f64::from(GRID));
            law.due_ns(at_ns, 0, unit) - at_ns
        });
        let mut served: Vec<u64> = served.collect();
        served.sort_unstable();
        for percentile in PERCENTILES {
            let law_ns = law.quantile_ns(percentile.ratio);
            let served_ns = nearest_rank(&served, percentile.ratio).unwrap_or(0);
            let near = served_ns.abs_diff(law_ns) <= (law_ns / 20).max(step_ns);
            holds("what is served is what the law says", near)?;
        }
    }
    Ok(())
}

fn stalls() -> Outcome<()> {
    let begun_ns = 7 * NS_PER_S;
    let waits_ms = |after_ms: u64| {
        let at_ns = begun_ns + after_ms * NS_PER_MS;
        (Law::Stall.due_ns(at_ns, begun_ns, 0.5) - at_ns) / NS_PER_MS
    };
    holds("before a stall nothing waits", waits_ms(18_999) == 0)?;
    holds("its first waits for all of it", waits_ms(19_000) == 1_000)?;
    holds("its last waits for the rest", waits_ms(39_750) == 250)?;
    holds("after a stall nothing waits", waits_ms(40_000) == 0)?;
    let p99_ns = Law::Stall.quantile_ns(0.99);
    holds(
        "p99 of a stall is 800 ms",
        p99_ns.abs_diff(800 * NS_PER_MS) < 1_000,
    )
}

fn judgement() -> Outcome<()> {
    let [.., p99, _] = PERCENTILES;
    let broke = |record_us: u64, response_us: u64, service_us: u64, delay_us: u64| {
        let row = Row {
            percentile: p99,
            law_ns: 0,
            record_ns: record_us * 1_000,
            response_ns: response_us * 1_000,
            service_ns: service_us * 1_000,
            delay_ns: 0,
            delay_further_ns: delay_us * 1_000,
        };
        row.broke().len()
    };
    let is = |what: &str, broken: usize, seen: usize| holds(what, broken == seen);
    is(
        "a true report holds",
        0,
        broke(811_100, 811_500, 811_300, 400),
    )?;
    is(
        "what is too long breaks",
        1,
        broke(811_100, 816_000, 811_300, 9_000),
    )?;
    is(
        "what is too short breaks",
        1,
        broke(811_100, 806_000, 811_300, 400),
    )?;
    is(
        "so does a service time",
        1,
        broke(20_000, 20_000, 20_150, 400),
    )?;
    is(
        "who is late waits longer",
        0,
        broke(20_000, 20_450, 20_050, 400),
    )?;
    is(
        "not longer than that",
        1,
        broke(20_000, 20_550, 20_050, 400),
    )?;
    is("and never shorter", 1, broke(20_000, 19_850, 20_050, 400))
}

fn wire() -> Outcome<()> {
    // "Hello", masked: RFC 6455, 5.7.
    let whole = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let mut bytes = whole[..10].to_vec();
    holds("half a frame is none", take_frame(&mut bytes)?.is_none())?;
    bytes.extend([whole[10], 0x81]);
    let payload = take_frame(&mut bytes)?.map(|(_, payload)| payload);
    holds("a frame is unmasked", payload.as_deref() == Some(b"Hello"))?;
    holds("what follows a frame stays", bytes == [0x81])?;
    holds("a frame is written", text("Hello")? == *b"\x81\x05Hello")?;
    let mut bytes = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{".to_vec();
    holds(
        "half a body is no request",
        Request::take(&mut bytes)?.is_none(),
    )?;
    bytes.extend(b"}GET");
    let path = Request::take(&mut bytes)?.map(|request| request.path);
    holds(
        "a request ends with its body",
        path.as_deref() == Some("/a"),
    )?;
    holds("what follows a request stays", bytes == b"GET")
}
