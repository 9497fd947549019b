//! `hone serve`: a runtime, a server, and the signals that end or reload it.

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde_json::Value;
use tokio::runtime::Builder;

use super::signals::{By, Received, Signals};
use super::status::Status;
use super::values::{address, auth_slot, param};
use super::watch::Watch;
use crate::app::App;
use crate::config::{AuthSlot, Config, ConfigErrors, LogFormat, ServeFlags};
use crate::telemetry;
use crate::transport::drain::Drained;
use crate::workers::Workers;

/// How to serve: by a file, or by a few flags.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("flags").multiple(true).conflicts_with("config"))]
pub(super) struct ServeArgs {
    /// The configuration, a TOML file; cannot be combined with other options, except --listen
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where tenants connect: an IP address and a port (0 picks a free one) [default:
    /// 127.0.0.1:8000, or what the configuration says]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,
    /// The port, where the address is as usual: the same as --listen 127.0.0.1:PORT
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    pub(super) port: Option<u16>,
    /// The provider's base URL
    #[arg(long, help = "The provider's base URL [default: https://api.openai.com/v1]",
        visible_aliases = ["base-url"], alias = "base_url", value_name = "URL", group = "flags")]
    pub(super) upstream: Option<String>,
    /// Where the provider reads its key: bearer, x-api-key, api-key, x-goog-api-key, or none if it
    /// needs no key [default: bearer]
    #[arg(long, value_name = "SLOT", value_parser = auth_slot, group = "flags")]
    pub(super) auth: Option<AuthSlot>,
    /// The environment variable with a key for callers on this machine that send none
    #[arg(long, value_name = "VAR", group = "flags")]
    pub(super) fallback_key_env: Option<String>,
    /// What runs for requests that choose nothing else, such as bon or re2&moa [default: none]
    #[arg(long, value_name = "EXPR", group = "flags")]
    pub(super) approach: Option<String>,
    /// A strategy's parameter (see `hone strategies`); may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param, group = "flags")]
    pub(super) params: Vec<(String, Value)>,
    /// The same as --param best_of_n=N
    #[arg(long, alias = "best_of_n", value_name = "N", group = "flags")]
    pub(super) best_of_n: Option<u32>,
}

impl ServeArgs {
    /// Reads the configuration that these arguments name or describe. Reading again, after a signal
    /// to reload, gives what it says by then.
    pub(super) fn load(&self) -> Result<Config, ConfigErrors> {
        self.load_as(false)
    }

    /// The same; `without_secrets` those that cannot be read count as there.
    pub(super) fn load_as(&self, without_secrets: bool) -> Result<Config, ConfigErrors> {
        match &self.config {
            Some(path) => Config::load(path, self.address(), without_secrets),
            None => Config::default_for(&self.flags()),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        let port = self.port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        self.listen.or(port)
    }

    fn flags(&self) -> ServeFlags {
        let best_of_n = self.best_of_n.map(|n| ("best_of_n".to_owned(), n.into()));
        ServeFlags {
            listen: self.address(),
            upstream: self.upstream.clone(),
            auth: self.auth,
            fallback_key_env: self.fallback_key_env.clone(),
            approach: self.approach.clone(),
            params: self.params.iter().cloned().chain(best_of_n).collect(),
        }
    }
}

/// Serves until SIGTERM or SIGINT, then drains. SIGHUP reloads the configuration.
///
/// # Errors
///
/// When the system refuses what a server needs: threads, signals, an address, a TLS file.
pub(super) fn run(args: &ServeArgs) -> io::Result<Status> {
    let config = match args.load() {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes.lines() {
                writeln!(io::stderr(), "error: {mistake}")?;
            }
            return Ok(Status::Failed);
        }
    };
    let json = match config.log.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let _pending = telemetry::log::init(json, &config.log.filter);
    // Accepts connections and hears signals; the workers do the rest.
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(args, config))
}

async fn serve(args: &ServeArgs, config: Config) -> io::Result<Status> {
    let mut signals = Signals::new()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let workers = Arc::new(Workers::start()?);
    let path = args.config.as_deref();
    let mut watch = Watch::new(path, &config.files);
    let app = App::start_on(Some(workers), config).map_err(io::Error::other)?;
    announce(&app);
    let by = loop {
        tokio::select! {
            received = signals.next() => match received {
                Received::Reload => {}
                Received::End(by) => break by,
            },
            () = watch.changed() => tracing::info!("the configuration's files have changed"),
        }
        reload(args, &app, &mut watch);
    };
    let delay = app.leave();
    if by == By::Supervisor && !delay.is_zero() {
        tracing::info!("leaving: /readyz says 503; accepting for another {delay:?}");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = signals.end() => {}
        }
    }
    Ok(drain(&app, &mut signals, by).await)
}

/// Finishes what runs; a second signal to end makes it hurry.
async fn drain(app: &App, signals: &mut Signals, by: By) -> Status {
    tracing::info!("draining: no new connections; what runs may finish");
    let mut draining = pin!(app.shutdown());
    let drained = loop {
        tokio::select! {
            biased;
            drained = draining.as_mut() => break drained,
            _ = signals.end() => app.hurry(),
        }
    };
    match drained {
        Drained::Clean => {
            tracing::info!("drained");
            by.into()
        }
        Drained::Forced { connections } => {
            tracing::warn!(connections, "drained by force: the grace period was over");
            Status::Forced
        }
    }
}

fn announce(app: &App) {
    let snapshot = app.proxy().snapshot();
    let upstreams: Vec<&str> = snapshot
        .upstreams
        .iter()
        .map(|upstream| upstream.name())
        .collect();
    tracing::info!(
        address = %app.address(),
        admin = app.admin_address().map(tracing::field::display),
        connections = app.connections(),
        connections_of_one_address = app.connections_of_one(),
        buffered_bytes = snapshot.config.bounds.buffered_bytes,
        upstreams = upstreams.join(","),
        "listening on {}",
        app.address()
    );
}

/// Takes the configuration as it is now, or says why the old one stays.
fn reload(args: &ServeArgs, app: &App, watch: &mut Watch) {
    let loaded = args.load().map_err(|mistakes| format!("\n{mistakes}"));
    let files = loaded.as_ref().ok().map(|config| config.files.clone());
    let reloaded = loaded.and_then(|config| {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        app.reload(config).map_err(|error| format!(" {error}"))
    });
    telemetry::reloads::reloaded(reloaded.is_ok());
    if let Some(files) = files {
        watch.follow(args.config.as_deref(), &files);
    }
    match reloaded {
        Ok(restart) if restart.is_empty() => tracing::info!("configuration reloaded"),
        Ok(restart) => tracing::warn!(
            restart = restart.join(", "),
            "configuration reloaded, but for keys that take a restart; their old values stay"
        ),
        Err(why) => {
            tracing::error!("the configuration was not reloaded; the old one stays:{why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn serve(arguments: &[&str]) -> Result<ServeArgs, clap::Error> {
        Line::try_parse_from(["serve"].iter().chain(arguments)).map(|line| line.serve)
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
    fn a_port_is_one_of_this_machine() {
        let serves = |arguments: &[&str]| serve(arguments).map(|args| args.load().unwrap().listen);
        assert_eq!(serves(&["--port", "7"]).unwrap().to_string(), "127.0.0.1:7");
        assert!(serve(&["--port", "7", "--listen", "127.0.0.1:8"]).is_err());
        assert!(serve(&["--port", "70000"]).is_err());
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
                config.upstreams[0].slot(None),
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
            2,
            "the risks are those of the address that is served"
        );
    }
}
