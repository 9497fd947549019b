//! What hone tells its operator: one log line and a few counters per request, never content and
//! never keys.

use std::fmt;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

mod account;
mod blame;
pub(crate) mod charges;
pub(crate) mod connections;
pub(crate) mod inflight;
pub(crate) mod log;
mod metrics;
mod names;
pub(crate) mod reach;
pub(crate) mod record;
pub(crate) mod reloads;

pub(crate) use account::RequestAccount;
pub(crate) use blame::Blame;
pub(crate) use metrics::know_models;
pub(crate) use record::{RecordGuard, RequestRecord};

/// The process's metrics, for the admin listener. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(PrometheusHandle);

impl Telemetry {
    /// Installs the process's recorder, or finds the one that is installed already.
    pub fn install() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let install = || {
            let recorder = metrics::recorder().unwrap_or_else(|error| {
                tracing::error!(%error, "histograms go without buckets");
                PrometheusBuilder::new().build_recorder()
            });
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed; /metrics will be empty");
            }
            metrics::describe();
            connections::describe();
            charges::describe();
            inflight::describe();
            reloads::describe();
            handle
        };
        Self(HANDLE.get_or_init(install).clone())
    }

    /// All metrics, in Prometheus' text format.
    pub fn render(&self) -> String {
        charges::report();
        inflight::report();
        self.0.render()
    }

    /// Moves finished observations out of the buffers, which would grow otherwise.
    pub(crate) fn tidy(&self) {
        self.0.run_upkeep();
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}
