//! The program: the fault proxy in place of `toxiproxy-server`, and its command line in place of `toxiproxy-cli`.

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main()
}
