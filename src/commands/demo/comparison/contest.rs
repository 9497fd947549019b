//! The simulated provider, the proxy before it, and the approaches that are compared.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hone_strategies::simulation::{Errors, Question, Reliability, TaskModel};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Answer, Client};
use super::report::Row;
use super::stats::{Judge, at_least_one, best_rated, plurality};
use crate::app::App;
use crate::config::Config;
use hone_sim::{Knobs, Latency, Sim, SimConfig, SimHandle};
use hone_strategies::Share;

/// Questions under way at once.
const CONCURRENT: usize = 32;
const FAVOURITE: f64 = 0.4;
const SYNTHESIS: f64 = 0.9;
const JUDGE: Judge = Judge {
    true_positive: 0.9,
    false_positive: 0.2,
};

/// An approach with its parameters, and what theory says of it for a model of a given accuracy.
#[derive(Debug)]
pub(super) struct Entrant {
    slug: &'static str,
    param: Option<(&'static str, u32)>,
    theory: fn(f64) -> f64,
}

/// In the order of the table.
pub(super) const ENTRANTS: &[Entrant] = &[
    Entrant {
        slug: "none",
        param: None,
        theory: |accuracy| accuracy,
    },
    Entrant {
        slug: "re2",
        param: None,
        theory: |accuracy| accuracy,
    },
    Entrant {
        slug: "self_consistency",
        param: Some(("num_samples", 5)),
        theory: |accuracy| vote(5, accuracy),
    },
    Entrant {
        slug: "majority_voting",
        param: Some(("k", 9)),
        theory: |accuracy| vote(9, accuracy),
    },
    Entrant {
        slug: "bon",
        param: Some(("best_of_n", 5)),
        theory: |accuracy| best_rated(5, accuracy, FAVOURITE, JUDGE),
    },
    Entrant {
        slug: "genselect",
        param: Some(("num_candidates", 5)),
        theory: |accuracy| best_rated(5, accuracy, FAVOURITE, JUDGE),
    },
    Entrant {
        slug: "moa",
        param: Some(("moa_proposers", 3)),
        theory: |accuracy| SYNTHESIS * at_least_one(3, accuracy),
    },
];

fn vote(samples: u32, accuracy: f64) -> f64 {
    plurality(samples, accuracy, (1.0 - accuracy) * FAVOURITE)
}

impl Entrant {
    /// The slug and its parameter.
    pub(super) fn title(&self) -> String {
        match self.param {
            Some((name, value)) if matches!(self.slug, "bon" | "genselect") => {
                format!("{} {name}={value} judge_always", self.slug)
            }
            Some((name, value)) => format!("{} {name}={value}", self.slug),
            None => self.slug.to_owned(),
        }
    }

    fn body(&self, question: &Question) -> Value {
        let mut body = json!({
            "model": "sim-small",
            "messages": [{"role": "user", "content": question.text}],
            "seed": question.id,
            "optillm_approach": self.slug,
        });
        if let (Some(body), Some((name, value))) = (body.as_object_mut(), self.param) {
            body.insert(name.to_owned(), value.into());
            if matches!(self.slug, "bon" | "genselect") {
                // As published: the judge sees every answer, whatever their vote says, and its
                // favourite wins. Only of that theory is known.
                body.insert("judge_always".to_owned(), true.into());
                body.insert("judge_top".to_owned(), value.into());
                body.insert("bon_best_of".to_owned(), value.into());
            }
        }
        body
    }
}

/// A provider, and a proxy before it.
#[derive(Debug)]
pub(super) struct Contest {
    task: TaskModel,
    questions: u32,
    client: Client,
    proxy: App,
    provider: SimHandle,
}

impl Contest {
    /// Starts both on free ports. Fails if a port cannot be had.
    pub(super) async fn start(seed: u64, accuracy: f64, questions: u32) -> io::Result<Self> {
        let task = TaskModel {
            seed,
            accuracy,
            errors: Errors::Favourite { share: FAVOURITE },
            judge: Reliability {
                true_positive: JUDGE.true_positive,
                false_positive: JUDGE.false_positive,
            },
            synthesis: SYNTHESIS,
            ..TaskModel::default()
        };
        let knobs = Knobs {
            latency: Latency::Uniform {
                from_ms: 10,
                to_ms: 30,
            },
            tokens_per_second: NonZeroU32::new(2000),
            task: Some(task.clone()),
            ..Knobs::default()
        };
        let provider = Sim::start(SimConfig {
            seed,
            knobs,
            ..SimConfig::default()
        })
        .await?;
        let proxy = App::start(config(&provider.base_url())?).map_err(io::Error::other)?;
        Ok(Self {
            task,
            questions,
            client: Client::new(proxy.address())?,
            proxy,
            provider,
        })
    }

    pub(super) const fn task(&self) -> &TaskModel {
        &self.task
    }

    /// Asks every question once. Fails with the first that is not answered.
    pub(super) async fn run(&self, entrant: &Entrant, answered: impl Fn()) -> io::Result<Row> {
        let answers = stream::iter((0..self.questions).map(|id| self.task.question(id.into())))
            .map(|question| async move {
                let asked = Instant::now();
                let answer = self.client.chat(&entrant.body(&question)).await?;
                Ok::<_, io::Error>((question, answer, asked.elapsed()))
            });
        let row = Row {
            approach: entrant.title(),
            right: Share {
                successes: 0,
                trials: 0,
            },
            theory: (entrant.theory)(self.task.accuracy),
            calls: 0,
            tokens: 0,
            waited: Duration::ZERO,
        };
        answers
            .buffer_unordered(CONCURRENT)
            .try_fold(row, |mut row, (question, answer, waited)| {
                answered();
                row.count(&question, &answer, waited);
                std::future::ready(Ok(row))
            })
            .await
    }

    /// Ends both.
    pub(super) async fn stop(self) {
        self.proxy.shutdown().await;
        self.provider.shutdown().await;
    }
}

impl Row {
    fn count(&mut self, question: &Question, answer: &Answer, waited: Duration) {
        self.right.trials += 1;
        self.right.successes += u32::from(question.is_answered_by(&answer.text));
        self.calls += answer.calls;
        self.tokens += answer.tokens;
        self.waited += waited;
    }
}

/// A proxy for a keyless provider, over a few HTTP/2 connections, so that no limit on open files is
/// met.
fn config(base_url: &str) -> io::Result<Config> {
    let text = format!(
        "listen = \"127.0.0.1:0\"\n\
         [[upstream]]\nname = \"sim\"\nbase_url = \"{base_url}\"\nauth \
         = \"none\"\nhttp2_prior_knowledge = true\n"
    );
    Config::parse(&text, &|_| None).map_err(io::Error::other)
}
