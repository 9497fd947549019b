//! Sizes, counts and times that bound every request.

use std::time::Duration;

use hone_strategies::expr;

use super::values;
use crate::config::Bounds;
use crate::config::error::wrong;
use crate::config::file::Section;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const MOST_ADDRESS_RATE: u32 = 1_000_000_000;

/// `[bounds]`: every key that is not written has its default.
pub(super) fn bounds(section: Option<Section<'_>>) -> Bounds {
    let mut bounds = Bounds::default();
    let Some(mut section) = section else {
        return bounds;
    };
    sizes(&mut section, &mut bounds);
    times(&mut section, &mut bounds);
    counts(&mut section, &mut bounds);
    if bounds.buffered_bytes < bounds.body_bytes {
        let right = "write at least bounds.body_bytes, or the largest body could never be read";
        section.wrong(
            "buffered_bytes",
            wrong(
                format!("is less than one body ({} bytes)", bounds.body_bytes),
                right,
            ),
        );
    }
    if bounds.tenant_buffered_bytes < bounds.body_bytes {
        let right =
            "write at least bounds.body_bytes, or a tenant's largest body could never be read";
        section.wrong(
            "tenant_buffered_bytes",
            wrong(
                format!("is less than one body ({} bytes)", bounds.body_bytes),
                right,
            ),
        );
    }
    section.finish();
    bounds
}

fn sizes(section: &mut Section<'_>, bounds: &mut Bounds) {
    // hyper refuses header buffers below 8 KiB.
    size(
        section,
        "header_bytes",
        8 * 1024,
        16 * MIB,
        &mut bounds.header_bytes,
    );
    size(section, "body_bytes", 1024, 4 * GIB, &mut bounds.body_bytes);
    size(
        section,
        "buffered_bytes",
        1024,
        1024 * GIB,
        &mut bounds.buffered_bytes,
    );
    // One tenant must not take all of it, and must be able to send the largest body.
    bounds.tenant_buffered_bytes = (bounds.buffered_bytes / 8).max(bounds.body_bytes);
    size(
        section,
        "tenant_buffered_bytes",
        1024,
        1024 * GIB,
        &mut bounds.tenant_buffered_bytes,
    );
    size(
        section,
        "sse_event_bytes",
        1024,
        GIB,
        &mut bounds.sse_event_bytes,
    );
    size(section, "answer_bytes", 1024, GIB, &mut bounds.answer_bytes);
    size(
        section,
        "expression_bytes",
        4,
        expr::MAX_BYTES as u64,
        &mut bounds.expression_bytes,
    );
    size(
        section,
        "queue_length",
        0,
        10_000_000,
        &mut bounds.queue_length,
    );
    size(
        section,
        "unknown_tenants",
        1,
        10_000_000,
        &mut bounds.unknown_tenants,
    );
}

fn times(section: &mut Section<'_>, bounds: &mut Bounds) {
    time(section, "header_read", &mut bounds.header_read);
    time(section, "connection_idle", &mut bounds.connection_idle);
    time(section, "body_idle", &mut bounds.body_idle);
    time(section, "body_read", &mut bounds.body_read);
    time(section, "connect", &mut bounds.connect);
    time(section, "upstream_head", &mut bounds.upstream_head);
    time(section, "stream_idle", &mut bounds.stream_idle);
    time(section, "strategy_deadline", &mut bounds.strategy_deadline);
    time(section, "queue_wait", &mut bounds.queue_wait);
    time(section, "drain", &mut bounds.drain);
}

fn counts(section: &mut Section<'_>, bounds: &mut Bounds) {
    if let Some(n) = section.count("strategy_n", 128) {
        bounds.strategy_n = n.get();
    }
    if let Some(calls) = section.count("calls_per_request", 100_000) {
        bounds.calls_per_request = calls.get();
    }
    if let Some(calls) = section.count("parallel_calls", 10_000) {
        bounds.parallel_calls = calls.get();
    }
    bounds.connections = section.count("connections", 10_000_000);
    bounds.connections_per_address = section.count("connections_per_address", 10_000_000);
    if let Some(rate) = section.count("connections_per_minute", MOST_ADDRESS_RATE) {
        bounds.connections_per_minute = rate;
    }
    if let Some(rate) = section.count("rejected_keys_per_minute", MOST_ADDRESS_RATE) {
        bounds.rejected_keys_per_minute = rate;
    }
}

fn size(section: &mut Section<'_>, key: &'static str, least: u64, most: u64, bound: &mut usize) {
    if let Some(value) = section
        .integer(key, least..=most)
        .and_then(|value| usize::try_from(value).ok())
    {
        *bound = value;
    }
}

fn time(section: &mut Section<'_>, key: &'static str, bound: &mut Duration) {
    if let Some(value) = section.parsed(key, values::duration) {
        *bound = value;
    }
}
