//! Taking a proxy down and up again, and what is left when the server stops.

use crate::support::{DEADLINE, End, World, connect, drain, is_silent, round_trip, until, within};
use fault_proxy::{Stream::Upstream, ToxicSpec};
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    io,
    mem::MaybeUninit,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

async fn refused(address: &str) -> bool {
    let attempt = TcpStream::connect(address).await;
    attempt.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn down_closes_everything_before_it_answers() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let mut pairs = Vec::new();
    for _ in 0..20 {
        let near = connect(&listen).await;
        pairs.push((near, connections.recv().await.unwrap()));
    }
    let proxy = world.client.set_enabled("a", false).await.unwrap();
    assert!(!proxy.enabled);
    assert_eq!(proxy.listen, listen);
    assert!(refused(&listen).await);
    for (near, far) in &mut pairs {
        // Idle connections see a clean end, and on loopback it is there by now.
        for end in [&*near, &*far] {
            let peeked = SockRef::from(end).peek(&mut [MaybeUninit::uninit()]);
            assert_eq!(peeked.unwrap(), 0);
        }
        assert_eq!(drain(near).await, (Vec::new(), End::Closed));
        assert_eq!(drain(far).await, (Vec::new(), End::Closed));
    }
    let proxy = world.client.set_enabled("a", true).await.unwrap();
    assert_eq!(
        (proxy.enabled, proxy.listen.as_str()),
        (true, listen.as_str())
    );
    connect(&listen).await;
    within("a dial", connections.recv()).await.unwrap();
}

#[tokio::test]
async fn down_drops_what_toxics_hold_and_toxics_survive_it() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let latency = ToxicSpec::latency("slow", Upstream, 3_600_000, 0);
    world.client.add_toxic("a", &latency).await.unwrap();
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    near.write_all(b"held").await.unwrap();
    is_silent(&mut far, Duration::from_millis(30)).await;
    world.client.set_enabled("a", false).await.unwrap();
    assert_eq!(drain(&mut far).await.0, Vec::<u8>::new());
    let proxy = world.client.set_enabled("a", true).await.unwrap();
    assert_eq!(proxy.toxics.len(), 1);
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    near.write_all(b"held").await.unwrap();
    is_silent(&mut far, Duration::from_millis(30)).await;
}

#[tokio::test]
async fn down_and_up_again_and_again_under_traffic() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut users = JoinSet::new();
    for _ in 0..8 {
        let listen = listen.clone();
        users.spawn(async move {
            let mut done = 0_u32;
            let start = Instant::now();
            while done < 200 && start.elapsed() < DEADLINE {
                let Ok(mut stream) = TcpStream::connect(&listen).await else {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                };
                let mut reply = [0; 4];
                while done < 200
                    && stream.write_all(b"ping").await.is_ok()
                    && stream.read_exact(&mut reply).await.is_ok()
                {
                    assert_eq!(&reply, b"ping");
                    done += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            done
        });
    }
    for _ in 0..10 {
        world.client.set_enabled("a", false).await.unwrap();
        assert!(refused(&listen).await);
        let proxy = world.client.set_enabled("a", true).await.unwrap();
        assert_eq!(proxy.listen, listen);
    }
    while let Some(done) = within("the users", users.join_next()).await {
        assert_eq!(done.unwrap(), 200);
    }
}

#[tokio::test]
async fn down_does_not_wait_for_an_upstream_that_does_not_answer() {
    let world = World::start().await;
    // With its queue full, a listener answers no further connection, not even by refusing.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
    deaf.bind(&any_port.into()).unwrap();
    deaf.listen(0).unwrap();
    let upstream = deaf.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) =
        timeout(Duration::from_millis(100), TcpStream::connect(upstream)).await
    {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue does not fill");
    }
    let listen = world.proxy_to("a", upstream).await;
    let mut near = connect(&listen).await;
    is_silent(&mut near, Duration::from_millis(50)).await;
    let start = Instant::now();
    world.client.set_enabled("a", false).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    drain(&mut near).await;
}

#[tokio::test]
async fn a_stopped_server_leaves_no_task_and_no_socket() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let hole = ToxicSpec::timeout("hole", Upstream, 0);
    world.client.add_toxic("a", &hole).await.unwrap();
    let mut pairs = Vec::new();
    for _ in 0..10 {
        let mut near = connect(&listen).await;
        near.write_all(b"x").await.unwrap();
        pairs.push((near, connections.recv().await.unwrap()));
    }
    let api = world.api.to_string();
    assert!(tasks() > 10);
    world.stop().await;
    assert!(refused(&api).await && refused(&listen).await);
    for (near, far) in &mut pairs {
        drain(near).await;
        drain(far).await;
    }
    // What is left: the helper behind the proxy, and the client's own pooled connection.
    until("every task of the server to end", async || tasks() <= 2).await;
}

#[tokio::test]
async fn finished_connections_leave_no_task() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut first = connect(&listen).await;
    round_trip(&mut first, "x").await;
    let before = tasks();
    for _ in 0..50 {
        let mut stream = connect(&listen).await;
        round_trip(&mut stream, "x").await;
    }
    until("the connections' tasks to end", async || tasks() <= before).await;
}
