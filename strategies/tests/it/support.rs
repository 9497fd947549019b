//! A model by script, and runs on it in virtual time.

mod fake;
mod parts;
mod trial;

pub(crate) use self::fake::{Fake, FakeSolver, Reply, Seen};
pub(crate) use self::parts::{plays, rejected, reply, says};
pub(crate) use self::trial::{Finished, Trial};
