//! What a connection is doing, so that one that does nothing can be closed.
//!
//! hyper bounds the time of an HTTP/1 head only, counts a pause between two requests as part of the
//! next head, and lets an HTTP/2 connection without streams stay for ever. Here a head has its time
//! from its first byte, and a pause has a longer time of its own. The cost for a request is a few
//! atomic operations and two looks at the clock; a timer looks at them now and then.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::place::Place;
use super::progress::Progress;
use super::protocol::Protocol;
use crate::config::Bounds;

/// The requests of one connection, and since when there is none.
#[derive(Debug)]
pub(crate) struct Activity {
    protocol: Protocol,
    begun: Instant,
    head_read: Duration,
    idle: Duration,
    unread: Duration,
    streams: Mutex<Streams>,
    /// Requests whose response is not complete.
    running: AtomicUsize,
    /// Whether a request of an HTTP/2 connection has the connection's own place.
    occupied: AtomicBool,
    /// Whether there was one.
    served: AtomicBool,
    /// Whether part of a next head has arrived.
    head: AtomicBool,
    /// Microseconds from the beginning to the moment since which the connection waits for what it
    /// waits for now.
    since: AtomicU64,
    /// Requests that the peer took back before they were answered, less those that were answered.
    resets: AtomicUsize,
    flooded: Notify,
    /// How far the current request's body is, in HTTP/1.
    body: Progress,
    /// Whether what still runs has to say its last.
    closing: AtomicBool,
    /// Whether all is said, and only the peer's end is waited for, which [`super::linger`] bounds.
    lingers: AtomicBool,
}

/// The streams of an HTTP/2 connection.
#[derive(Debug, Default)]
struct Streams {
    open: Vec<Weak<Stream>>,
    /// The one whose task hyper is about to spawn.
    begun: Option<Arc<Stream>>,
}

/// One HTTP/2 stream.
#[derive(Debug, Default)]
struct Stream {
    /// When it was last given something that its peer has yet to make room for, in microseconds
    /// from the connection's beginning; 0 if there is nothing.
    given: AtomicU64,
    /// Wakes that, or what sends the answer's body.
    waker: AtomicWaker,
    /// What answers it. Aborted, it resets the stream.
    task: OnceLock<AbortHandle>,
}

/// So many more requests may be taken back than are answered, before the connection is told to end:
/// all that it may have open, four times with no answer between. Such a request takes less of hone
/// than one that is refused, some 50 microseconds, so a thousand are a twentieth of a second; what
/// was answered has been through the limits of its tenant, and costs that what a whole answer
/// costs.
const MOST_RESETS: usize = 4 * super::windows::STREAMS as usize;

/// What a connection has taken too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// A head, or the first request.
    Head,
    /// Another request.
    Idle,
    /// Patience: its requests are begun to be taken back.
    Resets,
}

impl Expired {
    /// A word for logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head_timeout",
            Self::Idle => "idle",
            Self::Resets => "resets",
        }
    }
}

impl Activity {
    /// A connection that was just accepted.
    pub(crate) fn new(protocol: Protocol, bounds: &Bounds) -> Self {
        Self {
            protocol,
            begun: Instant::now(),
            head_read: bounds.header_read,
            idle: bounds.connection_idle,
            unread: bounds.stream_idle,
            streams: Mutex::default(),
            running: AtomicUsize::new(0),
            occupied: AtomicBool::new(false),
            served: AtomicBool::new(false),
            head: AtomicBool::new(false),
            since: AtomicU64::new(0),
            resets: AtomicUsize::new(0),
            flooded: Notify::new(),
            body: Progress::default(),
            closing: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
        }
    }

    /// How far the current request's body is; `None` in HTTP/2, where each stream has its own.
    pub(super) fn body(&self) -> Option<&Progress> {
        (self.protocol == Protocol::Http1).then_some(&self.body)
    }

    /// Whether a request is under way.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// What still runs has to say its last. Who drives an HTTP/1 connection polls its request after
    /// this; streams of HTTP/2 have tasks of their own.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for stream in self.streams().open.iter().filter_map(Weak::upgrade) {
            stream.waker.wake();
        }
    }

    /// Whether what still runs has to say its last.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// No more is said: nothing expires from now on.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Release);
    }

    /// Bytes have arrived. In HTTP/1, between two requests, that is the beginning of a head; in
    /// HTTP/2 it may be anything.
    pub(crate) fn heard(&self) {
        if self.protocol == Protocol::Http1
            && self.running.load(Ordering::Relaxed) == 0
            && !self.head.swap(true, Ordering::Relaxed)
        {
            self.mark();
        }
    }

    /// A request's head is complete. It runs until what this returns is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::AcqRel);
        self.head.store(false, Ordering::Relaxed);
        self.served.store(true, Ordering::Relaxed);
        Running {
            stream: self.stream(),
            activity: Arc::clone(self),
            answered: false,
        }
    }

    /// The connection's own place, unless a request has it.
    pub(super) fn occupy(self: &Arc<Self>) -> Option<Occupied> {
        let is_free = !self.occupied.swap(true, Ordering::AcqRel);
        is_free.then(|| Occupied(Arc::clone(self)))
    }

    fn taken_back(&self) {
        if self.resets.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_RESETS {
            self.resets.store(0, Ordering::Relaxed);
            self.flooded.notify_one();
        }
    }

    /// Whether any request has come.
    pub(crate) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits anew, from now on.
    pub(crate) fn mark(&self) {
        self.since.store(self.now(), Ordering::Release);
    }

    /// Microseconds from the beginning.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Another stream; `None` in HTTP/1, where what a peer does not read stays in its socket, which
    /// [`super::stall`] watches.
    fn stream(&self) -> Option<Arc<Stream>> {
        if self.protocol == Protocol::Http1 {
            return None;
        }
        let stream = Arc::new(Stream::default());
        let mut streams = self.streams();
        streams.open.retain(|stream| stream.strong_count() > 0);
        streams.open.push(Arc::downgrade(&stream));
        streams.begun = Some(Arc::clone(&stream));
        Some(stream)
    }

    /// Resets the streams whose peers have made no room for too long. The others of the connection
    /// may be other clients', behind a load balancer.
    fn reset_unread(&self) {
        let limit = u64::try_from(self.unread.as_micros()).unwrap_or(u64::MAX);
        let now = self.now();
        let is_unread = |stream: &Arc<Stream>| {
            let given = stream.given.load(Ordering::Relaxed);
            given > 0 && now.saturating_sub(given) >= limit
        };
        let streams = self.streams();
        for stream in streams.open.iter().filter_map(Weak::upgrade) {
            if let Some(task) = stream.task.get().filter(|_| is_unread(&stream)) {
                tracing::debug!("a stream was reset: what was asked for is not read");
                task.abort();
            }
        }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the connection has waited too long, or its peer does nothing but take requests
    /// back. Cancel safe.
    pub(crate) async fn expired(&self) -> Expired {
        tokio::select! {
            () = self.flooded.notified() => Expired::Resets,
            expired = self.waited() => expired,
        }
    }

    async fn waited(&self) -> Expired {
        let glance = self.head_read.min(self.idle).min(self.unread);
        loop {
            let next = Instant::now() + glance;
            if self.is_running() || self.lingers.load(Ordering::Acquire) {
                self.reset_unread();
                tokio::time::sleep_until(next).await;
                continue;
            }
            let on_head = self.head.load(Ordering::Relaxed) || !self.has_served();
            let (limit, expired) = if on_head {
                (self.head_read, Expired::Head)
            } else {
                (self.idle, Expired::Idle)
            };
            let due =
                self.begun + Duration::from_micros(self.since.load(Ordering::Acquire)) + limit;
            if Instant::now() >= due {
                return expired;
            }
            // What it waits for may change meanwhile, but nothing that begins after this look is
            // due before the next.
            tokio::time::sleep_until(due.min(next)).await;
        }
    }
}

/// Spawns the tasks of an HTTP/2 connection, one for each stream, right behind the call of the
/// service that [begins](Activity::begin) it.
#[derive(Debug, Clone)]
pub(crate) struct StreamTasks(pub(crate) Arc<Activity>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for StreamTasks {
    #[expect(
        clippy::disallowed_methods,
        reason = "hyper's own tasks, as its executor for tokio spawns them"
    )]
    fn execute(&self, task: F) {
        let task = tokio::spawn(task).abort_handle();
        let begun = self.0.streams().begun.take();
        if let Some(stream) = begun {
            stream.task.get_or_init(|| task);
        }
    }
}

/// Ready once a request has to be answered whatever it waits for. Polled with the request.
#[derive(Debug)]
pub(crate) struct Closing {
    stream: Option<Arc<Stream>>,
    activity: Arc<Activity>,
}

impl Future for Closing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(stream) = &self.stream {
            stream.waker.register(cx.waker());
        }
        if self.activity.is_closing() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// A body that can end before its end.
pub(crate) trait Close {
    /// Says its last: what is polled from now on is the end, in a form that claims no success.
    fn close(&mut self);
}

/// What is in memory is whole.
impl Close for http_body_util::Full<Bytes> {
    fn close(&mut self) {}
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Running {
    stream: Option<Arc<Stream>>,
    activity: Arc<Activity>,
    answered: bool,
}

impl Running {
    /// The connection that the request came on.
    pub(super) fn connection(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// The time at which it has to be answered.
    pub(super) fn closing(&self) -> Closing {
        Closing {
            stream: self.stream.clone(),
            activity: Arc::clone(&self.activity),
        }
    }

    /// The response's head is there.
    fn answered(mut self) -> Self {
        self.answered = true;
        let one_less = |resets: usize| resets.checked_sub(1);
        // Nothing to take off is as good.
        let _balance =
            self.activity
                .resets
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(body) = self.activity.body() {
            body.answer_ended();
        }
        self.activity.mark();
        self.activity.running.fetch_sub(1, Ordering::AcqRel);
        if !self.answered {
            self.activity.taken_back();
        }
    }
}

/// A connection's own place, for one of its requests.
#[derive(Debug)]
pub(super) struct Occupied(Arc<Activity>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.occupied.store(false, Ordering::Release);
    }
}

/// A response's body, whose request runs until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningBody<B: Close> {
    body: B,
    closed: bool,
    running: Running,
    /// The request's place, if it is one over HTTP/2. What is sent holds it, too.
    place: Option<Place>,
}

impl<B: Close> RunningBody<B> {
    /// Keeps `running` until `body` is dropped, and `place` until its bytes are written, too.
    pub(super) fn new(body: B, running: Running, place: Option<Place>) -> Self {
        Self {
            body,
            closed: false,
            running: running.answered(),
            place,
        }
    }

    fn close_if_due(&mut self) {
        if !self.closed && self.running.activity.is_closing() {
            self.closed = true;
            self.body.close();
        }
    }
}

impl<B: Close> Drop for RunningBody<B> {
    /// A client that has not read to the end when all is over has not left.
    fn drop(&mut self) {
        self.close_if_due();
    }
}

impl<B: Body<Data = Bytes> + Close + Unpin> Body for RunningBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if let Some(stream) = &this.running.stream {
            stream.waker.register(cx.waker());
        }
        this.close_if_due();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        // hyper asks an HTTP/2 stream's body for more only when its peer has made room.
        if let Some(stream) = &this.running.stream {
            let given = if matches!(polled, Poll::Ready(Some(Ok(_)))) {
                this.running.activity.now().max(1)
            } else {
                0
            };
            stream.given.store(given, Ordering::Relaxed);
        }
        let Some(place) = &this.place else {
            return polled;
        };
        polled.map_ok(|frame| frame.map_data(|bytes| place.held_by(bytes)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
