//! The composition root: a configuration becomes a listening hone. `main` and the tests both start
//! here.

mod admin;
pub(crate) mod memory;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use self::admin::Admin;
use crate::admission::most_of_one;
use crate::config::{Bounds, Config, Log, TAKES_A_RESTART};
use crate::flow::Proxy;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::tenant::Directory;
use crate::transport::drain::{Drain, Drained};
use crate::transport::{self, Cap, Server, Tls};
use crate::workers::Workers;

/// Descriptors that are kept back from connections: listeners, logs, the runtime's own.
const RESERVED_DESCRIPTORS: u64 = 64;
/// How long a scrape that runs may take when all else has ended.
const ADMIN_GRACE: Duration = Duration::from_millis(250);
/// How often what has expired is forgotten.
const TIDY: Duration = Duration::from_secs(5);

/// A running hone.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    cap: Arc<Cap>,
    bounds: Arc<ArcSwap<Bounds>>,
    fixed: Fixed,
    proxy: Arc<Proxy>,
    tls: Option<Tls>,
    drain: Drain,
    /// The admin listener's, which ends last.
    admin_drain: Drain,
}

/// Why hone cannot start, or cannot take a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate, key or CA file cannot be used.
    #[error("{0}")]
    Tls(io::Error),
}

impl App {
    /// Listens and serves on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// When an address is taken, or a TLS file cannot be used.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(None, config)
    }

    /// Like [`App::start`], with `workers` to serve the tenants' connections.
    pub fn start_on(workers: Option<Arc<Workers>>, config: Config) -> Result<Self, StartError> {
        let bounds = Arc::new(ArcSwap::from_pointee(config.bounds.clone()));
        let (snapshot, tls) = prepare(config)?;
        let config = &snapshot.config;
        let tenants = listen(config.listen)?;
        let admins = config.admin.map(listen).transpose()?;
        let fixed = Fixed::of(config);
        let cap = Arc::new(Cap::new(connections(&config.bounds)));
        let (address, admin_address) = (tenants.1, admins.as_ref().map(|admin| admin.1));
        let (drain, admin_drain) = (Drain::new(), Drain::new());
        let directory = Directory::new(config);
        let telemetry = Telemetry::install();
        let proxy = Arc::new(Proxy::new(
            snapshot,
            directory,
            Arc::clone(&cap),
            drain.clone(),
        ));
        let server = Server::new(
            tenants,
            Arc::clone(&proxy),
            Arc::clone(&bounds),
            drain.clone(),
        )
        .tls(tls.clone())
        .cap(Arc::clone(&cap))
        .workers(workers);
        drain.tasks().spawn(server.run());
        if let Some(admins) = admins {
            let admin = Arc::new(Admin::new(
                telemetry.clone(),
                Arc::clone(&proxy),
                drain.clone(),
            ));
            let server = Server::new(admins, admin, Arc::clone(&bounds), admin_drain.clone());
            admin_drain.tasks().spawn(server.run());
        }
        drain
            .tasks()
            .spawn(tidy(Arc::clone(&proxy), telemetry, drain.clone()));
        Ok(Self {
            address,
            admin_address,
            cap,
            bounds,
            fixed,
            proxy,
            tls,
            drain,
            admin_drain,
        })
    }

    /// Where tenants connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the operator connects.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Connections served at once.
    pub fn connections(&self) -> usize {
        self.cap.limit()
    }

    /// How many of them one address may have while nobody else has any.
    pub(crate) fn connections_of_one(&self) -> usize {
        of_one_address(&self.proxy.snapshot().config.bounds, self.cap.limit())
    }

    /// The proxy itself.
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// Serves by `config` from now on, all of it or, on an error, nothing of it. Counters survive.
    /// Requests under way keep what they began with, and open connections their bounds. Returns the
    /// keys that have changed and take a restart.
    ///
    /// # Errors
    ///
    /// When a certificate, key or CA file cannot be used.
    pub fn reload(&self, config: Config) -> Result<Vec<&'static str>, StartError> {
        let before = self.proxy.snapshot();
        let restart = self.fixed.changed_in(&config);
        let (tls_files, bounds) = (config.tls.clone(), config.bounds.clone());
        let snapshot = Snapshot::new(config, Some(&before)).map_err(StartError::Tls)?;
        if let (Some(tls), Some(files)) = (&self.tls, &tls_files) {
            tls.reload(files).map_err(StartError::Tls)?;
        }
        self.cap.resize(connections(&bounds));
        self.bounds.store(Arc::new(bounds));
        self.proxy.replace(snapshot);
        Ok(restart)
    }

    /// Tells probes that this hone will stop, and goes on as before. Returns how long the operator
    /// wants that to last.
    pub fn leave(&self) -> Duration {
        self.drain.leave();
        self.proxy.snapshot().config.bounds.drain_delay
    }

    /// Stops accepting, finishes what runs, and ends what is left after the grace period: runs with
    /// the best answer that they have, streams with an error, requests with a refusal. The admin
    /// listener ends last.
    pub async fn shutdown(&self) -> Drained {
        let grace = self.proxy.snapshot().config.bounds.drain;
        let drained = self.drain.run(grace).await;
        self.admin_drain.run(ADMIN_GRACE).await;
        drained
    }

    /// Ends the grace period of a [`App::shutdown`] that is under way.
    pub fn hurry(&self) {
        self.drain.hurry();
    }
}

/// All that can fail before anything listens: `hone check` does as much.
pub(crate) fn prepare(config: Config) -> Result<(Snapshot, Option<Tls>), StartError> {
    let tls = config.tls.as_ref().map(Tls::load).transpose();
    let tls = tls.map_err(StartError::Tls)?;
    let snapshot = Snapshot::new(config, None).map_err(StartError::Tls)?;
    Ok((snapshot, tls))
}

/// What is fixed once hone has started: sockets, and the log.
#[derive(Debug)]
struct Fixed {
    listen: SocketAddr,
    admin: Option<SocketAddr>,
    tls: bool,
    log: Log,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            listen: config.listen,
            admin: config.admin,
            tls: config.tls.is_some(),
            log: config.log.clone(),
        }
    }

    /// The keys among [`TAKES_A_RESTART`] that say something else in `config`.
    fn changed_in(&self, config: &Config) -> Vec<&'static str> {
        let other = Self::of(config);
        let same = [
            self.listen == other.listen,
            self.admin == other.admin,
            self.log == other.log,
            self.tls == other.tls,
        ];
        TAKES_A_RESTART
            .into_iter()
            .zip(same)
            .filter(|(_, same)| !same)
            .map(|(key, _)| key)
            .collect()
    }
}

impl Drop for App {
    /// An app that is dropped without [`App::shutdown`] stops at once: nothing goes on behind its
    /// owner's back.
    fn drop(&mut self) {
        for drain in [&self.drain, &self.admin_drain] {
            drain.stopping().cancel();
            drain.forced().cancel();
        }
    }
}

/// A listener, and the address that it is bound to.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = || {
        let listener = transport::bind(address)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound().map_err(|source| StartError::Listen { address, source })
}

/// The connections to serve at once: what the operator says, else half of the descriptors, as each
/// connection may need another one to an upstream.
pub(crate) fn connections(bounds: &Bounds) -> usize {
    if let Some(cap) = bounds.connections {
        return cap.get() as usize;
    }
    let descriptors = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap_or(1024);
    usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 2)
        .unwrap_or(usize::MAX)
        .max(16)
}

/// How many of `all` connections one address may have while nobody else has any.
pub(crate) fn of_one_address(bounds: &Bounds, all: usize) -> usize {
    let most = bounds.connections_per_address;
    most.map_or_else(|| most_of_one(all), |most| all.min(most.get() as usize))
}

async fn tidy(proxy: Arc<Proxy>, telemetry: Telemetry, drain: Drain) {
    let mut ticks = tokio::time::interval(TIDY);
    loop {
        tokio::select! {
            () = drain.stopping().cancelled() => return,
            _ = ticks.tick() => {
                proxy.tidy();
                telemetry.tidy();
            }
        }
    }
}
