//! Bytes on a socket, for what no well-behaved library would send.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{in_time, text};

/// Sends `bytes`, which the peer takes.
pub async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: impl Into<Vec<u8>>) {
    stream.write_all(&bytes.into()).await.expect("sends");
}

/// Reads what the peer sends until it closes. It has to.
pub async fn read_to_end(mut stream: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _end = in_time(stream.read_to_end(&mut answer)).await;
    text(answer)
}

/// What a scripted upstream does after it has sent its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Close,
    Hang,
}

/// An upstream that answers every request with the same bytes.
pub struct RawUpstream {
    pub address: SocketAddr,
    heard: Heard,
    left: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What an upstream answers to a request.
type Script = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// What an upstream was asked, head and body.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

impl RawUpstream {
    pub async fn start(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        Self::start_at("127.0.0.1:0", answer, then).await
    }

    /// The same, where an address is wanted.
    pub async fn start_at(at: &str, answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let answer = answer.into();
        Self::listen(at, Arc::new(move |_: &str| answer.clone()), then).await
    }

    /// An upstream that answers by what it is asked, head and body.
    pub async fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", Arc::new(answer), Then::Close).await
    }

    async fn listen(at: &str, answer: Script, then: Then) -> Self {
        let listener = TcpListener::bind(at).await.expect("fixture: binds");
        let address = listener.local_addr().expect("fixture: an address");
        let heard = Heard::default();
        let left = Arc::new(Notify::new());
        let (requests, gone) = (Arc::clone(&heard), Arc::clone(&left));
        let task = tokio::task::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let seen = (Arc::clone(&requests), Arc::clone(&gone));
                let served = serve(stream, Arc::clone(&answer), then, seen);
                connections.spawn(served);
            }
        });
        Self {
            address,
            heard,
            left,
            task,
        }
    }

    /// Waits until hone has closed a connection on which this one hangs.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// The requests so far that had a length or no body, as text.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("fixture: nobody panics");
        heard.iter().map(text).collect()
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    then: Then,
    (heard, left): (Heard, Arc<Notify>),
) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let answer = script(&text(&request));
    heard.lock().expect("fixture: nobody panics").push(request);
    if stream.write_all(&answer).await.is_err() || then == Then::Close {
        return;
    }
    // Until hone has closed the connection.
    let _end = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    left.notify_one();
}

/// Reads one request with a content length, head and body.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        request.extend_from_slice(&buffer[..length]);
        let text = text(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let wanted = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse::<usize>()
                .ok()
        });
        if body.len() >= wanted.unwrap_or(0) {
            return Some(request);
        }
    }
}
