//! The project's own commands: `cargo xtask demo`, `test`, `matrix`, `bench`, `soak`, `fuzz`, `ab`, `slurm`,
//! `image`, `foreign`, `page`.
//!
//! Each installs what is missing (saying so first), builds, and runs. Linux only.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool that talks to the person who called it"
)]

mod ab;
mod bench;
mod browser;
mod demo;
mod failure;
mod foreign;
mod fuzz;
mod image;
mod interop;
mod matrix;
mod nginx;
mod package;
mod page;
mod redis;
mod slurm;
mod soak;
mod step;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The project's own commands: each installs what is missing, builds, and runs"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Break Redis under 2,000 clients and show the report: release build, about a minute after it
    Demo,
    /// Everything continuous integration runs: formatting, lints, tests, documentation
    Test,
    /// Every known failure: caught by the check that names it, and no alarm without it
    Matrix(matrix::Arguments),
    /// What harness and fault proxy cost, beside their budgets
    Bench(bench::Arguments),
    /// The server's promises through random faults: 100,000 messages of 300 clients, under ten minutes
    Soak(soak::Arguments),
    /// The gate tried on this machine: the same server twice, and one that is slowed; goes on where it was ended
    Ab(ab::Arguments),
    /// A load in the parts of a real Slurm array on two virtual nodes of this machine: whole, and with a part cancelled; needs root
    Slurm(slurm::Arguments),
    /// Both images built without a container engine, and the harness run in its own on a root that cannot be written to; needs root
    Image,
    /// Servers of eight other makes, installed and started here, driven by files alone: healthy, and through faults
    Foreign(foreign::Arguments),
    /// The report's page in headless Chromium, at three widths, light and dark: its numbers, zoom, keys, contrast, no request
    Page(page::Arguments),
    /// Everything that reads what others wrote, fed what nobody wrote: an hour, guided by coverage
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo => demo::run(),
        Command::Test => test::run(),
        Command::Matrix(arguments) => matrix::command(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Ab(arguments) => ab::run(&arguments),
        Command::Slurm(arguments) => slurm::run(&arguments),
        Command::Image => image::run(),
        Command::Foreign(arguments) => foreign::run(&arguments),
        Command::Page(arguments) => page::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            if let Some(hint) = failure.hint() {
                eprintln!(" hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
