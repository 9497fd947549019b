//! The two ways to finish: make the answer now, live if the client watches, or hand over one that exists.

use futures_util::StreamExt;

use super::Run;
use super::event::ChoiceSink;
use super::meter::Meter;
use super::sub_call::SubCall;
use crate::chat::{Assembler, Choice, Chunk, Delta};
use crate::error::StrategyError;
use crate::model::{ChunkStream, ModelError};

/// A choice that has been told to the client, if the client watches. Only [`Run::respond`] and [`Run::emit`] make one.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) choice: Choice,
}

impl Run {
    /// Makes the final call. If the client watches, its deltas are passed on as they come.
    ///
    /// At the deadline an answer that has begun is cut off there, with finish reason `length`.
    ///
    /// # Errors
    ///
    /// [`StrategyError::Interrupted`] if the client has seen a part of the answer; with any other error nothing has been told.
    pub(crate) async fn respond(&self, call: SubCall) -> Result<Answer, StrategyError> {
        let call = call.numbered(self.seed_offset(0));
        let Some(sink) = self.sink.clone() else {
            let completion = self.complete(call, 0).await?;
            self.log().final_usage = completion.usage;
            let choice = completion.choices.into_iter().next();
            return choice.map(answer).ok_or_else(|| malformed("no choice").into());
        };
        let (stream, meter) = self.open(call.streamed(), 0).await?;
        let mut relay = Relay { run: self, sink, meter: Some(meter), assembler: Assembler::new(), has_told: false };
        relay.pump(stream).await?;
        relay.close()
    }

    /// Hands over an answer that exists.
    pub(crate) async fn emit(&self, choice: Choice) -> Result<Answer, StrategyError> {
        if let Some(sink) = &self.sink {
            sink.clone().replay(&choice).await?;
        }
        Ok(answer(choice))
    }
}

fn answer(choice: Choice) -> Answer {
    Answer { choice: Choice { index: 0, ..choice } }
}

fn malformed(detail: &str) -> ModelError {
    ModelError::Malformed { detail: detail.to_owned() }
}

struct Relay<'a> {
    run: &'a Run,
    sink: ChoiceSink,
    meter: Option<Meter<'a>>,
    assembler: Assembler,
    has_told: bool,
}

impl Relay<'_> {
    async fn pump(&mut self, mut stream: ChunkStream) -> Result<(), StrategyError> {
        loop {
            match self.run.until_deadline(stream.next()).await {
                Ok(Some(Ok(chunk))) => self.pass(chunk).await?,
                Ok(None) if self.assembler.is_complete() => return Ok(()),
                Ok(None) => return Err(self.broken(malformed("the stream ended before the answer did"))),
                Ok(Some(Err(error))) => return Err(self.broken(error)),
                Err(StrategyError::Deadline) if self.has_told => return self.cut_off().await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn pass(&mut self, mut chunk: Chunk) -> Result<(), StrategyError> {
        // One choice was asked for; a second would have nowhere to go.
        chunk.choices.retain(|choice| choice.index == 0);
        if let Some(meter) = &mut self.meter {
            meter.saw(&chunk);
        }
        for choice in &chunk.choices {
            self.has_told |= !choice.delta.is_empty();
            self.sink.send(choice.delta.clone()).await?;
        }
        self.assembler.push(chunk);
        Ok(())
    }

    fn broken(&mut self, error: ModelError) -> StrategyError {
        if let Some(meter) = self.meter.take() {
            meter.failed(&error);
        }
        if self.has_told { StrategyError::Interrupted(error) } else { StrategyError::Model(error) }
    }

    async fn cut_off(&mut self) -> Result<(), StrategyError> {
        self.run.degrade("deadline");
        // Dropped without an answer: what was seen of it is charged.
        drop(self.meter.take());
        let end = Delta::finish("length");
        self.sink.send(end.clone()).await?;
        self.assembler.push(Chunk::of(0, end));
        Ok(())
    }

    fn close(mut self) -> Result<Answer, StrategyError> {
        let completion = std::mem::take(&mut self.assembler).finish();
        if let Some(meter) = self.meter.take() {
            let usage = meter.answered(&completion);
            self.run.log().final_usage = Some(usage);
        }
        completion.choices.into_iter().next().map(answer).ok_or_else(|| malformed("a stream without choices").into())
    }
}
