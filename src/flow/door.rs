//! Who may connect, and what the operator hears of those who may not.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::admission::{AddressGuard, AddressKey, OpenConnection, OpenConnections, fair_part};
use crate::config::Config;
use crate::transport::{Cap, ConnectionRefused};

/// What is open, and how much may be.
#[derive(Debug)]
pub(super) struct Door {
    open: Arc<OpenConnections>,
    cap: Arc<Cap>,
}

impl Door {
    /// A door that nobody has passed.
    pub(super) fn new(cap: Arc<Cap>) -> Self {
        Self {
            open: Arc::default(),
            cap,
        }
    }

    /// Whether another connection of `peer`, which has its place already, may stay. `None` is one
    /// that is not counted: a trusted proxy's connections carry many clients' requests, each of
    /// which is limited by itself.
    pub(super) fn admits(
        &self,
        peer: SocketAddr,
        config: &Config,
        addresses: &AddressGuard,
    ) -> Result<Option<OpenConnection>, ConnectionRefused> {
        let address = peer.ip().to_canonical();
        if is_trusted(address, config) {
            return Ok(None);
        }
        let refused = match self.open.open(address, self.part(config)) {
            None => ConnectionRefused::TooMany,
            Some(open) => match addresses.check_connection(address) {
                Ok(()) => return Ok(Some(open)),
                Err(retry_after) => ConnectionRefused::TooOften { retry_after },
            },
        };
        if addresses.is_news(address) {
            self.warn(address, config, refused);
        }
        Err(refused)
    }

    /// Whether a client at `address` may have another request beside others on a connection.
    /// `is_room` tells whether it has a place.
    pub(super) fn admits_stream(
        &self,
        address: IpAddr,
        is_room: bool,
        config: &Config,
        addresses: &AddressGuard,
    ) -> Result<Option<OpenConnection>, ConnectionRefused> {
        let is_trusted = is_trusted(address, config);
        if is_room && is_trusted {
            return Ok(None);
        }
        let open = is_room.then(|| self.open.open(address, self.part(config)));
        if let Some(Some(open)) = open {
            return Ok(Some(open));
        }
        let refused = ConnectionRefused::TooMany;
        if addresses.is_news(address) {
            if is_trusted {
                let (key, connections) = (AddressKey::of(address), self.cap.limit());
                tracing::warn!(
                    address = %key, connections,
                    "refusing requests on HTTP/2 connections of {key}: connections, and requests \
                        beside others on one, are {connections} in all; raise the limit on open \
                        files (RLIMIT_NOFILE), or `bounds.connections`"
                );
            } else {
                self.warn(address, config, refused);
            }
        }
        Err(refused)
    }

    /// How many connections an address may have now.
    fn part(&self, config: &Config) -> usize {
        config.bounds.connections_per_address.map_or_else(
            || fair_part(self.cap.limit(), self.cap.free() + 1),
            |most| most.get() as usize,
        )
    }

    /// Names both cures: who meets a bound may be one client, or a load balancer with all of them.
    fn warn(&self, address: IpAddr, config: &Config, refused: ConnectionRefused) {
        let (key, open) = (AddressKey::of(address), self.open.of(address));
        let connections = self.cap.limit();
        match refused {
            ConnectionRefused::TooMany if config.bounds.connections_per_address.is_some() => {
                tracing::warn!(
                    address = %key, open, connections,
                    "refusing connections of {key}: it has {open} open, as many as \
                        `bounds.connections_per_address` allows; if it is a load balancer or \
                        another proxy, name it in `trusted_proxies`, otherwise raise that bound"
                );
            }
            ConnectionRefused::TooMany => {
                let free = self.cap.free() + 1;
                tracing::warn!(
                    address = %key, open, connections, free,
                    "refusing connections of {key}: it has {open} open, and of {connections} in \
                        all only {free} are left; if it is a load balancer or another proxy, name \
                        it in `trusted_proxies`, otherwise allow more: raise the limit on open \
                        files (RLIMIT_NOFILE), or `bounds.connections`"
                );
            }
            ConnectionRefused::TooOften { .. } => {
                tracing::warn!(
                    address = %key, open, connections,
                    "refusing connections of {key}: it opens more than \
                        `bounds.connections_per_minute`; if it is a load balancer or another \
                        proxy, name it in `trusted_proxies`, otherwise have it keep its \
                        connections, or raise that bound"
                );
            }
        }
    }
}

fn is_trusted(address: IpAddr, config: &Config) -> bool {
    let mut trusted = config.trusted_proxies.iter();
    trusted.any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::num::NonZeroU32;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::advance;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Lines {
        /// What was written since the last look.
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }
    }

    fn config(bounds: &str) -> Config {
        Config::parse(&format!("[bounds]\n{bounds}"), &|_| None).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_operator_hears_of_an_address_once_a_minute_and_of_both_cures() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let often = NonZeroU32::new(5).unwrap();
        let peer = SocketAddr::from(([203, 0, 113, 1], 1000));
        let cases = [
            (5, "", ["RLIMIT_NOFILE", "`bounds.connections`"]),
            (
                50,
                "connections_per_address = 1",
                ["it has 1 open", "`bounds.connections_per_address`"],
            ),
            (
                50,
                "connections_per_address = 40",
                ["`bounds.connections_per_minute`", "keep"],
            ),
        ];
        for (most, bounds, cures) in cases {
            let (config, cap) = (config(bounds), Arc::new(Cap::new(most)));
            let door = Door::new(Arc::clone(&cap));
            let addresses = AddressGuard::new(often, NonZeroU32::MIN);
            let mut held = Vec::new();
            let mut knock = async || {
                let place = cap.place().await.unwrap();
                let admitted = door.admits(peer, &config, &addresses);
                admitted.map(|open| held.push((place, open))).is_ok()
            };
            while knock().await {}
            let told = lines.take();
            for part in cures
                .into_iter()
                .chain(["`trusted_proxies`", "203.0.113.1"])
            {
                assert!(told.contains(part), "{part}: {told}");
            }
            assert!(!knock().await);
            assert_eq!(lines.take(), "", "the second within a minute");
            advance(Duration::from_secs(60)).await;
            while knock().await {}
            assert_eq!(lines.take().lines().count(), 1);
        }
    }
}
