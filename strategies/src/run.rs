//! The metered handle: the only thing through which a strategy can act.
//!
//! Every call reserves from the run's budget, waits for its turn, ends at the deadline, settles
//! what it used and leaves a record. Dropping a run's future drops every call under way: nothing
//! here spawns. What a strategy draws from [`Run::rng`] depends on the run's seed alone, never on
//! which call was faster.

pub(crate) mod account;
pub(crate) mod budget;
mod call;
mod candidate;
pub(crate) mod event;
mod gather;
pub(crate) mod halt;
mod handle;
mod judge;
mod manner;
mod meter;
pub(crate) mod options;
mod race;
mod respond;
mod retry;
mod sample;
pub(crate) mod sub_call;
pub(crate) mod trace;
mod waiting;
mod watch;

pub(crate) use self::candidate::{Candidate, Candidates};
pub(crate) use self::gather::{NoRefill, Patience, Refill};
pub(crate) use self::handle::{Run, SolveError};
pub(crate) use self::manner::{Ballot, Judging, Manner, Rule, Sampling, Stopping, WAVE};
pub(crate) use self::respond::{Answer, TextFilter};
pub(crate) use self::sub_call::SubCall;
pub(crate) use self::watch::{Observer, Watch};
