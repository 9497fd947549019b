//! hone: a multi-tenant optimizing proxy for LLM APIs.
//!
//! The life of a request is a chain of types, so that no stage can be skipped:
//!
//! ```text
//! Inbound → Principal → Entry → (body) Envelope → Plan → Admitted → Reply → Response
//!  accept   identify    enter     peek             plan   reserve    execute  encode
//! ```
//!
//! `flow` holds the middle of that chain as one readable function; `ARCHITECTURE.md` holds the
//! map.

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
