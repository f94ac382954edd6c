//! Whether the numbers of the flags make a server.

use std::time::Duration;

use super::ConfigError;
use crate::args::{QueueArgs, ServeArgs, StoreArgs, WorkArgs, WorkerArgs};

/// Most users and most admins: their numbers must not meet.
const USERS_MAX: u64 = crate::auth::directory::ADMINS_AFTER;
/// Most of what is counted one by one.
const MANY: u64 = 1_000_000;
/// Most bytes of anything.
const BYTES_MAX: u64 = 1 << 30;
/// Bytes of a frame: all of it is held at once.
const FRAME_MAX: u64 = 16 << 20;
/// Most threads of the runtime.
const THREADS_MAX: u64 = 1024;
/// Fewest HTTP connections: under it nobody would have time to be served before somebody else is
/// let in.
const HTTP_LEAST: u64 = 16;

/// A flag, its value, and the least and the most of it.
type Count = (&'static str, u64, u64, u64);

/// The counts and rates of a server.
pub(super) fn counts(args: &ServeArgs) -> Result<(), ConfigError> {
    let (auth, chat, socket, bound) = (&args.auth, &args.chat, &args.socket, &args.bound);
    #[rustfmt::skip]
    let all = [
        ("--threads", args.threads as u64, 0, THREADS_MAX),
        ("--users", auth.users, 1, USERS_MAX),
        ("--admins", auth.admins, 1, USERS_MAX),
        ("--participants", auth.participants, 1, USERS_MAX),
        ("--token-burst", auth.token_burst.into(), 1, MANY),
        ("--login-failures", bound.login_failures.into(), 1, MANY),
        ("--rate-burst", chat.rate_burst.into(), 1, MANY),
        ("--frame-burst", bound.frame_burst.into(), 1, MANY),
        ("--flood-strikes", chat.flood_strikes.into(), 1, MANY),
        ("--max-message", chat.max_message as u64, 1, FRAME_MAX),
        ("--queue-limit", chat.queue_limit.into(), 1, u32::MAX.into()),
        ("--redrive-bytes", chat.redrive_bytes as u64, 0, u64::MAX),
        ("--chats-entries", args.redis.chats_entries.into(), 1, u32::MAX.into()),
        ("--max-connections", socket.max_connections as u64, 1, MANY),
        ("--max-http-connections", bound.max_http_connections as u64, HTTP_LEAST, MANY),
        ("--sockets-per-user", bound.sockets_per_user as u64, 1, MANY),
        ("--sockets-per-address", bound.sockets_per_address as u64, 1, MANY),
        ("--http-per-address", bound.http_per_address as u64, 1, MANY),
        ("--user-bytes", bound.user_bytes as u64, 1, BYTES_MAX),
        ("--max-frame", socket.max_frame as u64, 1, FRAME_MAX),
        ("--outbox-messages", socket.outbox_messages as u64, 1, MANY),
        ("--outbox-bytes", socket.outbox_bytes as u64, 1, BYTES_MAX),
        ("--send-buffer", socket.send_buffer as u64, 1, BYTES_MAX),
    ];
    ranges(&all)?;
    work_counts(&args.queue, &args.work)?;
    let rates = [
        ("--rate-limit", chat.rate_limit),
        ("--token-rate", auth.token_rate),
        ("--connect-rate", socket.connect_rate),
        ("--frame-rate", bound.frame_rate),
        ("--login-failure-rate", bound.login_failure_rate),
    ];
    let wrong = rates
        .iter()
        .find(|(_, rate)| !(0.000_001..=1_000_000.0).contains(rate));
    wrong.map_or(Ok(()), |&(flag, value)| {
        Err(ConfigError::Rate { flag, value })
    })
}

/// The durations of a server.
pub(super) fn durations(args: &ServeArgs) -> Result<(), ConfigError> {
    let (ms, s) = (Duration::from_millis(1), Duration::from_secs(1));
    #[rustfmt::skip]
    let all = [
        ("--token-ttl", args.auth.token_ttl, s, "`expires_in` is whole seconds"),
        ("--jwt-ttl", args.auth.jwt_ttl, s, "`exp` is whole seconds"),
        ("--refresh-ttl", args.auth.refresh_ttl, s, "`exp` is whole seconds"),
        ("--remember-ids", args.chat.remember_ids, s, "one second"),
        ("--redrive-after", args.chat.redrive_after, 100 * ms, "a healthy task must not be queued twice"),
        ("--answer-within", args.chat.answer_within, s, "one second"),
        ("--ping-interval", args.socket.ping_interval, 10 * ms, "ten milliseconds"),
        ("--ping-timeout", args.socket.ping_timeout, args.socket.ping_interval, "the ping interval"),
        ("--header-timeout", args.socket.header_timeout, ms, "one millisecond"),
        ("--keep-alive", args.bound.keep_alive, ms, "one millisecond"),
        ("--handshake-timeout", args.socket.handshake_timeout, args.store.redis_timeout, "the Redis timeout"),
        ("--outbox-age", args.socket.outbox_age, 10 * ms, "ten milliseconds"),
        ("--chats-expiry", args.redis.chats_expiry, s, "one second"),
        ("--history-expiry", args.queue.history_expiry, 2 * args.redis.redis_grace, "twice the grace"),
    ];
    bounds(&all)?;
    work_durations(&args.store, &args.queue, &args.work)
}

type Bound = (&'static str, Duration, Duration, &'static str);

fn bounds(bounds: &[Bound]) -> Result<(), ConfigError> {
    match bounds.iter().find(|(_, value, least, _)| value < least) {
        Some(&(flag, _, least, why)) => Err(ConfigError::TooShort { flag, least, why }),
        None => Ok(()),
    }
}

fn ranges(counts: &[Count]) -> Result<(), ConfigError> {
    let wrong = |&&(_, count, least, most): &&Count| !(least..=most).contains(&count);
    match counts.iter().find(wrong) {
        None => Ok(()),
        Some(&(flag, 0, 1, _)) => Err(ConfigError::Zero { flag }),
        Some(&(flag, count, least, _)) if count < least => Err(ConfigError::TooFew { flag, least }),
        Some(&(flag, _, _, most)) => Err(ConfigError::TooMany { flag, most }),
    }
}

fn work_counts(queue: &QueueArgs, work: &WorkArgs) -> Result<(), ConfigError> {
    ranges(&[
        ("--chunks", work.chunks.into(), 1, MANY),
        ("--concurrency", work.concurrency.into(), 1, MANY),
        (
            "--history-entries",
            queue.history_entries.into(),
            1,
            u32::MAX.into(),
        ),
    ])
}

fn work_durations(
    store: &StoreArgs,
    queue: &QueueArgs,
    work: &WorkArgs,
) -> Result<(), ConfigError> {
    let ms = Duration::from_millis(1);
    #[rustfmt::skip]
    let all = [
        ("--redis-timeout", store.redis_timeout, ms, "one millisecond"),
        ("--redis-ping", queue.redis_ping, ms, "one millisecond"),
        ("--take-over-after", work.take_over_after, 100 * ms, "three heartbeats must fit"),
    ];
    bounds(&all)
}

/// The numbers of a worker.
pub(super) fn worker(args: &WorkerArgs) -> Result<(), ConfigError> {
    work_counts(&args.queue, &args.work)?;
    work_durations(&args.store, &args.queue, &args.work)?;
    let (ms, expiry) = (Duration::from_millis(1), args.queue.history_expiry);
    bounds(&[("--history-expiry", expiry, ms, "one millisecond")])
}
