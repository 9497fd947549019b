//! hone: a multi-tenant optimizing proxy for LLM APIs.
//!
//! A client sets `OPENAI_BASE_URL` to hone and sends its own API key. hone forwards the request
//! with that key, or answers it by an approach that asks the model several times, and limits what
//! each key may use. This crate is the proxy and the one binary; the approaches are
//! `hone-strategies`, which knows nothing of HTTP.
//!
//! Most of it is private: run `cargo doc --document-private-items`, and read `ARCHITECTURE.md`
//! beside it. That has the list of floors: a module uses only what stands below it.
//!
//! # The life of a request
//!
//! A chain of types, so that no stage can be skipped:
//!
//! ```text
//! Inbound → Principal → Entry → (body) Envelope → Plan → Admitted → Reply → Response
//!  accept   identify    enter     peek             plan   reserve    execute  encode
//! ```
//!
//! - `transport` accepts connections and bounds what a client may hold open.
//! - `request::route` finds the endpoint, `tenant::identify` the caller: [`tenant`] is the one
//!   resolver of keys.
//! - `admission::enter` asks whether the caller may do anything now, before the body is read;
//!   `Entry::reserve` takes what the plan may need, and each call settles what it has used.
//! - `request::envelope` reads the few fields of the body that matter; the bytes stay as they came.
//! - `request::plan` decides: relay, or which strategy, at which upstream.
//! - `answer::relay` forwards bytes; `answer::run` runs a strategy over `upstream::model`.
//! - `answer::encode` makes the response, from a reply or from any error.
//!
//! `flow` holds the middle of that chain, a readable function a stage.
//!
//! # What always holds
//!
//! No task outlives its request: dropping the response's body cancels every call under way. No call
//! reaches an upstream without a permit from [`admission`]. What a stage refuses is a variant of
//! its own error, and one total function turns errors into responses. A panic is no way to refuse:
//! lints ban `unwrap`, `expect` and indexing.
//!
//! # In another process
//!
//! Tests, and programs that want a proxy of their own, start one from a configuration:
//!
//! ```
//! use hone::app::App;
//! use hone::config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let file = r#"
//!     listen = "127.0.0.1:0"
//!     [[upstream]]
//!     name = "local"
//!     base_url = "http://127.0.0.1:11434/v1"
//!     auth = "none"
//! "#;
//! let config = Config::parse(file, &|_name| None)?;
//! let app = App::start(config)?;
//! assert!(app.address().port() != 0);
//! app.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```

pub mod admission;
pub mod answer;
pub mod api;
pub mod app;
pub mod commands;
pub mod config;
pub(crate) mod flow;
pub mod models;
pub mod request;
pub mod snapshot;
pub mod solver;
pub mod sse;
pub mod telemetry;
pub mod tenant;
pub mod transport;
pub(crate) mod upstream;
pub mod usage;
pub mod workers;
