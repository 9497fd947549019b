//! How much of the bodies that HTTP/2 clients send may wait in memory.
//!
//! A stream may send its window before hone reads any of it. The connection's window is that of all
//! [`STREAMS`] together, so that bodies that wait for their turn leave the others theirs: behind a
//! load balancer, streams of one connection are many clients'. It is no wider than that because h2
//! allows small DATA frames, which take more memory than their bytes, by the connection's window.
//!
//! So a connection can hold [`STREAMS`] times a stream's window, which is 32 MiB if that is
//! [`WIDE`]: more than a process has for thousands of connections, of which few use any. Each
//! connection has [`NARROW`] windows of its own, 1 MiB together. Wider ones come from what all
//! connections share, a quarter of `buffered_bytes`: each takes up to an eighth of what is left
//! there when it comes, and gives it back when it ends. With 1 GiB the first connection has windows
//! of 128 KiB, the tenth of about 40 KiB, and all together hold no more than 256 MiB, and 1 MiB for
//! each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Bounds;

/// HTTP/2 streams of one connection at once.
pub(crate) const STREAMS: u32 = 256;
/// Bytes of a body that wait until they are read, if there is room for all.
const WIDE: u32 = 128 * 1024;
/// The same if there is not: a prompt of a few pages in one round trip, and a long one in several.
pub(crate) const NARROW: u32 = 4 * 1024;
/// A connection takes one of so many parts of what is left.
const PARTS: usize = 8;
/// A stream's window is a multiple of this.
const STEP: u32 = 1024;

/// What all connections together may hold beside their own.
pub(crate) fn shared(bounds: &Bounds) -> usize {
    bounds.buffered_bytes / 4
}

/// What connections have taken of what they share.
#[derive(Debug, Default)]
pub(super) struct Windows(AtomicUsize);

/// One connection's windows, for as long as it is open.
#[derive(Debug)]
pub(super) struct Window {
    windows: Arc<Windows>,
    /// Bytes of a stream beyond [`NARROW`].
    wider: u32,
}

impl Windows {
    /// The windows of a new connection.
    pub(super) fn open(self: &Arc<Self>, bounds: &Bounds) -> Window {
        let wider = |taken: usize| {
            let part = shared(bounds).saturating_sub(taken) / PARTS / STREAMS as usize;
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            part.min(WIDE - NARROW) / STEP * STEP
        };
        let take = |taken| Some(taken + bytes(wider(taken)));
        let (Ok(taken) | Err(taken)) =
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        Window {
            windows: Arc::clone(self),
            wider: wider(taken),
        }
    }
}

impl Window {
    /// Bytes that one stream may send before they are read.
    pub(super) fn of_stream(&self) -> u32 {
        NARROW + self.wider
    }

    /// Bytes that all streams together may.
    pub(super) fn of_connection(&self) -> u32 {
        STREAMS * self.of_stream()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.windows
            .0
            .fetch_sub(bytes(self.wider), Ordering::Relaxed);
    }
}

/// What all streams of a connection may have of `wider`.
fn bytes(wider: u32) -> usize {
    STREAMS as usize * wider as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_hold_what_they_share_and_a_little_each() {
        let bounds = Bounds::default();
        let windows = Arc::new(Windows::default());
        let open: Vec<_> = (0..1000).map(|_| windows.open(&bounds)).collect();
        let held: usize = open.iter().map(|one| one.of_connection() as usize).sum();
        assert!(held <= shared(&bounds) + 1000 * bytes(NARROW), "{held}");
        assert_eq!(open[0].of_stream(), WIDE);
        assert!((32 * 1024..64 * 1024).contains(&open[9].of_stream()));
        assert_eq!(open[999].of_stream(), NARROW);
        drop(open);
        assert_eq!(windows.open(&bounds).of_stream(), WIDE, "all came back");
    }

    #[test]
    fn what_a_reload_takes_away_makes_later_windows_narrow() {
        let windows = Arc::new(Windows::default());
        let _first = windows.open(&Bounds::default());
        let bounds = Bounds {
            buffered_bytes: 1024,
            ..Bounds::default()
        };
        assert_eq!(windows.open(&bounds).of_stream(), NARROW);
    }
}
