//! How much memory hone takes at its peak, as a process of its own, whatever comes: never more than
//! the sum that `hone check` prints, and 64 MiB.

use std::net::SocketAddr;
use std::process::Stdio;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::support::setup::Setup;
use crate::support::{Client, hone, in_time};

const CHAT: &str = "/v1/chat/completions";
const MIB: usize = 1024 * 1024;
/// What hone may take beyond the sum.
const BESIDE: usize = 64 * MIB;
/// The most memory for requests and their answers.
const BUFFERED: usize = 48 * MIB;
/// Three of them as trees are twice what hone may take.
const BODY: usize = MIB;

/// hone as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
    /// The lines of the sum that are not about HTTP/2, which nothing here speaks.
    sum: usize,
    _folder: tempfile::TempDir,
}

impl Process {
    async fn start(setup: &Setup) -> Self {
        let folder = tempfile::tempdir().expect("fixture: a folder");
        let file = folder.path().join("hone.toml");
        std::fs::write(&file, setup.text()).expect("fixture: a file");
        let program = |verb: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_hone"));
            command.args([verb, "--config"]).arg(&file);
            command
        };
        let checked = program("check").output().await.expect("fixture: check");
        let sum = sum(&String::from_utf8_lossy(&checked.stdout));
        let mut child = program("serve")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("fixture: hone starts");
        let mut log = BufReader::new(child.stderr.take().expect("fixture: its log")).lines();
        let address = in_time(async {
            loop {
                let line = log.next_line().await.expect("a log").expect("hone goes on");
                if let Some((_, address)) = line.split_once("listening on ") {
                    let address: String = address
                        .chars()
                        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':'))
                        .collect();
                    return address.parse().expect("an address");
                }
            }
        })
        .await;
        // What is logged later nobody reads, but hone must be able to write it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self {
            child,
            address,
            sum,
            _folder: folder,
        }
    }

    fn client(&self, key: &str) -> Client {
        Client::new(self.address).key(key)
    }

    /// Sends `bodies`, three at a time, each with a key of its own. Gives the statuses.
    async fn send(&self, bodies: Vec<Bytes>, headers: &[(&str, &str)]) -> Vec<u16> {
        let ask = |(index, body): (usize, &Bytes)| {
            let client = self.client(&format!("made-up-{index}"));
            let client = headers
                .iter()
                .fold(client, |client, (name, value)| client.header(name, value));
            let body = body.clone();
            async move { client.post(CHAT, body).await.status.as_u16() }
        };
        let mut statuses = Vec::new();
        for three in bodies.chunks(3) {
            statuses.extend(join_all(three.iter().enumerate().map(ask)).await);
        }
        statuses
    }

    /// The most memory that was resident at once, in bytes.
    fn peak(&mut self) -> usize {
        let ended = self.child.try_wait().expect("a process");
        assert_eq!(ended, None, "hone ended");
        let id = self.child.id().expect("a process");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("a peak");
        let kib: usize = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number");
        kib * 1024
    }

    #[track_caller]
    fn assert_small(&mut self, what: &str) {
        let (peak, most) = (self.peak() / MIB, (self.sum + BESIDE) / MIB);
        assert!(peak <= most, "{what}: {peak} MiB of {most}");
    }
}

/// The sum of the lines that are not about HTTP/2.
fn sum(check: &str) -> usize {
    let lines = check.lines().filter_map(|line| line.strip_prefix("#  "));
    let lines = lines.filter(|line| !line.contains("HTTP/2"));
    let mib = |line: &str| line.trim().split_once(" MiB")?.0.parse::<usize>().ok();
    let sum: usize = lines.filter_map(mib).sum();
    assert!(sum * MIB > BUFFERED && sum < 200, "{check}");
    sum * MIB
}

fn bounded(upstream: SocketAddr) -> Setup {
    hone()
        .upstream(&upstream)
        .set("tags", true)
        .bound("connections", 16)
        .bound("connections_per_address", 16)
        .bound("buffered_bytes", 50_331_648)
        .bound("tenant_buffered_bytes", 25_165_824)
        .bound("body_bytes", 8_388_608)
        .bound("answer_bytes", 2_097_152)
        .bound("sse_event_bytes", 262_144)
        .bound("strategy_deadline", "4s")
        .bound("stream_idle", "4s")
}

/// A chat request of [`BODY`] bytes, most of them `piece` again and again where `around` has a
/// hole.
fn bomb(model: &str, around: &str, piece: &str, separator: &str) -> Bytes {
    let mut filling = String::with_capacity(BODY + 64);
    while filling.len() < BODY {
        if !filling.is_empty() {
            filling.push_str(separator);
        }
        filling.push_str(piece);
    }
    let body = around.replace("MODEL", model).replace("HOLE", &filling);
    Bytes::from(body)
}

const FIELD: &str =
    r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"tools":[HOLE]}"#;
const UNREAD: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"x":[HOLE]}"#;
const FIELDS: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],HOLE}"#;
const MESSAGES: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"},HOLE]}"#;
const CONTENT: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":[HOLE]}]}"#;
const TEXT: &str = concat!(
    r#"{"model":"MODEL","messages":[{"role":"user","content":"#,
    r#""<optillm_approach>re2</optillm_approach> HOLE"}]}"#
);
const PARAM: &str =
    r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"moa_models":[HOLE]}"#;

fn bombs(model: &str) -> Vec<Bytes> {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let call = r#"{"role":"assistant","tool_calls":[{"id":"","function":{"arguments":""}}]}"#;
    let pieces = ["[0]", r#"{"":0}"#, "0", "[]", "\"\"", "1e9", deep.as_str()];
    let mut bombs = Vec::new();
    for piece in pieces {
        bombs.extend([FIELD, UNREAD, CONTENT].map(|around| bomb(model, around, piece, ",")));
    }
    bombs.push(bomb(model, PARAM, "\"m\"", ","));
    bombs.push(bomb(model, FIELDS, "\"a\":0", ","));
    bombs.push(bomb(model, MESSAGES, r#"{"role":"user"}"#, ","));
    bombs.push(bomb(model, MESSAGES, call, ","));
    bombs.push(bomb(model, TEXT, "words ", ""));
    bombs.push(bomb(model, TEXT, "\\u0001", ""));
    let nested = "[".repeat(BODY / 2) + &"]".repeat(BODY / 2);
    bombs.push(bomb(model, UNREAD, &nested, ","));
    bombs.push(Bytes::from(format!("{{\"x\":{}", "[".repeat(BODY))));
    bombs
}

/// hone before an upstream that cannot be reached.
async fn alone() -> Process {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let upstream = closed.local_addr().expect("an address");
    drop(closed);
    Process::start(&bounded(upstream)).await
}

#[tokio::test]
async fn no_body_takes_more_than_is_counted() {
    let mut process = alone().await;
    for model in ["re2-m", "m"] {
        let statuses = process.send(bombs(model), &[("x-hone-dry-run", "1")]).await;
        for status in statuses {
            assert!([200, 400, 413, 429, 503].contains(&status), "{status}");
        }
        process.assert_small(model);
    }
}

/// Without a dry run bodies are held longer, and their calls are made.
#[tokio::test]
async fn no_run_takes_more_for_its_body_than_is_counted() {
    let mut process = alone().await;
    process.send(bombs("bon-m"), &[]).await;
    process.assert_small("calls");
}
