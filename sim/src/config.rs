//! How a provider is set up.

use std::net::{Ipv4Addr, SocketAddr};

use crate::knobs::Knobs;

/// How a simulated provider is set up.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where it listens. Port 0 asks the system for a free one.
    pub listen: SocketAddr,
    /// The path before the endpoints, `/v1` by default: no slash at the end.
    pub base_path: String,
    /// The names under `/v1/models`. Any model name is served.
    pub models: Vec<String>,
    /// Keep the last requests for [`crate::SimHandle::requests`].
    pub record: bool,
    /// All randomness comes from here.
    pub seed: u64,
    /// How it behaves until [`crate::SimHandle::set`] says otherwise.
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
