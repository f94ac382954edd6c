//! This module is the last resort: what breaks down in the middle ends in words and an exit code, too.
//!
//! **In:** a command. **Out:** how it ended. A panic is a bug of the harness and tells where it was, unless a library
//! panics because this system gives no more threads: that is for who set the limit to know.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use super::failure::Failure;
use crate::exit::Exit;

/// How the standard library and tokio begin about a thread that they cannot start: they know no error for it.
const NO_THREAD: [&str; 2] = ["OS can't spawn", "failed to spawn thread"];

/// Does it, and catches what it throws.
pub(super) fn caught(command: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if !is_exhaustion(panic.payload()) {
            usual(panic);
        }
    }));
    // Nothing of it is used afterwards; what it had started is for the janitor to end.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|panic| {
        let fact = words(&*panic);
        Err(if is_exhaustion(&*panic) {
            let fact = format!("this system gives the harness no further thread: {fact}");
            Failure::new(Exit::Environment, fact)
                .hint("raise the limit of processes (`ulimit -u`) or of addresses (`ulimit -v`)")
        } else {
            let fact = format!("the harness broke down: {fact}");
            Failure::new(Exit::Bug, fact)
                .hint("report what stands above; what had been started is ended")
        })
    })
}

fn is_exhaustion(panic: &(dyn Any + Send)) -> bool {
    let words = words(panic);
    NO_THREAD.iter().any(|start| words.starts_with(start))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word")
}
