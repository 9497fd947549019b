//! A streamed call that is looked at as it comes, and can be stopped.

use futures_util::StreamExt;
use serde_json::Map;

use super::handle::Run;
use super::meter::Meter;
use super::sub_call::SubCall;
use crate::chat::{Assembler, Choice, Delta, Usage};
use crate::error::StrategyError;
use crate::model::{ChunkStream, ModelError};

/// Looks at an answer while it is written.
pub(crate) trait Observer: Send {
    /// Looks at what was added.
    fn see(&mut self, delta: &Delta) -> Watch;

    /// What of it a client that watches is told now.
    fn tell(&mut self) -> Option<Delta> {
        None
    }
}

/// Whether an answer is still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    GoOn,
    Stop,
}

/// An answer that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// What was written; without a finish reason if it was stopped.
    pub(crate) choice: Choice,
    /// What that took.
    pub(crate) usage: Usage,
    pub(crate) was_stopped: bool,
}

impl Run {
    /// One streamed call that `observer` sees, and the client as far as the observer tells it. When
    /// the observer has seen enough the call is dropped, which closes its stream at the upstream;
    /// the account is then settled by what had come.
    ///
    /// # Errors
    ///
    /// Those of [`Self::complete`]; a stream that breaks is not begun anew.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call and charges what had come.
    pub(crate) async fn watch(
        &self,
        call: &SubCall,
        index: u32,
        observer: &mut dyn Observer,
    ) -> Result<Watched, StrategyError> {
        let call = call.numbered(self.seed_offset(index)).streamed();
        let (meter, stream) = self.open(call, index).await?;
        self.observe(meter, stream, observer).await
    }

    /// The same, of a stream that has been opened.
    pub(super) async fn observe(
        &self,
        meter: Meter<'_>,
        stream: ChunkStream,
        observer: &mut dyn Observer,
    ) -> Result<Watched, StrategyError> {
        // The stream is dropped first: it tells the meter what the call has cost.
        let (mut meter, mut stream) = (meter, stream);
        let mut assembler = Assembler::new();
        let mut beside = Map::new();
        loop {
            let mut chunk = match self.until_deadline(next(&mut stream)).await? {
                Ok(Some(chunk)) => chunk,
                Ok(None) if assembler.is_complete() => {
                    let mut completion = assembler.finish();
                    meter.answered(&mut completion);
                    let usage = completion.usage.unwrap_or_default();
                    return watched(completion.choices, usage, false);
                }
                Ok(None) => {
                    let error = malformed("the stream ended before the answer did");
                    meter.failed(&error);
                    return Err(error.into());
                }
                Err(error) => {
                    meter.failed(&error);
                    return Err(error.into());
                }
            };
            chunk.choices.retain(|choice| choice.index == 0);
            meter.saw(&chunk);
            let is_enough = chunk.choices.iter().fold(false, |enough, choice| {
                enough | (observer.see(&choice.delta) == Watch::Stop)
            });
            if let (Some(told), Some(sink)) = (observer.tell(), &self.sink) {
                sink.beside(&chunk.rest, &mut beside).await?;
                sink.send(told).await?;
            }
            assembler.push(chunk);
            if is_enough {
                drop(stream);
                return watched(assembler.finish().choices, meter.stopped(), true);
            }
        }
    }
}

async fn next(stream: &mut ChunkStream) -> Result<Option<crate::chat::Chunk>, ModelError> {
    stream.next().await.transpose()
}

fn watched(
    choices: Vec<Choice>,
    usage: Usage,
    was_stopped: bool,
) -> Result<Watched, StrategyError> {
    let choice = choices
        .into_iter()
        .next()
        .ok_or_else(|| malformed("no choice"))?;
    Ok(Watched {
        choice,
        usage,
        was_stopped,
    })
}

fn malformed(detail: &str) -> ModelError {
    ModelError::Malformed {
        detail: detail.to_owned(),
    }
}
