//! A provider as a value: it serves until it is dropped.

use std::io;
use std::net::SocketAddr;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::SimConfig;
use crate::exchange::Provider;
use crate::knobs::Knobs;
use crate::server;
use crate::stats::{Recorded, Stats};

/// The simulated provider; see [`Sim::start`].
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Starts serving HTTP/1.1 and HTTP/2 (prior knowledge) in the background until the handle is
    /// dropped. Fails if the address cannot be bound.
    pub async fn start(config: SimConfig) -> io::Result<SimHandle> {
        let listener = tokio::net::TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let base_path = config.base_path.clone();
        let provider = Provider::new(config);
        server::spawn(listener, provider.clone(), stop.clone(), tasks.clone());
        Ok(SimHandle {
            address,
            base_path,
            provider,
            tasks,
            stop: stop.drop_guard(),
        })
    }
}

/// A running provider. Dropping it closes every connection.
#[derive(Debug)]
pub struct SimHandle {
    address: SocketAddr,
    base_path: String,
    provider: Provider,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl SimHandle {
    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What a client sets as its base URL, e.g. `http://127.0.0.1:9000/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.base_path)
    }

    /// The same without a path, as clients of Anthropic and Gemini want it.
    pub fn root_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.provider.ledger().stats()
    }

    /// Waits until `condition` holds, and returns the figures of that moment. Cancel safe.
    pub async fn wait_until(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        self.provider.ledger().wait_until(condition).await
    }

    /// The last requests, oldest first, each from when its body was complete. Empty unless
    /// [`SimConfig::record`] is set.
    pub fn requests(&self) -> Vec<Recorded> {
        self.provider.ledger().requests()
    }

    /// Replaces the knobs for requests that arrive from now on. Injections count anew.
    pub fn set(&self, knobs: Knobs) {
        self.provider.set(knobs);
    }

    /// Closes the listener and every connection at once, and waits until they are gone.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}
