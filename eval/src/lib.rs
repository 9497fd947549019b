//! Does an approach help on this data, and what does it cost?
//!
//! `hone eval` is this crate behind a command line. Every question of a dataset goes to every model
//! with every approach, and every answer is kept in a journal as it comes. Then plain samples are
//! drawn for the baseline, as many as the most expensive approach could have bought: an approach is
//! worth its price only if it beats a vote of equal cost. The reports say nothing that the
//! journal does not.
//!
//! # Running an evaluation
//!
//! The caller says in [`Settings`] what to ask and what to keep, and brings an [`Endpoint`]: a
//! provider, or a proxy that runs the approaches. This crate sends nothing itself.
//!
//! ```
//! use hone_eval::{Endpoint, Evaluation, Failure, Reply, Settings, Stopped};
//! use serde_json::Value;
//!
//! /// Gives one answer to every question.
//! struct Parrot;
//!
//! impl Endpoint for Parrot {
//!     async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
//!         Ok(Reply {
//!             text: "The answer is 4.".to_owned(),
//!             input_tokens: 12,
//!             output_tokens: 5,
//!             calls: 1,
//!             ..Reply::default()
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let directory = tempfile::tempdir()?;
//! let dataset = directory.path().join("questions.jsonl");
//! std::fs::write(&dataset, r#"{"prompt": "What is 2 + 2?", "answer": 4}"#)?;
//!
//! let evaluation = Evaluation::open(Settings {
//!     dataset,
//!     models: vec!["parrot".to_owned()],
//!     out: directory.path().join("results"),
//!     ..Settings::default()
//! })?;
//! let mut table = Vec::new();
//! let outcome = evaluation.run(&Parrot, &mut table).await?;
//!
//! assert_eq!(outcome.stopped, Stopped::Done);
//! assert!(String::from_utf8_lossy(&table).contains("100.0"));
//! assert!(directory.path().join("results/report.html").exists());
//! # Ok(())
//! # }
//! ```
//!
//! # What it keeps
//!
//! `answers.jsonl` in [`Settings::out`] is the journal: the settings that answers depend on, then
//! an answer a line. A run that was interrupted goes on from there when it is started again, and
//! asks again what failed; a run with other approaches adds to it. `report.json`, `report.csv` and
//! `report.html` are made from the journal at the end of each run.
//!
//! # Pools
//!
//! [`Evaluation::fill_pool`] keeps plain samples in a file of their own, and
//! [`Evaluation::report_pool`] computes from it what every way to vote would do, without asking
//! again. All rows share their subsamples, and each is compared with the plain vote at equal spend.
//!
//! # How it grades
//!
//! By rules where it can ([`Kind`]): numbers by value, options by letter, texts by what they say,
//! with the same reading of answers as the strategies have. What only a reader can grade goes to a
//! judge model, whose verdict is asked for twice and never guessed. Accuracies have Wilson's
//! interval, differences McNemar's exact test on the same questions.

mod baseline;
mod compare;
mod dataset;
mod endpoint;
mod estimate;
mod evaluation;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grade;
mod journal;
mod judge;
mod pace;
mod pool;
mod prices;
mod report;
mod results;
mod runner;
mod settings;
mod summary;
#[cfg(test)]
mod tests;

pub use dataset::Format;
pub use endpoint::{Endpoint, Failure, FailureKind, ModelUse, Reply};
pub use evaluation::{Evaluation, Outcome};
pub use grade::Kind;
pub use pool::{Hypothesis, PoolPlan, PoolReading, Samples, Temperature};
pub use prices::{Budget, Price, Prices};
pub use runner::Stopped;
pub use settings::{Alias, EndpointFacts, Entrant, Settings};
