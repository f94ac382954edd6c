use super::*;
use crate::plan::*;

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

fn plan() -> Plan {
    let clients = env("N", 50) as u32;
    let ramp = env("RAMP_MS", 1_000) * 1_000;
    let hold = env("HOLD_MS", 5_000) * 1_000;
    let rec = env("RECON", 0) as u32;
    let lurk = env("LURK", 0) as u32;
    let plan = serde_json::json!({
        "title":"t","question":"q","scenario":"s","seed":env("SEED",7),"interval_us":250000,
        "environment":{"target":null,"server":{"instances":1,"defects":[],"settings":{}},"redis":{"kind":"none"},"proxies":[],"toxiproxy":null,"users":{"prefix":"user-","password":"x"},"links":{}, "clients_users": null},
        "load":{"clients":clients,"stages":[{"start_us":0,"length_us":ramp,"from":0,"to":clients},{"start_us":ramp,"length_us":hold,"from":clients,"to":clients}],
          "mix":[{"behavior":{"kind":"chatter"},"clients":clients-rec-lurk},{"behavior":{"kind":"reconnector","every_us":env("RECON_EVERY_MS",2000)*1000},"clients":rec},{"behavior":{"kind":"lurker"},"clients":lurk}],
          "session":{"credential":"connection-token","conversation":"own","connect_timeout_us":10_000_000},
          "message":{"every_us":env("EVERY_MS",1000)*1000,"arrival":std::env::var("ARRIVAL").unwrap_or("poisson".into()),"chunks":3,"length_min":20,"length_max":60,"retries":5},
          "heartbeat_us":env("BEAT_MS",30_000)*1000,
          "reconnect":{"first_us":1_000_000,"factor":2.0,"cap_us":30_000_000,"jitter":"full","attempts":5},
          "drain_us":env("DRAIN_MS",10_000)*1000,"lanes":env("LANES",1)},
        "faults":[],"expect":[],"abort_when":[]});
    serde_json::from_value(plan).unwrap()
}

#[test]
fn probe() {
    let Ok(target) = std::env::var("PROBE_TARGET") else {
        return;
    };
    let plan = plan();
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let signals = Signals {
        clock: RunClock::starting_in(head_start(plan.load.clients)),
        counters: Arc::new(Counters::new(plan.load.lanes as usize)),
        faults: Arc::new(FaultBoard::new(0)),
        cancel: CancellationToken::new(),
    };
    let address: SocketAddr = target.parse().unwrap();
    let t = Target {
        http: format!("http://{address}"),
        address,
        host_header: address.to_string(),
        tls: false,
        users_prefix: "user-".into(),
        password: std::env::var("PW").unwrap_or("secret".into()),
    };
    let s2 = signals.clone();
    let cancel_ms = env("CANCEL_MS", 0);
    let (ramp_end, load_end) = (plan.load.stages[0].length_us, plan.load.load_us());
    let mon = std::thread::spawn(move || {
        let rss = || {
            std::fs::read_to_string("/proc/self/status")
                .unwrap()
                .lines()
                .find(|l| l.starts_with("RssAnon"))
                .unwrap()
                .to_string()
        };
        eprintln!("before {}", rss());
        std::thread::sleep(s2.clock.until(ramp_end + 1_000_000));
        let c0 = crate::clock::process_cpu_ns();
        let d0 = s2
            .counters
            .completed
            .load(std::sync::atomic::Ordering::Relaxed);
        let threads0 = threads();
        eprintln!(
            "ramp over {} cpu {} ms open {}",
            rss(),
            c0 / 1_000_000,
            s2.counters.open.load(std::sync::atomic::Ordering::Relaxed)
        );
        if cancel_ms > 0 {
            std::thread::sleep(s2.clock.until(cancel_ms * 1000));
            s2.cancel.cancel();
            eprintln!("cancel at {}", s2.clock.now_us());
            return;
        }
        std::thread::sleep(s2.clock.until(load_end.saturating_sub(200_000)));
        let c1 = crate::clock::process_cpu_ns();
        let d1 = s2
            .counters
            .completed
            .load(std::sync::atomic::Ordering::Relaxed);
        eprintln!(
            "steady {} us/msg over {} msgs; busy {:?} open {} {}",
            (c1 - c0) / 1000 / (d1 - d0).max(1),
            d1 - d0,
            s2.counters.lane_busy_permille,
            s2.counters.open.load(std::sync::atomic::Ordering::Relaxed),
            rss()
        );
        for (n, t) in threads() {
            let b = threads0.iter().find(|x| x.0 == n).map_or(0, |x| x.1);
            if t > b {
                eprintln!("  thread {n} {} ticks", t - b);
            }
        }
    });
    let out = rt.block_on(run(&plan, t, signals.clone())).unwrap();
    let ended = signals.clock.now_us();
    mon.join().unwrap();
    let r = &out.recording;
    let mut d = crate::record::recording::DeliveryCounts::default();
    let mut complete = crate::record::histogram::SparseHistogram::default();
    let mut queued = crate::record::histogram::SparseHistogram::default();
    for c in r.cells.values() {
        d.merge(c.delivery);
        complete.merge(&c.complete);
        queued.merge(&c.task_queued);
    }
    eprintln!("ended {ended} us; goose {:?}", out.goose);
    eprintln!("{d:?} planned {}", r.planned_sends);
    let show = |n: &str, h: &crate::record::histogram::SparseHistogram| {
        eprintln!(
            "{n}: n {} p50 {} p99 {} max {}",
            h.count(),
            h.value_at(0.5),
            h.value_at(0.99),
            h.max_us()
        )
    };
    show("complete", &complete);
    show("queued", &queued);
    for s in crate::stage::Stage::ALL {
        let mut h = crate::record::histogram::SparseHistogram::default();
        for x in r.sessions.values() {
            h.merge(&x.response[s.index()]);
        }
        if h.count() > 0 {
            show(s.name(), &h);
        }
        show(&format!("  service {}", s.name()), &r.service[s.index()]);
    }
    let mut l = crate::record::histogram::SparseHistogram::default();
    for x in r.lateness.values() {
        l.merge(x);
    }
    show("lateness", &l);
    show("dispatch", &r.dispatch_delay);
    show("lag", &r.receive_lag);
    let mut e: std::collections::BTreeMap<&str, u64> = Default::default();
    for ((_, k), v) in &r.errors {
        *e.entry(k).or_default() += v;
    }
    eprintln!("errors {e:?}");
    let mut cl: std::collections::BTreeMap<_, u64> = Default::default();
    let (mut a, mut b, mut c2, mut f, mut o, mut cf) = (0, 0, 0, 0, 0, 0);
    for x in r.sessions.values() {
        for (k, v) in &x.closes {
            *cl.entry(*k).or_default() += v;
        }
        a += x.tokens_ok;
        b += x.tokens_failed;
        c2 += x.reconnect_attempts;
        f += x.clients_failed;
        o += x.opened;
        cf += x.connects_failed;
    }
    eprintln!(
        "closes {cl:?} tokens {a}/{b} reconnects {c2} failed {f} opened {o} connects_failed {cf} frames {} unstamped {}",
        r.frames_received, r.frames_unstamped
    );
    for x in r.examples.iter().take(5) {
        eprintln!("{x:?}");
    }
    eprintln!("{:?}", signals.counters.open);
}
fn threads() -> Vec<(String, u64)> {
    let mut v: Vec<(String, u64)> = Vec::new();
    for e in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let s = std::fs::read_to_string(e.path().join("stat")).unwrap_or_default();
        let Some((a, b)) = s.rsplit_once(')') else {
            continue;
        };
        let name = a.split_once('(').unwrap().1.to_string();
        let f: Vec<&str> = b.split_whitespace().collect();
        let t = f[11].parse::<u64>().unwrap() + f[12].parse::<u64>().unwrap();
        v.push((name, t));
    }
    v
}
