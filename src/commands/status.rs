//! How a command ended.

use std::process::ExitCode;

use super::signals::By;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With what was asked for.
    Done,
    /// With mistakes, which it has written out.
    Failed,
    /// With requests that it could not finish in time.
    Forced,
    /// By SIGINT, with everything finished.
    Interrupted,
}

impl From<By> for Status {
    fn from(by: By) -> Self {
        match by {
            By::Person => Self::Interrupted,
            By::Supervisor => Self::Done,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::SUCCESS,
            Status::Failed => Self::FAILURE,
            Status::Forced => Self::from(3),
            // 128 and the number of the signal, as shells say it.
            Status::Interrupted => Self::from(130),
        }
    }
}
