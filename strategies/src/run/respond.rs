//! The two ways to finish: make the answer now, live if the client watches, or hand over one that
//! exists.

use std::vec;

use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value};

use super::call::Reply;
use super::candidate::Candidate;
use super::event::ChoiceSink;
use super::handle::Run;
use super::meter::Meter;
use super::sub_call::SubCall;
use crate::chat::{Assembler, Choice, Chunk, ChunkChoice, Completion, Delta, Usage, keep_content};
use crate::error::StrategyError;
use crate::model::{ChunkStream, ModelError};

mod filter;

use self::filter::Fenceless;
pub(crate) use self::filter::TextFilter;

/// A choice that has been told to the client, if the client watches. Only [`Run::respond`] and
/// [`Run::emit`] make one.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) choice: Choice,
    /// What the call that made it used, its share where that call made several.
    pub(crate) usage: Option<Usage>,
}

impl Run {
    /// Makes the final call. If the client watches, its deltas are passed on as they come.
    ///
    /// At the deadline an answer that has begun is cut off there, with finish reason `length`.
    ///
    /// # Errors
    ///
    /// [`StrategyError::Interrupted`] if the client has seen a part of the answer; with any other
    /// error nothing has been told.
    pub(crate) async fn respond(&self, call: SubCall) -> Result<Answer, StrategyError> {
        let fenceless = Fenceless::of(self);
        let Some(sink) = self.sink.clone() else {
            // A stream, which lasts, holds nothing of what a whole answer needs.
            let answer = self.answer_whole(call).boxed().await?;
            return Ok(answer.without_fences(fenceless));
        };
        let mut fenceless = fenceless;
        let filter = fenceless.as_mut();
        let filter = filter.map(|filter| filter as &mut dyn TextFilter);
        self.answer_live(call, sink, filter).await
    }

    /// Like [`Self::respond`], of whose content the client gets what `filter` shows.
    pub(crate) async fn respond_through(
        &self,
        call: SubCall,
        filter: &mut dyn TextFilter,
    ) -> Result<Answer, StrategyError> {
        if let Some(sink) = self.sink.clone() {
            return self.answer_live(call, sink, Some(filter)).await;
        }
        let Answer { choice, usage } = self.answer_whole(call).boxed().await?;
        let mut shown = filter.push(&choice.message.text());
        shown.push_str(&filter.finish(choice.is_truncated()));
        Ok(Answer {
            choice: Choice {
                message: choice.message.changed("content", shown),
                ..choice
            },
            usage,
        })
    }

    async fn answer_whole(&self, call: SubCall) -> Result<Answer, StrategyError> {
        let call = call.numbered(self.seed_offset(0));
        Ok(self.complete(call, 0).await?.into())
    }

    async fn answer_live(
        &self,
        call: SubCall,
        sink: ChoiceSink,
        filter: Option<&mut dyn TextFilter>,
    ) -> Result<Answer, StrategyError> {
        let call = call.numbered(self.seed_offset(0)).streamed();
        // What it takes to open a stream is not held as long as it lasts.
        let (meter, stream) = self.open(call, 0).boxed().await?;
        let mut relay = Relay {
            run: self,
            sink,
            meter: Some(meter),
            filter,
            assembler: Assembler::new(),
            beside: Map::new(),
            has_told: false,
        };
        relay.pump(stream).await?;
        relay.close()
    }

    /// Passes on a stream that has been opened.
    pub(super) async fn relay(
        &self,
        meter: Meter<'_>,
        stream: ChunkStream,
        sink: ChoiceSink,
    ) -> Result<Answer, StrategyError> {
        let mut relay = Relay {
            run: self,
            sink,
            meter: Some(meter),
            filter: None,
            assembler: Assembler::new(),
            beside: Map::new(),
            has_told: false,
        };
        relay.pump(stream).await?;
        relay.close()
    }

    /// Hands over an answer that exists.
    pub(crate) async fn emit(
        &self,
        choice: Choice,
        usage: Option<Usage>,
    ) -> Result<Answer, StrategyError> {
        let choice = Choice {
            logprobs: self.shared.shown.part(choice.logprobs),
            ..choice
        };
        let answer = Answer { choice, usage }.without_fences(Fenceless::of(self));
        if let Some(sink) = &self.sink {
            sink.clone().replay(&answer.choice).await?;
        }
        Ok(answer)
    }

    /// Hands over a candidate.
    pub(crate) async fn elect(&self, candidate: &Candidate) -> Result<Answer, StrategyError> {
        self.emit(candidate.choice.clone(), candidate.usage).await
    }
}

impl Answer {
    fn without_fences(self, fenceless: Option<Fenceless>) -> Self {
        match fenceless {
            None => self,
            Some(fenceless) => Self {
                choice: fenceless.clean(self.choice),
                ..self
            },
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            choice: reply.choices.into_first(),
            usage: reply.usage,
        }
    }
}

/// The first choice of what a stream came to.
fn answer(completion: Completion) -> Result<Answer, StrategyError> {
    let usage = completion.usage;
    let choice = completion
        .choices
        .into_iter()
        .next()
        .ok_or_else(|| malformed("no choice"))?;
    Ok(Answer { choice, usage })
}

/// Leaves of a delta's content what `filter` shows, and ends it with the choice.
fn show(filter: &mut dyn TextFilter, delta: &mut Delta) {
    let content = delta.fields.shift_remove("content");
    // It may say what is not shown.
    delta.native = None;
    let mut shown = content
        .as_ref()
        .and_then(Value::as_str)
        .map(|text| filter.push(text))
        .unwrap_or_default();
    if let Some(reason) = &delta.finish_reason {
        shown.push_str(&filter.finish(reason == "length"));
    }
    if !shown.is_empty() {
        delta.fields.insert("content".to_owned(), shown.into());
    }
}

fn malformed(detail: &str) -> ModelError {
    ModelError::Malformed {
        detail: detail.to_owned(),
    }
}

struct Relay<'a, 'f> {
    run: &'a Run,
    sink: ChoiceSink,
    meter: Option<Meter<'a>>,
    filter: Option<&'f mut dyn TextFilter>,
    assembler: Assembler,
    /// What the client knows of what stands beside the choices.
    beside: Map<String, Value>,
    has_told: bool,
}

/// What a chunk tells the client. Small, since it is held where the client is waited for.
struct Told {
    rest: Option<Box<Map<String, Value>>>,
    choices: vec::IntoIter<ChunkChoice>,
}

impl Relay<'_, '_> {
    async fn pump(&mut self, mut stream: ChunkStream) -> Result<(), StrategyError> {
        loop {
            // Nothing that came is part of what is held while the client is waited for.
            let told = match self.run.until_deadline(stream.next()).await {
                Ok(Some(Ok(chunk))) => self.heard(chunk),
                Ok(None) if self.assembler.is_complete() => return Ok(()),
                Ok(None) => {
                    return Err(self.broken(malformed("the stream ended before the answer did")));
                }
                Ok(Some(Err(error))) => return Err(self.broken(error)),
                Err(StrategyError::Deadline) if self.has_told => break,
                Err(error) => return Err(error),
            };
            self.pass(told).await?;
        }
        self.cut_off(stream).await
    }

    /// Hears a chunk, and gives what of it is told.
    fn heard(&mut self, mut chunk: Chunk) -> Told {
        // One choice was asked for; a second would have nowhere to go.
        chunk.choices.retain(|choice| choice.index == 0);
        if let Some(meter) = &mut self.meter {
            meter.saw(&chunk);
        }
        if let Some(filter) = self.filter.as_deref_mut() {
            chunk
                .choices
                .iter_mut()
                .for_each(|choice| show(filter, &mut choice.delta));
        }
        // What names the answer and its model is not told, nor kept as long as the stream lasts.
        keep_content(&mut chunk.rest);
        self.assembler.hear(&chunk);
        let mut choices = chunk.choices.iter();
        self.has_told |= choices.any(|choice| !choice.delta.is_empty());
        Told {
            rest: Some(chunk.rest)
                .filter(|rest| !rest.is_empty())
                .map(Box::new),
            choices: chunk.choices.into_iter(),
        }
    }

    async fn pass(&mut self, told: Told) -> Result<(), StrategyError> {
        let Told { rest, mut choices } = told;
        if let Some(rest) = rest {
            self.sink.beside(&rest, &mut self.beside).await?;
        }
        while let Some(telling) = choices.next().map(|choice| self.sink.send(choice.delta)) {
            telling.await?;
        }
        Ok(())
    }

    fn broken(&mut self, error: ModelError) -> StrategyError {
        if let Some(meter) = self.meter.take() {
            meter.failed(&error);
        }
        if self.has_told {
            StrategyError::Interrupted(error)
        } else {
            StrategyError::Model(error)
        }
    }

    async fn cut_off(&mut self, stream: ChunkStream) -> Result<(), StrategyError> {
        self.run.degrade("deadline");
        // Dropped first, it tells the meter what the call has cost.
        drop(stream);
        // Dropped without an answer: what was seen of it is charged. This must come before the send
        // below, which waits for a client that may never read.
        drop(self.meter.take());
        let mut end = Delta::finish("length");
        if let Some(filter) = self.filter.as_deref_mut() {
            show(filter, &mut end);
        }
        self.sink.send(end.clone()).await?;
        self.assembler.push(Chunk::of(0, end));
        Ok(())
    }

    fn close(mut self) -> Result<Answer, StrategyError> {
        let mut completion = std::mem::take(&mut self.assembler).finish();
        if let Some(meter) = self.meter.take() {
            meter.answered(&mut completion);
        }
        answer(completion)
    }
}
