//! The body of a relayed response: hands each frame on, reads token use beside it, and settles when
//! it ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::UsageEvent;
use crate::admission::{Admitted, CallGuard, QueuePermit};
use crate::config::Bounds;
use crate::sse::Splitter;
use crate::telemetry::RecordGuard;
use crate::tenant::Principal;
use crate::upstream::CallPermit;
use crate::upstream::body::{BodyError, Idle};
use crate::usage::{Api, EventKind, Seen, StreamReader, UsageReader};

/// A relayed response body.
///
/// An upstream that dies in mid-stream makes this body fail, so that the client's connection or
/// stream is aborted: no bytes are added, and nothing claims success.
#[derive(Debug)]
pub struct Metered {
    body: Opened,
    filter: Option<Filter>,
    parting: Option<Settlement>,
}

/// A response body of which the beginning may have been read already.
#[derive(Debug)]
pub struct Opened {
    pub(super) read: Option<Bytes>,
    pub(super) rest: Idle<Incoming>,
}

impl Opened {
    /// A body of which nothing has been read. It may be silent for at most `idle`.
    pub(super) fn new(body: Incoming, idle: Duration) -> Self {
        Self {
            read: None,
            rest: Idle::new(body, idle),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let rest = self.rest.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + read);
        }
        whole
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.read.take() {
            Some(read) => Poll::Ready(Some(Ok(Frame::data(read)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}

/// What is settled when the body ends, one way or the other.
#[derive(Debug)]
pub struct Settlement {
    guard: CallGuard,
    principal: Principal,
    usage: Option<UsageReader>,
    wanted: Wanted,
    ending: Option<RecordGuard>,
    _slot: Option<QueuePermit>,
    _admitted: Arc<Admitted>,
}

impl Settlement {
    /// Takes everything that must live as long as the body.
    pub fn new(
        turn: CallPermit,
        admitted: Arc<Admitted>,
        principal: Principal,
        usage: Option<UsageReader>,
        wanted: Wanted,
    ) -> Self {
        let CallPermit { guard, slot } = turn;
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
            refused,
        } = self.wanted;
        let observed = self.usage.take().map(UsageReader::finish);
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
                self.guard.settle(usage);
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
            Some(Seen::Written(tokens)) => {
                self.guard.note_streamed(tokens);
                drop(self.guard);
            }
            None => drop(self.guard),
        }
        if let Some(ending) = self.ending.take() {
            match how {
                Cut::ClientLeft => ending.client_left(),
                Cut::UpstreamDied => ending.upstream_died(),
            }
        }
    }
}

/// What the request asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Tokens that it is estimated to send.
    pub input: u64,
    /// Choices.
    pub choices: u64,
    /// The upstream refused it: what an upstream refuses it does not bill.
    pub refused: bool,
}

#[derive(Clone, Copy)]
enum Cut {
    ClientLeft,
    UpstreamDied,
}

impl Metered {
    /// Watches over `body`.
    pub fn new(
        body: Opened,
        bounds: &Bounds,
        usage_event: UsageEvent,
        parting: Settlement,
    ) -> Self {
        let filter =
            (usage_event == UsageEvent::Remove).then(|| Filter::new(bounds.sse_event_bytes));
        Self {
            body,
            filter,
            parting: Some(parting),
        }
    }

    /// Tells `ending` how this body ends.
    pub fn tell(&mut self, ending: RecordGuard) {
        if let Some(parting) = &mut self.parting {
            parting.ending = Some(ending);
        }
    }

    fn poll_upstream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = ready!(self.body.poll_frame(cx));
        match &next {
            Some(Ok(frame)) => {
                if let Some(parting) = &mut self.parting {
                    parting.saw(frame);
                }
            }
            Some(Err(_)) => self.end(|parting| parting.cut(Cut::UpstreamDied)),
            None => self.end(Settlement::complete),
        }
        Poll::Ready(next)
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
        loop {
            if let Some(ready) = this.filter.as_mut().and_then(Filter::pop) {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let next = ready!(this.poll_upstream(cx));
            let Some(filter) = &mut this.filter else {
                return Poll::Ready(next);
            };
            match next {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => filter.push(data),
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => match filter.finish() {
                    Some(rest) => return Poll::Ready(Some(Ok(Frame::data(rest)))),
                    None => return Poll::Ready(None),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.filter.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.filter.is_some() {
            SizeHint::default()
        } else {
            self.body.size_hint()
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let whole = self.body.is_end_stream();
        self.end(|parting| {
            if whole {
                parting.complete();
            } else {
                parting.cut(Cut::ClientLeft);
            }
        });
    }
}

/// Takes the usage-only event out of a stream and lets every other byte through as it is.
#[derive(Debug)]
struct Filter {
    /// Until the stream has ended.
    splitter: Option<Splitter>,
    reader: StreamReader,
    ready: VecDeque<Bytes>,
}

impl Filter {
    fn new(max_event: usize) -> Self {
        Self {
            splitter: Some(Splitter::new(max_event)),
            reader: StreamReader::new(Api::ChatCompletions, 1),
            ready: VecDeque::new(),
        }
    }

    fn push(&mut self, data: Bytes) {
        let Some(splitter) = &mut self.splitter else {
            return;
        };
        let reader = &mut self.reader;
        let kept = splitter
            .push(data)
            .filter(|event| reader.observe(event) != EventKind::UsageOnly);
        self.ready.extend(kept.map(|event| event.bytes));
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// What is left at the end, unless that is the usage-only event, whole but for its blank line.
    fn finish(&mut self) -> Option<Bytes> {
        let rest = self.splitter.take()?.finish()?;
        (self.reader.observe(&rest) != EventKind::UsageOnly).then_some(rest.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client gets of a stream whose usage hone has asked for.
    fn filtered(stream: &str) -> String {
        let mut filter = Filter::new(1000);
        let mut seen = Vec::new();
        for chunk in stream.as_bytes().chunks(5) {
            filter.push(Bytes::copy_from_slice(chunk));
            seen.extend(std::iter::from_fn(|| filter.pop()).flatten());
        }
        seen.extend(filter.finish().into_iter().flatten());
        String::from_utf8(seen).unwrap()
    }

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    const USAGE: &str =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}";

    #[test]
    fn the_usage_event_is_taken_out_wherever_the_stream_ends() {
        assert_eq!(
            filtered(&format!("{TEXT}{USAGE}\n\ndata: [DONE]\n\n")),
            format!("{TEXT}data: [DONE]\n\n")
        );
        for end in ["\n\n", "\n", "\r\n", ""] {
            assert_eq!(filtered(&format!("{TEXT}{USAGE}{end}")), TEXT, "{end:?}");
        }
    }

    #[test]
    fn what_else_stands_at_an_end_without_a_blank_line_passes() {
        for rest in [
            "data: [DONE]",
            "data: {\"choices\":[],\"usage\":{\"prompt_tok",
            "data: {\"choices\":[{\"delta\":{}}]}",
            ": comment",
            "x",
        ] {
            assert_eq!(filtered(&format!("{TEXT}{rest}")), format!("{TEXT}{rest}"));
        }
    }
}
