//! A streamed answer: its events as chunks, what they add up to, and what they cost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use hone_strategies::ModelError;
use hone_strategies::chat::{Chunk, ChunkChoice, Kept, TokenCounter, Usage, Written, weight};
use http_body::Body;

use super::{OpenCall, broken, no_room};
use crate::admission::CallGuard;
use crate::sse::{RawEvent, Splitter};
use crate::tenant::Room;
use crate::upstream::body::{AnswerBody, Idle};

/// The chunks of a streamed sub-call. Dropping it closes the upstream's connection or stream and
/// settles what was seen.
pub(super) struct Chunks {
    body: Idle<AnswerBody>,
    /// Until the stream has ended.
    splitter: Option<Splitter>,
    ready: VecDeque<RawEvent>,
    flight: Option<OpenCall>,
    seen: Seen,
    growth: Growth,
}

/// Events below this are parsed without asking whether there is memory for it.
const SMALL_EVENT: usize = 4096;
/// So much of an answer may have come before its memory is taken.
const STEP: usize = 16 * 1024;

/// So often what has come is held: in the answer that it adds up to, in the events that wait for
/// the client, in what the run makes of it.
const TIMES: usize = 3;

/// What a streamed answer adds up to: the run may hold all of it, however slowly its client reads.
pub(super) struct Growth {
    room: Arc<Room>,
    /// Of the whole answer.
    most: usize,
    kept: Kept,
    bytes: usize,
    /// Bytes whose memory has not been taken yet.
    owed: usize,
}

impl Growth {
    /// Nothing yet, of at most `most` bytes.
    pub(super) fn new(room: &Arc<Room>, most: usize) -> Self {
        Self {
            room: Arc::clone(room),
            most,
            kept: Kept::default(),
            bytes: 0,
            owed: 0,
        }
    }

    /// Reads an event's data.
    fn parse(&mut self, data: &[u8]) -> Result<Chunk, ModelError> {
        let _parsing = if data.len() > SMALL_EVENT {
            Some(self.room.take(weight(data)).map_err(no_room)?)
        } else {
            None
        };
        let chunk = Chunk::parse(data).map_err(|error| ModelError::Malformed {
            detail: error.to_string(),
        })?;
        let more = self.kept.add(&chunk);
        self.bytes = self.bytes.saturating_add(more);
        self.owed = self.owed.saturating_add(more.saturating_mul(TIMES));
        if self.bytes > self.most {
            return Err(ModelError::Malformed {
                detail: format!("the answer is larger than {} bytes", self.most),
            });
        }
        if self.owed > STEP {
            self.room.keep(self.owed).map_err(no_room)?;
            self.owed = 0;
        }
        Ok(chunk)
    }
}

/// What has come of a streamed answer.
#[derive(Default)]
struct Seen {
    /// Of the first choice.
    first: TokenCounter,
    /// Of all choices.
    all: TokenCounter,
    choices: usize,
    usage: Option<Usage>,
    /// Whether the usage came with the end of the answer.
    is_whole: bool,
    done: bool,
}

impl Seen {
    fn chunk(&mut self, chunk: &Chunk) {
        for choice in &chunk.choices {
            self.all.add(&choice.delta);
            if choice.index == 0 {
                self.first.add(&choice.delta);
            }
            self.choices = self.choices.max(choice.index as usize + 1);
        }
        self.usage = chunk.usage.or(self.usage);
        let has_ended = |choice: &ChunkChoice| choice.delta.finish_reason.is_some();
        self.is_whole = self.usage.is_some()
            && (self.is_whole || chunk.usage.is_some())
            && chunk.choices.iter().all(has_ended);
    }

    fn written(&self) -> Written {
        Written {
            first: self.first.tokens(),
            all: self.all.tokens(),
        }
    }
}

impl Chunks {
    /// The chunks of `body`, of events of at most `event_bytes`.
    pub(super) fn new(
        body: Idle<AnswerBody>,
        event_bytes: usize,
        flight: OpenCall,
        growth: Growth,
    ) -> Self {
        Self {
            body,
            splitter: Some(Splitter::new(event_bytes)),
            ready: VecDeque::new(),
            flight: Some(flight),
            seen: Seen::default(),
            growth,
        }
    }

    /// The next chunk that has arrived whole.
    fn next_chunk(&mut self) -> Option<Result<Chunk, ModelError>> {
        while let Some(event) = self.ready.pop_front() {
            if event.is_oversized() {
                return Some(Err(ModelError::Malformed {
                    detail: "an event above the bound".to_owned(),
                }));
            }
            let Some(data) = event.data().filter(|data| !data.is_empty()) else {
                continue;
            };
            if *data == *b"[DONE]" {
                self.seen.done = true;
                continue;
            }
            let chunk = self.growth.parse(&data);
            if let Ok(chunk) = &chunk {
                self.seen.chunk(chunk);
            } else {
                // Nothing behind it is read.
                self.ready.clear();
                self.splitter = None;
                self.settle(CallGuard::cut);
                self.seen.done = true;
            }
            return Some(chunk);
        }
        None
    }

    /// Closes the call's account: its answer is whole, or was left off in this way.
    fn settle(&mut self, left_off: fn(CallGuard, Usage)) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let written = self.seen.written();
        let Seen { usage, choices, .. } = self.seen;
        if self.seen.done || self.seen.is_whole {
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

impl Stream for Chunks {
    type Item = Result<Chunk, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(chunk) = this.next_chunk() {
                return Poll::Ready(Some(chunk));
            }
            if this.seen.done && this.ready.is_empty() {
                this.settle(CallGuard::cut);
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let (Ok(data), Some(splitter)) = (frame.into_data(), &mut this.splitter) {
                        this.ready.extend(splitter.push(data));
                    }
                }
                Some(Err(error)) => {
                    this.settle(CallGuard::cut);
                    this.seen.done = true;
                    return Poll::Ready(Some(Err(broken(&error))));
                }
                // Without `[DONE]` the end may be a cut: whether the answer is complete is for its
                // reader to judge, from the finish reason.
                None => {
                    this.ready
                        .extend(this.splitter.take().and_then(Splitter::finish));
                    this.seen.done = true;
                }
            }
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.settle(CallGuard::unwanted);
    }
}
