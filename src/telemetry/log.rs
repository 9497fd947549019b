//! The log: readable lines on a terminal, one JSON object a line otherwise. Never content, never
//! keys.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod batch;
mod json;

pub(crate) use batch::Batch;
use json::JsonLines;

/// Starts logging to standard error. `filter` is known to be well formed, for example
/// `info,hone::request=warn`.
///
/// JSON lines are written in batches, a few times a second; what is pending is written when the
/// returned value is dropped. A second call changes nothing: the first subscriber stays.
#[must_use = "dropping it writes what is pending"]
pub(crate) fn init(json: bool, filter: &str) -> Option<Batch> {
    let filter = EnvFilter::new(filter);
    let (started, batch) = if json {
        let batch = Batch::new(std::io::stderr());
        (
            tracing_subscriber::registry()
                .with(filter)
                .with(JsonLines::new(batch.clone()))
                .try_init(),
            Some(batch),
        )
    } else {
        (
            fmt()
                .with_env_filter(filter)
                .with_writer(std::io::stderr)
                .compact()
                .finish()
                .try_init(),
            None,
        )
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started already");
    }
    batch
}
