//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args as Arguments, Parser, Subcommand};
use serde_json::Value;

use crate::config::{AuthSlot, Config, ConfigErrors, ServeFlags};
use crate::demo::DemoArgs;
use crate::eval::EvalArgs;
use crate::sim::SimArgs;

/// A multi-tenant optimizing proxy for LLM APIs.
///
/// Clients set OPENAI_BASE_URL to it and keep sending their own API keys.
#[derive(Debug, Clone, Parser)]
#[command(name = "hone", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What hone can be asked to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Serve: by a configuration, by flags, or by what is usual
    #[command(
        about = "Serve: without a configuration on 127.0.0.1:8000, forwarding to \
            https://api.openai.com/v1"
    )]
    Serve(ServeArgs),
    /// Report every mistake in the configuration, its risks, and what it amounts to with secrets
    /// redacted
    ///
    /// Takes the same options as `serve`, reads what they name, and starts nothing. Exits with 1 if
    /// there are mistakes.
    Check(ServeArgs),
    /// Run a simulated OpenAI-compatible provider: no key, no network, no model
    Sim(SimArgs),
    /// Compare approaches on a simulated model: no key, no network, less than a minute
    Demo(DemoArgs),
    /// Ask a model every question of a dataset with every approach: accuracy, cost and time, beside
    /// a vote at equal spend
    Eval(EvalArgs),
    /// List every strategy: its slug, what it does, its paper, parameters and cost
    Strategies,
    /// Make gateway keys, and the digests that the configuration knows keys by
    #[command(subcommand)]
    Key(KeyCommand),
}

/// What `hone key` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum KeyCommand {
    /// Make a gateway key, and print it with its digest
    New,
    /// Print the digest of the key that is read from standard input
    Digest,
}

/// How to serve: by a file, or by a few flags.
#[derive(Debug, Clone, Default, Arguments)]
#[command(group = ArgGroup::new("flags").multiple(true).conflicts_with("config"))]
pub struct ServeArgs {
    /// The configuration, a TOML file; of the other options only --listen goes with it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where tenants connect: an IP address and a port (0 picks a free one) [default:
    /// 127.0.0.1:8000, or what the configuration says]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// The provider's base URL
    #[arg(long, help = "The provider's base URL [default: https://api.openai.com/v1]",
        visible_aliases = ["base-url"], alias = "base_url", value_name = "URL", group = "flags")]
    pub upstream: Option<String>,
    /// Where the provider reads its key: bearer, x-api-key, api-key, x-goog-api-key, or none if it
    /// needs no key [default: bearer]
    #[arg(long, value_name = "SLOT", value_parser = auth_slot, group = "flags")]
    pub auth: Option<AuthSlot>,
    /// The environment variable with a key for callers on this machine that send none
    #[arg(long, value_name = "VAR", group = "flags")]
    pub fallback_key_env: Option<String>,
    /// What runs for requests that choose nothing else, such as bon or re2&moa [default: none]
    #[arg(long, value_name = "EXPR", group = "flags")]
    pub approach: Option<String>,
    /// A strategy's parameter (see `hone strategies`); may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param, group = "flags")]
    pub params: Vec<(String, Value)>,
    /// The same as --param best_of_n=N
    #[arg(long, alias = "best_of_n", value_name = "N", group = "flags")]
    pub best_of_n: Option<u32>,
}

impl ServeArgs {
    /// Reads the configuration that these arguments name or describe. Reading again, after a signal
    /// to reload, gives what it says by then.
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        match &self.config {
            Some(path) => Config::load_with(path, self.listen),
            None => Config::default_for(&self.flags()),
        }
    }

    fn flags(&self) -> ServeFlags {
        let best_of_n = self.best_of_n.map(|n| ("best_of_n".to_owned(), n.into()));
        ServeFlags {
            listen: self.listen,
            upstream: self.upstream.clone(),
            auth: self.auth,
            fallback_key_env: self.fallback_key_env.clone(),
            approach: self.approach.clone(),
            params: self.params.iter().cloned().chain(best_of_n).collect(),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_error| "expected an IP address and a port, such as 127.0.0.1:8000 or [::1]:8000")
}

pub(crate) fn auth_slot(text: &str) -> Result<AuthSlot, String> {
    AuthSlot::named(text)
        .ok_or_else(|| "expected bearer, x-api-key, api-key, x-goog-api-key or none".to_owned())
}

/// `name=value`, where a value that is a number, `true`, `false` or a JSON list is one, and
/// anything else is a string.
pub(crate) fn param(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("expected NAME=VALUE")?;
    let literal = serde_json::from_str(value)
        .ok()
        .filter(|value: &Value| value.is_number() || value.is_boolean() || value.is_array());
    Ok((name.to_owned(), literal.unwrap_or_else(|| value.into())))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn serve(arguments: &[&str]) -> Result<ServeArgs, clap::Error> {
        match Args::try_parse_from(["hone", "serve"].iter().chain(arguments))?.command {
            Command::Serve(serve) => Ok(serve),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_configuration_excludes_every_flag_but_the_address() {
        assert!(serve(&["--config", "hone.toml", "--listen", "127.0.0.1:0"]).is_ok());
        let flags = [
            "--upstream=http://a",
            "--auth=none",
            "--fallback-key-env=KEY",
            "--approach=re2",
            "--param=a=1",
            "--best-of-n=2",
        ];
        for flag in flags {
            assert!(serve(&[flag]).is_ok(), "{flag}");
            let error = serve(&["--config", "hone.toml", flag]).unwrap_err();
            assert_eq!(
                error.kind(),
                clap::error::ErrorKind::ArgumentConflict,
                "{flag}"
            );
        }
    }

    #[test]
    fn optillms_names_for_flags_work() {
        for name in ["--upstream", "--base-url", "--base_url"] {
            assert_eq!(
                serve(&[name, "http://localhost:1/v1"])
                    .unwrap()
                    .upstream
                    .as_deref(),
                Some("http://localhost:1/v1")
            );
        }
        for name in ["--best-of-n", "--best_of_n"] {
            assert_eq!(
                serve(&[name, "5"]).unwrap().flags().params,
                [("best_of_n".to_owned(), 5.into())]
            );
        }
    }

    #[test]
    fn a_parameters_value_has_the_type_that_it_looks_like() {
        let arguments = [
            "--param=a=7",
            "--param=b=0.5",
            "--param=c=true",
            "--param=d=waves",
            "--param=e=x=y",
        ];
        let values: Vec<_> = serve(&arguments)
            .unwrap()
            .params
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        assert_eq!(
            values,
            [
                7.into(),
                0.5.into(),
                true.into(),
                Value::from("waves"),
                Value::from("x=y")
            ]
        );
        assert!(serve(&["--param", "a"]).is_err() && serve(&["--param", "=1"]).is_err());
    }

    #[test]
    fn flags_describe_a_configuration() {
        let arguments = [
            "--listen=127.0.0.1:0",
            "--upstream=http://localhost:11434/v1",
            "--auth=none",
            "--approach=re2",
        ];
        let config = serve(&arguments).unwrap().load().unwrap();
        assert_eq!(config.listen.port(), 0);
        assert_eq!(
            (
                config.upstreams[0].auth,
                config.approach.to_string().as_str()
            ),
            (AuthSlot::None, "re2")
        );
    }

    #[test]
    fn the_address_flag_replaces_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hone.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:8000\"").unwrap();
        let arguments = ["--config", path.to_str().unwrap(), "--listen", "0.0.0.0:7"];
        let config = serve(&arguments).unwrap().load().unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:7");
        assert_eq!(
            config.warnings.len(),
            1,
            "the risks are those of the address that is served"
        );
    }
}
