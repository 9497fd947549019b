//! The processes, their configuration, and what must be so whenever nothing runs.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::args::Args;
use crate::fatal::Fatal;
use crate::figures::{Metrics, Served, model_list};
use crate::findings::Findings;
use crate::group::Group;
use crate::hostile::PER_ADDRESS;
use crate::process::Program;

/// Calls at once that the main upstream takes.
pub(crate) const CONCURRENCY: i64 = 64;
/// More than the tokens of any one call, sent or reserved.
pub(crate) const MOST_TOKENS: i32 = 700;
/// Of `limited-requests`, each minute.
pub(crate) const REQUESTS: u32 = 30;
/// Of `limited-calls`, each minute.
pub(crate) const CALLS: u32 = 30;
/// Of `limited-tokens`, each minute.
pub(crate) const TOKENS: u32 = 900;
/// Of `rate-*`, each minute, for all tenants together.
pub(crate) const SHARED_RATE: u32 = 120;
/// Of `count-*`, at once, for all tenants together.
pub(crate) const SHARED_COUNT: u32 = 8;
/// Bytes that all bodies, and what becomes of them, may take.
pub(crate) const BUFFERED: u64 = 64 * 1024 * 1024;
/// Who asks by the names of old, and has [`TOKENS`] each minute.
pub(crate) const METERED: &str = "alias-metered";
/// Who has a limit of its own.
pub(crate) const LIMITED: [&str; 3] = ["limited-requests", "limited-calls", "limited-tokens"];

/// Seconds to the beginning of an answer, where providers hang.
pub(crate) const QUICK: u32 = 4;
/// The same where no provider fails, and the machine may be slow.
pub(crate) const PATIENT: u32 = 20;

/// How long leftovers may take to go.
const PATIENCE: Duration = Duration::from_secs(15);

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) hone: Program,
    /// The upstream that lives as long as the stage.
    pub(crate) sim: Program,
    /// The upstream that goes away and comes back.
    pub(crate) away: Option<Program>,
    pub(crate) away_address: SocketAddr,
    pub(crate) program: PathBuf,
    /// The control group of hone, or why there is none.
    pub(crate) group: Result<Group, String>,
    /// Since when limits count.
    pub(crate) since: Instant,
    /// Descriptors before the first request.
    descriptors: usize,
    folder: TempDir,
    version: u32,
    /// For how many seconds an upstream may be silent before it answers.
    head: u32,
}

/// The digest by which configurations and statistics know a key.
pub(crate) fn digest(key: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

/// A port that was free a moment ago.
async fn free() -> Result<SocketAddr, Fatal> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?)
}

impl Stage {
    /// Starts everything.
    pub(crate) async fn set(args: &Args) -> Result<Self, Fatal> {
        let program = match &args.hone {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("hone"),
        };
        if !program.is_file() {
            return Err(format!("there is no program at {}", program.display()).into());
        }
        let any = free().await?;
        let sim = Program::sim(&program, SocketAddr::new(any.ip(), 0)).await?;
        let away = Program::sim(&program, SocketAddr::new(any.ip(), 0)).await?;
        let folder = tempfile::tempdir()?;
        let admin = free().await?;
        let path = folder.path().join("hone.toml");
        std::fs::write(&path, config(sim.address, away.address, admin, 0, QUICK))?;
        let group = match args.memory {
            0 => Err("none was asked for".to_owned()),
            mib => Group::new(mib),
        };
        let hone = Program::serve(&program, &path, free().await?, group.as_ref().ok()).await?;
        let descriptors = hone.descriptors()?;
        let away_address = away.address;
        Ok(Self {
            hone,
            sim,
            away: Some(away),
            away_address,
            program,
            group,
            since: Instant::now(),
            descriptors,
            folder,
            version: 0,
            head: QUICK,
        })
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.path().join("hone.toml")
    }

    /// The name of the virtual model that only the latest configuration has.
    pub(crate) fn newest_model(&self) -> String {
        format!("reloaded-{}", self.version)
    }

    /// Writes another configuration and has hone read it.
    pub(crate) async fn reload(&mut self) -> Result<(), Fatal> {
        self.version += 1;
        let text = config(
            self.sim.address,
            self.away_address,
            self.hone.admin,
            self.version,
            self.head,
        );
        // Renamed into place, so that hone never reads half of it.
        let next = self.folder.path().join("next.toml");
        std::fs::write(&next, text)?;
        std::fs::rename(next, self.config_file())?;
        self.hone.signal("HUP").await
    }

    /// Has hone read another configuration, in which it waits this many seconds for an answer to
    /// begin, and waits until that holds.
    pub(crate) async fn reloaded(
        &mut self,
        head: u32,
        findings: &mut Findings,
    ) -> Result<(), Fatal> {
        self.head = head;
        self.reload().await?;
        let due = Instant::now() + PATIENCE;
        let newest = self.newest_model();
        while !model_list(self.hone.address).await?.contains(&newest) {
            if Instant::now() > due {
                findings.wrong(format!("{newest} was configured and is not there"));
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until nothing is under way, and checks that nothing is left.
    pub(crate) async fn settle(
        &self,
        findings: &mut Findings,
        after: &str,
    ) -> Result<Metrics, Fatal> {
        let due = Instant::now() + PATIENCE;
        loop {
            let (metrics, served) = (
                Metrics::of(self.hone.admin).await?,
                Served::of(self.sim.address).await?,
            );
            let kinds = [
                "queued",
                "requests",
                "reservations",
                "streams",
                "upstream_calls",
            ];
            let mut left = String::new();
            for kind in kinds {
                if metrics.in_flight(kind) != 0 {
                    write!(left, "{kind}: {}, ", metrics.in_flight(kind))?;
                }
            }
            // The question itself comes on a connection.
            if metrics.in_flight("connections") > 1 {
                write!(left, "connections: {}, ", metrics.in_flight("connections"))?;
            }
            if served.count("in_flight") != 0 {
                write!(
                    left,
                    "calls at the provider: {}, ",
                    served.count("in_flight")
                )?;
            }
            let pooled = served.count("open_connections");
            let descriptors = self.hone.descriptors()?;
            // Pools also keep some to the upstream that goes away.
            let known = self.descriptors + usize::try_from(pooled)? + 64;
            if descriptors > known {
                write!(
                    left,
                    "descriptors: {descriptors} where {known} have a reason, "
                )?;
            }
            if left.is_empty() {
                return Ok(metrics);
            }
            if Instant::now() > due {
                findings.wrong(format!("after {after} something is left: {left}"));
                return Ok(metrics);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How hone ended, if it has, where it was to go on.
    pub(crate) fn end(&mut self) -> Option<String> {
        let status = self.hone.end().ok()??;
        let why = match &self.group {
            Ok(group) if group.has_killed() => {
                ": the kernel's OOM killer ended it, its control group's memory was used up"
            }
            _ => "",
        };
        Some(format!("hone is gone ({status}){why}"))
    }

    /// Ends what still runs, and looks for panics.
    pub(crate) async fn strike(self, findings: &mut Findings) {
        let away = match self.away {
            Some(away) => away.kill().await,
            None => Ok(Vec::new()),
        };
        for panics in [away, self.sim.kill().await] {
            for line in panics.unwrap_or_default() {
                findings.wrong(format!("the simulated provider: {line}"));
            }
        }
    }
}

fn config(sim: SocketAddr, away: SocketAddr, admin: SocketAddr, version: u32, head: u32) -> String {
    let [requests, calls, tokens] = LIMITED.map(digest);
    let (metered, shared) = (digest(METERED), shared(sim));
    format!(
        r#"
[log]
format = "json"
filter = "warn,hone::commands::serve=info"
[admin]
listen = "{admin}"
[[upstream]]
name = "sim"
base_url = "http://{sim}/v1"
models = ["sim-*"]
concurrency = {CONCURRENCY}
[[upstream]]
name = "away"
base_url = "http://{away}/v1"
accepts_client_keys = true
models = ["away-*"]
{shared}[[tenant]]
name = "limited-requests"
provider_keys = ["{requests}"]
[tenant.limits]
requests_per_minute = {REQUESTS}
[[tenant]]
name = "limited-calls"
provider_keys = ["{calls}"]
[tenant.limits]
upstream_calls_per_minute = {CALLS}
[[tenant]]
name = "limited-tokens"
provider_keys = ["{tokens}"]
[tenant.limits]
tokens_per_minute = {TOKENS}
[[tenant]]
name = "{METERED}"
provider_keys = ["{metered}"]
[tenant.limits]
tokens_per_minute = {TOKENS}
[[model]]
name = "reloaded-{version}"
model = "sim-small"
approach = "none"
[bounds]
header_read = "3s"
body_bytes = 262144
buffered_bytes = {BUFFERED}
body_idle = "3s"
body_read = "5s"
upstream_head = "{head}s"
stream_idle = "4s"
strategy_deadline = "20s"
connections = 6000
connections_per_address = {PER_ADDRESS}
connections_per_minute = 100000000
"#
    )
}

/// The same provider over HTTP/2, and with limits that all tenants share.
fn shared(sim: SocketAddr) -> String {
    format!(
        r#"[[upstream]]
name = "multiplexed"
base_url = "http://{sim}/v1"
accepts_client_keys = true
models = ["h2-*"]
http2_prior_knowledge = true
[[upstream]]
name = "rate"
base_url = "http://{sim}/v1"
accepts_client_keys = true
models = ["rate-*"]
limits = {{ requests_per_minute = {SHARED_RATE} }}
[[upstream]]
name = "count"
base_url = "http://{sim}/v1"
accepts_client_keys = true
models = ["count-*"]
limits = {{ concurrent_requests = {SHARED_COUNT} }}
"#
    )
}
