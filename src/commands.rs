//! The command line: what hone can be asked to do, and who does it.
//!
//! Each command owns its arguments and a `run`, which writes its answer where it is told to and
//! says whether what was asked for is well.

use std::io;

use clap::{Parser, Subcommand};

mod check;
mod demo;
#[cfg(feature = "eval")]
mod eval;
mod key;
mod serve;
mod signals;
mod sim;
mod status;
mod strategies;
mod values;
mod watch;

pub(crate) use status::Status;

/// A multi-tenant optimizing proxy for LLM APIs.
///
/// Clients set OPENAI_BASE_URL to it and keep sending their own API keys.
#[derive(Debug, Clone, Parser)]
#[command(name = "hone", version, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What hone can be asked to do.
#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Serve: by a configuration, by flags, or by what is usual
    #[command(
        about = "Serve: without a configuration on 127.0.0.1:8000, forwarding to \
            https://api.openai.com/v1"
    )]
    Serve(serve::ServeArgs),
    /// Report every mistake in the configuration, its risks, and the effective configuration with
    /// secrets redacted
    ///
    /// Takes the options of `serve`, reads what they name, and starts nothing. Exits with 1 if
    /// there are mistakes or, with --connect, an upstream does not work.
    Check(check::CheckArgs),
    /// Run a simulated provider of OpenAI, Anthropic and Gemini: no key, no network, no model
    Sim(sim::SimArgs),
    /// Compare approaches on a simulated model: no key, no network, less than a minute
    Demo(demo::DemoArgs),
    /// Ask a model every question of a dataset with every approach: accuracy, cost and time, beside
    /// a vote at equal spend
    #[cfg(feature = "eval")]
    Eval(Box<eval::EvalArgs>),
    /// List every strategy: its slug, what it does, its paper, parameters and cost
    Strategies(strategies::StrategiesArgs),
    /// Make gateway keys, and the digests that the configuration knows keys by
    #[command(subcommand)]
    Key(key::KeyCommand),
}

/// Does what `args` ask for, with the process's own input and output.
///
/// # Errors
///
/// When the system refuses what the command needs, or its output cannot be written.
pub fn run(args: Args) -> io::Result<Status> {
    leave_no_core()?;
    let out = &mut io::stdout();
    match args.command {
        Command::Check(args) => check::run(&args, out),
        Command::Demo(args) => demo::run(&args, out),
        #[cfg(feature = "eval")]
        Command::Eval(args) => eval::run(&args, out),
        Command::Key(command) => key::run(command, &mut io::stdin(), out),
        Command::Serve(args) => serve::run(&args),
        Command::Sim(args) => sim::run(&args, out),
        Command::Strategies(args) => strategies::run(&args, out),
    }
}

/// Keys are in memory, and a core file would keep them.
#[cfg(unix)]
fn leave_no_core() -> io::Result<()> {
    rlimit::setrlimit(rlimit::Resource::CORE, 0, 0)
}

#[cfg(not(unix))]
fn leave_no_core() -> io::Result<()> {
    Ok(())
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
