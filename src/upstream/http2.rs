//! HTTP/2 connections to one upstream, which all workers share.
//!
//! # Windows
//!
//! What a client does not read stays unread here, so that its upstream stops. That must hold up its
//! own stream only. Each stream may have [`STREAM_WINDOW`] bytes that wait in memory, and the
//! connection's window, 2³¹−1, is larger than the windows of all streams that it may carry
//! together: [`MOST_STREAMS`] × [`STREAM_WINDOW`] are 25 MiB. That product is also what a
//! connection can take of memory, and `http2_connections` times as much what an upstream can.
//! hyper's adaptive windows make the two windows equal, so that one unread stream ends all others.
//!
//! The rest of the connection's window is room for small frames: h2 ends a connection once unread
//! frames take more memory than half of its window, 10 MiB for each stream, which are frames of 6
//! bytes.
//!
//! # Streams
//!
//! A provider allows so many streams on a connection, often 100. What is sent beyond that waits
//! inside of hyper, in the order in which it came, behind everybody. So nothing is: a request takes
//! a place on a connection first, of its own worker if there is one, and another connection is
//! opened when those there are full. At most `http2_connections` are, over all workers; then a
//! request may use another worker's. How many places that makes is told to the upstream's fair
//! queue, and a call whose turn has come there finds a place here, but for moments. Where a
//! provider allows none, a call waits for one as long as for its turn, both together. So does the
//! first of a connection, which has a place before its peer has said how many there are: if there
//! are none, h2 keeps it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{Request, Uri, Version};
use hyper::rt::{Read, Write};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::failure::Sent;
use crate::admission::FairQueue;
use crate::config::UNREAD_BYTES;
use crate::upstream::out_body::{OutBody, Outbound};
use crate::workers;

mod connection;
mod resets;
mod stream;

use connection::Connection;
pub(super) use connection::Place;

/// Bytes of one answer that may wait in memory, as many as over HTTP/1.
pub(crate) const STREAM_WINDOW: u32 = UNREAD_BYTES;
/// Streams of one connection at once, however many its peer allows.
const MOST_STREAMS: u32 = 100;

/// The connections to one upstream.
#[derive(Debug)]
pub(super) struct Http2 {
    target: Uri,
    /// How long an unused connection is kept.
    keep: Duration,
    /// Connections at once.
    most: NonZeroU32,
    queue: Arc<FairQueue>,
    state: Mutex<State>,
    /// Told of each place and each connection that comes free.
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    open: Vec<Kept>,
    /// The worker of each connection that is being made.
    opening: Vec<usize>,
    speaks: Speaks,
    /// The last try to connect was in vain. As a rule others wait for a try, which will serve them,
    /// too; now each tries by itself, or they would all wait for one after the other.
    failed: bool,
}

/// An open connection, and since when it is known to be unused.
#[derive(Debug)]
struct Kept {
    connection: Arc<Connection>,
    unused: Option<Instant>,
}

/// What the upstream spoke when it was last connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    NotKnown,
    Http1,
    Http2,
}

/// What a request has to do that found no place.
#[derive(Debug)]
pub(super) enum Next {
    /// Send: there is one by now.
    Send(Place),
    /// Connect.
    Connect(Opening),
    /// Wait until something comes free.
    Wait,
}

impl Http2 {
    /// None yet. `queue` is told how many calls the connections can take.
    pub(super) fn new(
        target: Uri,
        keep: Duration,
        most: NonZeroU32,
        queue: Arc<FairQueue>,
    ) -> Self {
        Self {
            target,
            keep,
            most,
            queue,
            state: Mutex::new(State {
                open: Vec::new(),
                opening: Vec::new(),
                speaks: Speaks::NotKnown,
                failed: false,
            }),
            freed: Arc::new(Notify::new()),
        }
    }

    /// A place on a connection of this worker.
    pub(super) fn place(&self) -> Option<Place> {
        self.state().place(Some(workers::index()))
    }

    /// What else a request can do.
    pub(super) fn next(self: &Arc<Self>) -> Next {
        let home = workers::index();
        let mut state = self.state();
        if let Some(place) = state.place(Some(home)) {
            return Next::Send(place);
        }
        let speaks_http1 = state.speaks == Speaks::Http1;
        let may_open = speaks_http1 || state.connections() < self.most.get() as usize;
        let waits = !speaks_http1 && !state.failed && state.will_have_one(home);
        if may_open && !waits {
            state.opening.push(home);
            return Next::Connect(Opening {
                pool: Arc::clone(self),
                home,
            });
        }
        state.place(None).map_or(Next::Wait, Next::Send)
    }

    /// Completes when something has come free since it was called and [enabled](Notified::enable).
    pub(super) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Sends `request` in `place` and waits for the response's head.
    ///
    /// # Errors
    ///
    /// The request, if the connection ended before anything of it was written.
    pub(super) async fn send(&self, place: Place, mut request: Outbound) -> Result<Sent, Outbound> {
        self.address(&mut request);
        let is_early = !place.connection().is_known();
        let until = is_early.then(|| self.until(&request));
        place.send(request, until).await
    }

    /// HTTP/2 names scheme and authority in each request.
    fn address(&self, request: &mut Request<OutBody>) {
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(http::header::HOST);
        if request.uri().authority().is_some() {
            return;
        }
        let mut parts = self.target.clone().into_parts();
        parts.path_and_query = request.uri().path_and_query().cloned();
        if let Ok(whole) = Uri::from_parts(parts) {
            *request.uri_mut() = whole;
        }
    }

    /// A peer allows so many streams on each connection.
    fn learned(&self, places: u32) {
        // Where none is allowed, one call waits here, and the others in turn.
        let each = NonZeroU32::new(places);
        let all = each.map_or(NonZeroU32::MIN, |each| each.saturating_mul(self.most));
        self.queue.bound(Some(all));
        self.freed.notify_waiters();
    }

    /// A connection has ended, and takes no more requests.
    fn closed(&self, connection: &Weak<Connection>, was_known: bool) {
        let mut state = self.state();
        state
            .open
            .retain(|kept| !std::ptr::eq(Arc::as_ptr(&kept.connection), connection.as_ptr()));
        state.failed |= !was_known;
        drop(state);
        if !was_known {
            self.queue.bound(None);
        }
        self.freed.notify_waiters();
    }

    /// Gives no more places on `connection`, if nobody waits for any of its streams. Whether that
    /// is so.
    fn retire(&self, connection: &Connection) -> bool {
        let mut state = self.state();
        let retires = connection.is_abandoned();
        if retires {
            let is_it = |kept: &Kept| std::ptr::eq(&raw const *kept.connection, connection);
            state.open.retain(|kept| !is_it(kept));
        }
        drop(state);
        if retires {
            self.freed.notify_waiters();
        }
        retires
    }

    /// How long `request` may wait for a place, from now on or from when its caller began to wait
    /// for its turn.
    pub(super) fn until(&self, request: &Request<OutBody>) -> Instant {
        let until = request.body().until();
        until.unwrap_or_else(|| Instant::now() + self.queue.longest_wait())
    }

    /// Closes what has not been used for long. Called now and then: the first call that finds a
    /// connection unused notes the time.
    pub(super) fn tidy(&self) {
        let now = Instant::now();
        self.state().open.retain_mut(|kept| {
            if !kept.connection.is_unused() {
                kept.unused = None;
                return true;
            }
            now - *kept.unused.get_or_insert(now) < self.keep
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A place on a connection of the worker `home`, or of any. A connection is filled before the
    /// next one is used, so that those that are not needed come to rest and are closed.
    fn place(&mut self, home: Option<usize>) -> Option<Place> {
        self.open.retain(|kept| !kept.connection.is_closed());
        self.open
            .iter_mut()
            .filter(|kept| home.is_none_or(|home| kept.connection.home == home))
            .find_map(|kept| {
                let place = kept.connection.place()?;
                kept.unused = None;
                Some(place)
            })
    }

    fn connections(&self) -> usize {
        self.open.len() + self.opening.len()
    }

    /// Whether a connection of this worker is being made, or its peer has not said yet what it
    /// allows.
    fn will_have_one(&self, home: usize) -> bool {
        let mut own = self.open.iter().map(|kept| &kept.connection);
        self.opening.contains(&home)
            || own.any(|connection| connection.home == home && !connection.is_known())
    }
}

/// A connection that is being made. Dropped before it is one, it leaves others to try.
#[derive(Debug)]
pub(super) struct Opening {
    pool: Arc<Http2>,
    home: usize,
}

impl Opening {
    /// The upstream turned out to speak HTTP/1: nothing is shared, and nobody need wait.
    pub(super) fn met_http1(self) {
        self.pool.state().speaks = Speaks::Http1;
        self.pool.queue.bound(None);
    }

    /// No connection could be made.
    pub(super) fn failed(self) {
        let mut state = self.pool.state();
        state.failed = true;
        let is_known = state.speaks != Speaks::NotKnown;
        drop(state);
        if !is_known {
            self.pool.queue.bound(None);
        }
    }

    /// Begins to speak HTTP/2 over `stream`. Gives a place on it.
    pub(super) async fn http2<I>(self, stream: I) -> hyper::Result<Place>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let place = match Connection::open(stream, self.home, &self.pool).await {
            Ok(place) => place,
            Err(error) => {
                self.failed();
                return Err(error);
            }
        };
        let mut state = self.pool.state();
        state.speaks = Speaks::Http2;
        state.failed = false;
        state.open.push(Kept {
            connection: Arc::clone(place.connection()),
            unused: None,
        });
        Ok(place)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Some(index) = state.opening.iter().position(|home| *home == self.home) {
            state.opening.swap_remove(index);
        }
        drop(state);
        self.pool.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
