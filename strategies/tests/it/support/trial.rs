//! Runs to be started, and what comes of them.

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::{Assembler, Choice, Chunk};
use hone_strategies::quality::Quality;
use hone_strategies::{
    ChatRequest, Event, Expr, Fences, Outcome, Params, PlanLimits, RunLimits, RunOptions, Solver,
    SpecError, StrategyError, execute, plan,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fake::{Fake, FakeSolver};

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
    pub(crate) fences: Fences,
    pub(crate) solver: Option<Arc<FakeSolver>>,
    pub(crate) quality: Option<Arc<Quality>>,
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
                assembler.push(Chunk::of(index, (**delta).clone()));
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
            fences: Fences::Repeatable,
            solver: Some(Arc::new(FakeSolver::new(|_| {
                Ok("sat\n((answer 42))".to_owned())
            }))),
            quality: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }

    /// Of a model of which this was measured.
    pub(crate) fn measured(self, quality: Arc<Quality>) -> Self {
        Self {
            quality: Some(quality),
            ..self
        }
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
        let (sender, mut receiver) = hone_strategies::event_channel(4);
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
                fences: self.fences,
                sink,
                halt: hone_strategies::Halt::default(),
                quality: self.quality.clone(),
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
