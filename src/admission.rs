//! Admission: how much of what each tenant, address and upstream may use, and whose turn it is.
//!
//! It has two halves, because the two questions need different knowledge. [`enter`] asks whether a
//! caller may do anything at all right now; it runs before the body is read. [`Entry::reserve`]
//! asks whether it may spend this much, which depends on the plan: five candidates cost five times
//! one. [`Admitted::call`] then covers every single upstream call, and its guard settles what the
//! call really used.
//!
//! Two promises hold throughout. A limit holds: in every window of time what was admitted is at
//! most the burst plus the rate times the window. And a rejected request costs nothing: all that
//! was taken before the refusal is given back exactly.
//!
//! Nothing here knows of HTTP, keys or models, but for [`headers`], which turns a status into
//! header values and is pure text.

mod address;
mod bytes;
mod call;
mod connections;
mod entry;
mod fair_queue;
mod gate;
pub(crate) mod headers;
mod output;
mod rate;
mod refused;
mod reservation;
mod shares;

pub(crate) use address::AddressGuard;
pub(crate) use address::AddressKey;
pub(crate) use bytes::ByteCount;
pub(crate) use call::CallGuard;
pub(crate) use connections::{OpenConnection, OpenConnections, fair_part, most_of_one};
pub(crate) use entry::Admitted;
pub(crate) use entry::Entry;
pub(crate) use entry::FirstWave;
pub(crate) use entry::PlanBound;
pub(crate) use entry::enter;
pub(crate) use entry::enter_again;
pub(crate) use entry::enter_aside;
pub(crate) use entry::enter_uncounted;
pub(crate) use fair_queue::FairQueue;
pub(crate) use fair_queue::QueueError;
pub(crate) use fair_queue::QueuePermit;
pub use fair_queue::TenantKey;
pub(crate) use gate::{Gate, RateStatus};
pub(crate) use refused::{CallRefused, Dimension, Refused, Scope};
pub(crate) use reservation::Estimate;
pub(crate) use shares::{Asker, Sharing};
