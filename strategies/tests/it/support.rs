//! A model by script, and runs on it in virtual time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hone_strategies::chat::{Assembler, Choice, Chunk, Completion, Delta, Message, Usage};
use hone_strategies::contract;
use hone_strategies::model::{
    Allowance, Call, ChunkStream, Fact, Model, ModelError, Purpose, Rejection,
};
use hone_strategies::{
    ChatRequest, Event, Expr, Outcome, Params, PlanLimits, RunLimits, RunOptions, Solver,
    SolverError, SpecError, StrategyError, execute, plan,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

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
    let scored =
        |at: usize| Some(json!({"content": [choice.logprobs.as_ref()?.get("content")?.get(at)?]}));
    let text = choice.message.text();
    let deltas = text
        .split_inclusive(' ')
        .enumerate()
        .map(|(at, word)| Delta {
            logprobs: scored(at),
            ..Delta::content(word)
        });
    let calls = choice.message.tool_calls();
    let calls = calls.map(|calls| Delta::field("tool_calls", calls.clone()));
    let end = choice.finish_reason.as_deref().map(Delta::finish);
    let deltas = deltas.chain(calls).chain(end);
    deltas.map(|delta| Chunk::of(0, delta)).collect()
}

impl Model for Fake {
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

/// A reply of `n` choices of the same text, where the request asks for `n`.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn says(seen: &Seen, text: &str) -> Reply {
    let mut completion = Completion::of_text(text, Usage::new(10, 5 * u64::from(seen.request.n())));
    let choice = completion.choices.remove(0);
    completion.choices = (0..seen.request.n())
        .map(|index| Choice {
            index,
            ..choice.clone()
        })
        .collect();
    Ok(completion)
}

/// A reply of one choice that ended as `finish` says.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn reply(text: &str, finish: &str) -> Reply {
    let choices = vec![Choice::new(Message::assistant(text), finish)];
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, 5)),
        ..Completion::default()
    })
}

pub(crate) fn rejected(status: u16, error: &Value) -> ModelError {
    let body = json!({ "error": error }).to_string();
    ModelError::Rejected(Box::new(Rejection::new(status, Vec::new(), body.into())))
}

/// A run to be started.
pub(crate) struct Trial {
    pub(crate) model: Arc<Fake>,
    pub(crate) body: Value,
    pub(crate) limits: PlanLimits,
    pub(crate) calls: u32,
    pub(crate) tokens: u64,
    pub(crate) deadline: Duration,
    pub(crate) parallel: u32,
    pub(crate) seed: u64,
    pub(crate) solver: Option<Arc<FakeSolver>>,
}

/// What came of it.
pub(crate) struct Finished {
    pub(crate) result: Result<Outcome, StrategyError>,
    pub(crate) elapsed: Duration,
    pub(crate) events: Vec<Event>,
}

impl Finished {
    pub(crate) fn outcome(&self) -> &Outcome {
        self.result.as_ref().expect("the run has an answer")
    }

    /// The choice `index` as the events spell it.
    pub(crate) fn told(&self, index: u32) -> Choice {
        let mut assembler = Assembler::new();
        for event in &self.events {
            if let Event::Delta { choice, delta } = event
                && *choice == index
            {
                assembler.push(Chunk::of(index, delta.clone()));
            }
        }
        assembler.finish().choices.remove(0)
    }

    pub(crate) fn text(&self) -> String {
        self.outcome().choices[0].message.text().into_owned()
    }
}

impl Trial {
    pub(crate) fn new(model: Fake) -> Self {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "How much is 6 \
            times 7?"}]});
        let deadline = Duration::from_secs(300);
        Self {
            model: Arc::new(model),
            body,
            limits: PlanLimits::default(),
            calls: 256,
            tokens: 10_000_000,
            deadline,
            parallel: 64,
            seed: 1,
            solver: Some(Arc::new(FakeSolver::new(|_| {
                Ok("sat\n((answer 42))".to_owned())
            }))),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }

    pub(crate) fn request(&self) -> ChatRequest {
        ChatRequest::parse(self.body.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn plan(&self, approach: &str) -> Result<hone_strategies::Plan, SpecError> {
        let params: Params = self
            .body
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        plan(&Expr::parse(approach).unwrap(), &params, &self.limits)
    }

    /// Runs `approach` to its end, collecting the events of a stream.
    pub(crate) async fn run(&self, approach: &str) -> Finished {
        let plan = self.plan(approach).unwrap();
        let request = self.request();
        let began = Instant::now();
        let (sender, mut receiver) = mpsc::channel(4);
        let sink = request.stream().then_some(sender);
        let limits = RunLimits {
            calls: self.calls,
            tokens: self.tokens,
            deadline: began + self.deadline,
            parallel: self.parallel,
        };
        let model = Arc::clone(&self.model);
        let solver = self.solver.clone().map(|solver| solver as Arc<dyn Solver>);
        let running = execute(
            &plan,
            request,
            RunOptions {
                model,
                solver,
                limits,
                seed: self.seed,
                sink,
            },
        );
        let mut events = Vec::new();
        let collecting = async {
            while let Some(event) = receiver.recv().await {
                events.push(event);
            }
        };
        let (result, ()) = tokio::join!(running, collecting);
        Finished {
            result,
            elapsed: began.elapsed(),
            events,
        }
    }
}

/// A problem that a solver applies to.
const FORMULATION: &str = "Solver: applies\nExpected: sat\n```smt2\n(declare-const answer Int)\n\
    (assert (= answer (* 6 7)))\n(check-sat)\n(get-value (answer))\n```";

/// Plays every part: candidates that all differ, judges, critics, aggregators.
#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
pub(crate) fn plays(seen: &Seen) -> Reply {
    let text = |index: u32| {
        match seen.call.purpose {
        Purpose::Candidate if seen.text().contains(contract::REVISION) => {
            format!("It is vague.\n{}\nCandidate {} says {}.", contract::REVISION, seen.number,
                1000 * seen.number + index)
        }
        Purpose::Candidate => format!("Candidate {} says {}.", seen.number,
            1000 * seen.number + index),
        Purpose::Adversary => format!("Decoy {} says {}.", seen.number, 1000 * seen.number + index),
        Purpose::Judge if contract::candidates(&seen.text()).iter()
            .any(|(_, text)| text.starts_with("Decoy")) => {
            "No.\nScore: 2".to_owned()
        }
        Purpose::Judge if seen.text()
            .contains(contract::SCORE) => "It is fine.\nScore: 7".to_owned(),
        Purpose::Judge if seen.text().contains(contract::VERDICT) => "No incorrect step.\n\
            VERDICT: CORRECT".to_owned(),
        Purpose::Judge if seen.text()
            .contains(contract::DIFFICULTY) => "Difficulty: easy".to_owned(),
        Purpose::Judge => "They differ.\nBest candidate: 1".to_owned(),
        Purpose::Critique => "The proof is missing.".to_owned(),
        Purpose::Final => "Final text.".to_owned(),
        Purpose::Synthesis => format!("Final text, made by {}.", seen.number),
        Purpose::Plan if seen.text().contains(contract::FORMULATION) => FORMULATION.to_owned(),
        Purpose::Plan if seen.text()
            .contains(contract::MODULES) => "They fit.\nModules: 9, 38".to_owned(),
        Purpose::Plan if seen.text().contains(contract::ADAPTED) => "1. Split it.\n2. Write down \
            the product.".to_owned(),
        Purpose::Plan if seen.text()
            .contains(contract::STRUCTURE) => r#"{"product": "6 times 7", "answer": ""}"#.to_owned(),
        Purpose::Plan if seen.text().contains(contract::SUB_QUESTION) => {
            "Question: How much?\nSub-question: What is 6?\nSub-question: What is 7?\n\
                Sub-question: What is times?".to_owned()
        }
        Purpose::Plan if seen.text().contains(contract::RECORD) => "Information: calm\nAnswer: 42\n\
            Confidence: 5".to_owned(),
        Purpose::Plan if seen.text().contains(contract::MARGIN) => "Relevant: yes\nThe product is \
            asked for.".to_owned(),
        Purpose::Plan if seen.text().contains(contract::EXAMPLES) => {
            r#"[{"question": "How much is 2 plus 2?", "answer": 4}, {"question": "How much is 3 plus 3?", "answer": "6"}]"#.to_owned()
        }
        Purpose::Plan if seen.text()
            .contains(contract::OBSERVATIONS) => r#"["One thing.", "Another.", "A third."]"#.to_owned(),
        Purpose::Plan if seen.text()
            .contains(contract::APPROACHES) => r#"["One way.", "Another way."]"#.to_owned(),
        Purpose::Plan => format!("Plan number {}.", seen.number),
        Purpose::Probe => "seven eight".to_owned(),
    }
    };
    // Thinking that is bounded goes on to its bound.
    let finish = if seen.call.purpose == Purpose::Plan && seen.request.get("stop").is_some() {
        "length"
    } else {
        "stop"
    };
    let n = seen.request.n();
    let choice = |index| {
        let text = text(index);
        Choice {
            index,
            logprobs: logprobs(&seen.request, &text),
            ..Choice::new(Message::assistant(text), finish)
        }
    };
    let choices = (0..n).map(choice).collect();
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, 5 * u64::from(n))),
        ..Completion::default()
    })
}

/// Log probabilities of the words of `text`, if `request` asks for them: many words could have
/// stood first, few anywhere else.
pub(crate) fn logprobs(request: &ChatRequest, text: &str) -> Option<Value> {
    request
        .get("logprobs")
        .and_then(Value::as_bool)
        .filter(|wanted| *wanted)?;
    let top = request
        .get("top_logprobs")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let entry = |(at, word): (usize, &str)| {
        let own: f64 = if at == 0 { 0.4 } else { 0.95 };
        let rest = (1.0 - own) / f64::from(u32::try_from(top.max(2) - 1).unwrap());
        let other = |rank: u64| json!({"token": format!("Candidate{rank}"), "logprob": rest.ln()});
        let shown: Vec<Value> = std::iter::once(json!({"token": word, "logprob": own.ln()}))
            .chain((1..top).map(other))
            .collect();
        json!({"token": word, "logprob": own.ln(), "top_logprobs": shown.into_iter()
            .take(usize::try_from(top).unwrap()).collect::<Vec<_>>()})
    };
    Some(json!({"content": text.split_inclusive(' ').enumerate().map(entry).collect::<Vec<_>>()}))
}
