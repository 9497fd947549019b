//! hone as it runs, and who talks to it.

use std::ops::Deref;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Client;
use super::parts::App;
use super::raw::{read_to_end, send};
use super::setup::Setup;

/// A running hone.
#[derive(Debug)]
pub struct Hone(pub(super) App);

impl Deref for Hone {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl Hone {
    /// A client with this key of its provider.
    pub fn client(&self, key: &str) -> Client {
        self.keyless().key(key)
    }

    /// A client without a key.
    pub fn keyless(&self) -> Client {
        Client::new(self.address())
    }

    /// A client without a key that speaks HTTP/2.
    pub fn http2(&self) -> Client {
        Client::http2(self.address())
    }

    /// The operator.
    pub fn admin(&self) -> Client {
        Client::new(self.admin_address().expect("fixture: an admin listener"))
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        self.admin().get("/metrics").await.text()
    }

    /// What `/metrics` says of `name{labels}`, whole.
    pub async fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics().await;
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Takes another configuration, and says what a restart would take.
    pub fn reload(&self, setup: &Setup) -> Vec<&'static str> {
        self.0.reload(setup.read()).expect("reloads")
    }

    /// A connection.
    pub async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).await;
        stream.expect("connects")
    }

    /// A connection on which `bytes` have been sent.
    pub async fn dial(&self, bytes: impl Into<Vec<u8>>) -> TcpStream {
        let mut stream = self.connect().await;
        send(&mut stream, bytes).await;
        stream
    }

    /// Sends `bytes` and reads until hone closes.
    pub async fn exchange(&self, bytes: impl Into<Vec<u8>>) -> String {
        let mut stream = self.connect().await;
        // hone may answer and close before it has read everything.
        let _sent = stream.write_all(&bytes.into()).await;
        read_to_end(stream).await
    }
}
