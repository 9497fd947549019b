//! Clients that ask for answers of megabytes and do not read them, over HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use crate::fatal::Fatal;
use crate::traffic::{Tally, gather};

/// Who they are.
pub(crate) const READERS: [&str; 2] = ["stuck-0", "stuck-1"];
/// Tokens of a stream, an event each: more bytes than the kernel takes for a client that does not
/// read, and so for each of these answers.
const TOKENS: u32 = 40_000;
/// Bytes of a field that other answers have, twice or once.
const FIELD: u32 = 5_000_000;
/// The least bytes of an answer: more than the kernel takes.
const WHOLE: usize = FIELD as usize;
/// The most tokens by which what a stuck reader is charged and what the provider counts may differ:
/// of a stream all of it, which is what was reserved; of other answers a token for every four
/// bytes, which is what hone counts at most where it has seen text and no report.
pub(crate) const MOST_TOKENS: i64 = {
    let (stream, other) = (TOKENS as i64 + 1000, 2 * FIELD as i64 / 4);
    if stream > other { stream } else { other }
};

/// For the beginning of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than hone is configured to wait for a reader.
const HELD: Duration = Duration::from_secs(6);
/// What is asked for first is held for so long, and on a slow machine, where the answer may not
/// have come by then, twice more for longer, until hone is seen to have let go of it.
const PROOFS: [Duration; 3] = [
    Duration::from_secs(40),
    Duration::from_secs(20),
    Duration::from_secs(8),
];

/// Requests of each kind at once: eight a worker of hone.
pub(crate) fn each() -> usize {
    8 * available_parallelism().map_or(2, usize::from)
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Large {
    Stream,
    Chat(&'static str),
    Embeddings,
}

impl Large {
    fn of(number: usize) -> Self {
        // Streams are what the provider has to work for.
        match number % 8 {
            0 => Self::Stream,
            1 | 4 => Self::Chat("sim-small"),
            2 | 5 | 6 => Self::Chat("h2-small"),
            _ => Self::Embeddings,
        }
    }

    fn ask(self) -> (&'static str, String) {
        let chat = "/v1/chat/completions";
        let messages = json!([{"role": "user", "content": "Tell me all."}]);
        let bomb = json!({"json_bomb": {"shape": "wide", "bytes": FIELD}});
        let large = json!({"faults": [{"fault": bomb}]});
        match self {
            Self::Stream => {
                let sim = json!({"answer_tokens": TOKENS, "content": null});
                let body = json!({"model": "h2-small", "max_tokens": TOKENS, "stream": true,
                    "messages": messages, "sim": sim});
                (chat, body.to_string())
            }
            Self::Chat(model) => {
                let body = json!({"model": model, "max_tokens": 16, "messages": messages,
                    "sim": large});
                (chat, body.to_string())
            }
            Self::Embeddings => {
                let body = json!({"model": "h2-small", "input": "all of it", "sim": large});
                ("/v1/embeddings", body.to_string())
            }
        }
    }
}

/// Clients that hold answers until it is over.
#[derive(Debug)]
pub(crate) struct Readers {
    clients: JoinSet<Tally>,
    over: watch::Sender<bool>,
}

impl Readers {
    /// Lets them ask, and waits until each has what it asked for first.
    pub(crate) async fn begin(address: SocketAddr) -> Result<Self, Fatal> {
        let (over, is_over) = watch::channel(false);
        let begun = Arc::new(Semaphore::new(0));
        let mut clients = JoinSet::new();
        for number in 0..each() {
            clients.spawn(plain(address, number, is_over.clone(), Arc::clone(&begun)));
        }
        for (number, window) in [Some(0), None].into_iter().enumerate() {
            let (is_over, begun) = (is_over.clone(), Arc::clone(&begun));
            clients.spawn(multiplexed(address, number, window, is_over, begun));
        }
        let all = u32::try_from(clients.len())?;
        begun.acquire_many(all).await?.forget();
        Ok(Self { clients, over })
    }

    /// Lets them go.
    pub(crate) async fn end(self) -> Tally {
        self.over.send_replace(true);
        gather(self.clients).await
    }
}

/// Returns when it is over, or an answer was held for long enough.
async fn hold(over: &mut watch::Receiver<bool>) {
    // If the sender is gone it is over, too.
    let _ended = timeout(HELD, over.wait_for(|over| *over)).await;
}

/// Bytes that are left of an answer after that, up to a whole one.
async fn left(stream: &mut TcpStream) -> Result<usize, Elapsed> {
    let (mut buffer, mut read) = (vec![0; 65_536], 0);
    while read < WHOLE {
        match timeout(PATIENCE, stream.read(&mut buffer)).await? {
            Ok(0) | Err(_) => break,
            Ok(bytes) => read += bytes,
        }
    }
    Ok(read)
}

/// The same of one over HTTP/2.
async fn left_of_stream(body: &mut Incoming) -> Result<usize, Elapsed> {
    let mut read = 0;
    while read < WHOLE {
        match timeout(PATIENCE, body.frame()).await? {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => break,
        }
    }
    Ok(read)
}

/// hone lets go of who reads nothing: then less is `left` than the answer has. `None` if that is to
/// be seen another time.
fn let_go(
    left: Result<usize, Elapsed>,
    how: &str,
    is_last: bool,
) -> Option<Result<String, String>> {
    match left {
        Ok(bytes) if bytes < WHOLE => Some(Ok(format!("let go over {how}"))),
        Ok(_) | Err(_) if !is_last => None,
        Ok(_) => Some(Err(format!(
            "a stuck reader over {how} can have all of its answer"
        ))),
        Err(_elapsed) => Some(Err(format!(
            "a stuck reader over {how} is still waited for"
        ))),
    }
}

fn key(number: usize) -> &'static str {
    READERS
        .get(number % READERS.len())
        .copied()
        .unwrap_or_default()
}

/// Over HTTP/1.1, one answer after the other.
async fn plain(
    address: SocketAddr,
    number: usize,
    mut over: watch::Receiver<bool>,
    begins: Arc<Semaphore>,
) -> Tally {
    let (mut tally, mut proofs) = (Tally::default(), PROOFS.to_vec());
    let mut turn = number;
    loop {
        let answer = timeout(PATIENCE, begun(address, key(number), Large::of(turn))).await;
        let held = match answer {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(format!("a stuck reader: {error}")),
            Err(_elapsed) => Err("a stuck reader: no answer begins".to_owned()),
        };
        let judged = held.as_ref().map(|_| "HTTP/1.1".to_owned());
        tally.enter(judged.map_err(Clone::clone));
        begins.add_permits(1);
        if let Some(proof) = proofs.pop() {
            sleep(proof).await;
            if let Ok(mut stream) = held {
                let seen = let_go(left(&mut stream).await, "HTTP/1.1", proofs.is_empty());
                proofs.retain(|_| seen.is_none());
                if let Some(seen) = seen {
                    tally.enter(seen);
                }
            }
            if !proofs.is_empty() {
                continue;
            }
        } else {
            hold(&mut over).await;
        }
        if *over.borrow() {
            return tally;
        }
        turn += 1;
    }
}

/// A connection with an answer that has begun.
async fn begun(address: SocketAddr, key: &str, large: Large) -> Result<TcpStream, Fatal> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    let (path, body) = large.ask();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {key}\r\n\
        content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    if status == *b"HTTP/1.1 200" {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(&status).into())
    }
}

/// Over HTTP/2, as many answers on one connection as all others have together, with this window for
/// each of them.
async fn multiplexed(
    address: SocketAddr,
    number: usize,
    window: Option<u32>,
    mut over: watch::Receiver<bool>,
    begins: Arc<Semaphore>,
) -> Tally {
    let (mut tally, mut proofs) = (Tally::default(), PROOFS.to_vec());
    loop {
        let held = answers(address, key(number), window, &mut tally).await;
        if let Err(error) = &held {
            tally.enter(Err(format!("a stuck reader over HTTP/2: {error}")));
        }
        begins.add_permits(1);
        if let Some(proof) = proofs.pop() {
            sleep(proof).await;
            let (_driver, answers) = held.unwrap_or_default();
            let mut all = true;
            for mut answer in answers {
                let left = left_of_stream(answer.body_mut()).await;
                let seen = let_go(left, "HTTP/2", proofs.is_empty());
                all &= seen.is_some();
                if let Some(seen) = seen {
                    tally.enter(seen);
                }
            }
            proofs.retain(|_| !all);
            if !all {
                continue;
            }
        } else {
            hold(&mut over).await;
        }
        if *over.borrow() {
            return tally;
        }
    }
}

/// A connection with answers that have begun, all of which end when it is dropped.
async fn answers(
    address: SocketAddr,
    key: &str,
    window: Option<u32>,
    tally: &mut Tally,
) -> Result<(JoinSet<()>, Vec<http::Response<Incoming>>), Fatal> {
    let stream = TcpStream::connect(address).await?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    if let Some(window) = window {
        builder.initial_stream_window_size(window);
    }
    let (mut sender, connection) = builder
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // How it ended is what its requests tell.
        let _ended = connection.await;
    });
    let mut held = Vec::new();
    for turn in 0..each() / 2 {
        let (path, body) = Large::of(turn).ask();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://soak{path}"))
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        sender.ready().await?;
        let answer = timeout(PATIENCE, sender.send_request(request)).await??;
        tally.enter(match answer.status().as_u16() {
            200 => Ok("HTTP/2".to_owned()),
            status => Err(format!("a stuck reader over HTTP/2: {status}")),
        });
        held.push(answer);
    }
    Ok((driver, held))
}
