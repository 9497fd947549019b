//! `shortest`: those that think least vote, and what that saves.
#![expect(
    clippy::print_stdout,
    reason = "the figures are worth reading: cargo test shortest -- --nocapture"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hone_strategies::chat::{Chunk, Completion, Delta, Message, Usage};
use hone_strategies::model::{Call, ChunkStream, Fact, Model, ModelError};
use hone_strategies::{
    ChatRequest, Expr, Fences, Outcome, Params, PlanLimits, RunLimits, RunOptions, execute, plan,
};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

/// How one stream goes.
#[derive(Debug, Clone)]
struct Thinker {
    answer: &'static str,
    /// Steps of thinking.
    steps: u32,
    /// Seconds before the first, and milliseconds for each.
    pace: (u64, u64),
    /// Whether it thinks between tags in its text.
    is_tagged: bool,
}

impl Default for Thinker {
    fn default() -> Self {
        Self {
            answer: "7",
            steps: 10,
            pace: (1, 100),
            is_tagged: false,
        }
    }
}

impl Thinker {
    fn deltas(&self) -> Vec<Delta> {
        let field = if self.is_tagged {
            "content"
        } else {
            "reasoning_content"
        };
        let mut deltas: Vec<Delta> = (0..self.steps)
            .map(|_| Delta::field(field, "hmm, and so on. "))
            .collect();
        if self.is_tagged && self.steps > 0 {
            deltas.insert(0, Delta::field("content", "<think>"));
            deltas.push(Delta::field("content", "</think>"));
        }
        for piece in ["Final ", "answer: ", self.answer] {
            deltas.push(Delta::field("content", piece));
        }
        deltas.push(Delta {
            finish_reason: Some("stop".to_owned()),
            ..Delta::default()
        });
        deltas
    }
}

/// What a thinker says, piece by piece; `told` counts them.
fn told(thinker: &Thinker, told: Arc<AtomicU64>) -> ChunkStream {
    let (first, each) = thinker.pace;
    let pauses = [Duration::from_secs(first)];
    let pauses = pauses.into_iter().chain(std::iter::repeat(Duration::ZERO));
    let steps = stream::iter(pauses.zip(thinker.deltas()));
    let chunks = steps.then(move |(pause, delta)| {
        let told = Arc::clone(&told);
        async move {
            sleep(pause + Duration::from_millis(each)).await;
            told.fetch_add(1, Ordering::SeqCst);
            Ok(Chunk::of(0, delta))
        }
    });
    chunks.boxed()
}

/// A model whose stream number i goes as the thinker number i; counts the pieces that were read.
struct Thinkers {
    all: Vec<Thinker>,
    told: Arc<AtomicU64>,
}

impl Model for Thinkers {
    fn complete<'a>(
        &'a self,
        _request: &'a ChatRequest,
        _call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        async { Ok(Completion::of_text("none", Usage::new(1, 1))) }.boxed()
    }

    fn stream<'a>(
        &'a self,
        _request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        let thinker = &self.all[call.index as usize % self.all.len()];
        let chunks = told(thinker, Arc::clone(&self.told));
        async move { Ok(chunks) }.boxed()
    }

    fn knows(&self, _model: &str, _fact: Fact) -> Option<bool> {
        None
    }

    fn learn(&self, _model: &str, _fact: Fact, _value: bool) {}
}

/// What came of a run.
struct Ran {
    outcome: Outcome,
    seconds: f64,
    /// Pieces that came of all streams.
    told: u64,
}

async fn run(all: Vec<Thinker>, params: &[(&str, u32)]) -> Ran {
    let told = Arc::new(AtomicU64::new(0));
    let model = Thinkers {
        all,
        told: Arc::clone(&told),
    };
    let params: Params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let plan = plan(
        &Expr::parse("shortest").unwrap(),
        &params,
        &PlanLimits::default(),
    )
    .unwrap();
    let options = RunOptions {
        model: Arc::new(model),
        solver: None,
        limits: RunLimits {
            calls: 64,
            tokens: 10_000_000,
            deadline: Instant::now() + Duration::from_secs(100_000),
            parallel: 64,
        },
        seed: 1,
        fences: Fences::Repeatable,
        sink: None,
        halt: hone_strategies::Halt::default(),
        quality: None,
    };
    let request = ChatRequest::new("m", [Message::user("How much is 6 times 7?")]);
    let began = Instant::now();
    let outcome = execute(&plan, request, options).await.unwrap();
    Ran {
        outcome,
        seconds: began.elapsed().as_secs_f64(),
        told: told.load(Ordering::SeqCst),
    }
}

fn thinkers(all: &[(&'static str, u32)]) -> Vec<Thinker> {
    let thinker = |(answer, steps): &(&'static str, u32)| Thinker {
        answer,
        steps: *steps,
        ..Thinker::default()
    };
    all.iter().map(thinker).collect()
}

fn text(ran: &Ran) -> String {
    ran.outcome.choices[0].message.text().into_owned()
}

#[tokio::test(start_paused = true)]
async fn the_first_few_to_end_their_thinking_vote_and_the_rest_is_dropped() {
    for is_tagged in [false, true] {
        let all = thinkers(&[("9", 90), ("1", 40), ("2", 10), ("1", 30), ("9", 95)]);
        let all = all
            .into_iter()
            .map(|thinker| Thinker {
                is_tagged,
                ..thinker
            })
            .collect();
        let ran = run(all, &[]).await;
        assert!(text(&ran).ends_with("Final answer: 1"), "{}", text(&ran));
        assert!(ran.seconds < 6.5, "{} seconds", ran.seconds);
        assert!(ran.told < 200, "{} pieces of {}", ran.told, 265 + 20);
        assert!(
            ran.outcome.degraded.is_empty(),
            "{:?}",
            ran.outcome.degraded
        );
        assert_eq!(ran.outcome.calls, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tie_goes_to_the_shortest_thinking() {
    let ran = run(
        thinkers(&[("1", 30), ("2", 10), ("3", 20), ("4", 80), ("4", 90)]),
        &[],
    )
    .await;
    assert!(text(&ran).ends_with("Final answer: 2"));
    let ran = run(
        thinkers(&[("1", 30), ("2", 10), ("1", 20)]),
        &[("shortest_m", 1)],
    )
    .await;
    assert!(
        text(&ran).ends_with("Final answer: 2"),
        "the first to finish"
    );
}

#[tokio::test(start_paused = true)]
async fn where_streams_wait_in_a_queue_the_order_says_nothing() {
    // Long thoughts that begin at once, short ones that begin late.
    let queued = |answer, steps, first| Thinker {
        answer,
        steps,
        pace: (first, 100),
        ..Thinker::default()
    };
    let all = vec![
        queued("9", 40, 1),
        queued("9", 50, 1),
        queued("9", 45, 1),
        queued("1", 10, 60),
        queued("1", 12, 60),
    ];
    let ran = run(all, &[("shortest_m", 2)]).await;
    assert!(
        text(&ran).ends_with("Final answer: 1"),
        "the two that thought least"
    );
    assert_eq!(
        ran.told,
        40 + 50 + 45 + 10 + 12 + 5 * 4,
        "nothing was dropped"
    );
    let slow = |answer, steps, each| Thinker {
        answer,
        steps,
        pace: (1, each),
        ..Thinker::default()
    };
    let all = vec![
        slow("9", 50, 10),
        slow("9", 60, 10),
        slow("1", 10, 1000),
        slow("1", 12, 1000),
    ];
    let ran = run(all, &[("shortest_k", 4), ("shortest_m", 2)]).await;
    assert!(
        text(&ran).ends_with("Final answer: 1"),
        "streams of uneven speed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_does_not_think_is_a_plain_vote() {
    let ran = run(
        thinkers(&[("1", 0), ("2", 0), ("2", 0), ("1", 0), ("2", 0)]),
        &[],
    )
    .await;
    assert!(text(&ran).ends_with("Final answer: 2"));
    assert_eq!(ran.outcome.degraded, ["reasoning"]);
    assert_eq!(ran.told, 5 * 4);
}

#[tokio::test(start_paused = true)]
async fn of_log_normal_lengths_as_much_is_kept_as_theory_says() {
    let mut rng = SmallRng::seed_from_u64(5);
    for (k, m, kept) in [(5, 1, 0.52), (5, 3, 0.80), (8, 3, 0.67)] {
        let (mut told, mut all) = (0.0, 0.0);
        for _ in 0..150 {
            let mut length = || {
                let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
                // Long enough that the answer behind the thought counts for little.
                let wanted = 400.0 * (0.5 * normal).exp();
                (0..9_000)
                    .find(|steps| f64::from(*steps) >= wanted)
                    .unwrap()
            };
            let lengths: Vec<(&str, u32)> = (0..k).map(|_| ("1", length())).collect();
            all += lengths
                .iter()
                .map(|(_, steps)| f64::from(*steps + 4))
                .sum::<f64>();
            let ran = run(thinkers(&lengths), &[("shortest_k", k), ("shortest_m", m)]).await;
            told += f64::from(u32::try_from(ran.told).unwrap());
        }
        let share = told / all;
        println!("{k}@{m}: {share:.3} of all pieces, theory {kept}");
        assert!((share - kept).abs() < 0.035, "{k}@{m}: {share:.3}");
    }
}
