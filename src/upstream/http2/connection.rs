//! One HTTP/2 connection, and the places on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::{Executor, Read, Write};
use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;

use super::{Http2, MOST_STREAMS, STREAM_WINDOW};
use crate::upstream::body::{self, AnswerBody, BodyError};
use crate::upstream::failure::{Failure, Sent};
use crate::upstream::out_body::OutBody;

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
}

/// How many streams the peer allows at once.
#[derive(Debug, Default)]
struct Limit {
    /// Not known while it has not said.
    allowed: AtomicU32,
    is_known: std::sync::atomic::AtomicBool,
    /// The task that reads the peer's settings.
    driver: AtomicWaker,
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
            .keep_alive_interval(PING);
        let (sender, driven) = builder.handshake(stream).await?;
        let connection = Arc::new(Self {
            home,
            sender,
            used: AtomicU32::new(1),
            limit,
            freed: Arc::clone(&pool.freed),
        });
        in_the_background(drive(
            driven,
            Arc::downgrade(&connection),
            Arc::clone(&connection.limit),
            Arc::downgrade(pool),
        ));
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

    pub(super) fn is_unused(&self) -> bool {
        self.used.load(Ordering::Acquire) == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
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
    /// Sends `request` on a stream and waits for the response's head.
    ///
    /// # Errors
    ///
    /// The request, if the connection ended before anything of it was written.
    pub(super) async fn send(self, request: Request<OutBody>) -> Result<Sent, Request<OutBody>> {
        let place = Arc::new(self);
        let mut sender = place.0.sender.clone();
        let request = request.map(|body| Sending {
            body,
            _place: Arc::clone(&place),
        });
        match sender.try_send_request(request).await {
            Ok(response) => Ok(Ok(
                response.map(|body| AnswerBody::of(Box::new(place), body))
            )),
            Err(mut error) => match error.take_message() {
                Some(unsent) => Err(unsent.map(|sending| sending.body)),
                None => Ok(Err(Failure::Broken(error.into_error()).into())),
            },
        }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl body::Exchange for Arc<Place> {}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

/// A request's body, whose stream is not over before it is.
#[derive(Debug)]
struct Sending {
    body: OutBody,
    _place: Arc<Place>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
        });
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
fn in_the_background(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}
