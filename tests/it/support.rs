//! Fixtures: a simulated provider, hone in front of it, and clients. A fixture that fails says so
//! in its own name.

use std::net::SocketAddr;

use hone::app::App;
use hone::config::Config;
use hone_sim::{Sim, SimConfig, SimHandle};

pub mod client;
pub mod frames;
pub mod raw;
pub mod tls;

pub use client::{Answer, Client, chat_body};

/// A simulated provider that records what reaches it.
pub async fn upstream() -> SimHandle {
    Sim::start(SimConfig {
        record: true,
        ..SimConfig::default()
    })
    .await
    .expect("fixture: the simulated provider starts")
}

/// hone, configured by a text as an operator would write it.
pub fn hone(config: &str) -> App {
    hone_with_env(config, |_| None)
}

/// The same, with environment variables that the text may name.
pub fn hone_with_env(config: &str, env: impl Fn(&str) -> Option<String>) -> App {
    let text = format!("listen = \"127.0.0.1:0\"\n{config}");
    let config = Config::parse(&text, &env)
        .unwrap_or_else(|errors| panic!("fixture: the configuration is right: {errors}"));
    App::start(config).expect("fixture: hone starts")
}

/// hone in front of `upstream`, with nothing else said.
pub fn hone_before(upstream: &SimHandle) -> App {
    hone(&table(upstream))
}

/// The same on a machine without a solver.
pub fn hone_without_solver(upstream: &SimHandle) -> App {
    hone(&format!("solver = \"off\"\n{}", table(upstream)))
}

/// An `[[upstream]]` table for `upstream`; lines that belong to it may follow.
pub fn table(upstream: &SimHandle) -> String {
    table_at("sim", upstream.addr())
}

/// An `[[upstream]]` table for whatever listens at `address`.
pub fn table_at(name: &str, address: SocketAddr) -> String {
    format!("[[upstream]]\nname = \"{name}\"\nbase_url = \"http://{address}/v1\"\n")
}
