//! What hone may hold in memory: the sum of its bounds.
//!
//! Requests at once are no more than connections: of those on one HTTP/2 connection each beside the
//! first takes the place of a connection, and is refused if there is none.

use crate::config::{Bounds, Config, memory_limit};
use crate::transport::windows::{self, NARROW, STREAMS};
use crate::upstream::STREAM_WINDOW;

/// What a connection and the request on it hold beside bodies and windows: the buffers of hyper and
/// TLS on both sides, and the start of a JSON answer whose tokens are counted. Of HTTP/2, 256 KiB
/// read from the upstream, as much that is not written, and small refusals that nobody reads.
const BUFFERS: u64 = 1024 * 1024;
/// Code, allocator, tables of tenants, logs: what hone takes beyond the sum.
const BESIDE: u64 = 64 * 1024 * 1024;

/// One line of the sum.
pub(crate) struct Part {
    /// Most bytes.
    pub(crate) bytes: u64,
    /// What takes them, and from which bounds that follows.
    pub(crate) what: String,
}

/// What hone holds for its clients by its bounds, a line each, with `connections` clients.
pub(crate) fn parts(bounds: &Bounds, connections: usize) -> Vec<Part> {
    let connections = connections as u64;
    let part = |bytes: u64, what: String| Part { bytes, what };
    let each = |count: u64, bytes: u64| count.saturating_mul(bytes);
    let heads = 2 * bounds.header_bytes as u64 + BUFFERS;
    let (streams, window) = (u64::from(STREAMS), u64::from(NARROW));
    vec![
        part(
            bounds.buffered_bytes as u64,
            "bodies, what their JSON becomes, and the answers of runs: buffered_bytes".to_owned(),
        ),
        part(
            each(connections, heads),
            format!("buffers: {connections} connections, or more streams of some, x {heads}"),
        ),
        part(
            each(connections, bounds.sse_event_bytes as u64),
            format!("events of streams: {connections} connections x sse_event_bytes"),
        ),
        part(
            windows::shared(bounds) as u64,
            "wider windows of some HTTP/2 clients: a quarter of buffered_bytes".to_owned(),
        ),
        part(
            each(connections, streams * window),
            format!("windows of HTTP/2 clients: {connections} connections x {streams} x {window}"),
        ),
        part(
            each(connections, u64::from(STREAM_WINDOW)),
            format!("windows of HTTP/2 upstreams: {connections} streams x {STREAM_WINDOW}"),
        ),
    ]
}

/// The sum as comments for `hone check`, and a warning if it is more than the container has.
pub(crate) fn report(config: &Config) -> Vec<String> {
    let parts = parts(&config.bounds, super::connections(&config.bounds));
    let sum = sum(&parts);
    let mut lines = vec![format!(
        "The bounds of memory come to {}, and hone itself takes up to {}:",
        mib(sum),
        mib(BESIDE)
    )];
    let told = |part: Part| format!("  {:>16}  {}", mib(part.bytes), part.what);
    lines.extend(parts.into_iter().map(told));
    if let Some(limit) = memory_limit() {
        lines.push(format!("The container has {}.", mib(limit)));
        if sum.saturating_add(BESIDE) > limit {
            lines.push(
                "That is less. Lower `connections` or the bounds above, or clients that hold on \
                 to everything can end the process."
                    .to_owned(),
            );
        }
    }
    lines
}

/// All lines together.
pub(crate) fn sum(parts: &[Part]) -> u64 {
    parts
        .iter()
        .fold(0, |sum, part| part.bytes.saturating_add(sum))
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}
