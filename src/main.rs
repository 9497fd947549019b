//! The `hone` binary: reads its arguments, runs one command, and exits with what came of it.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use hone::args::{Args, Command};
use hone::{commands, demo, eval, serve};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Check(args) => commands::check::run(&args, &mut io::stdout()).map(ExitCode::from),
        Command::Demo(args) => demo::run(&args, &mut io::stdout()).map(ExitCode::from),
        Command::Eval(args) => eval::run(&args, &mut io::stdout()).map(ExitCode::from),
        Command::Key(command) => {
            commands::key::run(command, &mut io::stdin(), &mut io::stdout()).map(ExitCode::from)
        }
        Command::Serve(args) => serve::run(&args).map(ExitCode::from),
        Command::Sim(args) => serve::sim(&args).map(ExitCode::from),
        Command::Strategies => commands::strategies::run(&mut io::stdout()).map(ExitCode::from),
    };
    match result {
        Ok(code) => code,
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
    eprintln!("hone: {error}");
}
