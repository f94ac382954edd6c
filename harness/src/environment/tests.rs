//! This module tests the rooms of the environment together, with a real Redis and a real proxy.
//!
//! The janitor runs in a thread here instead of a process of its own; everything else is as in a
//! run. What only the binary can show (a killed harness) is in `tests/it/environment.rs`.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::host::Place;
use super::janitor::{MARK, SpawnSpec};
use super::keeper::Keeper;
use super::lease::{self, LeasedProcess};
use super::probe::Probe;
use super::process::ProcessId;
use super::proxy::{Behind, ProxyHost, proxy_name};
use super::redis::{RedisEnd, RedisServer};
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// A janitor with a run to look after.
pub(crate) struct Bench {
    pub run_id: String,
    pub logs: TempDir,
    leases: TempDir,
    keeper: Keeper,
    janitor: JoinHandle<Vec<String>>,
}

/// A private Redis with a proxy on each of its links.
pub(crate) struct Stage {
    pub bench: Bench,
    pub redis: RedisServer,
    host: ProxyHost,
    pub links: Carriers,
}

impl Bench {
    pub(crate) async fn new(name: &str) -> Self {
        let run_id = format!("test-{name}-{}", std::process::id());
        let leases = lease::test_directory();
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let janitor = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                theirs.set_nonblocking(true).unwrap();
                janitor::serve(tokio::net::UnixStream::from_std(theirs).unwrap()).await
            })
        });
        let keeper = Keeper::begin(&run_id, ours, None, leases.path().to_owned())
            .await
            .unwrap();
        Self {
            run_id,
            logs: tempfile::tempdir().unwrap(),
            leases,
            keeper,
            janitor,
        }
    }

    async fn spawn(&self, program: &str, args: &[&str]) -> ProcessId {
        let spec = SpawnSpec {
            what: program.to_owned(),
            program: PathBuf::from(program),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Vec::new(),
            log: self.logs.path().join("child.log"),
        };
        self.keeper.spawn("child", spec).await.unwrap()
    }

    /// The harness's end closes, as it does when the harness is killed.
    async fn harness_dies(self) -> Vec<String> {
        let Self {
            keeper, janitor, ..
        } = self;
        drop(keeper);
        let joined = tokio::task::spawn_blocking(move || janitor.join().unwrap());
        tokio::time::timeout(PATIENCE, joined)
            .await
            .unwrap()
            .unwrap()
    }

    fn lease_exists(&self) -> bool {
        lease::file(self.leases.path(), &self.run_id).exists()
    }
}

impl Stage {
    pub(crate) async fn new(name: &str, durable: bool) -> Self {
        let bench = Bench::new(name).await;
        let redis = RedisServer::start(&bench.keeper, bench.logs.path(), durable)
            .await
            .unwrap();
        let mut host = ProxyHost::embedded(7).unwrap();
        let behind: Vec<Behind> = Link::Redis
            .singles()
            .iter()
            .map(|link| behind(*link, &redis.end))
            .collect();
        let links = host.carry(&bench.run_id, &behind).await.unwrap();
        Self {
            bench,
            redis,
            host,
            links,
        }
    }

    pub(crate) fn access(&self, readyz_url: &str) -> FaultAccess {
        FaultAccess {
            run_id: self.bench.run_id.clone(),
            links: self.links.clone(),
            redis: Some(self.redis.child.clone()),
            tokens: Some(TokenStore::new(self.redis.end.clone())),
            server: None,
            readyz_url: readyz_url.to_owned(),
            http: reqwest::Client::new(),
            readyz_on_edge: false,
        }
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.host.stop().await, Vec::<String>::new());
        assert_eq!(self.bench.keeper.clean().await, Vec::<String>::new());
    }
}

fn behind(link: Link, end: &RedisEnd) -> Behind {
    Behind {
        link,
        upstream: end.upstream.clone(),
        probe: end.probe(),
    }
}

async fn attached(url: &str) -> (Place, RedisEnd) {
    let place = Place::find("--redis-url", url, &[("redis", 6_379)])
        .await
        .unwrap();
    let end = RedisEnd::attached(&place);
    (place, end)
}

#[tokio::test]
async fn a_private_redis_asks_for_its_password_and_leaves_nothing() {
    let bench = Bench::new("private").await;
    let redis = RedisServer::start(&bench.keeper, bench.logs.path(), false)
        .await
        .unwrap();
    assert!(redis.end.version().await.is_some());
    let open = Probe::redis(redis.end.address, None, None);
    let Answer::Other { text } = open.ask(PATIENCE).await else {
        unreachable!("a Redis with a password let somebody in without");
    };
    assert!(text.starts_with("-NOAUTH"), "{text}");
    let (process, directory) = (redis.child.process(), bench.keeper.directory.clone());
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", process.pid)).unwrap();
    assert!(
        environ.contains(&format!("{MARK}={}", bench.run_id)),
        "{environ}"
    );
    assert!(directory.exists() && bench.lease_exists());
    redis.child.shut_down().await.unwrap();
    assert_eq!(bench.keeper.clean().await, Vec::<String>::new());
    assert!(!process.is_alive() && !directory.exists() && !bench.lease_exists());
    assert_eq!(open.ask(PATIENCE).await, Answer::Refused);
}

#[tokio::test]
async fn a_wrong_password_is_recognised_and_not_shown() {
    let stage = Stage::new("password", false).await;
    let address = stage.redis.end.address;
    for url in [
        format!("redis://:wrong@{address}"),
        format!("redis://{address}"),
    ] {
        let (place, end) = attached(&url).await;
        let problem = end.check(place.place).await.unwrap_err();
        assert!(
            matches!(problem, EnvironmentError::WrongPassword { .. }),
            "{problem}"
        );
        assert!(!problem.to_string().contains(":wrong@"), "{problem}");
    }
    let right = stage.redis.end.url(&address.to_string(), 0);
    let (place, end) = attached(&right).await;
    end.check(place.place).await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (place, end) = attached(&format!("redis://{address}")).await;
    assert!(matches!(
        end.check(place.place).await,
        Err(EnvironmentError::Refused { .. })
    ));
}

#[tokio::test]
async fn children_end_with_the_harness_even_stopped_or_deaf_ones() {
    let bench = Bench::new("janitor").await;
    let plain = bench.spawn("sleep", &["1000"]).await;
    let stopped = bench.spawn("sleep", &["1000"]).await;
    let deaf = bench
        .spawn("sh", &["-c", "trap '' TERM; exec sleep 1000"])
        .await;
    assert!(stopped.signal(Signal::SIGSTOP));
    let (directory, leases) = (
        bench.keeper.directory.clone(),
        bench.leases.path().to_owned(),
    );
    std::fs::write(directory.join("left.txt"), "").unwrap();
    let run_id = bench.run_id.clone();
    assert_eq!(bench.harness_dies().await, Vec::<String>::new());
    for process in [plain, stopped, deaf] {
        assert!(!process.is_alive(), "pid {}", process.pid);
    }
    assert!(!directory.exists());
    assert!(!lease::file(&leases, &run_id).exists());
}

#[tokio::test]
async fn two_runs_with_one_name_do_not_share_a_lease() {
    let bench = Bench::new("twice").await;
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
    let leases = bench.leases.path().to_owned();
    let (begun, _) = tokio::join!(
        Keeper::begin(&bench.run_id, ours, None, leases),
        tokio::time::timeout(PATIENCE, janitor::serve(theirs)),
    );
    assert!(
        begun
            .unwrap_err()
            .to_string()
            .contains("already has a lease")
    );
    assert_eq!(bench.keeper.clean().await, Vec::<String>::new());
}

/// Starts a process that no janitor knows.
fn orphan(mark: Option<&str>) -> (std::process::Child, ProcessId) {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(Stdio::null());
    if let Some(run_id) = mark {
        command.env(MARK, run_id);
    }
    let child = command.spawn().unwrap();
    let process = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
    (child, process)
}

fn dead() -> ProcessId {
    let me = ProcessId::of_self().unwrap();
    ProcessId {
        pid: me.pid,
        started: me.started - 1,
    }
}

#[tokio::test]
async fn recover_ends_what_a_killed_run_and_janitor_left_and_nothing_else() {
    let leases = lease::test_directory();
    let run_id = format!("test-recover-{}", std::process::id());
    let (mut leased, leased_id) = orphan(None);
    let (mut marked, marked_id) = orphan(Some(&run_id));
    let (mut stranger, stranger_id) = orphan(None);
    let mut of_dead_run = lease::new(&run_id, dead(), dead());
    of_dead_run.processes.push(LeasedProcess {
        what: "server".to_owned(),
        process: leased_id,
    });
    // The pid is a stranger's by now: the start time says so.
    of_dead_run.processes.push(LeasedProcess {
        what: "redis".to_owned(),
        process: ProcessId {
            started: stranger_id.started + 1,
            ..stranger_id
        },
    });
    lease::write(leases.path(), &of_dead_run).unwrap();
    let me = ProcessId::of_self().unwrap();
    lease::write(leases.path(), &lease::new("test-live-run", me, me)).unwrap();

    let swept = recover::recover_in(leases.path(), None).await.unwrap();

    assert_eq!(swept.problems, Vec::<String>::new());
    assert!(!leased_id.is_alive() && !marked_id.is_alive());
    assert!(stranger_id.is_alive());
    let left = lease::list(leases.path()).unwrap();
    assert_eq!(left, [lease::file(leases.path(), "test-live-run")]);
    stranger.kill().unwrap();
    for child in [&mut leased, &mut marked, &mut stranger] {
        child.wait().unwrap();
    }
}

/// As root only: nobody else can make a process or a folder of another user's.
#[tokio::test]
async fn recover_leaves_alone_what_belongs_to_others_whatever_a_lease_says() {
    if process::own_user() != Some(0) {
        println!("not root: skipped");
        return;
    }
    let leases = lease::test_directory();
    let temporary = tempfile::tempdir().unwrap();
    let run_id = format!("test-strangers-{}", std::process::id());
    let mut command = Command::new("sleep");
    // Of another user, and with the mark of the run.
    command.arg("1000").stdin(Stdio::null()).env(MARK, &run_id);
    let mut stranger = std::os::unix::process::CommandExt::uid(&mut command, 65_534)
        .spawn()
        .unwrap();
    let process = ProcessId::of(i32::try_from(stranger.id()).unwrap()).unwrap();
    let mut held = lease::new(&run_id, dead(), dead());
    held.processes.push(LeasedProcess {
        what: "redis".to_owned(),
        process,
    });
    held.directory = temporary.path().join(lease::directory_name(&run_id));
    std::fs::create_dir(&held.directory).unwrap();
    std::os::unix::fs::chown(&held.directory, Some(65_534), None).unwrap();
    lease::write(leases.path(), &held).unwrap();
    // Nor is a lease obeyed that somebody else wrote.
    let planted = leases.path().join("planted.json");
    std::fs::copy(lease::file(leases.path(), &run_id), &planted).unwrap();
    std::os::unix::fs::chown(&planted, Some(65_534), None).unwrap();

    let swept = recover::recover_in(leases.path(), None).await.unwrap();

    assert!(process.is_alive() && held.directory.exists());
    for said in [
        "redis (pid",
        "runs for another user: left alone",
        "belongs to user 65534",
        "planted.json",
    ] {
        assert!(swept.problems.join("\n").contains(said), "{swept:?}");
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// A Toxiproxy that others use too, with a proxy of somebody else's.
async fn shared_toxiproxy(stage: &Stage) -> (Place, fault_proxy::client::Client) {
    let api = stage.links[&Link::RedisTasks][0].api.clone();
    let client = fault_proxy::client::Client::new(&api).unwrap();
    let upstream = &stage.redis.end.upstream;
    client
        .create("somebody-elses", "127.0.0.1:0", upstream)
        .await
        .unwrap();
    let place = Place::find("--toxiproxy", &api, &[("http", 8_474)])
        .await
        .unwrap();
    (place, client)
}

#[tokio::test]
async fn a_killed_run_takes_its_own_proxies_from_a_shared_toxiproxy_and_no_others() {
    let stage = Stage::new("shared", false).await;
    let (place, client) = shared_toxiproxy(&stage).await;
    let guest = Bench::new("guest").await;
    let name = proxy_name(&guest.run_id, Link::RedisTasks);
    let mut host = ProxyHost::attach(
        place,
        &guest.run_id,
        &guest.keeper,
        (vec![name.clone()], &BTreeMap::new()),
    )
    .await
    .unwrap();
    let tasks = [behind(Link::RedisTasks, &stage.redis.end)];
    let links = host.carry(&guest.run_id, &tasks).await.unwrap();
    assert!(
        links[&Link::RedisTasks][0]
            .probe
            .ask(PATIENCE)
            .await
            .is_good()
    );
    let before = client.proxies().await.unwrap();
    assert!(before.contains_key(&name));

    assert_eq!(guest.harness_dies().await, Vec::<String>::new());

    let mut expected = before;
    expected.remove(&name);
    assert_eq!(client.proxies().await.unwrap(), expected);
    client.delete("somebody-elses").await.unwrap();
    drop(host);
    stage.stop().await;
}

/// Uses the proxy of somebody else, with a toxic of its owner on it.
async fn adopted(
    stage: &Stage,
    guest: &Bench,
) -> (ProxyHost, ProxyLink, fault_proxy::client::Client) {
    let (place, client) = shared_toxiproxy(stage).await;
    let theirs = fault_proxy::ToxicSpec::latency("theirs", fault_proxy::Stream::Upstream, 1, 0);
    client.add_toxic("somebody-elses", &theirs).await.unwrap();
    let existing = BTreeMap::from([(Link::Redis, "somebody-elses".to_owned())]);
    let wanted = (Vec::new(), &existing);
    let mut host = ProxyHost::attach(place, &guest.run_id, &guest.keeper, wanted)
        .await
        .unwrap();
    let link = (Link::Redis, "somebody-elses");
    let link = host.adopt(link, Probe::any_redis).await.unwrap();
    (host, link, client)
}

/// What a fault of the run may have left there: a toxic, and the proxy disabled.
async fn spoil(client: &fault_proxy::client::Client, run_id: &str) {
    let name = format!("{}fault", lease::own_prefix(run_id));
    let ours = fault_proxy::ToxicSpec::latency(&name, fault_proxy::Stream::Downstream, 500, 0);
    client.add_toxic("somebody-elses", &ours).await.unwrap();
    client.set_enabled("somebody-elses", false).await.unwrap();
}

#[tokio::test]
async fn a_proxy_of_others_is_put_back_and_kept_when_the_run_is_killed() {
    let stage = Stage::new("adopt-kill", false).await;
    let guest = Bench::new("adopt-guest").await;
    let (host, link, client) = adopted(&stage, &guest).await;
    assert!(link.probe.ask(PATIENCE).await.is_good());
    let before = client.proxies().await.unwrap();
    spoil(&client, &guest.run_id).await;

    assert_eq!(guest.harness_dies().await, Vec::<String>::new());

    assert_eq!(client.proxies().await.unwrap(), before);
    assert!(before["somebody-elses"].toxic("theirs").is_some());
    client.delete("somebody-elses").await.unwrap();
    drop(host);
    stage.stop().await;
}

#[tokio::test]
async fn a_proxy_of_others_is_put_back_and_kept_at_the_end_of_a_run() {
    let stage = Stage::new("adopt-end", false).await;
    let guest = Bench::new("adopt-end-guest").await;
    let (host, _link, client) = adopted(&stage, &guest).await;
    let before = client.proxies().await.unwrap();
    spoil(&client, &guest.run_id).await;
    assert_eq!(host.stop().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    client.delete("somebody-elses").await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_not_enabled_is_named_before_anything_is_touched() {
    let stage = Stage::new("adopt-none", false).await;
    let guest = Bench::new("adopt-none-guest").await;
    let (place, client) = shared_toxiproxy(&stage).await;
    client.set_enabled("somebody-elses", false).await.unwrap();
    let before = client.proxies().await.unwrap();
    for (name, word) in [
        ("nobodys", "somebody-elses"),
        ("somebody-elses", "disabled"),
    ] {
        let existing = BTreeMap::from([(Link::RedisTasks, name.to_owned())]);
        let wanted = (Vec::new(), &existing);
        let refused = ProxyHost::attach(place.clone(), &guest.run_id, &guest.keeper, wanted).await;
        let problem = refused.unwrap_err().to_string();
        assert!(problem.contains("links.redis.tasks"), "{problem}");
        assert!(problem.contains(word), "{problem}");
    }
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    client.delete("somebody-elses").await.unwrap();
    stage.stop().await;
}

/// A server that answers as a Toxiproxy without proxies does, and 404 to what it does not know.
async fn plain_toxiproxy(tasks: &mut tokio::task::JoinSet<()>) -> Place {
    use axum::routing::get;
    let version = get(async || axum::Json(serde_json::json!({ "version": "2.12.0" })));
    let proxies = get(async || axum::Json(serde_json::json!({})));
    let routes = axum::Router::new()
        .route("/version", version)
        .route("/proxies", proxies);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Place::find("--toxiproxy", &api, &[("http", 8_474)])
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_real_toxiproxy_cannot_do_is_refused_before_the_load() {
    let mut tasks = tokio::task::JoinSet::new();
    let guest = Bench::new("plain").await;
    let place = plain_toxiproxy(&mut tasks).await;
    let wanted = (Vec::new(), &BTreeMap::new());
    let host = ProxyHost::attach(place, &guest.run_id, &guest.keeper, wanted);
    let host = host.await.unwrap();
    let faults = |kind: &str| {
        let text = OUTAGE.replace("kind = \"down\"", kind);
        plan(&text).faults
    };
    host.check_kinds(&faults("kind = \"timeout\""))
        .await
        .unwrap();
    let refused = host.check_kinds(&faults("kind = \"blackhole\"")).await;
    let problem = refused.unwrap_err();
    let EnvironmentError::NeedsOwnProxy { line, kind, .. } = &problem else {
        unreachable!("{problem}");
    };
    assert_eq!((*line, *kind), (6, "blackhole"));
    assert!(problem.hint().unwrap().contains("--toxiproxy"));
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_run_whose_janitor_was_killed_cleans_up_by_itself() {
    let leases = lease::test_directory();
    let run_id = format!("test-alone-{}", std::process::id());
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
    let mut janitor = tokio::task::JoinSet::new();
    janitor.spawn(janitor::serve(theirs));
    let begun = Keeper::begin(&run_id, ours, None, leases.path().to_owned()).await;
    let keeper = begun.unwrap();
    // A janitor that vanishes between two lines, as by SIGKILL.
    janitor.shutdown().await;
    let problems = keeper.clean().await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("janitor"), "{problems:?}");
    assert!(!keeper.directory.exists());
    assert_eq!(lease::list(leases.path()).unwrap(), Vec::<PathBuf>::new());
}

/// Slow tests need `HARNESS_SERVER`, the path of the server program.
fn slow_tests() -> bool {
    std::env::var_os("HARNESS_SLOW_TESTS").is_some()
}

fn plan(text: &str) -> Plan {
    crate::plan::compile("test.toml", text, &crate::scenario::Overrides::default()).unwrap()
}

fn settings(bench: &Bench) -> Settings {
    Settings {
        run_id: bench.run_id.clone(),
        out: bench.logs.path().to_owned(),
        server_binary: None,
        allow_hosts: Vec::new(),
        allow_faults: false,
        say: |_| {},
    }
}

const OUTAGE: &str = r#"# Does it start?
title = "start"
[load]
clients = 10
stages = [ { ramp = "1s", to = 10 }, { hold = "30s" } ]
[[fault]]
at = "10s"
for = "5s"
link = "redis"
kind = "down"
"#;

#[tokio::test]
async fn a_managed_environment_serves_through_its_proxies_and_leaves_nothing() {
    if !slow_tests() {
        return;
    }
    let bench = Bench::new("managed").await;
    let (plan, settings) = (plan(OUTAGE), settings(&bench));
    let (counted, found) = preflight::check(&plan, &settings).await.unwrap();
    assert_eq!(counted.lines.len(), 5);
    let keeper = bench.keeper.clone();
    let cancel = CancellationToken::new();
    let started = Environment::start_with(&plan, &settings, (found, keeper), &cancel);
    let environment = started.await.unwrap();
    assert_eq!(environment.links_text().len(), 4);
    assert!(environment.redis_version().is_some());
    assert!(environment.target_version().await.is_some());
    assert!(!environment.server_metrics().await.unwrap().is_empty());
    let sample = environment.sample().await;
    assert!(sample.server.unwrap().rss_bytes > 0 && sample.redis.unwrap().rss_bytes > 0);
    let probe = Probe::http(environment.target().addresses[0], "t".to_owned());
    assert!(probe.ask(PATIENCE).await.is_good());
    assert_eq!(environment.stop().await, Vec::<String>::new());
    assert_eq!(probe.ask(PATIENCE).await, Answer::Refused);
    assert!(!bench.lease_exists());
}

#[tokio::test]
async fn a_cancelled_start_leaves_nothing() {
    let bench = Bench::new("cancelled").await;
    let (plan, mut settings) = (plan(OUTAGE), settings(&bench));
    // Never gets ready, so the start is in the middle when it is cancelled.
    settings.server_binary = Some(PathBuf::from("/bin/cat"));
    let (_, found) = preflight::check(&plan, &settings).await.unwrap();
    let directory = bench.keeper.directory.clone();
    let cancel = CancellationToken::new();
    let keeper = bench.keeper.clone();
    let (started, ()) = tokio::join!(
        Environment::start_with(&plan, &settings, (found, keeper), &cancel),
        async {
            while !directory
                .read_dir()
                .is_ok_and(|mut files| files.next().is_some())
            {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        }
    );
    assert!(matches!(started, Err(EnvironmentError::Cancelled)));
    assert!(!directory.exists() && !bench.lease_exists());
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_shown_with_its_last_words() {
    let bench = Bench::new("ended").await;
    let (plan, mut settings) = (plan(OUTAGE), settings(&bench));
    settings.server_binary = Some(PathBuf::from("/bin/cat"));
    let (_, found) = preflight::check(&plan, &settings).await.unwrap();
    let keeper = bench.keeper.clone();
    let cancel = CancellationToken::new();
    let started = Environment::start_with(&plan, &settings, (found, keeper), &cancel);
    let problem = started.await.unwrap_err();
    assert!(
        matches!(&problem, EnvironmentError::Ended { tail, .. } if tail.contains("cat")),
        "{problem}"
    );
    assert!(!bench.lease_exists());
}
