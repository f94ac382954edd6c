//! This module is `cargo xtask foreign`: servers of other makes, driven by files alone.
//!
//! Each of `xtask/foreign/NAME/` is a server as a user of that framework would write it, the packages it needs, and the
//! scenario that drives it. It is installed into `target/foreign/NAME/`, started on loopback, driven three times (a healthy run;
//! a bad network in front of it; an outage of its Redis, where it has one) and ended; it then tells what it counted.
//! With `--audit` each is asked for all known failures; with `--har` those with a page are used by a browser and driven by its recording. **What must hold:** everybody gets in, every message that the harness sent is one that the server took, and the other way
//! round; no frame is unexpected; clients come back from every fault. **Out:** `reports/foreign.json`, and a table.

mod audit;
mod browser;
mod drive;
mod report;
mod server;
mod stand;

use std::process::ExitCode;

use clap::Args;

use self::browser::Browser;
use self::server::{Program, Server};
use crate::failure::Failure;
use crate::{redis, step};

/// In the order in which they are driven.
const SERVERS: [Server; 8] = [
    python("channels", "Django Channels on Daphne, channels_redis").with_redis(),
    python("fastapi", "FastAPI on uvicorn"),
    python("aiohttp", "aiohttp, JSON-RPC"),
    node("ws", "ws on Node"),
    node("socketio", "Socket.IO on Node"),
    node("graphql", "graphql-ws on Node"),
    python("jupyter", "jupyter_server, a kernel's channels").telling_ready(),
    Server::new("rabbitmq", "RabbitMQ with web-STOMP", Program::RabbitMq).telling_ready(),
];

const fn python(name: &'static str, what: &'static str) -> Server {
    Server::new(name, what, Program::Python)
}

const fn node(name: &'static str, what: &'static str) -> Server {
    Server::new(name, what, Program::Node)
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which servers; all of them without one
    names: Vec<String>,
    /// Also ask which of the known failures each has: `harness audit`, ten minutes more
    #[arg(long)]
    audit: bool,
    /// Also have headless Chromium use those with a page, and drive them and the reference server by its recording
    #[arg(long)]
    har: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let known = |name: &String| SERVERS.iter().any(|server| server.name == name);
    if let Some(name) = arguments.names.iter().find(|name| !known(name)) {
        let names: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
        return Err(Failure::Unknown {
            name: name.clone(),
            known: names.join(", "),
        });
    }
    let redis = redis::ensure()?;
    let mut build = step::cargo(&["build", "-p", "harness", "-p", "reference-server"]);
    step::run("build", &mut build)?;
    let browser = arguments.har.then(Browser::ensure).transpose()?;
    if let Some(browser) = browser.as_ref().filter(|_| arguments.names.is_empty()) {
        println!("\n##### the reference server, by a recording");
        browser.reference(&redis)?;
    }
    let mut rows = Vec::new();
    for server in &SERVERS {
        if arguments.names.is_empty() || arguments.names.iter().any(|name| name == server.name) {
            println!("\n##### {}", server.what);
            rows.push(drive::drive(server, &redis, browser.as_ref()));
        }
    }
    if arguments.audit {
        let driven = |server: &&Server| rows.iter().any(|row| row.name == server.name);
        let servers: Vec<&Server> = SERVERS.iter().filter(driven).collect();
        for (name, told) in audit::all(&servers, &redis) {
            if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
                let problem = told["problem"].as_str().or(told["server"].as_str());
                let problem = problem.map(|problem| format!("audit: {problem}"));
                row.problems.extend(problem);
                row.audit = Some(told);
            }
        }
    }
    report::write(&rows)?;
    let all_well = rows.iter().all(|row| row.problems.is_empty());
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
