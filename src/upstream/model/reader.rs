//! The one reader of upstreams' answers to strategies: it goes by what comes, not by how it is
//! labelled.
//!
//! A stream may be answered with a document and the other way round, by any content type. The first
//! byte that says something tells them apart: a document begins with a bracket. When an answer is
//! whole is for [`Progress::ending`] to say.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use hone_dialects::{Dialect, Event};
use hone_strategies::ModelError;
use hone_strategies::chat::{
    Assembler, Chunk, Completion, Ending, Logprobs, Said, Stop, Usage, Written, weight, whole,
};
use hone_strategies::model::ChunkStream;
use http_body::Body;
use tokio::time::{Instant, Sleep};

use super::coded::{self, Coded};
use super::growth::{Document, Growth};
use super::rejection::failed;
use super::seen::Seen;
use super::speech::Foreign;
use super::{OpenCall, broken, malformed, no_room, unread};
use crate::admission::CallGuard;
use crate::sse::{RawEvent, Splitter};
use crate::upstream::body::{AnswerBody, BodyError, Idle};

/// How long after the last finish reason the token use, or the end, is waited for.
const AFTER_THE_END: Duration = Duration::from_secs(2);
/// So much white space may come before the answer.
const MARGIN: usize = 1024;

/// An answer that is being read. Dropping it closes the upstream's connection or stream and settles
/// what was seen.
pub(super) struct Reader {
    body: Idle<AnswerBody>,
    form: Form,
    event_bytes: usize,
    /// What stands at the end of a stream of events without its blank line.
    last: Option<RawEvent>,
    flight: Option<OpenCall>,
    /// Whether the operator's key pays, of whose account the caller is told nothing.
    is_operators: bool,
    /// Whether it came as events, as far as is known.
    has_events: bool,
    seen: Seen,
    growth: Growth,
    /// How it is read, if that is not chat's own way.
    foreign: Option<Box<Foreign>>,
    /// Runs from when the answer seems to be whole.
    silence: Option<Pin<Box<Sleep>>>,
}

/// What the answer turns out to be.
enum Form {
    /// White space so far.
    Unknown(BytesMut),
    Events(Splitter),
    /// A stream in another dialect.
    Coded(Box<Coded>),
    Document(Document),
    /// Nothing more comes; what has come is read.
    Ended,
    /// Nothing more is read.
    Over,
}

/// A part of an answer.
enum Part {
    Chunk(Chunk),
    /// All of it.
    Whole(Completion),
}

impl Part {
    fn into_chunk(self) -> Chunk {
        match self {
            Self::Chunk(chunk) => chunk,
            Self::Whole(completion) => completion.into_chunk(),
        }
    }
}

impl Reader {
    /// Reads `body`, of events of at most `event_bytes`.
    pub(super) fn new(
        body: Idle<AnswerBody>,
        event_bytes: usize,
        (flight, is_operators): (Option<OpenCall>, bool),
        growth: Growth,
    ) -> Self {
        Self {
            body,
            form: Form::Unknown(BytesMut::new()),
            event_bytes,
            last: None,
            flight,
            is_operators,
            has_events: false,
            seen: Seen::default(),
            growth,
            foreign: None,
            silence: None,
        }
    }

    /// The same of an answer in another dialect.
    pub(super) fn of(mut self, foreign: Option<Box<Foreign>>) -> Self {
        self.foreign = foreign;
        self
    }

    /// The answer's first chunk, and the rest of it as a stream.
    pub(super) async fn begun(mut self) -> Result<ChunkStream, ModelError> {
        let first = std::future::poll_fn(|cx| self.poll_part(cx)).await;
        let first = first.transpose()?.map(Part::into_chunk);
        Ok(stream::iter(first.map(Ok)).chain(self).boxed())
    }

    /// All of the answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the answer off where it is.
    pub(super) async fn completion(self) -> Result<Completion, ModelError> {
        self.told().await.0
    }

    /// The same, and whether it came as events.
    pub(super) async fn told(mut self) -> (Result<Completion, ModelError>, bool) {
        let whole = self.whole().await;
        (whole, self.has_events)
    }

    async fn whole(&mut self) -> Result<Completion, ModelError> {
        let mut assembler = Assembler::new();
        while let Some(part) = std::future::poll_fn(|cx| self.poll_part(cx)).await {
            match part? {
                Part::Chunk(chunk) => assembler.push(chunk),
                Part::Whole(completion) => return Ok(completion),
            }
        }
        Ok(assembler.finish())
    }

    /// The next part of the answer; none after its end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, ModelError>>> {
        loop {
            if let Some(part) = self.next_event() {
                return Poll::Ready(Some(part.map(Part::Chunk)));
            }
            match self.form {
                Form::Over => return Poll::Ready(None),
                Form::Ended => {
                    return Poll::Ready(self.stop(Stop::End).map(|end| end.map(Part::Chunk)));
                }
                Form::Unknown(_) | Form::Events(_) | Form::Coded(_) | Form::Document(_) => {}
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => {
                    ready!(self.poll_silence(cx));
                    if let Form::Coded(coded) = &mut self.form {
                        coded.finish();
                        continue;
                    }
                    return Poll::Ready(self.stop(Stop::Silence).map(|end| end.map(Part::Chunk)));
                }
                Poll::Ready(frame) => frame,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Some(Err(error)) = frame.into_data().ok().map(|data| self.push(data)) {
                        return Poll::Ready(Some(Err(self.fail(error))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(self.broken(&error)),
                None => {
                    if let Some(whole) = self.end() {
                        return Poll::Ready(Some(whole));
                    }
                }
            }
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.seen.progress.has_ended() {
            return Poll::Pending;
        }
        let silence = self
            .silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(AFTER_THE_END)));
        silence.as_mut().poll(cx)
    }

    fn push(&mut self, data: Bytes) -> Result<(), ModelError> {
        match &mut self.form {
            Form::Unknown(before) => {
                before.extend_from_slice(&data);
                let begin = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
                let first = begin.trim_ascii_start().first().copied();
                let all = std::mem::take(before);
                match first {
                    None if all.len() <= MARGIN => *before = all,
                    // Google sends a stream as an array where it is not asked for events.
                    Some(byte @ (b'{' | b'[' | b'<')) if byte != b'[' || !self.takes_arrays() => {
                        let mut document = self.growth.document()?;
                        document.push(&all)?;
                        self.form = Form::Document(document);
                    }
                    _ if self.foreign.is_some() => {
                        self.has_events = true;
                        if let Some(mut coded) =
                            self.foreign.take().map(|foreign| Coded::new(*foreign))
                        {
                            coded.add(all.freeze());
                            self.form = Form::Coded(Box::new(coded));
                        }
                    }
                    _ => {
                        self.has_events = true;
                        let mut splitter = Splitter::new(self.event_bytes);
                        splitter.add(all.freeze());
                        self.form = Form::Events(splitter);
                    }
                }
            }
            Form::Events(splitter) => splitter.add(data),
            Form::Coded(coded) => coded.add(data),
            Form::Document(document) => document.push(&data)?,
            Form::Ended | Form::Over => {}
        }
        Ok(())
    }

    /// The next event that has arrived whole, one at a time: a queue of short ones would take many
    /// times their bytes. Takes the memory of one of which only the beginning is there.
    fn next_raw(&mut self) -> Result<Option<RawEvent>, ModelError> {
        let Form::Events(splitter) = &mut self.form else {
            return Ok(self.last.take());
        };
        let event = splitter.next_piece();
        if event.is_none() {
            self.growth.begun(splitter.held_bytes())?;
        }
        Ok(event)
    }

    /// Whether a stream may come as one array.
    fn takes_arrays(&self) -> bool {
        let foreign = self.foreign.as_ref();
        foreign.is_some_and(|foreign| foreign.dialect == Dialect::Gemini)
    }

    /// What the next event adds that has arrived whole.
    fn next_event(&mut self) -> Option<Result<Chunk, ModelError>> {
        if let Form::Coded(coded) = &mut self.form {
            let event = coded.next(&mut self.growth);
            let is_over = coded.is_over();
            return match event {
                Ok(event) => self.coded(event, is_over),
                Err(error) => Some(Err(self.fail(error))),
            };
        }
        while let Some(event) = self.next_raw().transpose() {
            let event = match event {
                Ok(event) => event,
                Err(error) => return Some(Err(self.fail(error))),
            };
            if event.is_oversized() {
                let error = malformed("an event above the bound");
                return Some(Err(self.fail(error)));
            }
            let Some(data) = event.data() else {
                continue;
            };
            if data.trim_ascii() == b"[DONE]" {
                return self.stop(Stop::Said);
            }
            match self.growth.read(&data) {
                Ok(Said::Nothing) => {}
                Ok(Said::Chunk(chunk)) => {
                    self.seen.chunk(&chunk);
                    if let Some(silence) = &mut self.silence {
                        silence.as_mut().reset(Instant::now() + AFTER_THE_END);
                    }
                    return Some(Ok(chunk));
                }
                Ok(Said::Failure(failure)) => {
                    let error = failed(failure, self.is_operators);
                    return Some(Err(self.fail(error)));
                }
                Err(error) => return Some(Err(self.fail(error))),
            }
        }
        None
    }

    /// What an event in another dialect adds. `is_over` says that nothing else is wanted.
    fn coded(&mut self, event: Option<Event>, is_over: bool) -> Option<Result<Chunk, ModelError>> {
        match event {
            None if is_over => {
                // hone itself wants no more of it.
                self.form = Form::Over;
                self.settle(CallGuard::unwanted, false);
                None
            }
            None => None,
            Some(Event::Chunk(chunk)) => Some(match self.growth.add(&chunk) {
                Ok(()) => {
                    self.seen.chunk(&chunk);
                    if let Some(silence) = &mut self.silence {
                        silence.as_mut().reset(Instant::now() + AFTER_THE_END);
                    }
                    Ok(chunk)
                }
                Err(error) => Err(self.fail(error)),
            }),
            Some(Event::Failed(error)) => {
                let error = coded::told(&error, self.is_operators);
                Some(Err(self.fail(error)))
            }
            Some(Event::Done) => {
                self.form = Form::Over;
                self.settle(CallGuard::cut, true);
                None
            }
        }
    }

    /// The body has ended. Gives the document that it was.
    fn end(&mut self) -> Option<Result<Part, ModelError>> {
        let whole = match std::mem::replace(&mut self.form, Form::Over) {
            Form::Document(document) => self.document(document),
            Form::Unknown(_) => Err(malformed("an empty body")),
            Form::Events(splitter) => {
                self.last = splitter.finish();
                self.form = Form::Ended;
                return None;
            }
            Form::Coded(mut coded) => {
                // A codec always says how it ends, but only once.
                if !coded.is_at_end() {
                    coded.finish();
                    self.form = Form::Coded(coded);
                }
                return None;
            }
            Form::Ended | Form::Over => return None,
        };
        Some(whole.map_err(|error| self.fail(error)))
    }

    /// Reads a document, whose tree stays with the run. So does the memory of its bytes, which are
    /// gone: for what the run makes of them, copies for readers, the trace, the client's document.
    fn document(&mut self, document: Document) -> Result<Part, ModelError> {
        let (body, mut taken) = document.finish();
        if let Some(taken) = &mut taken {
            // A codec keeps what chat cannot say beside its chat form.
            let times = if self.foreign.is_some() { 2 } else { 1 };
            let bytes = weight(&body).saturating_mul(times);
            taken.grow(bytes).map_err(no_room)?;
        }
        let completion = match &self.foreign {
            Some(foreign) => coded::document(foreign, &body, self.is_operators)?,
            None => match whole(&body).map_err(unread)? {
                Ok(completion) => completion,
                Err(failure) => return Err(failed(failure, self.is_operators)),
            },
        };
        if let Some(mut taken) = taken {
            let logprobs = completion.choices.iter();
            let logprobs = logprobs.flat_map(|choice| &choice.logprobs);
            taken.shrink(logprobs.map(Logprobs::saved).sum());
            taken.keep();
        }
        if let Some(flight) = self.flight.take() {
            let written = Written::of(&completion.choices);
            flight.settle(completion.usage, written, completion.choices.len());
        }
        Ok(Part::Whole(completion))
    }

    /// Stops reading events; gives what is missing of a whole answer, or why it is none.
    fn stop(&mut self, stop: Stop) -> Option<Result<Chunk, ModelError>> {
        if matches!(std::mem::replace(&mut self.form, Form::Over), Form::Over) {
            return None;
        }
        self.last = None;
        match self.seen.progress.ending(stop) {
            Ending::Whole => {
                self.settle(CallGuard::cut, true);
                let ends = self.seen.progress.missing_ends();
                (!ends.choices.is_empty()).then_some(Ok(ends))
            }
            Ending::Cut | Ending::Failed => {
                let error = malformed("the stream ended before the answer did");
                Some(Err(self.fail(error)))
            }
        }
    }

    /// The connection failed, which is no fault of an answer that has come whole.
    fn broken(&mut self, error: &BodyError) -> Option<Result<Part, ModelError>> {
        if let Form::Coded(coded) = &mut self.form
            && self.seen.progress.has_ended()
        {
            coded.finish();
            return self.next_event().map(|end| end.map(Part::Chunk));
        }
        if matches!(self.form, Form::Events(_)) && self.seen.progress.has_ended() {
            return self.stop(Stop::End).map(|end| end.map(Part::Chunk));
        }
        Some(Err(self.fail(broken(error))))
    }

    /// Closes the account of an answer that failed. Nothing behind it is read.
    fn fail(&mut self, error: ModelError) -> ModelError {
        self.form = Form::Over;
        self.last = None;
        self.settle(CallGuard::cut, false);
        error
    }

    /// Closes the call's account: its answer is whole, or was left off in this way.
    fn settle(&mut self, left_off: fn(CallGuard, Usage), is_whole: bool) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let written = self.seen.written();
        let Seen { usage, choices, .. } = self.seen;
        if is_whole || self.seen.has_final_usage {
            flight.settle(usage, written, choices);
        } else {
            let Usage {
                prompt, completion, ..
            } = usage.unwrap_or_default();
            let seen = Usage::estimate(prompt, completion.max(written.all));
            left_off(flight.guard, seen);
        }
    }
}

impl Stream for Reader {
    type Item = Result<Chunk, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let part = ready!(self.get_mut().poll_part(cx));
        Poll::Ready(part.map(|part| part.map(Part::into_chunk)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.settle(CallGuard::unwanted, false);
    }
}
