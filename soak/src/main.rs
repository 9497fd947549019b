//! hone under load and faults: real processes of `hone serve` and `hone sim`, hundreds of tenants,
//! clients that leave, an upstream that fails in every way, reloads every second, hostile
//! connections, `kill -9` and SIGTERM. Afterwards the sums must be right and nothing may be left.
//!
//! ```sh
//! cargo build --release --workspace
//! target/release/hone-soak --seconds 20
//! ```
//!
//! It exits with 1 and says what was wrong, if anything was.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

mod client;
mod figures;
mod findings;
mod hostile;
mod phases;
mod process;
mod stage;
mod traffic;
mod verdict;

use findings::Findings;
use stage::Stage;
use tokio::time::Instant;

/// An error that ends the whole run: the harness itself cannot go on.
type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Runs hone under load and faults, and checks its sums.
#[derive(Debug, Clone, Parser)]
#[command(name = "hone-soak", version)]
struct Args {
    /// The program under test [default: `hone` beside this program]
    #[arg(long, value_name = "FILE")]
    hone: Option<PathBuf>,
    /// About how long all of it takes
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    seconds: u32,
    /// Tenants, each with a key of its own
    #[arg(long, default_value_t = 200)]
    tenants: u32,
    /// Clients that send at once
    #[arg(long, default_value_t = 96)]
    clients: u32,
    /// Idle connections that hostile addresses try to open
    #[arg(long, default_value_t = 5_000)]
    idle_connections: u32,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Args {
    /// A part of the whole time, in hundredths.
    fn share(&self, hundredths: u32) -> Duration {
        Duration::from_millis(u64::from(self.seconds) * u64::from(hundredths) * 10)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut findings = Findings::default();
    let mut out = io::stdout();
    let told = match run(&args, &mut findings).await {
        Ok(()) => writeln!(out, "{findings}"),
        Err(error) => {
            findings.wrong(format!("the run could not go on: {error}"));
            writeln!(out, "{findings}")
        }
    };
    if told.is_ok() && findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(args: &Args, findings: &mut Findings) -> Result<(), Fatal> {
    rlimit::increase_nofile_limit(rlimit::INFINITY)?;
    let began = Instant::now();
    let mut stage = Stage::set(args).await?;
    begins("calm", began)?;
    phases::calm::play(args, &mut stage, findings).await?;
    begins("storm", began)?;
    phases::storm::play(args, &mut stage, findings).await?;
    begins("victim", began)?;
    phases::victim::play(args, &mut stage, findings).await?;
    begins("kill", began)?;
    phases::kill::play(args, &mut stage, findings).await?;
    begins("terminate", began)?;
    phases::terminate::play(args, &mut stage, findings).await?;
    stage.strike(findings).await;
    Ok(())
}

/// Says how far a long run is.
fn begins(phase: &str, began: Instant) -> io::Result<()> {
    writeln!(io::stderr(), "{:>5} s: {phase}", began.elapsed().as_secs())
}
