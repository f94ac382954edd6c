//! A connection that talks all the time and checks every byte that comes back.

use super::api::fail;
use crate::support::DEADLINE;
use proptest::test_runner::TestCaseError;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It was told to stop, and everything sent had come back.
    Whole,
    /// The connection ended under it.
    Cut,
}

/// What may happen to a conversation, as the model knows it.
#[derive(Debug, Default)]
struct Fate {
    /// Something may end it.
    mortal: AtomicBool,
    /// Something may take bytes out of the middle of it.
    holed: AtomicBool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Talker(Arc<Fate>);

impl Talker {
    pub(super) fn may_end(&self) {
        self.0.mortal.store(true, Ordering::Relaxed);
    }

    pub(super) fn may_lose_bytes(&self) {
        self.0.holed.store(true, Ordering::Relaxed);
    }
}

/// All conversations of one case.
pub(super) struct Talkers {
    tasks: JoinSet<Result<(), TestCaseError>>,
    stop: CancellationToken,
}

impl Talkers {
    pub(super) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Starts a conversation with the echo behind `listen`.
    pub(super) fn talk(&mut self, listen: String, number: u64, talker: &Talker) {
        let fate = Arc::clone(&talker.0);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let ending = match TcpStream::connect(&listen).await {
                Ok(mut stream) => converse(&mut stream, number, &stop, &fate).await?,
                Err(_refused) => Ending::Cut,
            };
            if ending == Ending::Cut && !fate.mortal.load(Ordering::Relaxed) {
                return Err(fail("a connection ended that nothing was to end"));
            }
            Ok(())
        });
    }

    /// Tells all to stop; each must get back what it has on the way, or have been cut.
    pub(super) async fn finish(mut self) -> Result<(), TestCaseError> {
        self.stop.cancel();
        loop {
            match timeout(DEADLINE, self.tasks.join_next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(ended)) => ended.map_err(fail)??,
                Err(elapsed) => return Err(fail(format!("a conversation hangs: {elapsed}"))),
            }
        }
    }
}

async fn converse(
    stream: &mut TcpStream,
    number: u64,
    stop: &CancellationToken,
    fate: &Fate,
) -> Result<Ending, TestCaseError> {
    let mut place = 0_u64;
    while !stop.is_cancelled() {
        let length = 1 + usize::from(byte(number, place)) * 16;
        let message: Vec<u8> = (place..).map(|at| byte(number, at)).take(length).collect();
        if stream.write_all(&message).await.is_err() {
            return Ok(Ending::Cut);
        }
        let mut back = vec![0; length];
        let mut read = 0;
        while read < length {
            tokio::select! {
                got = stream.read(&mut back[read..]) => match got {
                    Ok(more @ 1..) => read += more,
                    Ok(0) | Err(_) => return Ok(Ending::Cut),
                },
                () = in_vain(stop, fate) => return Ok(Ending::Whole),
            }
            if back[..read] != message[..read] {
                return if fate.holed.load(Ordering::Relaxed) {
                    Ok(Ending::Whole)
                } else {
                    Err(fail(format!("other bytes came back near {place}")))
                };
            }
        }
        place += length as u64;
        pause(stop).await;
    }
    // Some go with a reset, so that no port waits for packets that cannot come.
    if number.is_multiple_of(2) {
        socket2::SockRef::from(&*stream)
            .set_linger(Some(Duration::ZERO))
            .map_err(fail)?;
    }
    Ok(Ending::Whole)
}

/// Returns at the end if the bytes that are waited for may have been lost.
async fn in_vain(stop: &CancellationToken, fate: &Fate) {
    stop.cancelled().await;
    if !fate.holed.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(Duration::from_millis(1)) => {}
    }
}

/// Tells which conversation and which place it belongs to.
fn byte(number: u64, place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xff51_afd7_ed55_8ccd))
        .to_be_bytes()[0]
}

/// A new connection carries this through the proxy unharmed.
pub(super) async fn is_carried(listen: &str) -> Result<(), TestCaseError> {
    let sent = crate::support::pattern(20_000);
    let whole = async {
        let mut stream = TcpStream::connect(listen).await?;
        let (mut reading, mut writing) = stream.split();
        let mut back = vec![0; sent.len()];
        tokio::try_join!(writing.write_all(&sent), reading.read_exact(&mut back))?;
        Ok::<_, std::io::Error>(back == sent)
    };
    match timeout(DEADLINE, whole).await {
        Ok(Ok(true)) => Ok(()),
        outcome => Err(fail(format!("nothing gets through {listen}: {outcome:?}"))),
    }
}
