//! This module writes to the terminal without ever holding up the run.
//!
//! **In:** texts. **Out:** a stream, written by a thread of its own. A terminal that does not read
//! (Ctrl-S, a stuck pipe) loses texts; nothing waits for it.

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

/// Texts that may wait for the terminal.
const WAITING_MAX: usize = 16;
/// How long the end of a run waits for the last of them.
const FINISH_MAX: Duration = Duration::from_secs(1);

/// How large the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub columns: usize,
    pub rows: usize,
}

impl Size {
    /// As it is now: a window may change at any time. Where nothing is known, that of old.
    pub(super) fn of_stderr() -> Self {
        let size = terminal_size::terminal_size_of(io::stderr());
        let known = size.filter(|(columns, rows)| columns.0 > 0 && rows.0 > 0);
        known.map_or(
            Self {
                columns: 80,
                rows: 24,
            },
            |(columns, rows)| Self {
                columns: usize::from(columns.0),
                rows: usize::from(rows.0),
            },
        )
    }
}

/// The thread's near end.
pub(super) struct Screen {
    texts: SyncSender<String>,
    done: oneshot::Receiver<()>,
}

impl Screen {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system's reason not to start one.
    pub(super) fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (texts, waiting) = sync_channel::<String>(WAITING_MAX);
        let (finished, done) = oneshot::channel();
        std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                for text in waiting {
                    // A terminal that is gone is no reason to end a run.
                    if out
                        .write_all(text.as_bytes())
                        .and_then(|()| out.flush())
                        .is_err()
                    {
                        break;
                    }
                }
                // Nobody may be waiting any more: then there is nobody to tell.
                finished.send(()).ok()
            })?;
        Ok(Self { texts, done })
    }

    /// Shows the text, unless too many are waiting.
    pub(super) fn show(&self, text: String) {
        drop(self.texts.try_send(text));
    }

    /// Waits until everything is shown, for a second at most.
    pub(super) async fn finish(self) {
        drop(self.texts);
        drop(tokio::time::timeout(FINISH_MAX, self.done).await);
    }
}
