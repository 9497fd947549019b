//! The z3 solver as a process of its own: what it may use, and how it is stopped.
//!
//! It gets a checked script on its standard input and nothing else: no arguments of a stranger, no
//! environment, no file that it could write. Time, memory, processor time and output are bounded,
//! by its own options and by the system. Nothing that a model wrote is ever executed.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hone_strategies::smt::Script;
use hone_strategies::{Solver, SolverError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};

use crate::admission::{FairQueue, TenantKey};
use crate::config::SolverPlace;

/// What it may print.
const MOST_OUTPUT: u64 = 64 * 1024;
/// What it may use, in MiB.
const MEMORY: u64 = 512;
/// What its address space may have beyond its memory, in MiB: code, stacks, what the allocator
/// keeps.
#[cfg(target_os = "linux")]
const MEMORY_SLACK: u64 = 512;
/// How much it stands back behind other processes: hone must answer while it computes.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;
/// How long it may take beyond its own time limit to say so, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// Part of the turns that one tenant has at most while others wait.
const TENANT_SHARE: f64 = 0.5;
/// Scripts that wait for a turn.
const MOST_WAITING: usize = 256;
/// Longer than any script may wait: its own limit ends that earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// z3, found on this machine. At most one process for each processor runs at a time, and tenants
/// take turns.
pub struct Z3 {
    path: PathBuf,
    turns: Arc<FairQueue>,
}

/// z3, as one tenant has it.
#[derive(Debug)]
pub struct SolverPermit {
    z3: Arc<Z3>,
    tenant: TenantKey,
    weight: u32,
}

impl fmt::Debug for Z3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Z3")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Z3 {
    /// The one where packages put it.
    pub fn find() -> Option<Self> {
        Self::of(&SolverPlace::Auto)
    }

    /// The one that the configuration means.
    pub(crate) fn of(place: &SolverPlace) -> Option<Self> {
        place.path().map(Self::at)
    }

    /// The one at `path`.
    pub fn at(path: &Path) -> Self {
        let processors = std::thread::available_parallelism()
            .ok()
            .and_then(|processors| NonZeroU32::try_from(processors).ok());
        let turns = FairQueue::new(
            processors.unwrap_or(NonZeroU32::MIN),
            TENANT_SHARE,
            MOST_WAITING,
            LONGEST_WAIT,
        );
        Self {
            path: path.to_owned(),
            turns: Arc::new(turns),
        }
    }

    /// The solver for `tenant`, whose weight counts in its turns.
    pub fn seat(self: &Arc<Self>, tenant: &TenantKey, weight: u32) -> SolverPermit {
        SolverPermit {
            z3: Arc::clone(self),
            tenant: tenant.clone(),
            weight,
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn spawn(&self, limit: Duration) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command
            .args(["-in", "-smt2"])
            .arg(format!("-T:{}", limit.as_secs().max(1)))
            .arg(format!("-memory:{MEMORY}"));
        command.env_clear().current_dir("/").kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = command.spawn()?;
        // It has had no input yet, so there is nothing that it could have done before this holds.
        confine(&child, limit)?;
        Ok(child)
    }

    async fn run(
        &self,
        (tenant, weight): (&TenantKey, u32),
        script: &Script,
        limit: Duration,
    ) -> Result<String, SolverError> {
        let deadline = Instant::now() + limit + GRACE;
        let turn = timeout_at(deadline, self.turns.acquire(tenant, weight)).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(unavailable("every processor is busy with a solver"));
        };
        let mut child = self
            .spawn(limit)
            .map_err(|error| unavailable(&error.to_string()))?;
        let exchange = exchange(&mut child, script.to_string());
        timeout_at(deadline.max(Instant::now() + limit + GRACE), exchange)
            .await
            .map_err(|_elapsed| SolverError::TimedOut)?
    }
}

impl Solver for SolverPermit {
    fn solve<'a>(
        &'a self,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<String, SolverError>> {
        self.z3
            .run((&self.tenant, self.weight), script, limit)
            .boxed()
    }
}

/// Writes the script and reads what is printed, at the same time, so that neither side waits for
/// the other.
async fn exchange(child: &mut Child, script: String) -> Result<String, SolverError> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(unavailable("no pipes"));
    };
    let write = async move {
        // A solver that has seen enough closes its end; what it printed until then tells why.
        match input.write_all(script.as_bytes()).await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    };
    let read = async move {
        let mut printed = Vec::new();
        output
            .take(MOST_OUTPUT + 1)
            .read_to_end(&mut printed)
            .await?;
        io::Result::Ok(printed)
    };
    let (written, printed) = tokio::join!(write, read);
    let printed = written
        .and(printed)
        .map_err(|error| unavailable(&error.to_string()))?;
    if printed.len() as u64 > MOST_OUTPUT {
        return Err(SolverError::TooMuchOutput);
    }
    // It has closed its output, so it ends; waiting for that leaves no dead process behind.
    child
        .wait()
        .await
        .map_err(|error| unavailable(&error.to_string()))?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Bounds what the process may use, whatever its own options do, and lowers its priority. It may
/// write no file and open none but its libraries.
#[cfg(target_os = "linux")]
fn confine(child: &Child, limit: Duration) -> io::Result<()> {
    use rlimit::Resource;
    let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) else {
        return Ok(());
    };
    rustix::process::setpriority_process(rustix::process::Pid::from_raw(id), NICENESS)?;
    let seconds = limit.as_secs() + GRACE.as_secs();
    let bounds = [
        (Resource::AS, (MEMORY + MEMORY_SLACK) * 1024 * 1024),
        (Resource::CORE, 0),
        (Resource::CPU, seconds),
        (Resource::FSIZE, 0),
        (Resource::NOFILE, 16),
    ];
    bounds
        .into_iter()
        .try_for_each(|(resource, bound)| rlimit::prlimit(id, resource, Some((bound, bound)), None))
}

#[cfg(not(target_os = "linux"))]
fn confine(_child: &Child, _limit: Duration) -> io::Result<()> {
    Ok(())
}

fn unavailable(detail: &str) -> SolverError {
    SolverError::Unavailable {
        detail: detail.to_owned(),
    }
}
