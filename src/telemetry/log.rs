//! The log: readable lines on a terminal, one JSON object a line otherwise. Never content, never keys.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error. `filter` is known to be well formed, for example `info,hone::request=warn`.
///
/// A second call changes nothing: the first subscriber stays.
pub fn init(json: bool, filter: &str) {
    let builder = fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr);
    let started = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()
    } else {
        builder.compact().finish().try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started already");
    }
}
