//! Rates and concurrency.

use std::num::NonZeroU64;

use crate::config::Limits;
use crate::config::file::Section;

/// An address is shared by many callers, so unless configured it may do this many times what one
/// tenant may.
const ADDRESS_FACTOR: u32 = 10;
/// More would not be a limit.
const MOST: u32 = 1_000_000_000;
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// `[limits]`, and `[limits.address]`, whose keys default to ten times those of `[limits]`.
pub(super) fn server(section: Option<Section<'_>>) -> (Limits, Limits) {
    let Some(mut section) = section else {
        return Default::default();
    };
    let limits = fields(&mut section, Limits::default());
    let defaults = for_address(limits);
    let address = section
        .section("address")
        .map_or(defaults, |address| self::section(Some(address), defaults));
    section.finish();
    (limits, address)
}

/// A table of limits; a key that it lacks is as in `base`.
pub(super) fn section(section: Option<Section<'_>>, base: Limits) -> Limits {
    let Some(mut section) = section else {
        return base;
    };
    let limits = fields(&mut section, base);
    section.finish();
    limits
}

fn fields(section: &mut Section<'_>, base: Limits) -> Limits {
    Limits {
        requests_per_minute: section
            .count("requests_per_minute", MOST)
            .or(base.requests_per_minute),
        upstream_calls_per_minute: section
            .count("upstream_calls_per_minute", MOST)
            .or(base.upstream_calls_per_minute),
        tokens_per_minute: section
            .integer("tokens_per_minute", 1..=MOST_TOKENS)
            .and_then(NonZeroU64::new)
            .or(base.tokens_per_minute),
        concurrent_requests: section
            .count("concurrent_requests", MOST)
            .or(base.concurrent_requests),
        concurrent_upstream_calls: section
            .count("concurrent_upstream_calls", MOST)
            .or(base.concurrent_upstream_calls),
    }
}

fn for_address(limits: Limits) -> Limits {
    let times = std::num::NonZeroU32::MIN.saturating_add(ADDRESS_FACTOR - 1);
    Limits {
        requests_per_minute: limits
            .requests_per_minute
            .map(|limit| limit.saturating_mul(times)),
        upstream_calls_per_minute: limits
            .upstream_calls_per_minute
            .map(|limit| limit.saturating_mul(times)),
        tokens_per_minute: limits
            .tokens_per_minute
            .map(|limit| limit.saturating_mul(times.into())),
        concurrent_requests: limits
            .concurrent_requests
            .map(|limit| limit.saturating_mul(times)),
        concurrent_upstream_calls: limits
            .concurrent_upstream_calls
            .map(|limit| limit.saturating_mul(times)),
    }
}
