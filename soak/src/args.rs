//! What is asked of a run on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Runs hone under load and faults, and checks its sums.
#[derive(Debug, Clone, Parser)]
#[command(name = "hone-soak", version)]
pub(crate) struct Args {
    /// The program under test [default: `hone` beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) hone: Option<PathBuf>,
    /// About how long all of it takes
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub(crate) seconds: u32,
    /// Tenants, each with a key of its own
    #[arg(long, default_value_t = 200)]
    pub(crate) tenants: u32,
    /// Clients that send at once
    #[arg(long, default_value_t = 96)]
    pub(crate) clients: u32,
    /// Idle connections that hostile addresses try to open
    #[arg(long, default_value_t = 5_000)]
    pub(crate) idle_connections: u32,
    /// MiB of the control group that hone runs in, where one can be made; 0: none
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    pub(crate) memory: u64,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

impl Args {
    /// A part of the whole time, in hundredths.
    pub(crate) fn share(&self, hundredths: u32) -> Duration {
        Duration::from_millis(u64::from(self.seconds) * u64::from(hundredths) * 10)
    }
}
