//! Asks what has not been asked yet, some at once, and keeps every answer as it comes.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::dataset::Question;
use crate::endpoint::{Endpoint, Failure, FailureKind, Reply};
use crate::grade::Grader;
use crate::journal::{Answered, Journal, SAMPLE, Task};
use crate::judge;
use crate::pace::{LONGEST_WAIT, Paced};
use crate::prices::Budget;
use crate::settings::{Entrant, Settings};

/// So many requests in a row that are refused, or that find nobody, end a run: the rest would be,
/// too.
const FAILURES: u32 = 10;
/// Temperature of the baseline's samples where none is given: they must differ.
const SAMPLE_TEMPERATURE: f64 = 0.7;
/// How far apart the seeds of two questions are; more than the repetitions or samples of one.
const SEEDS_PER_QUESTION: u64 = 1000;

/// Everything that asking takes.
#[derive(Debug)]
pub(crate) struct Runner<'a, E> {
    pub(crate) settings: &'a Settings,
    /// Those that are to be asked.
    pub(crate) questions: &'a [Question],
    pub(crate) endpoint: Paced<'a, E>,
}

/// A question to ask.
pub(crate) struct Job<'a> {
    pub(crate) task: Task,
    question: &'a Question,
    pub(crate) body: Value,
}

/// Why no more was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Everything was.
    Done,
    /// The budget was reached.
    Budget,
    /// The provider asks for a wait of so many seconds, longer than a run waits.
    Busy(u64),
    /// The user asked for it.
    Interrupted,
    /// The endpoint refuses every request, or nobody is there; the last failure.
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
            Self::Busy(seconds) => Some(format!(
                "Stopped, because the provider asks to be left alone for {seconds} s. The same \
                command goes on from here then."
            )),
            Self::Interrupted => Some(
                "Interrupted: not every question was asked. The same command \
                goes on from here."
                    .to_owned(),
            ),
            Self::Failing(error) => Some(format!(
                "Stopped, because the last {FAILURES} requests were refused or found nobody. \
                The last one: {error}"
            )),
        }
    }
}

/// The questions with their numbers in the dataset.
type Numbered<'a> = (u64, &'a Question);

impl<'a, E: Endpoint> Runner<'a, E> {
    /// The questions in blocks that are asked one after the other, with everything about a question
    /// in one block. Where there is a budget, blocks are small: it buys whole questions.
    pub(crate) fn blocks(&self) -> Vec<Vec<Numbered<'a>>> {
        let Budget { tokens, cost } = self.settings.budget;
        let size = if tokens.is_some() || cost.is_some() {
            self.settings.concurrency.get().into()
        } else {
            self.questions.len().max(1)
        };
        let numbered: Vec<Numbered<'a>> = (0..).zip(self.questions).collect();
        numbered.chunks(size).map(<[_]>::to_vec).collect()
    }

    /// These questions to every model with every approach, question by question.
    pub(crate) fn contest(&self, questions: &[Numbered<'a>]) -> Vec<Job<'a>> {
        let settings = self.settings;
        let contestants: Vec<(&String, Vec<Entrant>)> = settings
            .models
            .iter()
            .map(|model| (model, settings.contestants(model)))
            .collect();
        let mut jobs = Vec::new();
        for question in questions {
            for (model, entrants) in &contestants {
                for entrant in entrants {
                    let repeats = 0..settings.repeats.get();
                    jobs.extend(repeats.map(|repeat| self.job(model, entrant, *question, repeat)));
                }
            }
        }
        jobs
    }

    /// The first `samples` plain samples of `model` for these questions, question by question.
    pub(crate) fn samples(
        &self,
        questions: &[Numbered<'a>],
        model: &str,
        samples: u32,
    ) -> Vec<Job<'a>> {
        let plain = Entrant {
            title: SAMPLE.to_owned(),
            ..Entrant::plain()
        };
        let temperature = self.settings.temperature;
        let each = questions
            .iter()
            .flat_map(|question| (0..samples).map(move |sample| (*question, sample)));
        each.map(|(question, sample)| {
            let mut job = self.job(model, &plain, question, sample);
            if temperature.is_none_or(|temperature| temperature <= 0.0) {
                set(&mut job.body, "temperature", SAMPLE_TEMPERATURE);
            }
            // Not the seeds of the contest: a sample is another draw than the plain answer.
            let seed = self.seed(question.0, sample) + SEEDS_PER_QUESTION / 2;
            set(&mut job.body, "seed", seed);
            job
        })
        .collect()
    }

    fn job(
        &self,
        model: &str,
        entrant: &Entrant,
        (number, question): Numbered<'a>,
        repeat: u32,
    ) -> Job<'a> {
        let name = entrant.alias.as_ref().map_or(model, |alias| &alias.name);
        let mut body = json!({"model": name, "messages": question.messages,
            "seed": self.seed(number, repeat)});
        if entrant.alias.is_none() {
            if entrant.approach != "none" || self.settings.endpoint.may_choose() {
                set(&mut body, "optillm_approach", entrant.approach.as_str());
            }
            for (name, value) in entrant.params.iter() {
                set(&mut body, name, value.clone());
            }
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
        seed(self.settings, number, repeat)
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
    ) -> io::Result<Stopped> {
        let progress = self.endpoint.progress();
        progress.inc_length(jobs.len() as u64);
        let (known, open): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| journal.is_done(&job.task));
        progress.inc(known.len() as u64);
        let budget = Cell::new(self.settings.prices.spent(journal));
        let asking = open.into_iter().map(|job| {
            let budget = &budget;
            async move {
                if self.settings.budget.is_reached(budget.get()) {
                    return None;
                }
                let (answered, failed) = self.answer(&job).await;
                Some((job.task, answered, failed))
            }
        });
        let keep = |task: Task, answered: Answered| {
            progress.inc(1);
            let spent = self.settings.prices.of(&task.model, &answered);
            budget.set(budget.get().and(spent));
            journal.add(task, answered)
        };
        drive(asking, self.settings.concurrency.get(), keep).await
    }

    /// What came of a job, and why there is no reply if there is none.
    async fn answer(&self, job: &Job<'_>) -> (Answered, Option<Failure>) {
        let (result, took) = self.endpoint.ask(&job.body).await;
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => {
                let answered = Answered {
                    error: Some(failure.message.clone()),
                    ..Answered::default()
                };
                return (answered, Some(failure));
            }
        };
        let mut answered = graded(&reply, job.question, took);
        if let (None, Grader::Judge) = (answered.right, &job.question.grader) {
            let judge = self.settings.judge_model.as_ref();
            let (used, verdict) = judge::verdict(
                &self.endpoint,
                judge.unwrap_or(&job.task.model),
                &job.question.text,
                &job.question.expected,
                &reply.text,
            )
            .await;
            answered.judge = Some(used);
            match verdict {
                Ok(right) => answered.right = Some(right),
                Err(error) => answered.error = Some(error),
            }
        }
        (answered, None)
    }
}

/// The seed of the request number `repeat` about a question.
pub(crate) fn seed(settings: &Settings, number: u64, repeat: u32) -> u64 {
    u64::from(settings.seed) * 1_000_000_000 + number * SEEDS_PER_QUESTION + u64::from(repeat)
}

/// Polls so many of `asking` at once and keeps what comes of each, until all are done, one says by
/// nothing that the budget is used up, or it makes no sense to go on.
///
/// # Errors
///
/// What `keep` says.
pub(crate) async fn drive<K, V>(
    asking: impl Iterator<Item = impl Future<Output = Option<(K, V, Option<Failure>)>>>,
    concurrency: u16,
    mut keep: impl FnMut(K, V) -> io::Result<()>,
) -> io::Result<Stopped> {
    let mut answers = stream::iter(asking).buffer_unordered(concurrency.into());
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
        let Some((task, answered, failed)) = next else {
            return Ok(Stopped::Budget);
        };
        keep(task, answered)?;
        if let Some(stopped) = goes_on(failed, &mut failures) {
            return Ok(stopped);
        }
    }
}

/// Whether a run ends with what has just happened; `failures` counts what was refused in a row.
fn goes_on(failed: Option<Failure>, failures: &mut u32) -> Option<Stopped> {
    let Some(Failure { kind, message }) = failed else {
        *failures = 0;
        return None;
    };
    match kind {
        FailureKind::Busy { wait: Some(wait) } if wait > LONGEST_WAIT => {
            return Some(Stopped::Busy(wait.as_secs()));
        }
        FailureKind::Busy { .. } | FailureKind::Refused | FailureKind::Unreachable => {
            *failures += 1;
        }
        FailureKind::Final | FailureKind::Passing => {}
    }
    (*failures >= FAILURES).then_some(Stopped::Failing(message))
}

fn graded(reply: &Reply, question: &Question, took: Duration) -> Answered {
    Answered {
        right: question.grader.grade(&reply.text, &question.shape),
        answer: question
            .grader
            .value(&reply.text, &question.shape)
            .map(|value| value.to_string()),
        unread: question.grader.is_unread(&reply.text, &question.shape),
        reply: reply.text.clone(),
        error: None,
        input_tokens: reply.input_tokens,
        cached_tokens: reply.cached_tokens,
        output_tokens: reply.output_tokens,
        calls: reply.calls,
        wall_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        uses: reply.uses.clone(),
        judge: None,
        degraded: reply.degraded.clone(),
    }
}

pub(crate) fn set(body: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(body) = body.as_object_mut() {
        body.insert(name.to_owned(), value.into());
    }
}
