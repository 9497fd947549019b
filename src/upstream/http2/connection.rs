//! One HTTP/2 connection, and the places on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::{Executor, Read, Write};
use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::resets::Resets;
use super::stream::{Answer, Sending, Stream};
use super::{Http2, MOST_STREAMS, STREAM_WINDOW};
use crate::upstream::failure::LARGEST_HEAD;

/// The largest window that there is (RFC 9113 §6.9.1).
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// Bytes of a request that may wait to be written.
const SEND_BUFFER: usize = 256 * 1024;
/// A live peer that has something to answer is asked for a sign of life so often.
const PING: Duration = Duration::from_secs(20);
/// What hyper says of the peer's limit before its settings have come; no peer can say it.
const NOT_SAID: usize = usize::MAX - 1;

/// An open connection.
#[derive(Debug)]
pub(in crate::upstream) struct Connection {
    /// The worker that drives it.
    pub(super) home: usize,
    sender: SendRequest<Sending>,
    /// Places that are taken.
    used: AtomicU32,
    limit: Arc<Limit>,
    /// Told of each place that is given back.
    freed: Arc<Notify>,
    pool: Weak<Http2>,
    resets: Mutex<Resets>,
    /// Streams that wait until they may be reset, and whether nobody else is left.
    abandoned: AtomicU32,
    is_retired: AtomicBool,
    /// Told of each reset that may be made, and when the connection is retired.
    resettable: Notify,
}

/// How many streams the peer allows at once.
#[derive(Debug, Default)]
struct Limit {
    /// Not known while it has not said.
    allowed: AtomicU32,
    is_known: AtomicBool,
    /// The task that reads the peer's settings.
    driver: AtomicWaker,
    /// The stream whose body hyper has begun to send.
    sends: Mutex<Weak<Stream>>,
}

impl Connection {
    /// Opens a connection over `stream`, driven by the worker that asks, and takes its first place.
    /// `pool` hears of the peer's settings and of the end.
    pub(super) async fn open<I>(stream: I, home: usize, pool: &Arc<Http2>) -> hyper::Result<Place>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let limit = Arc::new(Limit::default());
        let mut builder = http2::Builder::new(Tasks(Arc::clone(&limit)));
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(NOT_SAID)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(LARGEST_HEAD)
            .keep_alive_interval(PING);
        let (sender, driven) = builder.handshake(stream).await?;
        let connection = Arc::new(Self {
            home,
            sender,
            used: AtomicU32::new(1),
            limit,
            freed: Arc::clone(&pool.freed),
            pool: Arc::downgrade(pool),
            resets: Mutex::default(),
            abandoned: AtomicU32::new(0),
            is_retired: AtomicBool::new(false),
            resettable: Notify::new(),
        });
        let driving = drive(
            driven,
            Arc::downgrade(&connection),
            Arc::clone(&connection.limit),
            Arc::downgrade(pool),
        );
        drop(in_the_background(driving));
        Ok(Place(connection))
    }

    /// Takes a place, if there is one. Only one may ask at a time.
    pub(super) fn place(self: &Arc<Self>) -> Option<Place> {
        let is_free = self.used.load(Ordering::Acquire) < self.limit.places();
        is_free.then(|| {
            self.used.fetch_add(1, Ordering::AcqRel);
            Place(Arc::clone(self))
        })
    }

    /// Whether the peer has said how many streams it allows.
    pub(super) fn is_known(&self) -> bool {
        self.limit.is_known()
    }

    /// Whether the peer allows no stream.
    pub(super) fn allows_none(&self) -> bool {
        self.is_known() && self.limit.places() == 0
    }

    pub(super) fn is_unused(&self) -> bool {
        self.used.load(Ordering::Acquire) == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether nobody waits for any of its streams.
    pub(super) fn is_abandoned(&self) -> bool {
        let abandoned = self.abandoned.load(Ordering::Acquire);
        abandoned > 0 && abandoned >= self.used.load(Ordering::Acquire)
    }

    /// Takes the connection from its pool, if nobody waits for any of its streams. They are reset,
    /// and it closes.
    fn retire_if_unused(&self) {
        if !self.is_abandoned() {
            return;
        }
        if self.pool.upgrade().is_none_or(|pool| pool.retire(self)) {
            self.is_retired.store(true, Ordering::Release);
            self.resettable.notify_waiters();
        }
    }

    /// Begins a stream, and says which one it is.
    pub(super) fn begin(&self, request: Request<Sending>) -> (u64, BoxFuture<'static, Answer>) {
        let mut sender = self.sender.clone();
        // Numbers are in the order in which hyper has the requests.
        let mut resets = self.resets();
        (resets.begin(), Box::pin(sender.try_send_request(request)))
    }

    /// A stream has its response's head.
    pub(super) fn answered(&self, stream: u64) {
        if self.resets().answered(stream) {
            self.resettable.notify_one();
        }
    }

    /// Whether a stream without a response may be reset. That is to be done at once.
    pub(super) fn may_reset(&self) -> bool {
        self.resets().take()
    }

    /// The task that hyper spawns next sends this stream's body, if that is not sent by then.
    pub(super) fn sends(&self, stream: &Arc<Stream>) {
        *self.limit.sends() = Arc::downgrade(stream);
    }

    fn resets(&self) -> MutexGuard<'_, Resets> {
        self.resets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    /// None for others than the first until the peer has spoken.
    fn places(&self) -> u32 {
        self.allowed.load(Ordering::Acquire)
    }

    fn sends(&self) -> MutexGuard<'_, Weak<Stream>> {
        self.sends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, allowed: usize) {
        let allowed = u32::try_from(allowed).unwrap_or(u32::MAX).min(MOST_STREAMS);
        self.allowed.store(allowed, Ordering::Release);
        self.is_known.store(true, Ordering::Release);
    }
}

/// The right to one stream. It is given back when the last that holds it is dropped: the request's
/// body, which may be under way for longer than its answer, or the answer's.
#[derive(Debug)]
pub(in crate::upstream) struct Place(Arc<Connection>);

impl Place {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
        self.0.retire_if_unused();
    }
}

/// A stream that nobody waits for and that may not be reset yet.
#[derive(Debug)]
pub(super) struct Abandoned<'a>(&'a Arc<Connection>);

impl<'a> Abandoned<'a> {
    pub(super) fn new(connection: &'a Arc<Connection>) -> Self {
        connection.abandoned.fetch_add(1, Ordering::AcqRel);
        connection.retire_if_unused();
        Self(connection)
    }

    /// Returns when it may be reset.
    pub(super) async fn may_end(&self) {
        loop {
            let mut told = pin!(self.0.resettable.notified());
            told.as_mut().enable();
            if self.0.is_retired.load(Ordering::Acquire) || self.0.resets().take() {
                return;
            }
            told.await;
        }
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.abandoned.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs what belongs to one connection.
///
/// hyper tells nobody when the peer's settings come. Until they have, whoever drives the connection
/// is woken to look at them each time that a part of it has run.
#[derive(Debug, Clone)]
struct Tasks(Arc<Limit>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        // If the body is sent by now, it is the task that waits for the answer, and over before
        // anybody aborts it.
        let sends = std::mem::take(&mut *self.0.sends()).upgrade();
        let task = self.spawn(task);
        if let Some(stream) = sends {
            let _first = stream.sending.set(task);
        }
    }
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        if self.0.is_known() {
            return in_the_background(task);
        }
        let limit = Arc::clone(&self.0);
        in_the_background(async move {
            let mut task = pin!(task);
            poll_fn(|cx| {
                let polled = task.as_mut().poll(cx);
                if !limit.is_known() {
                    limit.driver.wake();
                }
                polled
            })
            .await;
        })
    }
}

/// Drives a connection to its end, and tells `pool` what its peer allows.
async fn drive<I>(
    mut driven: http2::Connection<I, Sending, Tasks>,
    connection: Weak<Connection>,
    limit: Arc<Limit>,
    pool: Weak<Http2>,
) where
    I: Read + Write + Unpin + Send + 'static,
{
    let mut seen = NOT_SAID;
    let end = poll_fn(|cx| {
        limit.driver.register(cx.waker());
        let polled = Pin::new(&mut driven).poll(cx);
        let allowed = driven.current_max_send_streams();
        if allowed != seen {
            seen = allowed;
            limit.set(allowed);
            if let Some(pool) = pool.upgrade() {
                pool.learned(limit.places());
            }
        }
        polled
    });
    if let Err(error) = end.await {
        tracing::debug!(%error, "a connection to an upstream ended early");
    }
    if let Some(pool) = pool.upgrade() {
        pool.closed(&connection, limit.is_known());
    }
}

/// Runs what belongs to a connection, and ends with it.
#[expect(
    clippy::disallowed_methods,
    reason = "a connection outlives the request that made it, as in hyper-util's pool"
)]
pub(super) fn in_the_background(work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(work).abort_handle()
}
