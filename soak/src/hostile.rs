//! Connections that mean harm, each from an address of its own: none of them gets anything, and
//! each is let go in time.

use std::io;
use std::iter::repeat;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::findings::Findings;

/// Longer than any time that hone is configured to give a connection that does nothing useful.
const LET_GO: Duration = Duration::from_secs(12);
/// Connections that one address may have at once, as hone is configured.
pub(crate) const PER_ADDRESS: usize = 500;
/// Connections that one hostile address tries to hold at once.
const HELD: usize = PER_ADDRESS + 100;
/// Bytes of slow heads and bodies are so far apart.
const SLOW: Duration = Duration::from_millis(100);
/// For one connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// Idle connections are silent for so long, which is less than hone waits for a head.
const SILENT: Duration = Duration::from_millis(500);

/// What is attacked, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hostile {
    pub(crate) address: SocketAddr,
    pub(crate) until: Instant,
    /// Idle connections to try.
    pub(crate) connections: u32,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Attacks {
    idle: u32,
    /// Of these, those beyond what an address may have.
    refused: u32,
    others: u32,
    wrong: Vec<String>,
}

impl Attacks {
    pub(crate) fn enter(self, findings: &mut Findings) {
        findings.note(format!(
            "hostile: {} idle connections, {} of which were refused, and {} other attacks",
            self.idle, self.refused, self.others
        ));
        findings.check(self.idle == 0 || self.refused > 0, || {
            format!("no address had the {PER_ADDRESS} connections that it may have")
        });
        for mistake in self.wrong {
            findings.wrong(mistake);
        }
    }
}

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \
    hostile\r\ncontent-type: application/json\r\n";

/// All attacks, side by side, again and again.
pub(crate) async fn attack(hostile: Hostile) -> Attacks {
    let mut tasks = JoinSet::new();
    for source in 0..4 {
        tasks.spawn(idle(hostile, 66 + source));
    }
    for source in [80, 81, 82] {
        tasks.spawn(slow_heads(hostile, source));
        tasks.spawn(slow_bodies(hostile, source + 10));
        tasks.spawn(bombs(hostile, source + 20));
        tasks.spawn(smuggling(hostile, source + 30));
    }
    let mut attacks = Attacks::default();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(part) => {
                attacks.idle += part.idle;
                attacks.refused += part.refused;
                attacks.others += part.others;
                attacks.wrong.extend(part.wrong);
            }
            Err(error) => attacks
                .wrong
                .push(format!("an attack of the harness: {error}")),
        }
    }
    attacks
}

async fn connect(hostile: Hostile, source: u8) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)),
        0,
    ))?;
    socket.connect(hostile.address).await
}

/// Opens connections that say nothing, holds as many as it can, and then asks on each of them how
/// many it has.
async fn idle(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    while Instant::now() < hostile.until && attacks.idle < hostile.connections / 4 {
        let mut held = Vec::new();
        for number in 0..HELD {
            if let Ok(Ok(stream)) = timeout(PATIENCE, connect(hostile, source)).await {
                attacks.idle += 1;
                held.push(stream);
            }
            if number.is_multiple_of(16) {
                sleep(Duration::from_millis(2)).await;
            }
        }
        sleep(SILENT).await;
        attacks.count(&mut held).await;
    }
    attacks
}

impl Attacks {
    /// Asks on each of these connections of one address. Those that are answered are all open when
    /// the last one is, so there are no more than may be.
    async fn count(&mut self, held: &mut [TcpStream]) {
        let (mut served, mut refused) = (0, 0);
        for stream in held {
            let _sent = stream
                .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                .await;
            let mut said = [0; 12];
            let answer = timeout(LET_GO, stream.read_exact(&mut said)).await;
            match answer {
                Ok(Ok(_)) if said == *b"HTTP/1.1 200" => served += 1,
                Ok(Ok(_)) if said == *b"HTTP/1.1 503" => refused += 1,
                // hone does not wait for long for a head: on a slow machine it has let go.
                Ok(_) => {}
                Err(_elapsed) => self.wrong.push("an idle connection stays open".to_owned()),
            }
        }
        self.refused += refused;
        if served > PER_ADDRESS {
            self.wrong.push(format!(
                "one address has more connections than the {PER_ADDRESS} that it may have"
            ));
        }
    }

    /// Sends these bytes, one now and then, until the peer closes, which it does in time.
    async fn drips(&mut self, name: &str, stream: &mut TcpStream, bytes: impl Iterator<Item = u8>) {
        let (mut reader, mut writer) = stream.split();
        let drip = async {
            for byte in bytes {
                if writer.write_all(&[byte]).await.is_err() {
                    break;
                }
                sleep(SLOW).await;
            }
            // What the peer has said is still to be read.
            std::future::pending::<()>().await;
        };
        let farewell = tokio::select! {
            farewell = farewell(&mut reader) => farewell,
            () = drip => None,
        };
        self.end_without_success(name, farewell);
    }

    async fn ends_without_success(&mut self, name: &str, stream: &mut TcpStream) {
        let farewell = farewell(stream).await;
        self.end_without_success(name, farewell);
    }

    fn end_without_success(&mut self, name: &str, farewell: Option<String>) {
        self.others += 1;
        match farewell {
            None => self
                .wrong
                .push(format!("{name}: the connection stays open")),
            Some(said) if said.contains(" 200 ") => {
                self.wrong.push(format!("{name}: it was served"));
            }
            Some(_) => {}
        }
    }
}

/// Reads until the peer closes; what it said. `None` if it does not.
async fn farewell(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut said = Vec::new();
    // A reset is an end, too.
    let _end = timeout(LET_GO, stream.read_to_end(&mut said)).await.ok()?;
    Some(String::from_utf8_lossy(&said).into_owned())
}

/// A byte of a head now and then, without end.
async fn slow_heads(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    while Instant::now() < hostile.until {
        let Ok(mut stream) = connect(hostile, source).await else {
            continue;
        };
        let head = HEAD.bytes().chain(repeat(b'x'));
        attacks.drips("a slow head", &mut stream, head).await;
    }
    attacks
}

/// A byte of a body now and then, which would take longer than a body may.
async fn slow_bodies(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    while Instant::now() < hostile.until {
        let Ok(mut stream) = connect(hostile, source).await else {
            continue;
        };
        let _sent = stream
            .write_all(format!("{HEAD}content-length: 1000\r\n\r\n").as_bytes())
            .await;
        attacks
            .drips("a slow body", &mut stream, repeat(b' '))
            .await;
    }
    attacks
}

/// Heads and bodies beyond all bounds.
async fn bombs(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    let filler = "x".repeat(100_000);
    let chunk = format!("{:x}\r\n{filler}\r\n", filler.len());
    while Instant::now() < hostile.until {
        let rows = [
            ("a huge header", format!("{HEAD}x-bomb: {filler}\r\n\r\n")),
            (
                "many headers",
                format!("{HEAD}{}\r\n", "x-bomb: 1\r\n".repeat(2000)),
            ),
            (
                "a huge body",
                format!("{HEAD}content-length: 99999999999\r\n\r\n{filler}"),
            ),
            (
                "a body without end",
                format!(
                    "{HEAD}transfer-encoding: chunked\r\n\r\n{}",
                    chunk.repeat(8)
                ),
            ),
        ];
        for (name, bomb) in rows {
            let Ok(mut stream) = connect(hostile, source).await else {
                continue;
            };
            let _sent = timeout(LET_GO, stream.write_all(bomb.as_bytes())).await;
            attacks.ends_without_success(name, &mut stream).await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    attacks
}

/// Requests with two framings, or a framing that two parties may read differently.
async fn smuggling(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    let second = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\n\r\n";
    while Instant::now() < hostile.until {
        let rows = [
            format!(
                "{HEAD}connection: close\r\ncontent-length: 6\r\ncontent-length: 5\r\n\r\n{{}}    "
            ),
            format!(
                "{HEAD}connection: close\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n{second}"
            ),
            format!("{HEAD}connection: close\r\ncontent-length : 2\r\n\r\n{{}}{second}"),
            format!(
                "{HEAD}connection: close\r\ncontent-length: 4\r\ntransfer-encoding: \
                    chunked\r\n\r\n0\r\n\r\n{second}"
            ),
        ];
        for row in rows {
            let Ok(mut stream) = connect(hostile, source).await else {
                continue;
            };
            let _sent = stream.write_all(row.as_bytes()).await;
            attacks
                .ends_without_success("a smuggled request", &mut stream)
                .await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    attacks
}
