//! Notices what an input does: panics, in tasks as well, and that it does not end.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// An input that takes longer hangs; the slowest take some milliseconds.
const INPUT_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);

thread_local! {
    /// The first panic of this thread since it was last asked for, with its place.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The input in hand, and since when.
type Current = Mutex<Option<(Instant, Vec<u8>)>>;

/// Watches one target, which runs on this thread.
pub(crate) struct Watch(Arc<Current>);

impl Watch {
    pub(crate) fn start(name: &str) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                usual(panic);
                note(panic);
            }));
        });
        let current: Arc<Current> = Arc::default();
        let (watched, name) = (Arc::downgrade(&current), name.to_owned());
        thread::spawn(move || end_what_hangs(&watched, &name));
        Self(current)
    }

    /// Runs `work`; the panic, if there was one.
    pub(crate) fn over(&self, input: &[u8], work: impl FnOnce()) -> Result<(), String> {
        PANIC.with_borrow_mut(Option::take);
        *lock(&self.0) = Some((Instant::now(), input.to_vec()));
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        *lock(&self.0) = None;
        let noted = PANIC.with_borrow_mut(Option::take);
        match (done, noted) {
            (Ok(()), None) => Ok(()),
            (_, noted) => Err(noted.unwrap_or_else(|| "a panic".to_owned())),
        }
    }
}

fn note(panic: &PanicHookInfo<'_>) {
    let text = panic.to_string();
    PANIC.with_borrow_mut(|first| first.get_or_insert(text).len());
}

/// The thread of a target that hangs cannot be ended by itself.
fn end_what_hangs(watched: &Weak<Current>, name: &str) {
    while let Some(current) = watched.upgrade() {
        let input = match &*lock(&current) {
            Some((since, input)) if since.elapsed() > INPUT_MAX => Some(input.clone()),
            _ => None,
        };
        if let Some(input) = input {
            let kept = super::keep(name, "hang", &input);
            eprintln!(
                "{name}: not ended after {INPUT_MAX:?}\n the input is {}",
                kept.display()
            );
            process::abort();
        }
        drop(current);
        thread::sleep(LOOK_EVERY);
    }
}

fn lock(current: &Current) -> MutexGuard<'_, Option<(Instant, Vec<u8>)>> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place_and_does_not_stick() {
        let watch = Watch::start("test");
        assert_eq!(watch.over(b"fine", || {}), Ok(()));
        let told = watch.over(b"bad", || panic!("on purpose"));
        let told = told.expect_err("there was a panic");
        assert!(
            told.contains("watch.rs") && told.contains("on purpose"),
            "{told}"
        );
        let swallowed = watch.over(b"bad", || {
            drop(panic::catch_unwind(|| panic!("as in a task")));
        });
        assert!(
            swallowed.is_err(),
            "a panic that somebody caught is one all the same"
        );
        assert_eq!(watch.over(b"fine", || {}), Ok(()));
    }
}
