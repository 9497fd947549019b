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
pub mod headers;
mod output;
mod rate;
mod refused;
mod reservation;
mod shares;

pub use address::{AddressGuard, AddressKey};
pub use bytes::ByteCount;
pub use call::CallGuard;
pub use connections::{OpenConnection, OpenConnections};
pub use entry::{Admitted, Entry, FirstWave, PlanBound, enter, enter_uncounted};
pub use fair_queue::{FairQueue, QueueError, QueuePermit, TenantKey};
pub use gate::{Gate, RateStatus};
pub use refused::{CallRefused, Dimension, Refused, Scope};
pub use reservation::Estimate;
pub use shares::{Asker, Sharing};
