//! What is asked, where, and with which keys.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use clap::Args;

/// What every load is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct TargetArgs {
    /// The server's address
    #[arg(long)]
    address: SocketAddr,
    /// The path that is posted to
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// The file with the body of every request
    #[arg(long)]
    body: PathBuf,
    /// What a stream says at its end: one that does not was cut
    #[arg(long, default_value = "data: [DONE]\n\n")]
    mark: Arc<str>,
    /// How many distinct keys the requests carry, in turn
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64)
        .range(1..=100_000_000))]
    keys: u64,
    /// Speak HTTP/2 with prior knowledge
    #[arg(long)]
    http2: bool,
}

impl TargetArgs {
    /// Reads the body.
    pub(crate) fn resolve(self) -> io::Result<Arc<Target>> {
        let Self {
            address,
            path,
            body,
            mark,
            keys,
            http2,
        } = self;
        Ok(Arc::new(Target {
            address,
            path,
            body: std::fs::read(body)?.into(),
            mark,
            keys,
            http2,
            turn: AtomicU64::new(0),
        }))
    }
}

/// One server and the request that it gets.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) mark: Arc<str>,
    pub(crate) http2: bool,
    keys: u64,
    turn: AtomicU64,
}

impl Target {
    /// A key. All are of one length.
    pub(crate) fn key(&self, number: u64) -> String {
        format!("sk-benchmark-{:08}", number % self.keys)
    }

    /// The key of the next request.
    pub(crate) fn next_key(&self) -> String {
        self.key(self.turn.fetch_add(1, Ordering::Relaxed))
    }
}
