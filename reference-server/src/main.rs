//! The binary: everything is in the library, so that its parts can be tested.

use std::process::ExitCode;

fn main() -> ExitCode {
    reference_server::main()
}
