//! The body of a relayed response: hands each frame on, reads token use beside it, and settles when
//! it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::opened::Opened;
use crate::admission::{Admitted, CallGuard, QueuePermit};
use crate::telemetry::RecordGuard;
use crate::tenant::Principal;
use crate::upstream::AdmittedCall;
use crate::upstream::body::BodyError;
use crate::usage::{EventReader, Gap, Seen, UsageReader};

mod filter;

pub(crate) use filter::Filter;

/// A relayed response body.
///
/// An upstream that dies in mid-stream makes this body fail, so that the client's connection or
/// stream is aborted: no bytes are added, and nothing claims success.
#[derive(Debug)]
pub(crate) struct Metered {
    body: Opened,
    filter: Option<Filter>,
    parting: Option<Settlement>,
    /// Whether events are relayed.
    is_stream: bool,
    /// Whether what was handed on so far ends with an event, or nothing was.
    between_events: bool,
    /// What is left to say when hone shuts down.
    last: Option<Last>,
}

/// The end of a body that hone does not relay to its end.
#[derive(Debug)]
enum Last {
    /// An event, and then the end.
    Event(Bytes),
    /// The end, after such an event.
    End,
    /// A broken connection or stream: nothing could be added.
    Broken,
}

/// What is settled when the body ends, one way or the other.
#[derive(Debug)]
pub(crate) struct Settlement {
    guard: CallGuard,
    principal: Principal,
    usage: Option<UsageReader>,
    wanted: Wanted,
    ending: Option<RecordGuard>,
    _slot: Option<Arc<QueuePermit>>,
    _admitted: Arc<Admitted>,
}

impl Settlement {
    /// Takes everything that must live as long as the body.
    pub(crate) fn new(
        turn: AdmittedCall,
        admitted: Arc<Admitted>,
        principal: Principal,
        usage: Option<UsageReader>,
        wanted: Wanted,
    ) -> Self {
        let AdmittedCall { guard, slot } = turn;
        Self {
            guard,
            principal,
            usage,
            wanted,
            ending: None,
            _slot: slot,
            _admitted: admitted,
        }
    }

    /// The reader of the stream's events.
    fn events(&mut self) -> Option<&mut EventReader> {
        match &mut self.usage {
            Some(UsageReader::Stream(events)) => Some(events),
            Some(UsageReader::Body(_)) | None => None,
        }
    }

    fn saw(&mut self, frame: &Frame<Bytes>) {
        if let (Some(usage), Some(data)) = (&mut self.usage, frame.data_ref()) {
            usage.observe(data);
        }
    }

    /// Settles a body that arrived whole. Of what is not known the reserved estimate stands.
    fn complete(mut self) {
        let Wanted {
            input,
            choices,
            at_least_reserved,
            refused,
        } = self.wanted;
        let observed = self.usage.take().map(UsageReader::finish);
        let is_told = observed
            .and_then(|observed| observed.reported)
            .is_some_and(|reported| reported.completion > 0);
        let usage = if refused {
            observed.map(|observed| observed.reported.unwrap_or_default())
        } else {
            observed.and_then(|observed| observed.settled(input))
        };
        match usage {
            Some(usage) => {
                if usage.completion > 0 {
                    self.principal
                        .observe_output(usage.completion / choices.max(1));
                }
                if at_least_reserved && !refused && !is_told {
                    self.guard.cut(usage);
                } else {
                    self.guard.settle(usage);
                }
            }
            None if refused => self.guard.refused(),
            None => drop(self.guard),
        }
        if let Some(ending) = self.ending.take() {
            ending.complete();
        }
    }

    /// Settles a body whose client left, or whose upstream died.
    fn cut(mut self, how: Cut) {
        let observed = self.usage.take().map(UsageReader::finish);
        match observed.and_then(|observed| observed.seen(self.wanted.input)) {
            Some(Seen::Reported(usage)) => self.guard.settle(usage),
            Some(Seen::AtLeast(used)) => self.guard.cut(used),
            None => drop(self.guard),
        }
        if let Some(ending) = self.ending.take() {
            match how {
                Cut::ClientLeft => ending.client_left(),
                Cut::Shutdown => ending.shut_down(),
                Cut::UpstreamDied => ending.upstream_died(),
            }
        }
    }
}

/// What the request asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Tokens that it is estimated to send.
    pub(crate) input: u64,
    /// Choices.
    pub(crate) choices: u64,
    /// Without a report of its output it costs what was reserved for it: its text shows less than
    /// was made.
    pub(crate) at_least_reserved: bool,
    /// The upstream refused it: what an upstream refuses it does not bill.
    pub(crate) refused: bool,
}

#[derive(Clone, Copy)]
enum Cut {
    ClientLeft,
    Shutdown,
    UpstreamDied,
}

impl Metered {
    /// Watches over `body`.
    pub(crate) fn new(body: Opened, filter: Option<Filter>, parting: Settlement) -> Self {
        Self {
            body,
            filter,
            parting: Some(parting),
            is_stream: false,
            between_events: true,
            last: None,
        }
    }

    /// The body is an event stream.
    pub(crate) fn is_stream(&mut self) {
        self.is_stream = true;
    }

    /// hone shuts down: where `last` can stand, it says so; anything else breaks.
    pub(crate) fn close(&mut self, last: impl FnOnce(Gap) -> Bytes) {
        if self.parting.is_none() || self.body.is_end_stream() {
            return;
        }
        let gap = self.gap();
        self.end(|parting| parting.cut(Cut::Shutdown));
        self.last = Some(gap.map_or(Last::Broken, |gap| Last::Event(last(gap))));
    }

    fn gap(&self) -> Option<Gap> {
        if self.body.size_hint().exact().is_some() {
            return None;
        }
        let is_between = self.is_stream && self.between_events;
        match self
            .parting
            .as_ref()
            .and_then(|parting| parting.usage.as_ref())
        {
            Some(reader) => reader.gap(is_between),
            None => is_between.then_some(Gap::Events),
        }
    }

    /// What comes instead of the rest.
    fn last(&mut self) -> Option<Result<Frame<Bytes>, BodyError>> {
        match self.last.replace(Last::End)? {
            Last::Event(event) => Some(Ok(Frame::data(event))),
            Last::End => None,
            Last::Broken => Some(Err(BodyError::Shutdown)),
        }
    }

    /// Tells `ending` how this body ends.
    pub(crate) fn tell(&mut self, ending: RecordGuard) {
        if let Some(parting) = &mut self.parting {
            parting.ending = Some(ending);
        }
    }

    fn poll_upstream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut next = ready!(self.body.poll_frame(cx));
        match &mut next {
            Some(Ok(frame)) => self.saw(frame),
            Some(Err(_)) => {
                self.body.let_go();
                self.end(|parting| parting.cut(Cut::UpstreamDied));
            }
            None => {
                let events = self.parting.as_mut().and_then(Settlement::events);
                match (&mut self.filter, events) {
                    (Some(filter), Some(events)) => filter.keep(events.rest()),
                    (Some(filter), None) => filter.finish(),
                    (None, _) => {}
                }
                self.end(Settlement::complete);
            }
        }
        Poll::Ready(next)
    }

    /// Reads what passes; with a filter, an event at a time.
    fn saw(&mut self, frame: &mut Frame<Bytes>) {
        if let Some(ending) = self
            .parting
            .as_mut()
            .and_then(|parting| parting.ending.as_mut())
            && self.is_stream
        {
            ending.first_token();
        }
        if let Some(data) = frame.data_ref().filter(|_| self.filter.is_none()) {
            self.between_events = data.ends_with(b"\n\n") || data.ends_with(b"\r\n\r\n");
        }
        let Some(parting) = &mut self.parting else {
            return;
        };
        match (&mut self.filter, frame.data_mut()) {
            (Some(filter), Some(data)) => {
                let data = std::mem::take(data);
                match parting.events() {
                    Some(events) => events.push(data, |event, kind| {
                        filter.keep(Some((event, kind)));
                    }),
                    None => filter.push(data),
                }
            }
            _ => parting.saw(frame),
        }
    }

    fn end(&mut self, how: impl FnOnce(Settlement)) {
        if let Some(parting) = self.parting.take() {
            how(parting);
        }
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.last.is_some() {
            return Poll::Ready(this.last());
        }
        loop {
            let kept = this.filter.as_mut().and_then(Filter::pop);
            if let Some(ready) = kept {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let next = ready!(this.poll_upstream(cx));
            let Some(filter) = &mut this.filter else {
                return Poll::Ready(next);
            };
            match next {
                // Its events are in the filter.
                Some(Ok(frame)) if frame.is_data() => {}
                None if filter.has_more() => {}
                next => return Poll::Ready(next),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() && self.filter.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.last.is_some() || self.filter.is_some() {
            SizeHint::default()
        } else {
            self.body.size_hint()
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let whole = self.body.is_end_stream();
        // Before its place is another's.
        self.body.let_go();
        self.end(|parting| {
            if whole {
                parting.complete();
            } else {
                parting.cut(Cut::ClientLeft);
            }
        });
    }
}
