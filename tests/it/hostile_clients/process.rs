//! hone as a process of its own, whose memory can be read.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::setup::Setup;
use crate::support::{Client, hone, in_time};

pub(super) const CHAT: &str = "/v1/chat/completions";
pub(super) const MIB: usize = 1024 * 1024;
/// What hone may take beyond the sum.
const BESIDE: usize = 64 * MIB;
/// The most memory for requests and their answers.
const BUFFERED: usize = 48 * MIB;

/// hone, running.
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
    /// The lines of the sum that are not about HTTP/2, which nothing here speaks.
    sum: usize,
    _folder: tempfile::TempDir,
}

impl Process {
    pub(super) async fn start(setup: &Setup) -> Self {
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

    pub(super) fn client(&self, key: &str) -> Client {
        Client::new(self.address).key(key)
    }

    /// The most memory that was resident at once, in bytes.
    pub(super) fn peak(&mut self) -> usize {
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
    pub(super) fn assert_small(&mut self, what: &str) {
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

/// Bounds of which each is easily reached.
pub(super) fn bounded(upstream: SocketAddr) -> Setup {
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
