//! Models and solvers by script.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hone_strategies::chat::{Choice, Chunk, Completion, Delta, Logprobs, Memory};
use hone_strategies::model::{Allowance, Call, ChunkStream, Fact, Model, ModelError, Purpose};
use hone_strategies::{ChatRequest, Solver, SolverError};
use serde_json::json;

/// One request that reached the model.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) request: ChatRequest,
    pub(crate) call: Call,
    /// Its number among all calls, in the order in which they began.
    pub(crate) number: u32,
}

impl Seen {
    /// All text of the conversation.
    pub(crate) fn text(&self) -> String {
        self.request
            .messages()
            .iter()
            .map(|message| message.text())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub(crate) type Reply = Result<Completion, ModelError>;

type Script = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;

type Latency = Box<dyn Fn(&Seen) -> Duration + Send + Sync>;

/// Answers by script after a time; keeps what it was asked.
pub(crate) struct Fake {
    script: Script,
    latency: Latency,
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) cancelled: AtomicU32,
    open: AtomicU32,
    pub(crate) most_open: AtomicU32,
    /// After how many chunks every stream breaks.
    breaks_after: Option<usize>,
    facts: Mutex<HashMap<(String, Fact), bool>>,
    /// What the caller's limits leave, whatever is spent.
    left: Allowance,
    /// Where prompts take their memory, if it is counted.
    memory: Option<Arc<dyn Memory>>,
}

struct Open<'a> {
    fake: &'a Fake,
    is_answered: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.fake.open.fetch_sub(1, Ordering::SeqCst);
        if !self.is_answered {
            self.fake.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Fake {
    pub(crate) fn new(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            latency: Box::new(|_| Duration::from_secs(1)),
            seen: Mutex::default(),
            cancelled: AtomicU32::new(0),
            open: AtomicU32::new(0),
            most_open: AtomicU32::new(0),
            breaks_after: None,
            facts: Mutex::default(),
            left: Allowance::UNKNOWN,
            memory: None,
        }
    }

    pub(crate) fn with_latency(
        mut self,
        latency: impl Fn(&Seen) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.latency = Box::new(latency);
        self
    }

    pub(crate) fn leaving(self, left: Allowance) -> Self {
        Self { left, ..self }
    }

    pub(crate) fn counted_in(self, memory: Arc<dyn Memory>) -> Self {
        Self {
            memory: Some(memory),
            ..self
        }
    }

    pub(crate) fn breaking_after(self, chunks: usize) -> Self {
        Self {
            breaks_after: Some(chunks),
            ..self
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Whether a call of one of these purposes was made.
    pub(crate) fn asked_for(&self, purposes: &[Purpose]) -> bool {
        self.requests()
            .iter()
            .any(|seen| purposes.contains(&seen.call.purpose))
    }

    pub(crate) fn open_calls(&self) -> u32 {
        self.open.load(Ordering::SeqCst)
    }

    async fn answer(&self, request: &ChatRequest, call: Call) -> Reply {
        let seen = {
            let mut all = self.seen.lock().unwrap();
            let seen = Seen {
                request: request.clone(),
                call,
                number: u32::try_from(all.len()).unwrap(),
            };
            all.push(seen.clone());
            seen
        };
        let now_open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(now_open, Ordering::SeqCst);
        let mut open = Open {
            fake: self,
            is_answered: false,
        };
        tokio::time::sleep((self.latency)(&seen)).await;
        open.is_answered = true;
        (self.script)(&seen)
    }
}

/// A choice word by word, with the log probabilities that stand beside its words.
fn words(choice: &Choice) -> Vec<Chunk> {
    let entries = choice.logprobs.iter();
    let entries: Vec<_> = entries.flat_map(|all| all.entries("content")).collect();
    let scored = |at: usize| Some(json!({"content": [entries.get(at)?]}));
    let text = choice.message.text();
    let deltas = text
        .split_inclusive(' ')
        .enumerate()
        .map(|(at, word)| Delta {
            logprobs: scored(at).map(Logprobs::from),
            ..Delta::content(word)
        });
    let calls = choice.message.tool_calls();
    let calls = calls.map(|calls| Delta::field("tool_calls", calls.clone()));
    let end = choice.finish_reason.as_deref().map(Delta::finish);
    let deltas = deltas.chain(calls).chain(end);
    deltas.map(|delta| Chunk::of(0, delta)).collect()
}

impl Model for Fake {
    fn memory(&self) -> Option<Arc<dyn Memory>> {
        self.memory.clone()
    }

    fn complete<'a>(&'a self, request: &'a ChatRequest, call: Call) -> BoxFuture<'a, Reply> {
        assert!(
            !request.stream(),
            "a whole answer is not asked for as a stream"
        );
        self.answer(request, call).boxed()
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        assert!(request.stream());
        async move {
            let completion = self.answer(request, call).await?;
            let mut chunks = completion.choices.first().map_or(Vec::new(), words);
            chunks.push(Chunk {
                usage: completion.usage,
                ..Chunk::default()
            });
            let mut items: Vec<Result<Chunk, ModelError>> = chunks.into_iter().map(Ok).collect();
            if let Some(after) = self.breaks_after {
                items.truncate(after);
                items.push(Err(ModelError::Unavailable {
                    message: "reset".to_owned(),
                    reached: true,
                }));
            }
            let paced = stream::iter(items).then(|item| async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                item
            });
            Ok(paced.boxed())
        }
        .boxed()
    }

    fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        self.facts
            .lock()
            .unwrap()
            .get(&(model.to_owned(), fact))
            .copied()
    }

    fn learn(&self, model: &str, fact: Fact, value: bool) {
        self.facts
            .lock()
            .unwrap()
            .insert((model.to_owned(), fact), value);
    }

    fn allowance(&self) -> Allowance {
        self.left
    }
}

type Solving = Box<dyn Fn(&str) -> Result<String, SolverError> + Send + Sync>;

/// Solves by script, at once; keeps what it was given.
pub(crate) struct FakeSolver {
    script: Solving,
    pub(crate) given: Mutex<Vec<String>>,
}

impl FakeSolver {
    pub(crate) fn new(
        script: impl Fn(&str) -> Result<String, SolverError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            given: Mutex::default(),
        }
    }
}

impl Solver for FakeSolver {
    fn solve<'a>(
        &'a self,
        script: &'a hone_strategies::smt::Script,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<String, SolverError>> {
        let text = script.to_string();
        let result = (self.script)(&text);
        self.given.lock().unwrap().push(text);
        async move { result }.boxed()
    }
}
