//! Asks for the samples that a pool lacks.

use std::cell::Cell;
use std::io::{self, Write};

use hone_strategies::{ChatRequest, program_request};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::PoolPlan;
use super::kept::{Draw, Pool, Sample, Samples, Temperature};
use crate::dataset::Question;
use crate::endpoint::Endpoint;
use crate::journal::Answered;
use crate::pace::Paced;
use crate::prices::Spent;
use crate::runner::{Stopped, drive, seed, set};
use crate::settings::Settings;

/// Alternatives to each token that every server tells which tells any.
const ALTERNATIVES: u32 = 5;
/// How far apart the seeds of two temperatures are, and of programs and texts.
const SEEDS_PER_TEMPERATURE: u32 = 100;
const SEEDS_PER_KIND: u32 = 50;

/// What a pool is filled with.
pub(super) struct Gatherer<'a> {
    pub(super) settings: &'a Settings,
    /// Those that are asked.
    pub(super) questions: &'a [Question],
    pub(super) plan: &'a PoolPlan,
}

/// A sample to ask for, and how.
struct Job {
    draw: Draw,
    body: Value,
}

impl Gatherer<'_> {
    /// Asks until the pool lacks nothing, or it makes no sense to go on.
    ///
    /// # Errors
    ///
    /// When the pool cannot be written.
    pub(super) async fn fill(
        &self,
        endpoint: &impl Endpoint,
        progress: &ProgressBar,
        pool: &mut Pool,
    ) -> io::Result<Stopped> {
        let concurrency = self.settings.concurrency.get();
        let endpoint = &Paced::new(endpoint, concurrency, progress);
        let budget = &Cell::new(self.spent(pool));
        let jobs = self.jobs();
        progress.inc_length(jobs.len() as u64);
        let (known, open): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| pool.is_done(&job.draw));
        progress.inc(known.len() as u64);
        let asking = open.into_iter().map(|job| async move {
            if self.settings.budget.is_reached(budget.get()) {
                return None;
            }
            Some(match endpoint.ask(&job.body).await.0 {
                Ok(reply) => (job.draw, Sample::of(reply), None),
                Err(failure) => {
                    let error = Some(failure.message.clone());
                    let sample = Sample {
                        error,
                        ..Sample::default()
                    };
                    (job.draw, sample, Some(failure))
                }
            })
        });
        let keep = |draw: Draw, sample: Sample| {
            progress.inc(1);
            budget.set(budget.get().and(self.spent_by(&draw, &sample)));
            pool.add(draw, sample)
        };
        drive(asking, concurrency, keep).await
    }

    /// Says what the pool has now.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub(super) fn tell(
        &self,
        pool: &Pool,
        stopped: &Stopped,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let failed = pool
            .answers()
            .filter(|(_, sample)| sample.error.is_some())
            .count();
        let there = pool.answers().count().saturating_sub(failed);
        let Spent { tokens, .. } = self.spent(pool);
        writeln!(
            out,
            "{}: {there} samples, {failed} failed requests, {tokens} tokens.",
            self.plan.file.display()
        )?;
        match stopped.sentence() {
            Some(sentence) => writeln!(out, "{sentence}"),
            None if failed > 0 => writeln!(out, "The same command asks again for what failed."),
            None => writeln!(out, "`hone eval --from-pool` computes every vote from it."),
        }
    }

    /// All samples, question by question.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (number, question) in (0..).zip(self.questions) {
            for model in &self.settings.models {
                for kind in &self.plan.kinds {
                    jobs.extend(self.of_kind(model, *kind, number, question));
                }
            }
        }
        jobs
    }

    fn of_kind(&self, model: &str, kind: Samples, number: u64, question: &Question) -> Vec<Job> {
        let Some((messages, temperatures)) = self.asking(kind, question) else {
            return Vec::new();
        };
        let mut jobs = Vec::new();
        for temperature in temperatures {
            let samples = if temperature.is_greedy() {
                1
            } else {
                self.plan.samples
            };
            jobs.extend((0..samples).map(|sample| {
                let draw = Draw {
                    model: model.to_owned(),
                    question: question.id.clone(),
                    kind,
                    temperature,
                    sample,
                };
                Job {
                    body: self.body(&draw, &messages, number),
                    draw,
                }
            }));
        }
        jobs
    }

    /// The conversation and the temperatures of one kind; nothing where a question has none of it.
    fn asking(&self, kind: Samples, question: &Question) -> Option<(Value, Vec<Temperature>)> {
        if kind == Samples::Text {
            return Some((question.messages.clone(), self.plan.temperatures.clone()));
        }
        let request = program_for(question)?;
        let temperature = request.get("temperature")?.to_string().parse().ok()?;
        let body: Value = serde_json::from_slice(&request.to_bytes()).ok()?;
        Some((body.get("messages")?.clone(), vec![temperature]))
    }

    fn body(&self, draw: &Draw, messages: &Value, number: u64) -> Value {
        let own = u32::from(draw.temperature.heat() / 10 % 10) * SEEDS_PER_TEMPERATURE;
        let kind = if draw.kind == Samples::Program {
            SEEDS_PER_KIND
        } else {
            0
        };
        let mut body = json!({"model": draw.model, "messages": messages, "logprobs": true,
            "top_logprobs": ALTERNATIVES,
            "seed": seed(self.settings, number, own + kind + draw.sample)});
        if self.settings.endpoint.may_choose() {
            set(&mut body, "optillm_approach", "none");
        }
        if let Some(limit) = self.settings.max_tokens {
            set(&mut body, "max_tokens", limit.get());
        }
        if let Some(temperature) = draw.temperature.value() {
            set(&mut body, "temperature", temperature);
        }
        body
    }

    fn spent(&self, pool: &Pool) -> Spent {
        let each = pool
            .answers()
            .map(|(draw, sample)| self.spent_by(draw, sample));
        each.fold(Spent::default(), Spent::and)
    }

    fn spent_by(&self, draw: &Draw, sample: &Sample) -> Spent {
        let answered = Answered {
            input_tokens: sample.input_tokens,
            cached_tokens: sample.cached_tokens,
            output_tokens: sample.output_tokens,
            calls: 1,
            ..Answered::default()
        };
        self.settings.prices.of(&draw.model, &answered)
    }
}

/// The request for a program that `pal` makes of a question; nothing where it asks for no number.
pub(super) fn program_for(question: &Question) -> Option<ChatRequest> {
    let body = json!({"model": "", "messages": question.messages});
    let request = ChatRequest::parse(body.to_string().as_bytes()).ok()?;
    program_request(&request)
}
