//! Lines gathered for a moment and written together: a system call a batch instead of one a line.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// How long a line may wait.
const DELAY: Duration = Duration::from_millis(50);
/// Lines beyond this many bytes are written by the thread that adds them, so that memory stays
/// bounded and a slow reader slows the writers.
const MOST_BYTES: usize = 256 * 1024;

/// Where lines gather. Clones share one batch; the last one to be dropped, like every other, writes
/// what is pending.
pub(crate) struct Batch(Arc<Shared>);

struct Shared {
    pending: Mutex<Vec<u8>>,
    has_lines: Condvar,
    output: Mutex<Box<dyn Write + Send>>,
}

impl Batch {
    /// A batch that a thread of its own writes to `output`.
    pub(crate) fn new(output: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            has_lines: Condvar::new(),
            output: Mutex::new(Box::new(output)),
        });
        let weak = Arc::downgrade(&shared);
        // Without the thread, lines are written as the batch fills and when it ends.
        let writer = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all_of(&weak));
        drop(writer);
        Self(shared)
    }

    /// Adds a line, which must end with a line feed.
    pub(crate) fn add(&self, line: &[u8]) {
        let (was_empty, is_full) = {
            let mut pending = lock(&self.0.pending);
            let was_empty = pending.is_empty();
            pending.extend_from_slice(line);
            (was_empty, pending.len() > MOST_BYTES)
        };
        if is_full {
            self.0.flush();
        } else if was_empty {
            self.0.has_lines.notify_one();
        }
    }
}

/// Writes what gathers until the batch is gone.
#[expect(clippy::disallowed_methods, reason = "sleeps on a thread of its own")]
fn write_all_of(batch: &Weak<Shared>) {
    while let Some(shared) = batch.upgrade() {
        shared.wait();
        drop(shared);
        thread::sleep(DELAY);
        if let Some(shared) = batch.upgrade() {
            shared.flush();
        }
    }
}

impl Shared {
    /// Waits for a line, but not for ever: the batch may have ended.
    fn wait(&self) {
        let pending = lock(&self.pending);
        let waited = self
            .has_lines
            .wait_timeout_while(pending, DELAY * 20, |pending| pending.is_empty());
        drop(waited);
    }

    fn flush(&self) {
        // Taken first, so that batches are written in the order in which they were gathered.
        let mut output = lock(&self.output);
        let lines = std::mem::take(&mut *lock(&self.pending));
        if let Err(_lost) = output.write_all(&lines).and_then(|()| output.flush()) {
            // Nothing is left to complain to.
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clone for Batch {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.flush();
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Batch")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Told(Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_without_being_asked_for() {
        let (sender, written) = channel();
        let batch = Batch::new(Told(sender));
        batch.add(b"one\n");
        batch.add(b"two\n");
        let mut text = written.recv().unwrap();
        while text.len() < 8 {
            text.extend(written.recv().unwrap());
        }
        assert_eq!(text, b"one\ntwo\n");
    }

    #[test]
    fn what_is_pending_is_written_at_the_end_and_when_there_is_much_of_it() {
        let (sender, written) = channel();
        let batch = Batch::new(Told(sender));
        batch.add(&vec![b'x'; MOST_BYTES + 1]);
        let mut total = written.recv().unwrap().len();
        batch.add(b"last\n");
        drop(batch);
        total += written.into_iter().map(|bytes| bytes.len()).sum::<usize>();
        assert_eq!(total, MOST_BYTES + 6);
    }
}
