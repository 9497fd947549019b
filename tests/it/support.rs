//! Fixtures: a simulated provider, hone in front of it, and clients. A fixture that fails says so
//! in its own name. Only this file says where hone's modules are.

use std::time::Duration;

use tokio::time::timeout;

pub mod client;
pub mod frames;
pub mod head;
pub mod multiplexed;
pub mod process;
pub mod raw;
pub mod running;
pub mod setup;
pub mod sim;
pub mod solver;
pub mod tls;

pub use client::{Answer, Client, chat_body, chat_with};
pub use running::Hone;
pub use setup::hone;
pub use sim::upstream;
pub use solver::solver;

/// What the tests use of hone itself, beside its listeners.
pub mod parts {
    pub use hone::admission::TenantKey;
    pub use hone::app::App;
    pub use hone::commands::Args;
    pub use hone::config::{Config, ConfigErrors, KeyDigest};
    pub use hone::solver::{SolverPermit, Z3};
    pub use hone::telemetry::Telemetry;
    pub use hone::transport::drain::Drained;
    pub use hone::workers::Workers;
    pub use hone_sim::{
        Dialect, Fault, Injection, Knobs, Latency, Profile, Sim, SimConfig, SimHandle,
    };
}

/// Nothing that a test waits for takes longer, unless something hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `future`, which takes no longer than [`PATIENCE`].
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it ends in time")
}

/// The text of `bytes`.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}
