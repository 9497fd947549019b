//! The composition root: a configuration becomes a listening hone. `main` and the tests both start here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use crate::config::{Bounds, Config};
use crate::pipeline::Proxy;
use crate::server::admin::Admin;
use crate::server::drain::{Drain, Drained};
use crate::server::{self, Cap, Server, Tls, Workers};
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::tenant::Directory;

/// Descriptors that are kept back from connections: listeners, logs, the runtime's own.
const RESERVED_DESCRIPTORS: u64 = 64;
/// How often what has expired is forgotten.
const TIDY: Duration = Duration::from_secs(5);

/// A running hone.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    cap: Arc<Cap>,
    proxy: Arc<Proxy>,
    tls: Option<Tls>,
    drain: Drain,
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
        let tls = config.tls.as_ref().map(Tls::load).transpose().map_err(StartError::Tls)?;
        let tenants = listen(config.listen)?;
        let admins = config.admin.map(listen).transpose()?;
        let cap = Arc::new(Cap::new(connections(&config.bounds)));
        let (address, admin_address) = (tenants.1, admins.as_ref().map(|admin| admin.1));
        let drain = Drain::new();
        let directory = Directory::new(&config);
        let snapshot = Snapshot::new(config, None).map_err(StartError::Tls)?;
        let telemetry = Telemetry::install();
        let proxy = Arc::new(Proxy::new(snapshot, directory, Arc::clone(&cap), drain.clone()));
        let server = Server::new(tenants, Arc::clone(&proxy), Arc::clone(&bounds), drain.clone())
            .tls(tls.clone())
            .cap(Arc::clone(&cap))
            .workers(workers);
        drain.tasks().spawn(server.run());
        if let Some(admins) = admins {
            let admin = Arc::new(Admin::new(telemetry.clone(), Arc::clone(&proxy), drain.clone()));
            drain.tasks().spawn(Server::new(admins, admin, bounds, drain.clone()).run());
        }
        drain.tasks().spawn(tidy(Arc::clone(&proxy), telemetry, drain.clone()));
        Ok(Self { address, admin_address, cap, proxy, tls, drain })
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

    /// The proxy itself.
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// Serves by `config` from now on, all of it or, on an error, nothing of it. Counters survive; addresses and connection caps keep their first values.
    ///
    /// # Errors
    ///
    /// When a certificate, key or CA file cannot be used.
    pub fn reload(&self, config: Config) -> Result<(), StartError> {
        let before = self.proxy.snapshot();
        let (listen, admin) = (config.listen, config.admin);
        let tls_files = config.tls.clone();
        let snapshot = Snapshot::new(config, Some(&before)).map_err(StartError::Tls)?;
        match (&self.tls, &tls_files) {
            (Some(tls), Some(files)) => tls.reload(files).map_err(StartError::Tls)?,
            (None, None) => {}
            _ => tracing::warn!("turning TLS on or off takes a restart"),
        }
        if listen != before.config.listen || admin != before.config.admin {
            tracing::warn!("a changed listen address takes a restart");
        }
        self.proxy.replace(snapshot);
        Ok(())
    }

    /// Stops accepting, finishes what runs, and forces what is left after the grace period.
    pub async fn shutdown(&self) -> Drained {
        let grace = self.proxy.snapshot().config.bounds.drain;
        self.drain.run(grace).await
    }
}

impl Drop for App {
    /// An app that is dropped without [`App::shutdown`] stops at once: nothing goes on behind its owner's back.
    fn drop(&mut self) {
        self.drain.stopping().cancel();
        self.drain.forced().cancel();
    }
}

/// A listener, and the address that it is bound to.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = || {
        let listener = server::bind(address)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound().map_err(|source| StartError::Listen { address, source })
}

/// The connections to serve at once: what the operator says, else half of the descriptors, as each connection may need another one to an upstream.
fn connections(bounds: &Bounds) -> usize {
    if let Some(cap) = bounds.connections {
        return cap.get() as usize;
    }
    let descriptors = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap_or(1024);
    usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 2).unwrap_or(usize::MAX).max(16)
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
