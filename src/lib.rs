//! hone: a multi-tenant optimizing proxy for LLM APIs.
//!
//! The life of a request is a chain of types, so that no stage can be skipped:
//!
//! ```text
//! Inbound → Principal → Entry → (body) Envelope → Plan → Admitted → Reply → Response
//!  accept   identify    enter     peek             plan   reserve    execute  encode
//! ```
//!
//! `pipeline` holds the middle of that chain as one readable function; `ARCHITECTURE.md` holds the map.

pub mod admission;
pub mod args;
pub mod commands;
pub mod config;
pub mod envelope;
pub mod sim;
pub mod sse;
pub mod tenant;
pub mod usage;
