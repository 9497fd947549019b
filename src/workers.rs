//! Single-threaded runtimes, one per core: a connection, and the upstream connections that its
//! requests use, live and stay on one of them.
//!
//! A relayed request touches two connections. On a work-stealing runtime each hand-over between
//! them may wake another thread, with a system call each way; here it never does.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::io;
use std::net::TcpStream as StdStream;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
    /// On a worker: where its long computations go.
    static COMPUTE: OnceCell<Handle> = const { OnceCell::new() };
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
        let compute = start_compute_threads(&end)?;
        let mut handles = Vec::new();
        for index in 0..count() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let (end, compute) = (end.clone(), compute.clone());
            let thread = thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || {
                    INDEX.set(index);
                    COMPUTE.with(|own| drop(own.set(compute)));
                    runtime.block_on(end.cancelled());
                })?;
            drop(thread);
        }
        Ok(Self {
            handles,
            next: AtomicUsize::new(0),
            _end: end.drop_guard(),
        })
    }

    /// Has the next worker in turn serve a connection, tracked by `tasks`.
    pub(crate) fn serve<F>(
        &self,
        stream: StdStream,
        tasks: &TaskTracker,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        let Some(worker) = self.handles.get(turn) else {
            return;
        };
        let connection = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        };
        drop(tasks.spawn_on(connection, worker));
    }
}

/// Starts the threads for long computations, as many as workers. Among themselves they share their
/// work.
fn start_compute_threads(end: &CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(count())
        .on_thread_start(|| INDEX.set(count()))
        .thread_name("compute")
        .enable_all()
        .build()?;
    let (handle, end) = (runtime.handle().clone(), end.clone());
    let thread = thread::Builder::new()
        .name("compute-end".to_owned())
        .spawn(move || runtime.block_on(end.cancelled()))?;
    drop(thread);
    Ok(handle)
}

/// A request above this, in bytes, takes a core for long if it is read or copied: that is work for
/// [`offload`].
pub(crate) const LARGE: usize = 256 * 1024;
/// So many bytes are taken or given before the other connections of a worker have a turn: some
/// tenths of a millisecond's work.
pub(crate) const YIELD_BYTES: usize = 1024 * 1024;

/// Ends a poll that has done enough for one turn. Its task goes on after all that is ready by then,
/// and after a look at the sockets: a task that woke itself would come before those.
pub(crate) fn end_turn<T>(cx: &mut Context<'_>) -> Poll<T> {
    // Pending when it is first asked, and it is not asked again.
    if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

/// Runs what may compute for long without holding up the other connections of this worker. Anywhere
/// but on a worker it simply runs.
///
/// # Cancel safety
///
/// Dropped, it drops `work` at its next await.
pub(crate) async fn offload_future<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let Some(threads) = COMPUTE.with(|own| own.get().cloned()) else {
        return work.await;
    };
    match AbortOnDropHandle::new(threads.spawn(work)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

/// Reads `body` with `read`: here if it is small, else without holding up the other connections of
/// this worker.
///
/// # Cancel safety
///
/// Dropped, it drops `read` unless that has begun.
pub(crate) async fn offload<T: Send + 'static>(
    body: &Bytes,
    read: impl FnOnce(&Bytes) -> T + Send + 'static,
) -> T {
    if body.len() <= LARGE {
        return read(body);
    }
    let body = body.clone();
    offload_future(async move { read(&body) }).await
}

/// How many workers a process has: as many as cores that it may use.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The number of the worker that runs this code; [`count`] on the threads for long computations, 0
/// outside of both.
pub(crate) fn index() -> usize {
    INDEX.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn long_work_leaves_its_worker_alone() {
        let workers = Workers::start().unwrap();
        let (on_worker, index, beside) = workers.handles[0]
            .spawn(async {
                (
                    name(),
                    index(),
                    offload_future(async { (name(), index()) }).await,
                )
            })
            .await
            .unwrap();
        assert_eq!((on_worker.as_str(), index), ("worker-0", 0));
        assert_eq!(beside, ("compute".to_owned(), count()));
        assert_eq!(
            offload_future(async { name() }).await,
            name(),
            "elsewhere it runs where it is"
        );
    }

    #[tokio::test]
    async fn long_work_that_nobody_waits_for_is_dropped() {
        let workers = Workers::start().unwrap();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let waiting = workers.handles[0].spawn(offload_future(async move {
            std::future::pending::<()>().await;
            drop(held);
        }));
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(dropped.await.is_err());
    }
}
