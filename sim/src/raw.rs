//! An upstream that speaks bytes, not HTTP: for tests of what a hostile or broken provider sends.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What has arrived on each connection, in the order in which the connections were accepted.
type Received = Arc<Mutex<Vec<Vec<u8>>>>;

/// A TCP server that says what it is told to. Dropping it closes every connection.
#[derive(Debug)]
pub struct RawUpstream {
    address: SocketAddr,
    received: Received,
    stop: DropGuard,
}

impl RawUpstream {
    /// Once a request head has arrived on a connection, sends `answer`, ends its side, and reads on
    /// until the client ends the other.
    pub async fn start(answer: impl Into<Vec<u8>>) -> io::Result<Self> {
        let answer = Arc::new(answer.into());
        Self::scripted(move |mut connection| {
            let answer = Arc::clone(&answer);
            async move {
                connection.read_head().await?;
                connection.send(&answer).await?;
                connection.end().await
            }
        })
        .await
    }

    /// Runs `script` for every connection; the connection closes when it returns.
    pub async fn scripted<F, S>(script: F) -> io::Result<Self>
    where
        F: Fn(RawConnection) -> S + Send + 'static,
        S: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (received, stop, tasks) = (
            Received::default(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let kept = Arc::clone(&received);
        let stopped = stop.clone();
        let accept = async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    break;
                };
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(Vec::new());
                let connection = RawConnection {
                    number,
                    stream,
                    received: Arc::clone(&kept),
                };
                let (script, stopped) = (script(connection), stopped.clone());
                drop(tasks.spawn(async move { stopped.run_until_cancelled(script).await }));
            }
        };
        let accepting = stop.clone();
        drop(TaskTracker::new().spawn(async move { accepting.run_until_cancelled(accept).await }));
        Ok(Self {
            address,
            received,
            stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What a client sets as its base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What has arrived on each connection so far.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Closes the listener and every connection.
    pub fn stop(self) {
        drop(self.stop);
    }
}

/// One accepted connection.
#[derive(Debug)]
pub struct RawConnection {
    number: usize,
    stream: TcpStream,
    received: Received,
}

impl RawConnection {
    /// How many connections were accepted before this one.
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Reads whatever comes next; nothing means that the client has ended its side.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.stream.read(&mut buffer).await?;
        buffer.truncate(count);
        if let Some(all) = self
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(self.number)
        {
            all.extend_from_slice(&buffer);
        }
        Ok(buffer)
    }

    /// Reads until an empty line, or the client's end.
    pub async fn read_head(&mut self) -> io::Result<()> {
        let mut head = Vec::new();
        while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
            let more = self.read().await?;
            if more.is_empty() {
                break;
            }
            head.extend(more);
        }
        Ok(())
    }

    /// Sends these bytes at once.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Ends this side, and reads on until the client ends the other: closing before that would
    /// reset the connection and lose what was sent.
    pub async fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        while !self.read().await?.is_empty() {}
        Ok(())
    }
}
