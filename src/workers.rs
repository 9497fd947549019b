//! Single-threaded runtimes, one per core: a connection, and the upstream connections that its requests use, live and stay on one of them.
//!
//! A relayed request touches two connections. On a work-stealing runtime each hand-over between them may wake another thread, with a system call each
//! way; here it never does.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::TcpStream as StdStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Runtimes that serve connections. Dropping it ends them, with every task that is left.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _end: DropGuard,
}

impl Workers {
    /// Starts a thread with a runtime for each core that this process may use.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, or what a runtime needs.
    pub fn start() -> io::Result<Self> {
        let end = CancellationToken::new();
        let mut handles = Vec::new();
        for index in 0..count() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let end = end.clone();
            let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                INDEX.set(index);
                runtime.block_on(end.cancelled());
            })?;
            drop(thread);
        }
        Ok(Self { handles, next: AtomicUsize::new(0), _end: end.drop_guard() })
    }

    /// Has the next worker in turn serve a connection, tracked by `tasks`.
    pub fn serve<F>(&self, stream: StdStream, tasks: &TaskTracker, serve: impl FnOnce(TcpStream) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        let Some(worker) = self.handles.get(turn) else { return };
        let connection = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        };
        drop(tasks.spawn_on(connection, worker));
    }
}

/// How many workers a process has: as many as cores that it may use.
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The number of the worker that runs this code; 0 outside of workers.
pub fn index() -> usize {
    INDEX.get()
}
