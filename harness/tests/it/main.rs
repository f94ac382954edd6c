//! This binary drives the command line from outside, and holds the repository to its own rules.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests may panic, and deadlines of tests need no run clock"
)]

mod ab;
mod abort;
mod audit;
mod bundle;
mod canary;
mod capacity;
mod case;
mod ci_files;
mod claim;
mod cli;
mod columns;
mod cookies;
mod defects;
mod doctor;
mod end_to_end;
mod environment;
mod full_machine;
mod gate;
mod hostile;
mod idle;
mod import;
mod kubernetes;
mod limits;
mod links;
mod opening;
mod pages;
mod peer;
mod process_faults;
mod reach;
mod renderers;
mod renewal;
mod rooms;
mod scenarios;
mod shards;
mod shipped;
mod stranger;
mod stuck;
mod support;
mod targets;
mod tidy;
mod tls;
mod tokens;
mod truth;
mod verdicts;
mod via;
mod web;
