//! `load`: the client side of the benchmark. Each command prints its figures as one JSON object a
//! line; times are microseconds.
//!
//! It runs on one thread. What a connection sends is laid out before the clock starts, and answers
//! are framed but not parsed: the client shares its cores with what it measures. A failed request
//! is counted and named, and makes the figures worthless; `run.py` refuses them.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod events;
mod hold;
mod link;
mod output;
mod paced;
mod saturate;
mod streams;
mod tally;
mod target;
mod wire;

use output::say;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts load on a server and says how it went.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    load: Load,
}

#[derive(Debug, Subcommand)]
enum Load {
    /// Closed loop: each sender asks again when it has its answer
    Saturate(saturate::SaturateArgs),
    /// Open loop at a fixed rate: times count from when a request was due, however late it could be
    /// sent
    Paced(paced::PacedArgs),
    /// Reads streams to their end
    Streams(streams::StreamsArgs),
    /// Opens streams that stay open, says when all have begun, and counts those that end before
    /// standard input does
    Hold(hold::HoldArgs),
}

async fn run(load: Load) -> io::Result<()> {
    match load {
        Load::Saturate(args) => say(&saturate::run(args).await?),
        Load::Paced(args) => say(&paced::run(args).await?),
        Load::Streams(args) => say(&streams::run(args).await?),
        Load::Hold(args) => hold::run(args).await,
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the process says why it ends"
)]
fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.and_then(|runtime| {
        let result = runtime.block_on(run(args.load));
        // Standard input may still be waited for.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
