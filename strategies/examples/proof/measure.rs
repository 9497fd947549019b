//! What an approach does on a model, and what a vote over plain samples does for as many tokens.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hone_strategies::answer::{self, AnswerValue, Votes, equivalent, extract};
use hone_strategies::chat::Message;
use hone_strategies::simulation::{Question, TaskModel};
use hone_strategies::testing::{Pace, SimulatedModel};
use hone_strategies::{
    ChatRequest, Entry, Expr, Fences, Missing, Params, Plan, PlanLimits, RunLimits, RunOptions,
    StrategyError, execute, plan,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::QUESTIONS;
use crate::setting::{JUDGE, Setting, Table};
use crate::solver::Sums;

/// Most samples that the vote may be over.
const POOL: u32 = 128;
/// Questions on which depth is measured.
const DEPTH_QUESTIONS: u32 = 100;

/// A model with its questions, and plain samples of its answers.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) setting: Setting,
    questions: Vec<(Question, Vec<Option<AnswerValue>>)>,
    /// Tokens of one plain sample, its question included.
    sample_tokens: f64,
    votes: RefCell<BTreeMap<u32, f64>>,
}

/// An approach on one model.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) table: Table,
    /// The model's own accuracy.
    pub(crate) base: f64,
    pub(crate) accuracy: f64,
    pub(crate) calls: f64,
    /// Read and generated.
    pub(crate) tokens: f64,
    /// Samples that cost as much.
    pub(crate) samples: u32,
    /// Whether more would have cost as much.
    pub(crate) is_capped: bool,
    /// The accuracy of their vote.
    pub(crate) vote: f64,
}

/// One approach with its defaults.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) slug: String,
    /// Calls that wait for each other, the longest such chain.
    pub(crate) depth: f64,
    pub(crate) figures: Vec<Figure>,
    /// What its answers had to do without.
    pub(crate) degraded: BTreeSet<String>,
    /// What the simulated model cannot do, without which the approach refuses to run; there are no
    /// figures then.
    #[serde(default)]
    pub(crate) refused: Option<String>,
}

impl Bench {
    pub(crate) fn new(setting: Setting) -> Self {
        let mut tokens = 0;
        let mut questions = Vec::new();
        for id in 0..QUESTIONS {
            let question = setting.task.question(id.into());
            let shape = answer::Question::of(&question.text);
            let mut samples = Vec::new();
            for sample in 0..POOL {
                let reply = setting
                    .task
                    .reply(&question.text, u64::MAX - u64::from(sample));
                tokens += words(&question.text) + reply.tokens;
                samples.push(extract(&reply.text, &shape).map(|found| found.value));
            }
            questions.push((question, samples));
        }
        Self {
            setting,
            questions,
            sample_tokens: mean(tokens, QUESTIONS * POOL),
            votes: RefCell::default(),
        }
    }

    /// Whether the figure was measured on the same model, but for its judge.
    fn is_like(&self, figure: &Figure) -> bool {
        figure.table == Table::Systematic && (figure.base - self.setting.task.accuracy).abs() < 1e-9
    }

    /// How many samples cost `tokens`.
    fn samples_for(&self, tokens: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let samples = (tokens / self.sample_tokens).round() as u32;
        samples.max(1)
    }

    /// How often the vote of the first `samples` is right.
    fn vote(&self, samples: u32) -> f64 {
        *self.votes.borrow_mut().entry(samples).or_insert_with(|| {
            let right = self.questions.iter().filter(|(question, values)| {
                let mut votes = Votes::new();
                for (at, value) in values.iter().take(samples as usize).enumerate() {
                    votes.add(at, value.clone(), 1.0);
                }
                let right = AnswerValue::parse(&question.answer.to_string());
                votes
                    .leader()
                    .zip(right)
                    .is_some_and(|(leader, right)| equivalent(&leader.value, &right))
            });
            mean(right.count() as u64, QUESTIONS)
        })
    }

    async fn figure(
        &self,
        plan: &Plan,
        degraded: &mut BTreeSet<String>,
    ) -> Result<Figure, Box<dyn Error>> {
        let pace = Pace {
            first: Duration::from_millis(200),
            per_token: Duration::from_millis(20),
        };
        let (mut right, mut calls, mut tokens) = (0, 0, 0);
        for (question, _) in &self.questions {
            let asked = ask(plan, self.setting.task.clone(), pace, question).await?;
            right += u64::from(asked.is_right);
            calls += asked.calls;
            tokens += asked.tokens;
            degraded.extend(asked.degraded);
        }
        let tokens = mean(tokens, QUESTIONS);
        let wanted = self.samples_for(tokens);
        let samples = wanted.min(POOL);
        Ok(Figure {
            table: self.setting.table,
            base: self.setting.task.accuracy,
            accuracy: mean(right, QUESTIONS),
            calls: mean(calls, QUESTIONS),
            tokens,
            samples,
            is_capped: wanted > POOL,
            vote: self.vote(samples),
        })
    }
}

impl Row {
    pub(crate) async fn measure(
        entry: &'static Entry,
        benches: &[Bench],
    ) -> Result<Self, Box<dyn Error>> {
        let plan = plan(
            &Expr::parse(entry.slug)?,
            &Params::new(),
            &PlanLimits::default(),
        )
        .map_err(|error| error.message)?;
        if let Some(refused) = Self::refusal(&plan, benches).await? {
            let (slug, refused) = (entry.slug.to_owned(), Some(refused.to_string()));
            return Ok(Self {
                slug,
                depth: 0.0,
                figures: Vec::new(),
                degraded: BTreeSet::new(),
                refused,
            });
        }
        let mut degraded = BTreeSet::new();
        let mut figures = Vec::new();
        for bench in benches {
            // Whom no judge is asked, another one does not change.
            let same = match bench.setting.table {
                Table::Blind | Table::Perfect if !Self::hears_the_judge(&plan, bench).await? => {
                    figures.iter().find(|figure| bench.is_like(figure))
                }
                _ => None,
            };
            let figure = match same.copied() {
                Some(figure) => Figure {
                    table: bench.setting.table,
                    ..figure
                },
                None => bench.figure(&plan, &mut degraded).await?,
            };
            figures.push(figure);
        }
        let middle = benches.get(1).ok_or("no model to measure depth on")?;
        let mut depth = Duration::ZERO;
        let second = Pace {
            first: Duration::from_secs(1),
            per_token: Duration::ZERO,
        };
        for (question, _) in middle.questions.iter().take(DEPTH_QUESTIONS as usize) {
            depth += ask(&plan, middle.setting.task.clone(), second, question)
                .await?
                .took;
        }
        Ok(Self {
            slug: entry.slug.to_owned(),
            depth: depth.as_secs_f64() / f64::from(DEPTH_QUESTIONS),
            figures,
            degraded,
            refused: None,
        })
    }

    /// What a model lacks that the approach needs.
    async fn refusal(plan: &Plan, benches: &[Bench]) -> Result<Option<Missing>, Box<dyn Error>> {
        let bench = benches.first().ok_or("no model")?;
        let (question, _) = bench.questions.first().ok_or("no question")?;
        let pace = Pace {
            first: Duration::from_secs(1),
            per_token: Duration::ZERO,
        };
        match ask(plan, bench.setting.task.clone(), pace, question).await {
            Ok(_) => Ok(None),
            Err(StrategyError::Unsupported(missing)) => Ok(Some(missing)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the judge makes a difference to any of some questions.
    async fn hears_the_judge(plan: &Plan, bench: &Bench) -> Result<bool, Box<dyn Error>> {
        let task = |judge| TaskModel {
            judge,
            ..bench.setting.task.clone()
        };
        let pace = Pace {
            first: Duration::from_secs(1),
            per_token: Duration::ZERO,
        };
        for (question, _) in bench.questions.iter().take(DEPTH_QUESTIONS as usize) {
            let one = ask(plan, task(JUDGE), pace, question).await?;
            let other = ask(plan, task(bench.setting.task.judge), pace, question).await?;
            if (one.is_right, one.calls, one.tokens) != (other.is_right, other.calls, other.tokens)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One question, asked.
struct Asked {
    is_right: bool,
    calls: u64,
    tokens: u64,
    took: Duration,
    degraded: Vec<String>,
}

async fn ask(
    plan: &Plan,
    task: TaskModel,
    pace: Pace,
    question: &Question,
) -> Result<Asked, StrategyError> {
    // A model for each question: its record is what the question cost.
    let model = Arc::new(SimulatedModel::new(task).with_pace(pace));
    let begun = Instant::now();
    let limits = RunLimits {
        calls: 512,
        tokens: 10_000_000,
        deadline: begun + Duration::from_secs(3_600),
        parallel: 64,
    };
    let options = RunOptions {
        model: Arc::clone(&model) as _,
        solver: Some(Arc::new(Sums)),
        limits,
        seed: question.id,
        fences: Fences::Repeatable,
        sink: None,
        halt: hone_strategies::Halt::default(),
        quality: None,
    };
    let request = ChatRequest::new("sim", [Message::user(question.text.clone())]);
    let outcome = execute(plan, request, options).await?;
    let took = begun.elapsed();
    let calls = model.ledger().calls();
    let read: u64 = calls
        .iter()
        .flat_map(|call| {
            call.request
                .messages()
                .iter()
                .map(|message| words(&message.text()))
        })
        .sum();
    Ok(Asked {
        is_right: outcome
            .choices
            .first()
            .is_some_and(|choice| question.is_answered_by(&choice.message.text())),
        calls: calls.len() as u64,
        tokens: read + model.ledger().tokens(),
        took,
        degraded: outcome.degraded,
    })
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn mean(sum: u64, of: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let sum = sum as f64;
    sum / f64::from(of)
}
