//! A model that answers by rules.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use super::ledger::{Ended, Ledger};
use crate::chat::{ChatRequest, Choice, Chunk, Completion, Delta, Usage};
use crate::model::{Call, ChunkStream, Fact, Model, ModelError};

/// What a scripted model does with a request.
#[derive(Debug, Clone)]
pub struct Script {
    after: Duration,
    result: Result<Completion, ModelError>,
}

impl Script {
    /// Answers with this text, in each choice that is asked for.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let tokens = text.split_whitespace().count() as u64;
        Self::completion(Completion::of_text(text, Usage::new(10, tokens)))
    }

    /// Answers with this completion. A completion of one choice is repeated for as many as are
    /// asked for.
    pub fn completion(completion: Completion) -> Self {
        Self {
            after: Duration::ZERO,
            result: Ok(completion),
        }
    }

    /// Fails.
    pub fn error(error: ModelError) -> Self {
        Self {
            after: Duration::ZERO,
            result: Err(error),
        }
    }

    /// The same, after this time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self {
            after: delay,
            ..self
        }
    }

    fn for_choices(mut self, n: u32) -> Self {
        if let Ok(completion) = &mut self.result
            && let [only] = completion.choices.as_slice()
        {
            let only = only.clone();
            completion.choices = (0..n)
                .map(|index| Choice {
                    index,
                    ..only.clone()
                })
                .collect();
            if let Some(usage) = &mut completion.usage {
                *usage = Usage::new(usage.prompt, usage.completion.saturating_mul(u64::from(n)));
            }
        }
        self
    }
}

type Rule = Box<dyn Fn(&ChatRequest, Call) -> Option<Script> + Send + Sync>;

/// Answers each request by the first rule that applies to it, and keeps a [`Ledger`].
///
/// ```
/// use hone_strategies::ChatRequest;
/// use hone_strategies::chat::Message;
/// use hone_strategies::model::{Call, Model, Purpose};
/// use hone_strategies::testing::{Script, ScriptedModel};
///
/// let model = ScriptedModel::new("I do not know.").when(
///     |_, call| call.purpose == Purpose::Judge,
///     Script::text("Score: 7"),
/// );
/// let request = ChatRequest::new("m", [Message::user("Rate it.")]);
/// let answer = model.complete(&request, Call { purpose: Purpose::Judge, index: 0, bill: None });
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// assert_eq!(runtime.block_on(answer).unwrap().choices[0].message.text(), "Score: 7");
/// assert_eq!(model.ledger().calls().len(), 1);
/// ```
pub struct ScriptedModel {
    rules: Vec<Rule>,
    otherwise: Script,
    ledger: Ledger,
}

impl ScriptedModel {
    /// Answers every request with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::from(Script::text(text))
    }

    /// Where `applies`, does this.
    #[must_use]
    pub fn when(
        self,
        applies: impl Fn(&ChatRequest, Call) -> bool + Send + Sync + 'static,
        script: Script,
    ) -> Self {
        self.by(move |request, call| applies(request, call).then(|| script.clone()))
    }

    /// Does what `rule` says, where it says something.
    #[must_use]
    pub fn by(
        mut self,
        rule: impl Fn(&ChatRequest, Call) -> Option<Script> + Send + Sync + 'static,
    ) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// What reached it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    async fn answer(&self, request: &ChatRequest, call: Call) -> Result<Completion, ModelError> {
        let script = self
            .rules
            .iter()
            .find_map(|rule| rule(request, call.clone()))
            .unwrap_or_else(|| self.otherwise.clone());
        let script = script.for_choices(request.n());
        let mut open = self.ledger.begin(request, call);
        let tokens = script
            .result
            .as_ref()
            .ok()
            .and_then(|completion| completion.usage)
            .map_or(0, |usage| usage.completion);
        open.generates(script.after, Duration::ZERO, vec![tokens]);
        tokio::time::sleep(script.after).await;
        open.close(if script.result.is_ok() {
            Ended::Answered
        } else {
            Ended::Failed
        });
        script.result
    }
}

impl From<Script> for ScriptedModel {
    fn from(otherwise: Script) -> Self {
        Self {
            rules: Vec::new(),
            otherwise,
            ledger: Ledger::default(),
        }
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel")
            .field("rules", &self.rules.len())
            .field("otherwise", &self.otherwise)
            .finish_non_exhaustive()
    }
}

impl Model for ScriptedModel {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        self.answer(request, call).boxed()
    }

    /// The scripted answer, word by word and at once after its delay.
    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        async move {
            let completion = self.answer(request, call).await?;
            Ok(stream::iter(chunks(&completion).into_iter().map(Ok)).boxed())
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

/// The completion in chunks: words, tool calls, the end of each choice, the usage.
fn chunks(completion: &Completion) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for choice in &completion.choices {
        let of = |delta| Chunk::of(choice.index, delta);
        chunks.extend(
            choice
                .message
                .text()
                .split_inclusive(' ')
                .map(|word| of(Delta::content(word))),
        );
        chunks.extend(
            choice
                .message
                .tool_calls()
                .map(|calls| of(Delta::field("tool_calls", calls.clone()))),
        );
        chunks.extend(
            choice
                .finish_reason
                .as_deref()
                .map(|reason| of(Delta::finish(reason))),
        );
    }
    chunks.push(Chunk {
        usage: completion.usage,
        ..Chunk::default()
    });
    chunks
}
