//! The listener and its connections.

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exchange::Provider;
use crate::script::hints::{Hinted, Hints};

/// Serves `listener` until `stop`; every task is counted in `tasks` and ends at `stop`.
pub(crate) fn spawn(
    listener: TcpListener,
    provider: Provider,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let executor = Executor { stop, tasks };
    executor.run(accept(listener, provider, executor.clone()));
}

async fn accept(listener: TcpListener, provider: Provider, executor: Executor) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => executor.run(connection(stream, provider.clone(), executor.clone())),
            // Out of file descriptors, or a connection that ended while it waited: the next may do
            // better.
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, provider: Provider, executor: Executor) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let _open = provider.ledger().connected();
    let mut builder = auto::Builder::new(executor);
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(10_000);
    let hints = Hints::default();
    let io = TokioIo::new(Hinted::new(stream, hints.clone()));
    let service = service_fn(move |request| {
        let (provider, hints) = (provider.clone(), hints.clone());
        async move { provider.answer(request, &hints).await }
    });
    if let Err(error) = builder.serve_connection(io, service).await {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Runs HTTP/2 streams like connections: counted, and over when the provider stops.
#[derive(Clone)]
struct Executor {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Executor {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        drop(
            self.tasks
                .spawn(async move { stop.run_until_cancelled(task).await }),
        );
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, task: F) {
        self.run(task);
    }
}
