//! Runs of an approach, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::{Assembler, Chunk};
use hone_strategies::{
    ChatRequest, Completion, Demand, Event, Expr, Fences, Model, Outcome, Params, Plan, PlanLimits,
    RunLimits, RunOptions, Solver, StrategyError, execute, plan,
};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::model::Told;

/// Small, so that one input does not take long.
pub const PLAN_LIMITS: PlanLimits = PlanLimits {
    calls: 40,
    choices: 3,
    parallel: 16,
};
/// Calls of one run, retries included.
pub const MOST_CALLS: u32 = 60;

/// A request that an approach can be run on.
#[derive(Debug)]
pub struct Asked {
    /// Without the approach's own fields.
    pub request: ChatRequest,
    /// The approach with its parameters.
    pub plan: Plan,
    /// What it needs.
    pub demand: Demand,
}

impl Asked {
    /// Reads an approach, and the fields of a request as JSON. What is missing for a request is
    /// added.
    pub fn read(approach: &str, fields: &str) -> Option<Self> {
        let expr = Expr::parse(approach.trim()).ok()?;
        let mut fields: Map<String, Value> = if fields.trim().is_empty() {
            Map::new()
        } else {
            serde_json::from_str(fields).ok()?
        };
        fields.entry("model").or_insert_with(|| "m".into());
        fields.entry("messages").or_insert_with(
            || json!([{"role": "user", "content": "What is 6 times 7?\nA) 42\nB) 43"}]),
        );
        let mut request = ChatRequest::parse(Value::Object(fields).to_string().as_bytes()).ok()?;
        let own = hone_strategies::param_names(&expr);
        let params: Params = own
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), request.take(name)?)))
            .collect();
        let plan = plan(&expr, &params, &PLAN_LIMITS).ok()?;
        let demand = plan.check(&request).ok()?;
        Some(Self {
            request,
            plan,
            demand,
        })
    }

    /// The request, of which a stream is wanted or not.
    pub fn streamed(&self, stream: bool) -> ChatRequest {
        let mut request = self.request.clone();
        request.set("stream", stream);
        request
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Finished {
    /// Its result.
    pub result: Result<Outcome, StrategyError>,
    /// What its events spell.
    pub told: Completion,
}

/// Runs `plan` on `request` with the replies of `model`, which solves, too.
pub fn run(plan: &Plan, request: ChatRequest, model: &Arc<Told>) -> Finished {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_time().start_paused(true)
            .build().expect("a runtime needs a clock only");
    }
    RUNTIME.with(|runtime| runtime.block_on(finish(plan, request, model)))
}

async fn finish(plan: &Plan, request: ChatRequest, model: &Arc<Told>) -> Finished {
    let (sender, mut events) = hone_strategies::event_channel(4);
    let limits = RunLimits {
        calls: MOST_CALLS,
        tokens: u64::MAX,
        deadline: Instant::now() + Duration::from_secs(300),
        parallel: 16,
    };
    let options = RunOptions {
        model: Arc::clone(model) as Arc<dyn Model>,
        solver: Some(Arc::clone(model) as Arc<dyn Solver>),
        limits,
        seed: request.get("seed").and_then(Value::as_u64).unwrap_or(1),
        fences: Fences::Repeatable,
        sink: request.stream().then_some(sender),
        halt: hone_strategies::Halt::default(),
        quality: None,
    };
    let mut assembler = Assembler::new();
    let collecting = async {
        while let Some(event) = events.recv().await {
            if let Event::Delta { choice, delta } = event {
                assembler.push(Chunk::of(choice, *delta));
            }
        }
    };
    let (result, ()) = tokio::join!(execute(plan, request, options), collecting);
    Finished {
        result,
        told: assembler.finish(),
    }
}
