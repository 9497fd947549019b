//! Several calls for one answer: the first to answer wins, the others are cancelled.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::call::Reply;
use super::candidate::Candidate;
use super::handle::Run;
use super::meter::Meter;
use super::respond::Answer;
use super::sub_call::SubCall;
use crate::chat::Chunk;
use crate::error::StrategyError;
use crate::model::{ChunkStream, ModelError};

/// A streamed answer that has begun.
struct Begun<'a> {
    first: Option<Chunk>,
    rest: ChunkStream,
    meter: Meter<'a>,
}

/// The racer that won, and what it made.
pub(crate) struct Won {
    pub(crate) index: u32,
    pub(crate) answer: Answer,
}

impl Run {
    /// Lets `calls` race for the answer. Each starts `head_start` after the one before it, or as
    /// soon as all before it have failed.
    ///
    /// A client that watches gets the answer of the first to produce a token, live; one that waits
    /// gets the first whole answer, or if there is none the first. The others are cancelled.
    ///
    /// # Errors
    ///
    /// The last error if all failed; [`StrategyError::Interrupted`] if the winner broke off after
    /// the client saw a part of its answer.
    pub(crate) async fn respond_first(
        &self,
        calls: Vec<SubCall>,
        head_start: Duration,
    ) -> Result<Won, StrategyError> {
        let Some(sink) = self.sink.clone() else {
            let (index, reply) = self
                .first(
                    calls,
                    head_start,
                    |index, call| self.complete(call, index),
                    is_whole,
                )
                .await?;
            return Ok(Won {
                index,
                answer: reply.into(),
            });
        };
        let (index, Begun { first, rest, meter }) = self
            .first(
                calls,
                head_start,
                |index, call| self.begin(call, index),
                |_| true,
            )
            .await?;
        let chunks = stream::iter(first.map(Ok)).chain(rest).boxed();
        Ok(Won {
            index,
            answer: self.relay(meter, chunks, sink).await?,
        })
    }

    /// The first of the racers' results that is good, else the first at all.
    async fn first<T, F: Future<Output = Result<T, StrategyError>>>(
        &self,
        calls: Vec<SubCall>,
        head_start: Duration,
        ask: impl Fn(u32, SubCall) -> F,
        is_good: impl Fn(&T) -> bool,
    ) -> Result<(u32, T), StrategyError> {
        let race = |index: u32, call: SubCall| {
            let result = ask(index, call.numbered(self.seed_offset(0)));
            async move { (index, result.await) }
        };
        let mut waiting = (0_u32..).zip(calls).peekable();
        let mut racing = FuturesUnordered::new();
        let mut spare = None;
        let mut last_error = None;
        let mut next_start = Instant::now();
        loop {
            while let Some((index, call)) =
                waiting.next_if(|_| racing.is_empty() || Instant::now() >= next_start)
            {
                racing.push(race(index, call));
                next_start = Instant::now() + head_start;
            }
            let finished = match waiting.peek() {
                Some(_) => timeout_at(next_start, racing.next()).await,
                None => Ok(racing.next().await),
            };
            match finished {
                Ok(Some((index, Ok(result)))) if is_good(&result) => return Ok((index, result)),
                Ok(Some((index, Ok(result)))) => spare = spare.or(Some((index, result))),
                Ok(Some((_, Err(error)))) => {
                    self.degrade(error.reason());
                    last_error = Some(error);
                }
                Ok(None) if waiting.peek().is_none() => break,
                Ok(None) | Err(_) => {}
            }
        }
        let nothing = StrategyError::Unreachable("nobody raced");
        spare.ok_or(last_error.unwrap_or(nothing))
    }

    /// Opens a stream and waits for its first token.
    async fn begin(&self, call: SubCall, index: u32) -> Result<Begun<'_>, StrategyError> {
        let (meter, mut rest) = self.open(call.streamed(), index).await?;
        loop {
            match self.until_deadline(rest.next()).await? {
                Some(Ok(chunk)) if says_something(&chunk) => {
                    return Ok(Begun {
                        first: Some(chunk),
                        rest,
                        meter,
                    });
                }
                // What comes before carries ids and roles, which hone makes itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    meter.failed(&error);
                    return Err(error.into());
                }
                None => {
                    let error = ModelError::Malformed {
                        detail: "the stream ended before the answer began".to_owned(),
                    };
                    meter.failed(&error);
                    return Err(error.into());
                }
            }
        }
    }
}

fn is_whole(reply: &Reply) -> bool {
    let candidate = Candidate {
        index: 0,
        choice: reply.choices.first().clone(),
        usage: None,
    };
    candidate.is_sound()
}

/// Whether a chunk has a part of the answer in it, or its end.
fn says_something(chunk: &Chunk) -> bool {
    let is_said = |(name, value): (&String, &Value)| match value {
        Value::Null => false,
        Value::String(text) => name != "role" && !text.is_empty(),
        Value::Array(parts) => !parts.is_empty(),
        _ => true,
    };
    chunk.choices.iter().any(|choice| {
        choice.delta.finish_reason.is_some() || choice.delta.fields.iter().any(is_said)
    })
}
