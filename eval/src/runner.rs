//! Asks what has not been asked yet, some at once, and keeps every answer as it comes.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::dataset::Question;
use crate::endpoint::{Endpoint, Reply};
use crate::grade::Grader;
use crate::journal::{Answered, Journal, SAMPLE, Task};
use crate::judge;
use crate::settings::{Entrant, Settings};

/// So many failures in a row end a run: the rest would fail too.
const FAILURES: u32 = 10;
/// Temperature of the baseline's samples where none is given: they must differ.
const SAMPLE_TEMPERATURE: f64 = 0.7;
/// How far apart the seeds of two questions are; more than the repetitions or samples of one.
const SEEDS_PER_QUESTION: u64 = 1000;

/// Everything that asking takes.
#[derive(Debug)]
pub(crate) struct Runner<'a, E> {
    pub(crate) settings: &'a Settings,
    pub(crate) questions: &'a [Question],
    pub(crate) endpoint: &'a E,
}

/// A question to ask.
pub(crate) struct Job<'a> {
    task: Task,
    question: &'a Question,
    body: Value,
}

/// Why no more was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Everything was.
    Done,
    /// The budget was reached.
    Budget,
    /// The user asked for it.
    Interrupted,
    /// Nothing but failures; the last of them.
    Failing(String),
}

impl Stopped {
    /// What a reader should know of it; nothing if there is nothing to know.
    pub(crate) fn sentence(&self) -> Option<String> {
        match self {
            Self::Done => None,
            Self::Budget => Some(
                "Stopped at the budget: not every question was asked. A greater \
                budget goes on from here."
                    .to_owned(),
            ),
            Self::Interrupted => Some(
                "Interrupted: not every question was asked. The same command \
                goes on from here."
                    .to_owned(),
            ),
            Self::Failing(error) => Some(format!(
                "Stopped, because nothing but failures came back. \
                The last one: {error}"
            )),
        }
    }
}

impl<'a, E: Endpoint> Runner<'a, E> {
    /// Every question to every model with every approach.
    pub(crate) fn contest(&self, entrants: &[Entrant]) -> Vec<Job<'a>> {
        let mut jobs = Vec::new();
        for model in &self.settings.models {
            for entrant in entrants {
                for repeat in 0..self.settings.repeats.get() {
                    let numbered = (0..).zip(self.questions);
                    jobs.extend(numbered.map(|each| self.job(model, entrant, each, repeat)));
                }
            }
        }
        jobs
    }

    /// The first `samples` plain samples of `model` for every question.
    pub(crate) fn samples(&self, model: &str, samples: u32) -> Vec<Job<'a>> {
        let plain = Entrant {
            title: SAMPLE.to_owned(),
            ..Entrant::plain()
        };
        let mut jobs = Vec::new();
        for sample in 0..samples {
            for (number, question) in (0..).zip(self.questions) {
                let mut job = self.job(model, &plain, (number, question), sample);
                if self
                    .settings
                    .temperature
                    .is_none_or(|temperature| temperature <= 0.0)
                {
                    set(&mut job.body, "temperature", SAMPLE_TEMPERATURE);
                }
                // Not the seeds of the contest: a sample is another draw than the plain answer.
                set(
                    &mut job.body,
                    "seed",
                    self.seed(number, sample) + SEEDS_PER_QUESTION / 2,
                );
                jobs.push(job);
            }
        }
        jobs
    }

    fn job(
        &self,
        model: &str,
        entrant: &Entrant,
        (number, question): (u64, &'a Question),
        repeat: u32,
    ) -> Job<'a> {
        let mut body = json!({"model": model, "messages": question.messages,
            "seed": self.seed(number, repeat)});
        if entrant.approach != "none" || self.settings.endpoint.may_choose() {
            set(&mut body, "optillm_approach", entrant.approach.as_str());
        }
        for (name, value) in entrant.params.iter() {
            set(&mut body, name, value.clone());
        }
        if let Some(limit) = self.settings.max_tokens {
            set(&mut body, "max_tokens", limit.get());
        }
        if let Some(temperature) = self.settings.temperature {
            set(&mut body, "temperature", temperature);
        }
        let task = Task {
            model: model.to_owned(),
            approach: entrant.title.clone(),
            question: question.id.clone(),
            repeat,
        };
        Job {
            task,
            question,
            body,
        }
    }

    fn seed(&self, number: u64, repeat: u32) -> u64 {
        u64::from(self.settings.seed) * 1_000_000_000
            + number * SEEDS_PER_QUESTION
            + u64::from(repeat)
    }

    /// Asks what the journal does not answer yet.
    ///
    /// # Errors
    ///
    /// When the journal cannot be written.
    pub(crate) async fn ask(
        &self,
        jobs: Vec<Job<'a>>,
        journal: &mut Journal,
        progress: &ProgressBar,
    ) -> io::Result<Stopped> {
        let (known, open): (Vec<_>, Vec<_>) = jobs
            .into_iter()
            .partition(|job| journal.get(&job.task).is_some());
        progress.inc(known.len() as u64);
        let budget = Cell::new(self.settings.prices.spent(journal));
        let asking = open.into_iter().map(|job| {
            let budget = &budget;
            async move {
                if self.settings.budget.is_reached(budget.get()) {
                    return None;
                }
                let answered = self.answer(&job).await;
                Some((job.task, answered))
            }
        });
        let mut answers =
            stream::iter(asking).buffer_unordered(self.settings.concurrency.get().into());
        let mut failures = 0;
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut interrupted => return Ok(Stopped::Interrupted),
                next = answers.next() => next,
            };
            let Some(next) = next else {
                return Ok(Stopped::Done);
            };
            let Some((task, answered)) = next else {
                return Ok(Stopped::Budget);
            };
            progress.inc(1);
            budget.set(
                budget
                    .get()
                    .and(self.settings.prices.of(&task.model, &answered)),
            );
            failures = if answered.error.is_some() && answered.calls == 0 {
                failures + 1
            } else {
                0
            };
            let error = answered.error.clone();
            journal.add(task, answered)?;
            if let Some(error) = error.filter(|_| failures >= FAILURES) {
                return Ok(Stopped::Failing(error));
            }
        }
    }

    async fn answer(&self, job: &Job<'_>) -> Answered {
        let asked = Instant::now();
        let reply = match self.endpoint.chat(&job.body).await {
            Ok(reply) => reply,
            Err(error) => {
                return Answered {
                    error: Some(error),
                    ..Answered::default()
                };
            }
        };
        let mut answered = graded(&reply, job.question, asked.elapsed());
        if let (None, Grader::Judge(expected)) = (answered.right, &job.question.grader) {
            let judge = self
                .settings
                .judge_model
                .as_ref()
                .unwrap_or(&job.task.model);
            let (tokens, verdict) = judge::verdict(
                self.endpoint,
                judge,
                &job.question.text,
                expected,
                &reply.text,
            )
            .await;
            answered.judge_tokens = tokens;
            match verdict {
                Ok(right) => answered.right = Some(right),
                Err(error) => answered.error = Some(error),
            }
        }
        answered
    }
}

fn graded(reply: &Reply, question: &Question, took: Duration) -> Answered {
    Answered {
        right: question.grader.grade(&reply.text, &question.shape),
        answer: question
            .grader
            .value(&reply.text, &question.shape)
            .map(|value| value.to_string()),
        reply: reply.text.clone(),
        error: None,
        input_tokens: reply.input_tokens,
        output_tokens: reply.output_tokens,
        calls: reply.calls,
        wall_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        judge_tokens: 0,
        degraded: reply.degraded.clone(),
    }
}

fn set(body: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(body) = body.as_object_mut() {
        body.insert(name.to_owned(), value.into());
    }
}
