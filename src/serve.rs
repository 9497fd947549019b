//! `hone serve` and `hone sim`: a runtime, a server, and the signals that end or reload it.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::args::ServeArgs;
use crate::commands::Status;
use crate::config::{Config, LogFormat};
use crate::sim::SimArgs;
use crate::solver;
use crate::telemetry;
use crate::transport::drain::Drained;
use crate::workers::Workers;

/// Serves until SIGTERM or SIGINT, then drains. SIGHUP reloads the configuration.
///
/// # Errors
///
/// When the system refuses what a server needs: threads, signals, an address, a TLS file.
pub fn run(args: &ServeArgs) -> io::Result<Status> {
    let config = match args.load() {
        Ok(config) => config,
        Err(mistakes) => {
            writeln!(io::stderr(), "{mistakes}")?;
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
        .block_on(serve(args, config))?;
    Ok(Status::Done)
}

/// Runs the simulated provider until SIGTERM or SIGINT.
///
/// # Errors
///
/// As for [`run`].
pub fn sim(args: &SimArgs) -> io::Result<Status> {
    Runtime::new()?.block_on(async {
        let mut signals = Signals::new()?;
        args.run(&mut io::stdout(), async move { signals.end().await })
            .await
    })?;
    Ok(Status::Done)
}

async fn serve(args: &ServeArgs, config: Config) -> io::Result<()> {
    let mut signals = Signals::new()?;
    for warning in config.warnings.iter().chain(&solver::warnings(&config)) {
        tracing::warn!("{warning}");
    }
    let workers = Arc::new(Workers::start()?);
    let app = App::start_on(Some(workers), config).map_err(io::Error::other)?;
    announce(&app);
    while let Received::Reload = signals.next().await {
        reload(args, &app);
    }
    tracing::info!("draining: no new connections; what runs may finish");
    match app.shutdown().await {
        Drained::Clean => tracing::info!("drained"),
        Drained::Forced { connections } => {
            tracing::warn!(connections, "drained by force: the grace period was over")
        }
    }
    Ok(())
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
        upstreams = upstreams.join(","),
        "listening on {}",
        app.address()
    );
}

/// Takes the configuration as it is now, or says why the old one stays.
fn reload(args: &ServeArgs, app: &App) {
    match args.load() {
        Ok(config) => {
            for warning in config.warnings.iter().chain(&solver::warnings(&config)) {
                tracing::warn!("{warning}");
            }
            match app.reload(config) {
                Ok(restart) if restart.is_empty() => tracing::info!("configuration reloaded"),
                Ok(restart) => {
                    tracing::warn!(
                        restart = restart.join(", "),
                        "configuration reloaded, but for keys that take a restart; their old \
                            values stay"
                    );
                }
                Err(error) => {
                    tracing::error!(%error, "the configuration was not reloaded; the old one stays")
                }
            }
        }
        Err(mistakes) => {
            tracing::error!("the configuration was not reloaded; the old one stays:\n{mistakes}")
        }
    }
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

enum Received {
    End,
    Reload,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.hangup.recv() => Received::Reload,
            _ = self.interrupt.recv() => Received::End,
            _ = self.terminate.recv() => Received::End,
        }
    }

    async fn end(&mut self) {
        while let Received::Reload = self.next().await {}
    }
}
