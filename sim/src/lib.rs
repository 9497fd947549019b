//! A simulated provider: no key, no network, no model.
//!
//! It speaks OpenAI's chat completions and Responses, Anthropic's Messages and Gemini, all at once,
//! and shares no code with what hone reads and writes of them.
//!
//! It serves the demo, the tests, the benchmarks, and users who want to try limits and approaches
//! without a key (`hone sim`). It listens on a port of its own and speaks HTTP/1.1 and HTTP/2, so
//! that what is tested against it is tested through sockets.
//!
//! # Starting one
//!
//! [`Sim::start`] binds an address and serves until the [`SimHandle`] is dropped.
//! [`SimHandle::base_url`] is what a client is given.
//!
//! ```
//! use hone_sim::{Fault, Knobs, Sim, SimConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let sim = Sim::start(SimConfig {
//!     knobs: Knobs {
//!         content: Some("Seven of nine.".to_owned()),
//!         ..Knobs::default()
//!     },
//!     ..SimConfig::default()
//! })
//! .await?;
//! println!("OPENAI_BASE_URL={}", sim.base_url());
//!
//! // From now on every request fails in the middle of its answer.
//! sim.set(Knobs {
//!     faults: vec![Fault::CutMidBody.into()],
//!     ..Knobs::default()
//! });
//! assert_eq!(sim.stats().total_calls(), 0);
//! sim.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it behaves
//!
//! [`Knobs`] say it: how long an answer takes, what it says, which keys are accepted, which fields
//! are ignored or refused, and what goes wrong how often ([`Fault`]). They hold for all requests
//! until [`SimHandle::set`] or `POST /sim/knobs` changes them, and a `sim` member in the body of a
//! request changes them for that request alone.
//!
//! With [`Knobs::task`] it answers questions whose right answers are known, as often right as the
//! task model says; judges and syntheses have stated reliabilities. Strategies are compared with
//! theory in this way.
//!
//! # What it has seen
//!
//! [`Stats`] counts requests, cancellations, tokens and connections; [`SimHandle::wait_until`]
//! waits for a figure without sleeping. [`SimHandle::requests`] has the last requests byte for
//! byte, if [`SimConfig::record`] is set. Keys appear as digests only ([`KeyDigest`]).
//!
//! # What can be relied on
//!
//! An answer is a script of bytes and waits that is settled before its first byte leaves; a fault
//! is an edit of that script. All randomness comes from one seed, and does not depend on the order
//! in which concurrent requests arrive.

mod ask;
mod auth;
mod chance;
mod config;
mod endpoints;
mod exchange;
mod fault;
mod handle;
mod key;
mod knobs;
mod profile;
mod refusal;
mod routes;
mod script;
mod server;
mod stats;
mod text;
mod voice;

#[cfg(test)]
mod tests;

pub use config::SimConfig;
pub use fault::{Bomb, Fault, Injection};
pub use handle::{Sim, SimHandle};
pub use key::{KeyDigest, Slot};
pub use knobs::{Ending, Knobs, Latency, OddReport, Reasoning, Strictness, UsageReport};
pub use profile::Profile;
pub use stats::{Recorded, Stats};
pub use voice::Dialect;
