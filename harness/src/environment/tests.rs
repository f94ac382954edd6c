//! This module tests the parts of the environment together, with a real Redis and a real proxy.
//!
//! The janitor runs in a thread here instead of a process of its own; everything else is as in a
//! run. What only the binary can show (a killed harness) is in `tests/it/environment.rs`.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use miette::Diagnostic as _;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::endpoint::{Endpoint, EndpointError};
use super::janitor::manifest::{self, HeldProcess};
use super::janitor::recover::recover_in;
use super::janitor::{JanitorClient, MARK, SpawnSpec, serve};
use super::probe::Probe;
use super::process::{self, ProcessError, ProcessId};
use super::proxy::{ProxyError, ProxyHost, Upstream, proxy_name};
use super::redis::{RedisEnd, RedisError, RedisServer};
use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A janitor with a run to look after.
pub(crate) struct TestRun {
    pub run_id: String,
    pub logs: TempDir,
    leases: TempDir,
    janitor: JanitorClient,
    served: JoinHandle<Vec<String>>,
}

/// A private Redis with a proxy on each of its links.
pub(crate) struct TestRedis {
    pub run: TestRun,
    pub redis: RedisServer,
    host: ProxyHost,
    pub links: LinkProxies,
}

impl TestRun {
    pub(crate) async fn new(name: &str) -> Self {
        let run_id = format!("test-{name}-{}", std::process::id());
        let leases = private::test_directory();
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                theirs.set_nonblocking(true).unwrap();
                serve(tokio::net::UnixStream::from_std(theirs).unwrap()).await
            })
        });
        let janitor = JanitorClient::begin(&run_id, ours, None, leases.path().to_owned())
            .await
            .unwrap();
        Self {
            run_id,
            logs: tempfile::tempdir().unwrap(),
            leases,
            janitor,
            served,
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
        self.janitor.spawn("child", spec).await.unwrap()
    }

    /// The harness's end closes, as it does when the harness is killed.
    async fn harness_dies(self) -> Vec<String> {
        let Self {
            janitor, served, ..
        } = self;
        drop(janitor);
        let joined = tokio::task::spawn_blocking(move || served.join().unwrap());
        tokio::time::timeout(TIMEOUT, joined)
            .await
            .unwrap()
            .unwrap()
    }

    fn lease_exists(&self) -> bool {
        manifest::file(self.leases.path(), &self.run_id).exists()
    }
}

impl TestRedis {
    pub(crate) async fn new(name: &str, durable: bool) -> Self {
        let run = TestRun::new(name).await;
        let redis = RedisServer::start(&run.janitor, run.logs.path(), durable)
            .await
            .unwrap();
        let mut host = ProxyHost::embedded(7).unwrap();
        let upstreams: Vec<Upstream> = Link::Redis
            .singles()
            .iter()
            .map(|link| upstream(*link, &redis.end))
            .collect();
        let links = host.carry(&run.run_id, &upstreams).await.unwrap();
        Self {
            run,
            redis,
            host,
            links,
        }
    }

    pub(crate) fn access(&self, readyz_url: &str) -> FaultAccess {
        FaultAccess {
            run_id: self.run.run_id.clone(),
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
        assert_eq!(self.run.janitor.clean().await, Vec::<String>::new());
    }
}

fn upstream(link: Link, end: &RedisEnd) -> Upstream {
    Upstream {
        link,
        address: end.upstream.clone(),
        probe: end.probe(),
    }
}

async fn attached(url: &str) -> (Endpoint, RedisEnd) {
    let place = Endpoint::find("--redis-url", url, &[("redis", 6_379)], &[])
        .await
        .unwrap();
    let end = RedisEnd::attached(&place);
    (place, end)
}

#[tokio::test]
async fn a_private_redis_asks_for_its_password_and_leaves_nothing() {
    let run = TestRun::new("private").await;
    let redis = RedisServer::start(&run.janitor, run.logs.path(), false)
        .await
        .unwrap();
    assert!(redis.end.version().await.is_some());
    let open = Probe::redis(redis.end.address, None, None);
    let Answer::Other { text } = open.ask(TIMEOUT).await else {
        unreachable!("a Redis with a password let somebody in without");
    };
    assert!(text.starts_with("-NOAUTH"), "{text}");
    let (process, directory) = (redis.child.process(), run.janitor.directory.clone());
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", process.pid)).unwrap();
    assert!(
        environ.contains(&format!("{MARK}={}", run.run_id)),
        "{environ}"
    );
    assert!(directory.exists() && run.lease_exists());
    redis.child.shut_down().await.unwrap();
    assert_eq!(run.janitor.clean().await, Vec::<String>::new());
    assert!(!process.is_alive() && !directory.exists() && !run.lease_exists());
    assert_eq!(open.ask(TIMEOUT).await, Answer::Refused);
}

#[tokio::test]
async fn a_wrong_password_is_recognised_and_not_shown() {
    let redis_run = TestRedis::new("password", false).await;
    let address = redis_run.redis.end.address;
    for url in [
        format!("redis://:wrong@{address}"),
        format!("redis://{address}"),
    ] {
        let (place, end) = attached(&url).await;
        let problem = end.check(place.place).await.unwrap_err();
        assert!(
            matches!(
                problem,
                EnvironmentError::Redis(RedisError::WrongPassword { .. })
            ),
            "{problem}"
        );
        assert!(!problem.to_string().contains(":wrong@"), "{problem}");
    }
    let right = redis_run.redis.end.url(&address.to_string(), 0);
    let (place, end) = attached(&right).await;
    end.check(place.place).await.unwrap();
    redis_run.stop().await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (place, end) = attached(&format!("redis://{address}")).await;
    assert!(matches!(
        end.check(place.place).await,
        Err(EnvironmentError::Endpoint(EndpointError::Refused { .. }))
    ));
}

#[tokio::test]
async fn children_end_with_the_harness_even_stopped_or_deaf_ones() {
    let run = TestRun::new("janitor").await;
    let plain = run.spawn("sleep", &["1000"]).await;
    let stopped = run.spawn("sleep", &["1000"]).await;
    let deaf = run
        .spawn("sh", &["-c", "trap '' TERM; exec sleep 1000"])
        .await;
    assert!(stopped.signal(Signal::SIGSTOP));
    let (directory, leases) = (run.janitor.directory.clone(), run.leases.path().to_owned());
    std::fs::write(directory.join("left.txt"), "").unwrap();
    let run_id = run.run_id.clone();
    assert_eq!(run.harness_dies().await, Vec::<String>::new());
    for process in [plain, stopped, deaf] {
        assert!(!process.is_alive(), "pid {}", process.pid);
    }
    assert!(!directory.exists());
    assert!(!manifest::file(&leases, &run_id).exists());
}

#[tokio::test]
async fn two_runs_with_one_name_do_not_share_a_lease() {
    let run = TestRun::new("twice").await;
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
    let leases = run.leases.path().to_owned();
    let (begun, _) = tokio::join!(
        JanitorClient::begin(&run.run_id, ours, None, leases),
        tokio::time::timeout(TIMEOUT, serve(theirs)),
    );
    assert!(
        begun
            .unwrap_err()
            .to_string()
            .contains("already has a lease")
    );
    assert_eq!(run.janitor.clean().await, Vec::<String>::new());
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
    let leases = private::test_directory();
    let run_id = format!("test-recover-{}", std::process::id());
    let (mut held, held_id) = orphan(None);
    let (mut marked, marked_id) = orphan(Some(&run_id));
    let (mut stranger, stranger_id) = orphan(None);
    let mut of_dead_run = manifest::new(&run_id, dead(), dead());
    of_dead_run.processes.push(HeldProcess {
        what: "server".to_owned(),
        process: held_id,
    });
    // The pid is a stranger's by now: the start time says so.
    of_dead_run.processes.push(HeldProcess {
        what: "redis".to_owned(),
        process: ProcessId {
            started: stranger_id.started + 1,
            ..stranger_id
        },
    });
    manifest::write(leases.path(), &of_dead_run).unwrap();
    let me = ProcessId::of_self().unwrap();
    manifest::write(leases.path(), &manifest::new("test-live-run", me, me)).unwrap();

    let swept = recover_in(leases.path(), None).await.unwrap();

    assert_eq!(swept.problems, Vec::<String>::new());
    assert!(!held_id.is_alive() && !marked_id.is_alive());
    assert!(stranger_id.is_alive());
    let left = manifest::list(leases.path()).unwrap();
    assert_eq!(left, [manifest::file(leases.path(), "test-live-run")]);
    stranger.kill().unwrap();
    for child in [&mut held, &mut marked, &mut stranger] {
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
    let leases = private::test_directory();
    let temporary = tempfile::tempdir().unwrap();
    let run_id = format!("test-strangers-{}", std::process::id());
    let mut command = Command::new("sleep");
    // Of another user, and with the mark of the run.
    command.arg("1000").stdin(Stdio::null()).env(MARK, &run_id);
    let mut stranger = std::os::unix::process::CommandExt::uid(&mut command, 65_534)
        .spawn()
        .unwrap();
    let process = ProcessId::of(i32::try_from(stranger.id()).unwrap()).unwrap();
    let mut held = manifest::new(&run_id, dead(), dead());
    held.processes.push(HeldProcess {
        what: "redis".to_owned(),
        process,
    });
    held.directory = temporary.path().join(manifest::directory_name(&run_id));
    std::fs::create_dir(&held.directory).unwrap();
    std::os::unix::fs::chown(&held.directory, Some(65_534), None).unwrap();
    manifest::write(leases.path(), &held).unwrap();
    // Nor is a manifest obeyed that somebody else wrote.
    let planted = leases.path().join("planted.json");
    std::fs::copy(manifest::file(leases.path(), &run_id), &planted).unwrap();
    std::os::unix::fs::chown(&planted, Some(65_534), None).unwrap();

    let swept = recover_in(leases.path(), None).await.unwrap();

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
async fn shared_toxiproxy(redis_run: &TestRedis) -> (Endpoint, fault_proxy::client::Client) {
    let api = redis_run.links[&Link::RedisTasks][0].api.clone();
    let client = fault_proxy::client::Client::new(&api).unwrap();
    let upstream = &redis_run.redis.end.upstream;
    client
        .create("somebody-elses", "127.0.0.1:0", upstream)
        .await
        .unwrap();
    let place = Endpoint::find("--toxiproxy", &api, &[("http", 8_474)], &[])
        .await
        .unwrap();
    (place, client)
}

#[tokio::test]
async fn a_killed_run_takes_its_own_proxies_from_a_shared_toxiproxy_and_no_others() {
    let redis_run = TestRedis::new("shared", false).await;
    let (place, client) = shared_toxiproxy(&redis_run).await;
    let guest = TestRun::new("guest").await;
    let name = proxy_name(&guest.run_id, Link::RedisTasks);
    let mut host = ProxyHost::attach(
        place,
        &guest.run_id,
        &guest.janitor,
        (vec![name.clone()], &BTreeMap::new()),
    )
    .await
    .unwrap();
    let tasks = [upstream(Link::RedisTasks, &redis_run.redis.end)];
    let links = host.carry(&guest.run_id, &tasks).await.unwrap();
    assert!(
        links[&Link::RedisTasks][0]
            .probe
            .ask(TIMEOUT)
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
    redis_run.stop().await;
}

/// Uses the proxy of somebody else, with a toxic of its owner on it.
async fn adopted(
    redis_run: &TestRedis,
    guest: &TestRun,
) -> (ProxyHost, ProxyLink, fault_proxy::client::Client) {
    let (place, client) = shared_toxiproxy(redis_run).await;
    let theirs = fault_proxy::ToxicSpec::latency("theirs", fault_proxy::Stream::Upstream, 1, 0);
    client.add_toxic("somebody-elses", &theirs).await.unwrap();
    let existing = BTreeMap::from([(Link::Redis, "somebody-elses".to_owned())]);
    let wanted = (Vec::new(), &existing);
    let mut host = ProxyHost::attach(place, &guest.run_id, &guest.janitor, wanted)
        .await
        .unwrap();
    let link = (Link::Redis, "somebody-elses");
    let link = host.adopt(link, Probe::any_redis).await.unwrap();
    (host, link, client)
}

/// What a fault of the run may have left there: a toxic, and the proxy disabled.
async fn spoil(client: &fault_proxy::client::Client, run_id: &str) {
    let name = format!("{}fault", toxiproxy::own_prefix(run_id));
    let ours = fault_proxy::ToxicSpec::latency(&name, fault_proxy::Stream::Downstream, 500, 0);
    client.add_toxic("somebody-elses", &ours).await.unwrap();
    client.set_enabled("somebody-elses", false).await.unwrap();
}

#[tokio::test]
async fn a_proxy_of_others_is_put_back_and_kept_when_the_run_is_killed() {
    let redis_run = TestRedis::new("adopt-kill", false).await;
    let guest = TestRun::new("adopt-guest").await;
    let (host, link, client) = adopted(&redis_run, &guest).await;
    assert!(link.probe.ask(TIMEOUT).await.is_good());
    let before = client.proxies().await.unwrap();
    spoil(&client, &guest.run_id).await;

    assert_eq!(guest.harness_dies().await, Vec::<String>::new());

    assert_eq!(client.proxies().await.unwrap(), before);
    assert!(before["somebody-elses"].toxic("theirs").is_some());
    client.delete("somebody-elses").await.unwrap();
    drop(host);
    redis_run.stop().await;
}

#[tokio::test]
async fn a_proxy_of_others_is_put_back_and_kept_at_the_end_of_a_run() {
    let redis_run = TestRedis::new("adopt-end", false).await;
    let guest = TestRun::new("adopt-end-guest").await;
    let (host, _link, client) = adopted(&redis_run, &guest).await;
    let before = client.proxies().await.unwrap();
    spoil(&client, &guest.run_id).await;
    assert_eq!(host.stop().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    client.delete("somebody-elses").await.unwrap();
    redis_run.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_not_enabled_is_named_before_anything_is_touched() {
    let redis_run = TestRedis::new("adopt-none", false).await;
    let guest = TestRun::new("adopt-none-guest").await;
    let (place, client) = shared_toxiproxy(&redis_run).await;
    client.set_enabled("somebody-elses", false).await.unwrap();
    let before = client.proxies().await.unwrap();
    for (name, word) in [
        ("nobodys", "somebody-elses"),
        ("somebody-elses", "disabled"),
    ] {
        let existing = BTreeMap::from([(Link::RedisTasks, name.to_owned())]);
        let wanted = (Vec::new(), &existing);
        let refused = ProxyHost::attach(place.clone(), &guest.run_id, &guest.janitor, wanted).await;
        let problem = refused.unwrap_err().to_string();
        assert!(problem.contains("links.redis.tasks"), "{problem}");
        assert!(problem.contains(word), "{problem}");
    }
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    assert_eq!(client.proxies().await.unwrap(), before);
    client.delete("somebody-elses").await.unwrap();
    redis_run.stop().await;
}

/// A server that answers as a Toxiproxy without proxies does, and 404 to what it does not know.
async fn plain_toxiproxy(tasks: &mut tokio::task::JoinSet<()>) -> Endpoint {
    use axum::routing::get;
    let version = get(async || axum::Json(serde_json::json!({ "version": "2.12.0" })));
    let proxies = get(async || axum::Json(serde_json::json!({})));
    let routes = axum::Router::new()
        .route("/version", version)
        .route("/proxies", proxies);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Endpoint::find("--toxiproxy", &api, &[("http", 8_474)], &[])
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_real_toxiproxy_cannot_do_is_refused_before_the_load() {
    let mut tasks = tokio::task::JoinSet::new();
    let guest = TestRun::new("plain").await;
    let place = plain_toxiproxy(&mut tasks).await;
    let wanted = (Vec::new(), &BTreeMap::new());
    let host = ProxyHost::attach(place, &guest.run_id, &guest.janitor, wanted);
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
    let ProxyError::NeedsOwn { line, kind, .. } = &problem else {
        unreachable!("{problem}");
    };
    assert_eq!((*line, *kind), (6, "blackhole"));
    assert!(problem.help().unwrap().to_string().contains("--toxiproxy"));
    assert_eq!(guest.harness_dies().await, Vec::<String>::new());
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_run_whose_janitor_was_killed_cleans_up_by_itself() {
    let leases = private::test_directory();
    let run_id = format!("test-alone-{}", std::process::id());
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
    let mut served = tokio::task::JoinSet::new();
    served.spawn(serve(theirs));
    let begun = JanitorClient::begin(&run_id, ours, None, leases.path().to_owned()).await;
    let janitor = begun.unwrap();
    // A janitor that vanishes between two lines, as by SIGKILL.
    served.shutdown().await;
    let problems = janitor.clean().await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("janitor"), "{problems:?}");
    assert!(!janitor.directory.exists());
    assert_eq!(
        manifest::list(leases.path()).unwrap(),
        Vec::<PathBuf>::new()
    );
}

fn plan(text: &str) -> Plan {
    crate::plan::compile("test.toml", text, &crate::scenario::Overrides::default()).unwrap()
}

fn settings(run: &TestRun) -> Settings {
    Settings {
        run_id: run.run_id.clone(),
        out: run.logs.path().to_owned(),
        server_binary: None,
        server_flags: Vec::new(),
        cpus: None,
        allow_hosts: Vec::new(),
        allow_faults: false,
        say: |_| {},
        step: |_| {},
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

/// Needs `HARNESS_SERVER`, the path of the server program.
#[tokio::test]
#[ignore = "slow: starts a whole environment"]
async fn a_managed_environment_serves_through_its_proxies_and_leaves_nothing() {
    let run = TestRun::new("managed").await;
    let (plan, settings) = (plan(OUTAGE), settings(&run));
    let (counted, found) = preflight::check(&plan, &settings).await.unwrap();
    assert_eq!(counted.lines.len(), 6, "{:?}", counted.lines);
    let janitor = run.janitor.clone();
    let cancel = CancellationToken::new();
    let started = Environment::start_with(&plan, &settings, (found, janitor), &cancel);
    let environment = started.await.unwrap();
    assert_eq!(environment.links_text().len(), 4);
    assert!(environment.redis_version().is_some());
    assert!(environment.target_version().await.is_some());
    assert!(!environment.server_metrics().await.unwrap().is_empty());
    let sample = environment.sample().await;
    assert!(sample.server.unwrap().rss_bytes > 0 && sample.redis.unwrap().rss_bytes > 0);
    let probe = Probe::http(environment.target().addresses[0], "t".to_owned());
    assert!(probe.ask(TIMEOUT).await.is_good());
    assert_eq!(environment.stop().await, Vec::<String>::new());
    assert_eq!(probe.ask(TIMEOUT).await, Answer::Refused);
    assert!(!run.lease_exists());
}

#[tokio::test]
async fn a_cancelled_start_leaves_nothing() {
    let run = TestRun::new("cancelled").await;
    let (plan, mut settings) = (plan(OUTAGE), settings(&run));
    // Never gets ready, so the start is in the middle when it is cancelled.
    settings.server_binary = Some(PathBuf::from("/bin/cat"));
    let (_, found) = preflight::check(&plan, &settings).await.unwrap();
    let directory = run.janitor.directory.clone();
    let cancel = CancellationToken::new();
    let janitor = run.janitor.clone();
    let (started, ()) = tokio::join!(
        Environment::start_with(&plan, &settings, (found, janitor), &cancel),
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
    assert!(!directory.exists() && !run.lease_exists());
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_shown_with_its_last_words() {
    let run = TestRun::new("ended").await;
    let (plan, mut settings) = (plan(OUTAGE), settings(&run));
    settings.server_binary = Some(PathBuf::from("/bin/cat"));
    let (_, found) = preflight::check(&plan, &settings).await.unwrap();
    let janitor = run.janitor.clone();
    let cancel = CancellationToken::new();
    let started = Environment::start_with(&plan, &settings, (found, janitor), &cancel);
    let problem = started.await.unwrap_err();
    assert!(
        matches!(&problem, EnvironmentError::Process(ProcessError::Ended { tail, .. }) if tail.contains("cat")),
        "{problem}"
    );
    assert!(!run.lease_exists());
}
