//! What the program is asked to be: the server, or the command line that drives one.
//!
//! **In:** the name it is called by and its arguments. **Out:** an exit code: 0 done, 1 it did not work, 2 wrongly
//! asked.
//!
//! Names, flags and lines that scripts look for are Toxiproxy's; what differs is listed in this crate's README.

mod cli;
mod failure;
mod flag;
mod log;
mod serve;
mod word;

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::ExitCode,
};

/// What it is, and how whoever asked calls it.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    Server(&'static str),
    Cli(&'static str),
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let mut words = env::args_os();
    let called = words.next().unwrap_or_default();
    let (role, words) = role(&called, word::normalise(words));
    let ended = match role {
        Role::Server(program) => serve::main(program, words),
        Role::Cli(program) => cli::main(program, words),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(&mut io::stderr()),
    }
}

/// A link named as one of Toxiproxy's programs makes it that one.
fn role(called: &OsStr, mut words: Vec<OsString>) -> (Role, Vec<OsString>) {
    let name = Path::new(called).file_name().and_then(OsStr::to_str);
    let role = match name {
        Some("toxiproxy-cli") => Role::Cli("toxiproxy-cli"),
        Some("toxiproxy-server") => Role::Server("toxiproxy-server"),
        _ => match words.first().and_then(|word| word.to_str()) {
            Some("cli") => {
                words.remove(0);
                Role::Cli("fault-proxy cli")
            }
            Some("serve") => {
                words.remove(0);
                Role::Server("fault-proxy")
            }
            _ => Role::Server("fault-proxy"),
        },
    };
    (role, words)
}

#[cfg(test)]
mod tests {
    use super::{Role, role};
    use std::ffi::{OsStr, OsString};

    #[track_caller]
    fn check(called: &str, words: &[&str], expected: Role, left: &[&str]) {
        let words = words.iter().map(OsString::from).collect();
        let (role, words) = role(OsStr::new(called), words);
        assert_eq!(role, expected);
        assert_eq!(words, left);
    }

    #[test]
    fn the_name_or_else_the_first_word_says_what_it_is() {
        let server = || Role::Server("fault-proxy");
        check("/usr/bin/fault-proxy", &[], server(), &[]);
        check("fault-proxy", &["--seed", "1"], server(), &["--seed", "1"]);
        check("fault-proxy", &["serve", "--seed"], server(), &["--seed"]);
        let cli = Role::Cli("fault-proxy cli");
        check("./fault-proxy", &["cli", "list"], cli, &["list"]);
        let cli = Role::Cli("toxiproxy-cli");
        check("/toxiproxy-cli", &["list"], cli, &["list"]);
        let server = Role::Server("toxiproxy-server");
        check("/toxiproxy-server", &["cli"], server, &["cli"]);
    }
}
