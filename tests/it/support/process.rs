//! The program itself, as an operator runs it: its log, its signals and its exit code.

use std::net::SocketAddr;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::setup::{OPERATORS_KEY, Setup};
use super::{Client, in_time};

/// `hone serve` with a configuration in a folder of its own.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
    folder: TempDir,
}

impl Process {
    /// Starts it and waits until it listens.
    pub async fn serve(setup: &Setup) -> Self {
        let folder = tempfile::tempdir().expect("fixture: a folder");
        std::fs::write(folder.path().join("hone.toml"), setup.text()).expect("fixture: a file");
        let mut child = hone()
            .args(["serve", "--config"])
            .arg(folder.path().join("hone.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("fixture: hone starts");
        let lines = BufReader::new(child.stderr.take().expect("fixture: its log"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let reader = tokio::task::spawn(async move {
            let mut lines = lines.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().expect("the log").push(line);
            }
        });
        let process = Self {
            child,
            log,
            reader,
            folder,
        };
        process.logs("listening on").await;
        process
    }

    /// Replaces the configuration, as editors do.
    pub fn rewrite(&self, text: &str) {
        let folder = self.folder.path();
        std::fs::write(folder.join("new"), text).expect("fixture: a file");
        let moved = std::fs::rename(folder.join("new"), folder.join("hone.toml"));
        moved.expect("fixture: a file");
    }

    /// Where tenants connect.
    pub fn address(&self) -> SocketAddr {
        self.listens("address")
    }

    /// A client with this key of its provider.
    pub fn client(&self, key: &str) -> Client {
        Client::new(self.address()).key(key)
    }

    /// The operator.
    pub fn admin(&self) -> Client {
        Client::new(self.listens("admin"))
    }

    fn listens(&self, field: &str) -> SocketAddr {
        let lines = self.lines("listening on");
        let address = lines[0][field].as_str().expect("an address");
        address.parse().expect("an address")
    }

    /// The lines so far that say this.
    pub fn lines(&self, part: &str) -> Vec<Value> {
        let log = self.log.lock().expect("the log");
        let lines = log.iter().filter(|line| line.contains(part));
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    /// Waits for a line that says this.
    pub async fn logs(&self, part: &str) -> Value {
        self.logs_times(part, 1).await.remove(0)
    }

    /// Waits until so many lines have said this.
    pub async fn logs_times(&self, part: &str, times: usize) -> Vec<Value> {
        let said = async {
            loop {
                let lines = self.lines(part);
                if lines.len() >= times {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        in_time(said).await
    }

    /// Sends a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("fixture: it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.expect("fixture: kill").success());
    }

    /// Waits for its end. The log is whole then.
    pub async fn ends(&mut self) -> ExitStatus {
        let status = in_time(self.child.wait()).await.expect("it ends");
        in_time(&mut self.reader).await.expect("its log");
        status
    }
}

/// The program, with the variables that configurations of tests name. It ends with its handle.
pub fn hone() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hone"));
    command
        .env("OPERATORS_KEY", OPERATORS_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub async fn run(arguments: &[&str]) -> Output {
    let mut command = hone();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    in_time(command.args(arguments).output())
        .await
        .expect("fixture: hone runs")
}
