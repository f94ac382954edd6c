//! nginx before two servers, with the very file of `deploy/`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_tungstenite::tungstenite;

use super::{program, read, ready, spawn};
use crate::client::{Client, login, token};
use crate::support::{PATIENCE, Redis, Server, free_port};

const NGINX: &str = "deploy/nginx/nginx.conf.template";

/// nginx, and the address of its broken half.
struct Front {
    chat: Server,
    broken: SocketAddr,
}

impl Front {
    async fn start(nginx: &Path, one: &Server, two: &Server) -> Self {
        let dir = TempDir::new().unwrap();
        let (port, broken) = (free_port(), free_port());
        let settings = [
            ("CHAT_SERVER_A", one.address().to_string()),
            ("CHAT_SERVER_B", two.address().to_string()),
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
        let child = command(&["-g", "daemon off; master_process off;"])
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(std::fs::File::create(dir.path().join("error.log")).unwrap())
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
        Self { chat, broken }
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
    let front = Front::start(&nginx, &one, &two).await;
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
    let front = Front::start(&nginx, &one, &two).await;
    let access = login(&front.chat, 1).await;
    let token = token(&front.chat, &access).await;
    let answer = reqwest::get(format!("http://{}/healthz", front.broken)).await;
    assert_eq!(answer.unwrap().status(), 200);
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
