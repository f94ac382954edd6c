//! Load-testing and chaos harness for WebSocket chat services.
//!
//! ```text
//! scenario file -> plan -> environment -> load + fault timeline -> recorder -> run result -> renderers
//! ```
//!
//! One direction: nothing looks back. The middle is pure; only the rooms at the edges touch the
//! world. Layers are listed in `ARCHITECTURE.md` and checked by `tests/it/tidy.rs`.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "harness runs on Linux only: it stands on timerfd, epoll and the kernel's receive stamps"
);

mod account;
mod allowance;
mod audit;
mod capacity;
mod cli;
mod client;
mod clock;
mod doctor;
mod environment;
mod exit;
mod failure;
mod fault;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod import;
mod intake;
mod known;
mod live;
mod load;
mod metric;
mod monitor;
mod plan;
mod record;
mod render;
mod result;
mod route;
mod run;
mod scenario;
mod shard;
mod stage;
mod trial;
mod trust;
mod units;

pub use cli::main;
