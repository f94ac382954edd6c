//! This module is the ways a byte can take from client to server, and what each turn finds.

use crate::{
    Outcome,
    ends::{self, Upstream},
    part::{Part, file_limit},
};
use fault_proxy::{Stream, ToxicSpec, client::Client};
use std::{net::SocketAddr, thread::sleep, time::Duration};

/// Round trips of one turn.
const ROUND_TRIPS: usize = 2_000;
/// The same where each takes milliseconds.
const SLOW_ROUND_TRIPS: usize = 250;
/// Bytes of one turn in each direction.
const BULK_BYTES: u64 = 128_000_000;
/// Connections of one turn.
const CONNECTIONS: usize = 500;
/// Connections that wait at the same time.
const IDLE: usize = 2_000;
/// Time for a process to notice that a connection has ended.
const SETTLE: Duration = Duration::from_millis(30);

/// What one way cost, one value for each turn.
#[derive(Default)]
pub(crate) struct Costs {
    pub(crate) p50_us: Vec<f64>,
    pub(crate) p99_us: Vec<f64>,
    pub(crate) cpu_us_per_mb: Vec<f64>,
    pub(crate) cpu_us_per_connection: Vec<f64>,
    pub(crate) kib_per_idle: Vec<f64>,
}

pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) costs: Costs,
    kind: Kind,
    route: Route,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Direct,
    /// With buffers of so many bytes.
    Splice(usize),
    Proxy,
    Latency,
}

/// Where clients connect, and the process in between.
struct Route {
    address: SocketAddr,
    part: Option<Part>,
}

impl Way {
    pub(crate) fn all(upstream: &Upstream) -> Outcome<Vec<Self>> {
        let ways = [
            ("direct", Kind::Direct),
            ("splice", Kind::Splice(8 << 10)),
            ("splice 32K", Kind::Splice(32 << 10)),
            ("proxy", Kind::Proxy),
            ("latency", Kind::Latency),
        ];
        let way = |(name, kind): (&'static str, Kind)| {
            Ok(Self {
                name,
                costs: Costs::default(),
                route: kind.route(upstream.address)?,
                kind,
            })
        };
        ways.into_iter().map(way).collect()
    }

    pub(crate) fn take_turn(&mut self) -> Outcome<()> {
        let address = self.route.address;
        let count = match self.kind {
            Kind::Latency => SLOW_ROUND_TRIPS,
            _ => ROUND_TRIPS,
        };
        let mut times = ends::round_trips(address, count)?;
        times.sort_unstable();
        let at = |share: usize| {
            let time = times.get((times.len() - 1) * share / 100);
            time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        self.costs.p50_us.push(at(50));
        self.costs.p99_us.push(at(99));
        if let Some(part) = &self.route.part {
            let cpu_us = |work: &dyn Fn() -> std::io::Result<()>| -> Outcome<f64> {
                let before = part.cpu()?;
                work()?;
                sleep(SETTLE);
                Ok(part.cpu()?.saturating_sub(before).as_secs_f64() * 1e6)
            };
            let bulk = cpu_us(&|| ends::bulk(address, BULK_BYTES))?;
            let megabytes = 2.0 * BULK_BYTES as f64 / 1e6;
            self.costs.cpu_us_per_mb.push(bulk / megabytes);
            let short = cpu_us(&|| ends::short_connections(address, CONNECTIONS))?;
            self.costs
                .cpu_us_per_connection
                .push(short / CONNECTIONS as f64);
        }
        Ok(())
    }

    /// What a waiting connection adds, in a fresh process that has served a few already.
    pub(crate) fn hold_idle_connections(&mut self) -> Outcome<()> {
        const WARM: usize = 50;
        if self.kind == Kind::Direct {
            return Ok(());
        }
        let mut echo = Part::role(&["echo"])?;
        let route = self.kind.route(echo.line()?.parse()?)?;
        let Some(part) = &route.part else {
            return Ok(());
        };
        let idle = IDLE.min(file_limit()? / 2 - 2 * WARM);
        let mut open = Vec::with_capacity(idle + WARM);
        for _ in 0..WARM {
            open.push(ends::idle_connection(route.address)?);
        }
        let before = part.anonymous_kib()?;
        for _ in 0..idle {
            open.push(ends::idle_connection(route.address)?);
        }
        sleep(SETTLE);
        let added = part.anonymous_kib()? - before;
        self.costs.kib_per_idle.push(added / idle as f64);
        Ok(())
    }
}

impl Kind {
    fn route(self, upstream: SocketAddr) -> Outcome<Route> {
        let text = upstream.to_string();
        let mut part = match self {
            Self::Direct => {
                return Ok(Route {
                    address: upstream,
                    part: None,
                });
            }
            Self::Splice(buffer) => Part::role(&["splice", &buffer.to_string(), &text])?,
            Self::Proxy | Self::Latency => Part::role(&["fault"])?,
        };
        let printed = part.line()?;
        let address = match self {
            Self::Proxy => create_proxy(&printed, &text, &[])?,
            Self::Latency => {
                let both = [Stream::Upstream, Stream::Downstream];
                let slow = both.map(|stream| ToxicSpec::latency(stream.name(), stream, 1, 0));
                create_proxy(&printed, &text, &slow)?
            }
            Self::Direct | Self::Splice(_) => printed,
        };
        Ok(Route {
            address: address.parse()?,
            part: Some(part),
        })
    }
}

/// Creates a proxy over the API; answers where it listens.
pub(crate) fn create_proxy(api: &str, upstream: &str, toxics: &[ToxicSpec]) -> Outcome<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = Client::new(&format!("http://{api}"))?;
        let proxy = client.create("p", "127.0.0.1:0", upstream).await?;
        for toxic in toxics {
            client.add_toxic("p", toxic).await?;
        }
        Ok(proxy.listen)
    })
}
