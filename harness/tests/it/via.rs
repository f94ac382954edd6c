//! This module tests runs that reach their target through an HTTP proxy.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::support::{
    Done, PASSWORD, Part, command, finish, free_address, redis_command, serve_command,
};

const SECRET: &str = "hunter2-of-the-proxy";
/// `load` and [`SECRET`].
const AUTHORIZATION: &str = "Basic bG9hZDpodW50ZXIyLW9mLXRoZS1wcm94eQ==";
/// What `proxy.test` is, which no resolver knows.
const PIN: &str = "proxy.test";

/// A small proxy: tunnels, and requests as they are, for those who know its password.
struct Proxy {
    address: SocketAddr,
    /// The first line of every connection.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                thread::spawn(move || drop(serve(client, &noted)));
            }
        });
        Self { address, asked }
    }

    fn asked(&self, beginning: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|line| line.starts_with(beginning))
            .count()
    }

    /// Named, with its credentials.
    fn flags(&self) -> [String; 4] {
        let port = self.address.port();
        [
            "--via".to_owned(),
            format!("http://load:${{env:PROXY_PASSWORD}}@{PIN}:{port}"),
            "--resolve".to_owned(),
            format!("{PIN}:{port}:127.0.0.1"),
        ]
    }
}

fn serve(mut client: TcpStream, noted: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    noted.lock().unwrap().push(line.clone());
    let told = format!("proxy-authorization: {AUTHORIZATION}").to_lowercase();
    if !text.to_lowercase().contains(&told) {
        return client.write_all(b"HTTP/1.1 407 Who is it\r\nContent-Length: 0\r\n\r\n");
    }
    let place = line.split(' ').nth(1).unwrap_or_default();
    let place = place.strip_prefix("http://").unwrap_or(place);
    let place = place.split('/').next().unwrap_or_default();
    let Ok(mut server) = TcpStream::connect(place) else {
        return client.write_all(b"HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n");
    };
    if line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Here you are\r\n\r\n")?;
    } else {
        server.write_all(&head)?;
    }
    let (mut back, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        drop(io::copy(&mut back, &mut to));
        drop(to.shutdown(Shutdown::Both));
    });
    drop(io::copy(&mut client, &mut server));
    server.shutdown(Shutdown::Both)
}

/// Somebody else's Redis and server.
struct System {
    folder: tempfile::TempDir,
    _parts: [Part; 2],
    server: SocketAddr,
}

impl System {
    fn start(encrypted: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [redis, server] = std::array::from_fn(|_| free_address());
        let mut serve = serve_command(server, redis);
        if encrypted {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed([server.ip().to_string()]).unwrap();
            let files = [("cert", cert.pem()), ("key", signing_key.serialize_pem())];
            for (name, text) in files {
                let path = folder.path().join(format!("{name}.pem"));
                fs::write(&path, text).unwrap();
                serve.arg(format!("--tls-{name}")).arg(path);
            }
        }
        Self {
            _parts: [
                Part::start(redis_command(redis, folder.path()), redis),
                Part::start(serve, server),
            ],
            folder,
            server,
        }
    }

    fn run(&self, scheme: &str, proxy: &Proxy, more: &[&str]) -> Done {
        let mut run = command(&["run", "scenarios/smoke.toml", "--clients", "60"]);
        run.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"])
            .args(["--duration", "5s", "--target"])
            .arg(format!("{scheme}://{}", self.server))
            .arg("--out")
            .arg(self.folder.path().join("out"))
            .args(proxy.flags())
            .args(more);
        let done = finish(run.envs(secrets()).spawn().unwrap());
        for told in [&done.stdout, &done.stderr] {
            assert!(
                !told.contains(SECRET) && !told.contains(AUTHORIZATION),
                "{told}"
            );
        }
        done
    }

    /// Opened sockets of a run that passed, in whose files no secret stands.
    fn opened(&self, done: &Done) -> usize {
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        let out = self.folder.path().join("out");
        for file in fs::read_dir(&out).unwrap().map(|file| file.unwrap().path()) {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(SECRET), "{}", file.display());
        }
        let result = fs::read(out.join("result.json")).unwrap();
        let result: Value = serde_json::from_slice(&result).unwrap();
        usize::try_from(result["clients"]["opened"].as_u64().unwrap()).unwrap()
    }
}

fn secrets() -> [(&'static str, &'static str); 2] {
    [("CHAT_PASSWORD", PASSWORD), ("PROXY_PASSWORD", SECRET)]
}

#[test]
#[ignore = "slow: starts servers"]
fn sockets_go_through_tunnels_and_requests_to_the_proxy() {
    let (system, proxy) = (System::start(false), Proxy::start());
    let done = system.run("ws", &proxy, &[]);
    let opened = system.opened(&done);
    // One more is asked for before the load.
    assert_eq!(proxy.asked("CONNECT "), opened + 1);
    assert!(proxy.asked("POST http://") > 0);
    let shards = system.run("ws", &proxy, &["--shards", "2", "--overwrite"]);
    system.opened(&shards);
}

#[test]
#[ignore = "slow: starts servers"]
fn tls_is_spoken_within_the_tunnel_and_doctor_goes_the_same_way() {
    let (system, proxy) = (System::start(true), Proxy::start());
    let ca = system.folder.path().join("cert.pem");
    let ca = ["--ca", ca.to_str().unwrap()];
    let done = system.run("wss", &proxy, &ca);
    let opened = system.opened(&done);
    assert!(proxy.asked("CONNECT ") > opened);
    assert_eq!(proxy.asked("POST "), 0);
    let target = format!("wss://{}", system.server);
    let mut doctor = command(&["doctor", &target, "--password", "${env:CHAT_PASSWORD}"]);
    doctor.args(ca).args(proxy.flags()).envs(secrets());
    let done = finish(doctor.spawn().unwrap());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("opens a way to"), "{}", done.stdout);
    assert!(!done.stdout.contains(SECRET), "{}", done.stdout);
}

#[test]
fn a_proxy_that_opens_no_way_is_named_with_what_it_says() {
    let proxy = Proxy::start();
    let nobody = free_address();
    let plain = format!("http://{}", proxy.address);
    let with = format!("http://load:${{env:PROXY_PASSWORD}}@{}", proxy.address);
    let target = format!("ws://{nobody}");
    let out = tempfile::tempdir().unwrap();
    for (via, told, hint) in [
        (
            &plain,
            "the proxy answers 407 Who is it",
            "wants credentials",
        ),
        (
            &with,
            "the proxy answers 502 Nobody there",
            "does not reach the target",
        ),
    ] {
        let mut run = command(&["run", "scenarios/smoke.toml", "--target", &target]);
        run.args(["--via", via, "--out"])
            .arg(out.path().join("out"));
        run.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"]);
        let done = finish(run.envs(secrets()).spawn().unwrap());
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(
            done.stderr.contains(told) && done.stderr.contains(hint),
            "{}",
            done.stderr
        );
        let mut doctor = command(&["doctor", &target, "--via", via]);
        let done = finish(doctor.envs(secrets()).spawn().unwrap());
        assert_eq!(done.code, 10, "{}", done.stdout);
        let said: Vec<&str> = done.stdout.split_whitespace().collect();
        let said = said.join(" ");
        assert!(said.contains(told) && said.contains(hint), "{said}");
    }
}

#[test]
fn what_cannot_be_meant_with_a_proxy_is_refused_and_no_password_is_repeated() {
    let target = ["--target", "ws://127.0.0.1:9"];
    let refused = |more: &[&str]| {
        let all = [&["plan", "scenarios/smoke.toml"], more].concat();
        let done = finish(command(&all).spawn().unwrap());
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
        done.stderr
    };
    for (via, told) in [
        ("http://127.0.0.1", "it names no port"),
        ("socks5://127.0.0.1:1080", "does not begin with http://"),
        (
            "http://load:hunter2@127.0.0.1:3128",
            "must not be written down",
        ),
        ("http://hunter2@127.0.0.1:3128", "without a password"),
    ] {
        let said = refused(&[&target[..], &["--via", via]].concat());
        assert!(said.contains(told), "{said}");
    }
    let via = ["--via", "http://127.0.0.1:3128"];
    assert!(refused(&via).contains("no proxy is on the way"));
    let edge = ["--set", "environment.proxies=[\"edge\"]"];
    let said = refused(&[&target[..], &via, &edge].concat());
    assert!(said.contains("not through another proxy"), "{said}");
    let named = [
        "--target",
        "ws://chat.test:9",
        "--resolve",
        "chat.test:9:127.0.0.1",
    ];
    let said = refused(&[&named[..], &via].concat());
    assert!(
        said.contains("the proxy looks the target's name up"),
        "{said}"
    );
    // Where a name leads is for the proxy to say.
    let mut run = command(&[
        "run",
        "scenarios/smoke.toml",
        "--target",
        "ws://chat.test:9",
    ]);
    run.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"]);
    let done = finish(run.args(via).spawn().unwrap());
    assert!(
        done.stderr.contains("--allow-host chat.test"),
        "{}",
        done.stderr
    );
}
