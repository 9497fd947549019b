//! The `hone` binary: reads its arguments, runs one command, and exits with what came of it.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use hone::commands::{self, Args};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(Args::parse()) {
        Ok(status) => status.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the process says why it ends"
)]
fn complain(error: &io::Error) {
    eprintln!("error: {error}");
}
