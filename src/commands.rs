//! The commands that answer at once and serve nothing.
//!
//! Each writes its answer where it is told to, and says whether what was asked for is well.

use std::process::ExitCode;

pub mod check;
pub mod key;
pub mod strategies;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With what was asked for.
    Done,
    /// With mistakes, which it has written out.
    Failed,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::SUCCESS,
            Status::Failed => Self::FAILURE,
        }
    }
}
