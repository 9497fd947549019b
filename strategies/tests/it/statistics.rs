//! What strategies gain, against what probability theory says: accuracy over many questions with
//! known answers, and tokens saved by stopping early.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test statistics -- --nocapture"
)]

mod judges;
mod makers;
mod theory;
mod votes;

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::Message;
use hone_strategies::model::Purpose;
use hone_strategies::simulation::{Errors, TaskModel, Words};
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{
    ChatRequest, Expr, Fences, Params, PlanLimits, RunLimits, RunOptions, execute, plan,
};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) use self::theory::{binomial, picked, selected};
use self::theory::{confirmed, majority, plurality, weighted};

/// Questions in one measurement.
const QUESTIONS: u32 = 1_000;

/// What a measurement found.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) accuracy: f64,
    /// Tokens generated for one question, cancelled calls included.
    pub(crate) tokens: f64,
    /// Calls to the model for one question.
    pub(crate) calls: f64,
    /// Tokens read and generated for one question, as the run's account has them.
    pub(crate) spent: f64,
    /// Those of them that its candidates took.
    pub(crate) candidates: f64,
}

/// Asks every question with `approach`.
async fn measure(model: SimulatedModel, approach: &str, params: &[(&str, Value)]) -> Measured {
    measure_seeded(model, approach, params, None).await
}

/// Like [`measure`], where the requests have seeds so far apart: the same candidates get the same
/// replies in every measurement.
pub(crate) async fn measure_seeded(
    model: SimulatedModel,
    approach: &str,
    params: &[(&str, Value)],
    seeds_apart: Option<i64>,
) -> Measured {
    // Votes count heads unless a measurement says otherwise.
    let heads = [("vote_weight", json!("none"))];
    let params: Params = heads
        .iter()
        .chain(params)
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let plan = plan(
        &Expr::parse(approach).unwrap(),
        &params,
        &PlanLimits::default(),
    )
    .unwrap();
    let model = Arc::new(model);
    let (mut right, mut spent, mut candidates) = (0, 0, 0);
    for id in 0..QUESTIONS {
        let question = model.task().question(u64::from(id));
        let mut request = ChatRequest::new("sim", [Message::user(question.text.clone())]);
        if let Some(apart) = seeds_apart {
            request.set("seed", i64::from(id) * apart);
        }
        let limits = RunLimits {
            calls: 256,
            tokens: 10_000_000,
            deadline: Instant::now() + Duration::from_secs(3_600),
            parallel: 64,
        };
        let options = RunOptions {
            model: Arc::clone(&model) as _,
            solver: None,
            limits,
            seed: u64::from(id),
            fences: Fences::Repeatable,
            sink: None,
            halt: hone_strategies::Halt::default(),
            quality: None,
        };
        let outcome = execute(&plan, request, options).await.unwrap();
        assert_eq!(outcome.degraded, [""; 0]);
        spent += outcome.usage.total;
        let calls = outcome.trace.calls.iter();
        let made = calls.filter(|call| call.purpose == Purpose::Candidate);
        candidates += made.map(|call| call.usage.total).sum::<u64>();
        right += u32::from(question.is_answered_by(&outcome.choices[0].message.text()));
    }
    let each = |count: u64| f64::from(u32::try_from(count).unwrap()) / f64::from(QUESTIONS);
    let ledger = model.ledger();
    Measured {
        accuracy: each(u64::from(right)),
        tokens: each(ledger.tokens()),
        calls: each(ledger.calls().len() as u64),
        spent: each(spent),
        candidates: each(candidates),
    }
}

async fn accuracy(task: TaskModel, approach: &str, params: &[(&str, Value)]) -> f64 {
    measure(SimulatedModel::new(task), approach, params)
        .await
        .accuracy
}

/// Four standard deviations.
#[track_caller]
pub(crate) fn assert_near(what: &str, measured: f64, expected: f64) {
    let deviation = (expected * (1.0 - expected) / f64::from(QUESTIONS)).sqrt();
    println!("{what}: measured {measured:.3}, theory {expected:.3}");
    assert!(
        (measured - expected).abs() <= 4.0 * deviation,
        "{what}: measured {measured:.3}, expected {expected:.3} ± {:.3}",
        4.0 * deviation
    );
}

pub(crate) fn task(accuracy: f64) -> TaskModel {
    TaskModel {
        accuracy,
        thinks: 0.2,
        words: Words { least: 1, most: 20 },
        ..TaskModel::default()
    }
}

pub(crate) fn favourite(accuracy: f64) -> TaskModel {
    TaskModel {
        errors: Errors::Favourite { share: 1.0 },
        ..task(accuracy)
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_is_as_accurate_as_the_model() {
    assert_near("none", accuracy(task(0.6), "none", &[]).await, 0.6);
    assert_near("re2", accuracy(task(0.6), "re2", &[]).await, 0.6);
}
