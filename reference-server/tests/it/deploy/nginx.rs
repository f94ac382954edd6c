//! nginx before two servers, with the very file of `deploy/`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite;

use super::{program, read, ready, spawn};
use crate::client::{Client, login, token};
use crate::support::{PATIENCE, Redis, Server, free_port};

const NGINX: &str = "deploy/nginx/nginx.conf.template";

/// nginx, and the address of its broken half.
struct Front {
    chat: Server,
    broken: SocketAddr,
    errors: PathBuf,
}

impl Front {
    async fn start(nginx: &Path, one: SocketAddr, two: SocketAddr) -> Self {
        let dir = TempDir::new().unwrap();
        let (port, broken) = (free_port(), free_port());
        let settings = [
            ("CHAT_SERVER_A", one.to_string()),
            ("CHAT_SERVER_B", two.to_string()),
            ("CHAT_RESOLVER", "127.0.0.1".to_owned()),
            ("CHAT_PORT", format!("127.0.0.1:{port}")),
            ("CHAT_BROKEN_PORT", format!("127.0.0.1:{broken}")),
        ];
        let mut text = read(NGINX).replace("${CHAT_...}", "");
        for (name, value) in settings {
            assert!(text.contains(&format!("${{{name}}}")), "{name}");
            text = text.replace(&format!("${{{name}}}"), &value);
        }
        assert!(!text.contains("${"), "{text}");
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let command = |last: &[&str]| {
            let mut command = Command::new(nginx);
            command.arg("-p").arg(dir.path()).arg("-c").arg(&file);
            command.args(last).stdin(Stdio::null());
            command
        };
        let tested = command(&["-t"]).output().unwrap();
        let told = String::from_utf8_lossy(&tested.stderr);
        assert!(tested.status.success(), "{told}");
        let log = dir.path().join("access.log");
        let errors = dir.path().join("error.log");
        let child = command(&["-g", "daemon off; master_process off;"])
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(std::fs::File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let chat = Server::adopt(child, at(port), log, dir);
        let started = Instant::now();
        while reqwest::get(chat.http("/healthz")).await.is_err() {
            assert!(started.elapsed() < PATIENCE, "nginx does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let broken = at(broken);
        Self {
            chat,
            broken,
            errors,
        }
    }
}

#[tokio::test]
async fn through_nginx_a_client_gets_its_token_connects_and_is_answered() {
    let Some(nginx) = program("nginx", "NGINX") else {
        return;
    };
    let redis = Redis::start().await;
    let (one, two) = (spawn("chat-a", &redis), spawn("chat-b", &redis));
    let worker = spawn("worker", &redis);
    for process in [&one, &two, &worker] {
        process.until_ready().await;
        assert!(ready(process), "ready.sh");
    }
    let front = Front::start(&nginx, one.address(), two.address()).await;
    let access = login(&front.chat, 1).await;
    let mut clients = Vec::new();
    for n in 0..6 {
        clients.push(Client::enter_as(&front.chat, &access, &format!("conv-{n}")).await);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.say("hello", &format!("m-{n}")).await;
        assert_eq!(client.answer().await.id.unwrap(), format!("m-{n}"));
    }
    for server in [&one, &two] {
        let open = server.metric("chat_connections_open").await;
        assert!(open >= 1.0, "both have some: {open}");
    }
    // The origin is the address that the browser connected to.
    let origin = format!("http://{}", front.chat.address());
    let path = format!("/ws/chat/c/?token={access}");
    let mut browser = Client::open(&front.chat, &path, &[("origin", &origin)])
        .await
        .unwrap();
    assert_eq!(browser.event().await["event"], "connected");
    for page in ["/metrics", "/readyz"] {
        let answer = reqwest::get(front.chat.http(page)).await.unwrap();
        assert_eq!(answer.status(), 404, "{page}");
    }
    // One server dies: its clients connect anew, by the same address.
    two.crash();
    for n in 0..6 {
        let mut client = Client::enter_as(&front.chat, &access, &format!("conv-{n}")).await;
        client.say("hello", &format!("again-{n}")).await;
        client.answer().await;
    }
    drop((clients, browser));
    // A socket is logged at its end.
    let started = Instant::now();
    while front.chat.log().matches("GET /ws/chat/").count() < 7 {
        assert!(started.elapsed() < PATIENCE, "{}", front.chat.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!front.chat.log().contains("token="), "{}", front.chat.log());
}

#[tokio::test]
async fn the_broken_location_lets_everything_through_but_the_upgrade() {
    let Some(nginx) = program("nginx", "NGINX") else {
        return;
    };
    let redis = Redis::start().await;
    let (one, two) = (spawn("chat-a", &redis), spawn("chat-b", &redis));
    one.until_ready().await;
    two.until_ready().await;
    let front = Front::start(&nginx, one.address(), two.address()).await;
    let access = login(&front.chat, 1).await;
    let token = token(&front.chat, &access).await;
    for (page, status) in [("healthz", 200), ("metrics", 404), ("readyz/", 404)] {
        let answer = reqwest::get(format!("http://{}/{page}", front.broken)).await;
        assert_eq!(answer.unwrap().status(), status, "{page}");
    }
    let path = format!("/ws/chat/conv-1/?connection_token={token}");
    let refused = Client::open_at(front.broken, &path).await;
    match refused {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 426),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("upgraded"),
    }
    // The token was not spent on it.
    let mut client = Client::open(&front.chat, &path, &[]).await.unwrap();
    assert_eq!(client.event().await["event"], "connected");
}

/// What nginx has to complain about: servers that are away or break off, and requests that are wrong.
#[tokio::test]
async fn no_log_of_nginx_holds_a_token_whatever_goes_wrong() {
    const CANARY: &str = "canary-of-a-token";
    let Some(nginx) = program("nginx", "NGINX") else {
        return;
    };
    // Lives for as long as it takes to see nginx work, and closes whatever it accepts from then on.
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (one, two) = (upstream.local_addr().unwrap(), free_port());
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = upstream.accept().await.unwrap();
            let mut request = [0; 1024];
            let told = stream.read(&mut request).await.unwrap_or_default();
            if turn < 2 && told > 0 {
                let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    let front = Front::start(&nginx, one, SocketAddr::from(([127, 0, 0, 1], two))).await;
    let head = format!("Host: h\r\nReferer: http://h/?token={CANARY}\r\nConnection: close\r\n");
    let large = "Content-Length: 99999999\r\n";
    let upgrade = "Upgrade: websocket\r\n";
    let requests = [
        format!("GET /ws/chat/c/?connection_token={CANARY} HTTP/1.1\r\n{head}{upgrade}\r\n"),
        format!("GET /ws/chat/c/?token={CANARY} HTTP/1.1\r\n{head}{upgrade}\r\n"),
        format!("POST /api/auth/login/?token={CANARY} HTTP/1.1\r\n{head}{large}\r\n"),
        format!("GET /ws/?token={CANARY} HTTP/1.1\r\n{head}Host: {CANARY}\r\n\r\n"),
        format!(
            "GET /?token={CANARY}{} HTTP/1.1\r\n\r\n",
            "x".repeat(40_000)
        ),
        format!("{CANARY} HTTP/1.1\r\n\r\n"),
    ];
    for address in [front.chat.address(), front.broken] {
        for request in requests.iter().chain(&requests) {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            // The longest is refused before it is read.
            drop(stream.read(&mut [0; 64]).await);
        }
    }
    let started = Instant::now();
    while front.chat.log().matches(" 502 ").count() < 4 {
        assert!(started.elapsed() < PATIENCE, "{}", front.chat.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let errors = std::fs::read_to_string(&front.errors).unwrap();
    for log in [errors, front.chat.log()] {
        assert!(!log.contains(CANARY), "{log}");
    }
    assert!(front.chat.log().contains("(502"), "{}", front.chat.log());
}
