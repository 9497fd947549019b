//! `hone check`: is this configuration right, what should its operator know, and what does it
//! amount to?

use std::io::{self, Write};

use clap::Args;
use tokio::runtime::Builder;

use self::keys::{KeyEnv, Keys};
use super::serve::ServeArgs;
use super::status::Status;
use crate::app::{self, memory};
use crate::config::{Bounds, TAKES_A_RESTART};
use crate::snapshot::Snapshot;

mod connect;
mod keys;

/// What to check.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Also ask every upstream for its models, and make at most five calls of at most 16 tokens
    /// each: does the URL, TLS, the key, the dialect, streaming, `n`, logprobs work?
    #[arg(long)]
    connect: bool,
    /// The environment variable with the key to ask with: VARIABLE for the first upstream,
    /// UPSTREAM=VARIABLE for another; may be repeated. Without it, the upstream's fallback key
    #[arg(long, value_name = "VAR", requires = "connect", value_parser = keys::key_env)]
    key_env: Vec<KeyEnv>,
    /// Check a configuration where its secrets are not: those that cannot be read count as there
    #[arg(long, requires = "config", conflicts_with = "connect")]
    without_secrets: bool,
    /// The model to ask, instead of one that the upstream lists
    #[arg(long, value_name = "MODEL", requires = "connect")]
    model: Option<String>,
}

/// Writes every mistake, or else the warnings, the sum of the bounds of memory, and the
/// effective configuration as TOML with secrets redacted. Starts nothing.
pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> io::Result<Status> {
    let config = match args.serve.load_as(args.without_secrets) {
        Ok(config) => config,
        Err(errors) => {
            for mistake in errors.lines() {
                writeln!(out, "error: {mistake}")?;
            }
            return Ok(Status::Failed);
        }
    };
    // What `serve` does before it listens: whatever stops it there is told here.
    let snapshot = match app::prepare(config) {
        Ok((snapshot, _tls)) => snapshot,
        Err(error) => {
            writeln!(out, "error: {error}")?;
            return Ok(Status::Failed);
        }
    };
    let config = &snapshot.config;
    for warning in &config.warnings {
        writeln!(out, "# warning: {warning}")?;
    }
    writeln!(out, "{}", connections(&config.bounds))?;
    let effective = config.effective().map_err(io::Error::other)?;
    writeln!(
        out,
        "# A reload (SIGHUP) changes everything but: {}. These take a restart.",
        TAKES_A_RESTART.join(", ")
    )?;
    for line in memory::report(config) {
        writeln!(out, "# {line}")?;
    }
    writeln!(out, "# The effective configuration.\n{effective}")?;
    if args.connect {
        return connect(&snapshot, args, out);
    }
    Ok(Status::Done)
}

/// Asks the upstreams.
fn connect(snapshot: &Snapshot, args: &CheckArgs, out: &mut impl Write) -> io::Result<Status> {
    let names: Vec<_> = snapshot
        .config
        .upstreams
        .iter()
        .map(|each| &*each.name)
        .collect();
    let keys = Keys::read(&args.key_env, &names)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asking = connect::run(snapshot, (&keys, args.model.as_deref()), out);
    runtime.block_on(asking)
}

/// What is not in the configuration where it names no number: how many connections there may be.
fn connections(bounds: &Bounds) -> String {
    let all = app::connections(bounds);
    let of_one = app::of_one_address(bounds, all);
    let why = if bounds.connections.is_some() {
        ""
    } else {
        ", half of the open files that a process may have here"
    };
    format!("# Connections: {all} at once{why}; {of_one} of one address.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn check(config: &str) -> (Status, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hone.toml");
        std::fs::write(&path, config).unwrap();
        std::fs::write(directory.path().join("key"), "sk-secret").unwrap();
        let mut out = Vec::new();
        let status = run(
            &CheckArgs {
                serve: ServeArgs {
                    config: Some(path),
                    ..ServeArgs::default()
                },
                ..CheckArgs::default()
            },
            &mut out,
        )
        .unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_mistake_is_written_and_the_exit_code_says_so() {
        let (status, out) = check("listen = 1\naccess = \"shut\"\n");
        assert_eq!(status, Status::Failed);
        assert_eq!(
            out.lines()
                .filter(|line| line.starts_with("error: "))
                .count(),
            2,
            "{out}"
        );
    }

    #[test]
    fn what_is_right_is_written_as_toml_with_its_risks_and_without_its_secrets() {
        let (status, out) = check(
            "listen = \"0.0.0.0:8000\"\n[[upstream]]\nname = \"a\"\nbase_url \
                = \"https://a.example/v1\"\n\
             fallback_key = { file = \"key\" }\nfallback_for = \"anyone\"\n",
        );
        assert_eq!(status, Status::Done);
        assert_eq!(out.matches("# warning: ").count(), 3, "{out}");
        assert!(
            out.contains("fallback_key = \"redacted\"") && !out.contains("sk-secret"),
            "{out}"
        );
        assert!(out.parse::<toml::Table>().is_ok(), "{out}");
    }

    #[test]
    fn an_approach_that_lacks_its_solver_is_warned_of_wherever_it_is_named() {
        let named = "approach = \"re2\"\n[[tenant]]\nname = \"a\"\nprovider_keys = \
            [\"sha256:KEY\"]\napproaches = [\"bon\", \"z3\"]\napproach = \"z3|bon\"\n\
             [[model]]\nname = \"prover\"\nmodel = \"m\"\napproach = \"re2&z3\"\n";
        let named = named.replace("KEY", &"5".repeat(64));
        let paths = |out: &str| -> Vec<String> {
            let warnings = out
                .lines()
                .filter_map(|line| line.strip_prefix("# warning: "))
                .filter(|warning| warning.contains("z3"));
            warnings
                .filter_map(|warning| Some(warning.split_once(": ")?.0.to_owned()))
                .collect()
        };
        let (status, out) = check(&format!("solver = \"off\"\n{named}"));
        assert_eq!(status, Status::Done, "{out}");
        assert_eq!(
            paths(&out),
            [
                "tenant[0].approach",
                "tenant[0].approaches",
                "model[0].approach"
            ],
            "{out}"
        );
        let (_, out) = check("solver = \"off\"\napproach = \"re2\"\n");
        assert_eq!(paths(&out).len(), 0, "{out}");
    }

    #[test]
    fn the_connections_that_there_may_be_are_told() {
        let told = |bounds: &str| {
            let (_, out) = check(&format!("[bounds]\n{bounds}"));
            let line = out.lines().find(|line| line.starts_with("# Connections: "));
            line.unwrap().to_owned()
        };
        assert_eq!(
            told("connections = 1000"),
            "# Connections: 1000 at once; 750 of one address."
        );
        let of_one = told("connections = 1000\nconnections_per_address = 9");
        assert!(of_one.ends_with("; 9 of one address."), "{of_one}");
        assert!(told("").contains("half of the open files"), "{}", told(""));
    }

    #[test]
    fn the_effective_defaults_are_a_configuration() {
        let mut out = Vec::new();
        assert_eq!(run(&CheckArgs::default(), &mut out).unwrap(), Status::Done);
        assert!(Config::parse(std::str::from_utf8(&out).unwrap(), &|_| None).is_ok());
    }

    #[test]
    fn what_stops_serve_before_it_listens_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["certificate.pem", "key.pem"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let at = |file: &str| folder.path().join(file).display().to_string();
        let files = [at("certificate.pem"), at("key.pem")];
        let text = format!(
            "[tls]\ncertificate = '{}'\nkey = '{}'\n",
            files[0], files[1]
        );
        let (status, out) = check(&text);
        assert_eq!(status, Status::Failed);
        assert!(
            out.starts_with("error: ") && out.contains("key.pem"),
            "{out}"
        );
    }
}
