//! A [`TaskModel`] behind the port, with time, choices and token accounts.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use super::ledger::{Ended, Ledger, Open};
use crate::chat::{ChatRequest, Choice, Chunk, Completion, Delta, Logprobs, Message, Usage};
use crate::model::{Call, ChunkStream, Fact, Model, ModelError, Rejection};
use crate::simulation::{Confidence, SimulatedReply, TaskModel};

/// How long answers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Before the first token.
    pub first: Duration,
    /// For each token. Answers of varied length take varied time; zero makes all take the same.
    pub per_token: Duration,
}

/// What a request for several choices gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choices {
    /// As many as it asks for.
    Honoured,
    /// One.
    Ignored,
    /// Status 400.
    Rejected,
}

/// A simulated model. Replies depend on the task model, the conversation, and the request's `seed`,
/// or without one the number of the call.
#[derive(Debug)]
pub struct SimulatedModel {
    task: TaskModel,
    pace: Pace,
    choices: Choices,
    ledger: Ledger,
}

/// One choice before it is put into a message.
struct Sample {
    reply: SimulatedReply,
    /// One entry a token, if they are wanted.
    logprobs: Option<Vec<Value>>,
}

impl SimulatedModel {
    /// Answers like `task`, each reply after one second, with as many choices as are asked for.
    pub fn new(task: TaskModel) -> Self {
        let pace = Pace {
            first: Duration::from_secs(1),
            per_token: Duration::ZERO,
        };
        Self {
            task,
            pace,
            choices: Choices::Honoured,
            ledger: Ledger::default(),
        }
    }

    /// With another pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// With another way to treat `n`.
    #[must_use]
    pub fn with_choices(self, choices: Choices) -> Self {
        Self { choices, ..self }
    }

    /// With log probabilities, for requests that ask for them.
    #[must_use]
    pub fn with_confidence(self, confidence: Confidence) -> Self {
        Self {
            task: TaskModel {
                confidence: Some(confidence),
                ..self.task
            },
            ..self
        }
    }

    /// The task model.
    pub fn task(&self) -> &TaskModel {
        &self.task
    }

    /// What reached it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The replies to a request that `open` has begun, and its token account.
    fn samples(
        &self,
        request: &ChatRequest,
        open: &mut Open,
    ) -> Result<(Vec<Sample>, Usage), ModelError> {
        let n = match self.choices {
            Choices::Rejected if request.n() > 1 => return Err(rejected_n()),
            Choices::Ignored | Choices::Rejected => 1,
            Choices::Honoured => request.n(),
        };
        let conversation = request
            .messages()
            .iter()
            .map(Message::text)
            .collect::<Vec<_>>()
            .join("\n");
        let seed = request
            .get("seed")
            .and_then(Value::as_u64)
            .map_or(open.number() << 32, |seed| seed << 8);
        let samples: Vec<Sample> = (0..n)
            .map(|index| self.sample(request, &conversation, seed.wrapping_add(u64::from(index))))
            .collect();
        let lengths: Vec<u64> = samples.iter().map(|sample| sample.reply.tokens).collect();
        let usage = Usage::new(
            conversation.split_whitespace().count() as u64,
            lengths.iter().sum(),
        );
        open.generates(self.pace.first, self.pace.per_token, lengths);
        Ok((samples, usage))
    }

    fn sample(&self, request: &ChatRequest, conversation: &str, seed: u64) -> Sample {
        let reply = self.task.reply(conversation, seed);
        let wanted = request
            .get("logprobs")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let top = request
            .get("top_logprobs")
            .and_then(Value::as_u64)
            .and_then(|top| usize::try_from(top).ok())
            .unwrap_or(0);
        let entries = reply.level.zip(self.task.confidence).filter(|_| wanted);
        let logprobs =
            entries.map(|(level, confidence)| confidence.entries(level, &pieces(&reply.text), top));
        Sample { reply, logprobs }
    }

    async fn begin(
        &self,
        request: &ChatRequest,
        call: Call,
    ) -> Result<(Open, Vec<Sample>, Usage), ModelError> {
        let mut open = self.ledger.begin(request, call);
        let samples = self.samples(request, &mut open);
        tokio::time::sleep(self.pace.first).await;
        match samples {
            Ok((samples, usage)) => Ok((open, samples, usage)),
            Err(error) => {
                open.close(Ended::Failed);
                Err(error)
            }
        }
    }
}

impl Model for SimulatedModel {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        async move {
            let (open, samples, usage) = self.begin(request, call).await?;
            let longest = samples
                .iter()
                .map(|sample| sample.reply.tokens)
                .max()
                .unwrap_or(0);
            tokio::time::sleep(times(self.pace.per_token, longest)).await;
            open.close(Ended::Answered);
            let choices = samples.into_iter().zip(0..).map(|(sample, index)| {
                let logprobs = sample.logprobs.map(|entries| json!({ "content": entries }));
                Choice {
                    index,
                    logprobs: logprobs.map(Logprobs::from),
                    ..Choice::new(Message::assistant(sample.reply.text), "stop")
                }
            });
            Ok(Completion {
                choices: choices.collect(),
                usage: Some(usage),
                ..Completion::default()
            })
        }
        .boxed()
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        async move {
            let (open, samples, usage) = self.begin(request, call).await?;
            let left = Left {
                chunks: chunks(&samples, usage).into_iter(),
                per_token: self.pace.per_token,
                open,
            };
            let paced = stream::unfold(Some(left), async |left| left?.next().await);
            Ok(paced.boxed())
        }
        .boxed()
    }

    fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        self.ledger.knows(model, fact)
    }

    fn learn(&self, model: &str, fact: Fact, value: bool) {
        self.ledger.learn(model, fact, value);
    }
}

/// What is left of a stream. Dropping it cancels the call.
struct Left {
    chunks: std::vec::IntoIter<(bool, Chunk)>,
    per_token: Duration,
    open: Open,
}

impl Left {
    /// The next chunk in its time, and what is left after it; at the end the call is answered.
    async fn next(mut self) -> Option<(Result<Chunk, ModelError>, Option<Self>)> {
        let Some((is_token, chunk)) = self.chunks.next() else {
            self.open.close(Ended::Answered);
            return None;
        };
        if is_token {
            tokio::time::sleep(self.per_token).await;
        }
        Some((Ok(chunk), Some(self)))
    }
}

/// The samples in chunks, token by token, all choices in turn. The flag tells the chunks that take
/// a token's time.
fn chunks(samples: &[Sample], usage: Usage) -> Vec<(bool, Chunk)> {
    let mut words: Vec<_> = samples
        .iter()
        .map(|sample| pieces(&sample.reply.text).into_iter().enumerate())
        .collect();
    let mut chunks = Vec::new();
    let mut is_going = true;
    while std::mem::take(&mut is_going) {
        for ((words, sample), index) in words.iter_mut().zip(samples).zip(0_u32..) {
            let Some((at, word)) = words.next() else {
                continue;
            };
            let entry = sample.logprobs.as_ref().and_then(|entries| entries.get(at));
            let logprobs = entry.map(|entry| json!({ "content": [entry] }).into());
            // Choices advance side by side: only the first of a round takes time.
            chunks.push((
                !is_going,
                Chunk::of(
                    index,
                    Delta {
                        logprobs,
                        ..Delta::content(word)
                    },
                ),
            ));
            is_going = true;
        }
    }
    chunks.extend(
        (0_u32..)
            .zip(samples)
            .map(|(index, _)| (false, Chunk::of(index, Delta::finish("stop")))),
    );
    chunks.push((
        false,
        Chunk {
            usage: Some(usage),
            ..Chunk::default()
        },
    ));
    chunks
}

/// The text in words with the white space behind them: as many as it has tokens.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.len() - rest.trim_start_matches(|c: char| !c.is_whitespace()).len();
        let behind = rest.get(word..).unwrap_or_default();
        let length = word + behind.len() - behind.trim_start().len();
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn times(per_token: Duration, tokens: u64) -> Duration {
    per_token.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))
}

fn rejected_n() -> ModelError {
    let error = json!({"error": {"message": "Only n = 1 is supported.",
        "type": "invalid_request_error", "param": "n", "code": "unsupported_value"}});
    ModelError::Rejected(Box::new(Rejection::new(
        400,
        Vec::new(),
        error.to_string().into(),
    )))
}
