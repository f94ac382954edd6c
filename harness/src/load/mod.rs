//! This module puts the load on the target. Only here is goose named.
//!
//! **In:** the plan, a target, the run's clock and signals. **Out:** a `Recording`.
//!
//! ```text
//! client (attack, life, session)   goose user (pool, credential, token)   lane thread (lane, client, pacing, connecting)
//!   begins at its moment
//!   needs a credential  ── Errand ──▶  login, token over HTTP
//!                       ◀── Ready ───
//!   asks for a session  ───────────── Open ─────────────▶  TCP, upgrade, `connected`
//!   sleeps                                                 sends, receives, records
//!   next token, or the end  ◀────────── SessionEnd ──────  closed, cut, failed
//! ```
//!
//! goose owns users and every HTTP request; sockets live on lanes, where one thread serves thousands of them from one
//! pacer. What a client says and remembers stays on its lane for its whole stay; only credentials travel.

pub(crate) mod attack;
mod behavior;
mod client;
mod connecting;
mod credential;
mod defect;
mod denied;
mod errand;
mod job;
mod lane;
mod life;
mod numbers;
mod pacing;
mod pool;
mod rooms;
mod session;
mod token;
mod user;
