//! hone under load and faults: real processes of `hone serve` and `hone sim`, hundreds of tenants,
//! clients that leave, an upstream that fails in every way, reloads every second, hostile
//! connections, readers that do not read, JSON bombs, `kill -9` and SIGTERM. Afterwards the sums
//! must be right and nothing may be left.
//!
//! ```sh
//! cargo build --release --workspace
//! target/release/hone-soak --seconds 20
//! ```
//!
//! It exits with 1 and says what was wrong, if anything was.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

mod aliases;
mod args;
mod bombs;
mod client;
mod fatal;
mod figures;
mod findings;
mod group;
mod hostile;
mod kind;
mod phases;
mod process;
mod stage;
mod stuck;
mod traffic;
mod verdict;

use args::Args;
use fatal::Fatal;
use findings::Findings;
use stage::Stage;
use tokio::time::Instant;

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
    let mut stage = Stage::set(args).await?;
    if let Err(error) = play(args, &mut stage, findings).await {
        // Most of what cannot go on without hone says no more than that it cannot.
        let end = stage.end().map(|end| format!("{end}; {error}").into());
        return Err(end.unwrap_or(error));
    }
    stage.strike(findings).await;
    Ok(())
}

async fn play(args: &Args, stage: &mut Stage, findings: &mut Findings) -> Result<(), Fatal> {
    let began = Instant::now();
    begins("calm", began)?;
    phases::calm::play(args, stage, findings).await?;
    begins("storm", began)?;
    phases::storm::play(args, stage, findings).await?;
    begins("siege", began)?;
    phases::siege::play(args, stage, findings).await?;
    begins("victim", began)?;
    phases::victim::play(args, stage, findings).await?;
    begins("kill", began)?;
    phases::kill::play(args, stage, findings).await?;
    begins("terminate", began)?;
    phases::terminate::play(args, stage, findings).await
}

/// Says how far a long run is.
fn begins(phase: &str, began: Instant) -> io::Result<()> {
    writeln!(io::stderr(), "{:>5} s: {phase}", began.elapsed().as_secs())
}
