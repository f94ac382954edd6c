//! This module is what the child processes do: splice, fault proxy, echo, many clients.
//!
//! **In:** the role and its arguments on the command line. **Out:** an address or a count on stdout.
//! A role ends when its stdin does, or when it is killed.

use crate::Outcome;
use fault_proxy::server::{ServerConfig, serve};
use socket2::{Domain, Socket, Type};
use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// One message of a client that mostly waits.
const MESSAGE: [u8; 60] = [b'm'; 60];
/// Connects in progress at one time.
const CONNECTING_MAX: usize = 64;
/// Connections from one source address; beyond some 14,000 the kernel searches for ports.
const PER_SOURCE: usize = 2_500;

pub(crate) enum Role {
    Splice { buffer: usize, upstream: SocketAddr },
    Fault,
    Echo,
    Clients { proxy: SocketAddr, count: usize },
}

/// The role this process was started for; `None` for the measurement itself.
pub(crate) fn asked() -> Option<Role> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["splice", buffer, upstream] => Some(Role::Splice {
            buffer: buffer.parse().ok()?,
            upstream: upstream.parse().ok()?,
        }),
        ["fault"] => Some(Role::Fault),
        ["echo"] => Some(Role::Echo),
        ["clients", proxy, count] => Some(Role::Clients {
            proxy: proxy.parse().ok()?,
            count: count.parse().ok()?,
        }),
        _ => None,
    }
}

pub(crate) fn play(role: Role) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    if !matches!(role, Role::Clients { .. }) {
        thread::spawn(move || {
            let ended = std::io::stdin().read_to_end(&mut Vec::new());
            cancel.cancel();
            ended
        });
    }
    runtime.block_on(async {
        match role {
            Role::Splice { buffer, upstream } => {
                accept_until(&stop, |client| splice(client, upstream, buffer)).await
            }
            Role::Echo => accept_until(&stop, echo).await,
            Role::Fault => {
                let listener = listen().await?;
                Ok(serve(listener, ServerConfig::default(), stop).await?)
            }
            Role::Clients { proxy, count } => clients(proxy, count).await,
        }
    })
}

/// A listener whose address the measurement reads.
async fn listen() -> Outcome<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

async fn accept_until<F>(stop: &CancellationToken, serve: impl Fn(TcpStream) -> F) -> Outcome<()>
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = listen().await?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                connections.spawn(serve(accepted?.0));
            }
        }
    }
}

async fn splice(mut client: TcpStream, upstream: SocketAddr, buffer: usize) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, buffer, buffer).await?;
    Ok(())
}

async fn echo(mut client: TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut buffer = [0; MESSAGE.len()];
    loop {
        let read = client.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..read]).await?;
    }
}

/// Opens connections that carry one message, waits for a word, carries one more over each.
async fn clients(proxy: SocketAddr, count: usize) -> Outcome<()> {
    let turns = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut opening = JoinSet::new();
    for number in 0..count {
        let turn = Arc::clone(&turns).acquire_owned().await?;
        opening.spawn(async move {
            let opened = open(proxy, number).await;
            drop(turn);
            opened
        });
    }
    let mut open = Vec::with_capacity(count);
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    println!("{}", open.len());
    let mut word = String::new();
    std::io::stdin().read_line(&mut word)?;
    let mut alive = 0;
    for stream in &mut open {
        alive += usize::from(round_trip(stream).await.is_ok());
    }
    println!("{alive}");
    for stream in &open {
        // No port is left waiting for packets that cannot come.
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

async fn open(proxy: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let last = u8::try_from(2 + number / PER_SOURCE).map_err(std::io::Error::other)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0);
    socket.bind(&source.into())?;
    let socket = tokio::net::TcpSocket::from_std_stream(socket.into());
    let mut stream = socket.connect(proxy).await?;
    stream.set_nodelay(true)?;
    round_trip(&mut stream).await?;
    Ok(stream)
}

async fn round_trip(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&MESSAGE).await?;
    let mut back = MESSAGE;
    stream.read_exact(&mut back).await?;
    Ok(())
}
