//! Processes of hone: started, looked at from outside, signalled, killed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fatal::Fatal;
use crate::group::Group;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `hone serve` or `hone sim`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    /// Where the operator connects; for the simulated provider the same.
    pub(crate) admin: SocketAddr,
    /// Reads what it says, and gives back the lines that tell of a panic.
    said: JoinSet<Vec<String>>,
}

impl Program {
    /// A simulated provider.
    pub(crate) async fn sim(hone: &Path, listen: SocketAddr) -> Result<Self, Fatal> {
        let mut child = Command::new(hone)
            .args(["sim", "--listen", &listen.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let line = timeout(PATIENCE, lines.next_line())
            .await??
            .ok_or("the simulated provider ended at once")?;
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once("/v1"))
            .map(|(address, _)| address);
        let address = address
            .ok_or("the simulated provider does not say where it listens")?
            .parse()?;
        Ok(Self {
            child,
            address,
            admin: address,
            said: listen_on(lines),
        })
    }

    /// hone itself, in `group` if there is one.
    pub(crate) async fn serve(
        hone: &Path,
        config: &Path,
        listen: SocketAddr,
        group: Option<&Group>,
    ) -> Result<Self, Fatal> {
        let mut child = within(group, hone)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .args(["--listen", &listen.to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no log")?).lines();
        let told = timeout(PATIENCE, async {
            let mut earlier = String::new();
            while let Some(line) = lines.next_line().await? {
                if let Some(told) = serde_json::from_str::<Value>(&line)
                    .ok()
                    .filter(|told| told.get("admin").is_some())
                {
                    return Ok(told);
                }
                earlier = line;
            }
            Err::<Value, Fatal>(format!("hone ended at once: {earlier}").into())
        });
        let told = told.await??;
        let part = |name: &str| {
            told.get(name)
                .and_then(Value::as_str)
                .ok_or("hone does not say where it listens")
        };
        Ok(Self {
            child,
            address: part("address")?.parse()?,
            admin: part("admin")?.parse()?,
            said: listen_on(lines),
        })
    }

    fn id(&self) -> Result<u32, Fatal> {
        Ok(self.child.id().ok_or("the process is gone")?)
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Fatal> {
        let sent = Command::new("kill")
            .args(["-s", name, &self.id()?.to_string()])
            .status()
            .await?;
        if sent.success() {
            Ok(())
        } else {
            Err(format!("SIG{name} was not sent").into())
        }
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) async fn kill(mut self) -> Result<Vec<String>, Fatal> {
        self.child.kill().await?;
        Ok(self.panics().await)
    }

    /// Waits until the process ends by itself, and says whether it calls that a success.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Result<bool, Fatal> {
        Ok(timeout(patience, self.child.wait()).await??.success())
    }

    /// How the process ended, if it has.
    pub(crate) fn end(&mut self) -> Result<Option<ExitStatus>, Fatal> {
        Ok(self.child.try_wait()?)
    }

    /// Lines that tell of a panic; call it when the process has ended.
    pub(crate) async fn panics(&mut self) -> Vec<String> {
        let mut panics = Vec::new();
        while let Ok(Some(said)) = timeout(PATIENCE, self.said.join_next()).await {
            panics.extend(said.unwrap_or_default());
        }
        panics
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> Result<u64, Fatal> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            // Of a process that has ended only its name and its status are kept.
            .ok_or("the process is gone")?;
        Ok(line.trim_end_matches("kB").trim().parse()?)
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> Result<usize, Fatal> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()?))?.count())
    }
}

/// `program`, which belongs to `group` from its first moment on.
fn within(group: Option<&Group>, program: &Path) -> Command {
    let Some(group) = group else {
        return Command::new(program);
    };
    let mut command = Command::new("sh");
    let join = r#"echo $$ > "$0" && exec "$@""#;
    command.args(["-c", join]).arg(group.members()).arg(program);
    command
}

fn listen_on<R: AsyncRead + Unpin + Send + 'static>(
    mut lines: Lines<BufReader<R>>,
) -> JoinSet<Vec<String>> {
    let mut said = JoinSet::new();
    said.spawn(async move {
        let mut panics = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("panicked") {
                panics.push(line);
            }
        }
        panics
    });
    said
}
