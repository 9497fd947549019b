//! Connections that mean harm, each from an address of its own: none of them gets anything, and
//! each is let go in time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::findings::Findings;

/// Longer than any time that hone is configured to give a connection that does nothing useful.
const LET_GO: Duration = Duration::from_secs(12);
/// Connections that one hostile address holds at once.
const HELD: usize = 400;

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
    others: u32,
    wrong: Vec<String>,
}

impl Attacks {
    pub(crate) fn enter(self, findings: &mut Findings) {
        findings.note(format!(
            "hostile: {} idle connections and {} other attacks",
            self.idle, self.others
        ));
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

/// Opens connections that never say anything, and holds as many as it can.
async fn idle(hostile: Hostile, source: u8) -> Attacks {
    let (mut attacks, mut held) = (Attacks::default(), Vec::new());
    while Instant::now() < hostile.until && attacks.idle < hostile.connections / 4 {
        if let Ok(Ok(stream)) = timeout(Duration::from_secs(2), connect(hostile, source)).await {
            attacks.idle += 1;
            held.push(stream);
        }
        if held.len() >= HELD {
            held.clear();
        }
        if attacks.idle.is_multiple_of(16) {
            sleep(Duration::from_millis(2)).await;
        }
    }
    attacks
}

/// Reads until the peer closes; what it said. `None` if it does not.
async fn farewell(stream: &mut TcpStream) -> Option<String> {
    let mut said = Vec::new();
    // A reset is an end, too.
    let _end = timeout(LET_GO, stream.read_to_end(&mut said)).await.ok()?;
    Some(String::from_utf8_lossy(&said).into_owned())
}

impl Attacks {
    async fn ends_without_success(&mut self, name: &str, stream: &mut TcpStream) {
        self.others += 1;
        match farewell(stream).await {
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

/// A byte of a head now and then.
async fn slow_heads(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    while Instant::now() < hostile.until {
        let Ok(mut stream) = connect(hostile, source).await else {
            continue;
        };
        for byte in HEAD.bytes() {
            if stream.write_all(&[byte]).await.is_err() || Instant::now() >= hostile.until {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        attacks
            .ends_without_success("a slow head", &mut stream)
            .await;
    }
    attacks
}

/// A byte of a body now and then.
async fn slow_bodies(hostile: Hostile, source: u8) -> Attacks {
    let mut attacks = Attacks::default();
    while Instant::now() < hostile.until {
        let Ok(mut stream) = connect(hostile, source).await else {
            continue;
        };
        let _sent = stream
            .write_all(format!("{HEAD}content-length: 1000\r\n\r\n").as_bytes())
            .await;
        for _ in 0..80 {
            if stream.write_all(b" ").await.is_err() || Instant::now() >= hostile.until {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        attacks
            .ends_without_success("a slow body", &mut stream)
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
