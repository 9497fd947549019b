//! Whose turn it is at an upstream, and how tenants share it.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::client;
use crate::admission::{FairQueue, Sharing};
use crate::config::{Bounds, UpstreamConfig};

/// Counts of tokens that are made at once. A client may ask for dozens.
pub(super) const COUNTERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// The queue for what is answered.
pub(super) fn queue(config: &UpstreamConfig, bounds: &Bounds) -> Arc<FairQueue> {
    let (length, wait) = (bounds.queue_length, bounds.queue_wait);
    let queue = FairQueue::new(config.concurrency, config.tenant_share, length, wait);
    // The first call connects, and the others wait in turn until it is known how many of them a
    // connection can take.
    queue.bound(client::may_speak_http2(config).then_some(NonZeroU32::MIN));
    Arc::new(queue)
}

/// The queue for counts of tokens, which take no slot of an answer.
pub(super) fn counters(config: &UpstreamConfig, bounds: &Bounds) -> Arc<FairQueue> {
    let (length, wait) = (bounds.queue_length, bounds.queue_wait);
    let queue = FairQueue::new(COUNTERS, config.tenant_share, length, wait);
    Arc::new(queue)
}

/// How tenants share the limits of an upstream.
pub(super) fn sharing(config: &UpstreamConfig, bounds: &Bounds) -> Sharing {
    Sharing {
        tenant_share: config.tenant_share,
        max_waiting: bounds.queue_length,
        max_wait: bounds.queue_wait,
    }
}
