//! A running strategy as an event stream.
//!
//! The body owns the run: it drains the events that the run has sent, then polls the run. Dropping
//! the body drops the run, and every call with it. While a strategy works in silence, comments keep
//! the connection alive. A failure in mid-stream becomes an error event; only a whole answer is
//! followed by `[DONE]`.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hone_dialects::Losses;
use hone_strategies::{Account, Event, EventStream, Outcome};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::error;
use super::writer::Writer;
use crate::answer::error::ProxyError;
use crate::telemetry::RecordGuard;
use crate::tenant::Room;
use crate::upstream::body::BodyError;

/// Silence after which a comment is sent.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A strategy run, as it will be polled by the response's body.
pub(crate) type Running = BoxFuture<'static, Result<Outcome, ProxyError>>;

/// The body of a streamed strategy answer.
pub struct EventBody {
    running: Option<Running>,
    account: Account,
    events: EventStream,
    ready: VecDeque<Bytes>,
    writer: Writer,
    /// What the calls had to do without in their upstreams' dialects.
    losses: Arc<Mutex<Losses>>,
    quiet: Pin<Box<Sleep>>,
    ending: Option<RecordGuard>,
    /// What the request takes of the memory for bodies, as long as the run needs it.
    room: Option<Arc<Room>>,
}

impl EventBody {
    /// Streams what `running`, whose account is `account`, sends to `events`. `first` is what it
    /// has sent already.
    pub(crate) fn new(
        running: Running,
        account: Account,
        events: EventStream,
        first: Vec<Event>,
        (writer, losses): (Writer, Arc<Mutex<Losses>>),
    ) -> Self {
        let mut body = Self {
            running: Some(running),
            account,
            events,
            ready: VecDeque::new(),
            writer,
            losses,
            quiet: Box::pin(tokio::time::sleep(HEARTBEAT)),
            ending: None,
            room: None,
        };
        for event in first {
            body.event(&event);
        }
        body
    }

    /// The type of what it writes.
    pub(super) fn content_type(&self) -> &'static str {
        self.writer.content_type()
    }

    /// Tells `ending` how this body ends.
    pub(crate) fn tell(&mut self, ending: RecordGuard) {
        self.ending = Some(ending);
    }

    /// Holds the request's memory until the stream's end.
    pub(crate) fn keep(&mut self, room: Arc<Room>) {
        self.room = Some(room);
    }

    fn event(&mut self, event: &Event) {
        self.ready.extend(self.writer.event(event));
    }

    fn whole(&mut self, outcome: &Outcome) {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        self.ready.extend(self.writer.whole(outcome, &losses));
        drop(losses);
        if let Some(mut ending) = self.ending.take() {
            ending.record().ran(outcome);
            ending.complete();
        }
    }

    fn failed(&mut self, failure: &ProxyError) {
        let reply = error::describe(failure);
        let request = self.ending.as_mut().map(|ending| &*ending.record().request);
        let request = request.unwrap_or_default();
        self.ready.push_back(self.writer.failed(&reply, request));
        if let Some(mut ending) = self.ending.take() {
            let record = ending.record();
            record.ran_in_vain(&self.account);
            record.error = Some(reply.code);
            record.limit = failure.limit();
            record.blame = Some(reply.blame);
            match failure {
                ProxyError::ShuttingDown => ending.shut_down(),
                _ => ending.upstream_died(),
            }
        }
    }

    /// Ends the run, and says so.
    pub(super) fn close(&mut self) {
        if self.running.take().is_some() {
            self.failed(&ProxyError::ShuttingDown);
        }
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) {
        let Some(running) = &mut self.running else {
            return;
        };
        let result = running.as_mut().poll(cx);
        while let Some(event) = self.events.try_recv() {
            self.event(&event);
        }
        match result {
            Poll::Ready(result) => {
                self.running = None;
                match result {
                    Ok(outcome) => self.whole(&outcome),
                    Err(failure) => self.failed(&failure),
                }
            }
            // A run on another thread sends without this task being polled.
            Poll::Pending if self.ready.is_empty() => {
                if let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
                    self.event(&event);
                }
            }
            Poll::Pending => {}
        }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.ready.is_empty() {
            this.poll_run(cx);
        }
        if let Some(bytes) = this.ready.pop_front() {
            if let Some(ending) = &mut this.ending {
                ending.first_token();
            }
            this.quiet.as_mut().reset(Instant::now() + HEARTBEAT);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if this.running.is_none() {
            return Poll::Ready(None);
        }
        if this.quiet.as_mut().poll(cx).is_ready() {
            this.quiet.as_mut().reset(Instant::now() + HEARTBEAT);
            return Poll::Ready(Some(Ok(Frame::data(this.writer.beat()))));
        }
        Poll::Pending
    }
}

impl Drop for EventBody {
    /// A client that leaves ends the run; what it has cost by then is told.
    fn drop(&mut self) {
        self.running = None;
        if let Some(ending) = &mut self.ending {
            ending.record().ran_in_vain(&self.account);
        }
    }
}

impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody")
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}
