//! `hone sim`: a simulated OpenAI-compatible provider.
//!
//! It serves the demo, the tests, the benchmarks, and users who want to try limits and approaches
//! without a key. An answer is a `script` of bytes and waits that is settled before its first byte
//! leaves; a fault is an edit of that script. What the clients did is told by [`Stats`] and, if
//! asked for, by the requests themselves. All randomness comes from one seed, and does not depend
//! on the order in which concurrent requests arrive.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

mod ask;
mod auth;
mod chance;
mod chat;
mod digest;
mod embeddings;
mod exchange;
mod fault;
mod files;
mod hints;
mod knobs;
mod media;
mod messages;
mod record;
mod refusal;
mod responses;
mod routes;
mod script;
mod server;
mod stats;
mod text;

#[cfg(test)]
mod tests;

pub use auth::Slot;
pub use digest::KeyDigest;
pub use fault::{Fault, Injection};
pub use knobs::{Knobs, Latency, Reasoning, Strictness};
pub use record::Recorded;
pub use stats::Stats;

use exchange::Provider;

/// How a simulated provider is set up.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where it listens. Port 0 asks the system for a free one.
    pub listen: SocketAddr,
    /// The path before the endpoints, `/v1` by default: no slash at the end.
    pub base_path: String,
    /// The names under `/v1/models`. Any model name is served.
    pub models: Vec<String>,
    /// Keep the last requests for [`SimHandle::requests`].
    pub record: bool,
    /// All randomness comes from here.
    pub seed: u64,
    /// How it behaves until [`SimHandle::set`] says otherwise.
    pub knobs: Knobs,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            base_path: "/v1".to_owned(),
            models: ["sim-small", "sim-large"].map(str::to_owned).to_vec(),
            record: false,
            seed: 0,
            knobs: Knobs::default(),
        }
    }
}

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
