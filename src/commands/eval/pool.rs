//! Options for pools of samples.

use std::path::PathBuf;

use clap::ValueHint;
use hone_eval::{Hypothesis, PoolPlan, PoolReading, Samples, Temperature};

/// Whether to keep plain samples, and what to compute from them.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::commands) struct PoolArgs {
    /// Keep plain samples of every question in this file, with their log probabilities and usage,
    /// instead of asking with approaches. Run the same command again to go on after an interruption
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["entrants", "estimate", "from_pool"])]
    pub(super) pool: Option<PathBuf>,
    /// Samples of each question at each temperature; at 0 there is one
    #[arg(long, default_value_t = 16, value_name = "N", requires = "pool",
        value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(super) samples: u32,
    /// The temperatures of the samples, separated by commas; `default` sends none
    #[arg(
        long,
        value_name = "T",
        requires = "pool",
        value_delimiter = ',',
        default_value = "0,0.3,0.7,default"
    )]
    pub(super) temperatures: Vec<Temperature>,
    /// What to sample: answers, and programs as `pal` asks for them
    #[arg(
        long,
        value_enum,
        requires = "pool",
        value_delimiter = ',',
        default_value = "text"
    )]
    pub(super) kinds: Vec<Samples>,
    /// Compute every vote from the samples in this file, without asking anybody
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["entrants", "estimate"])]
    pub(super) from_pool: Option<PathBuf>,
    /// The rows that are tested, separated by commas: `ROW` against the plain vote at equal spend,
    /// or `ROW:ROW`. Everything else is exploratory
    #[arg(
        long,
        value_name = "ROW[:ROW]",
        requires = "from_pool",
        value_delimiter = ','
    )]
    pub(super) hypotheses: Vec<Hypothesis>,
    /// Questions with the same `category` or `template` are alike: draw them together where chance
    /// is estimated
    #[arg(long, requires = "from_pool")]
    pub(super) by_category: bool,
    /// Write what the samples teach of their models to this file, for `[quality] file`: votes are
    /// then weighed and ended by it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "from_pool")]
    pub(super) learn: Option<PathBuf>,
}

impl PoolArgs {
    /// The pool to fill.
    pub(super) fn plan(&self) -> Option<PoolPlan> {
        self.pool.clone().map(|file| PoolPlan {
            file,
            samples: self.samples,
            temperatures: self.temperatures.clone(),
            kinds: self.kinds.clone(),
        })
    }

    /// The pool to compute from.
    pub(super) fn reading(&self) -> Option<PoolReading> {
        self.from_pool.clone().map(|file| PoolReading {
            file,
            hypotheses: self.hypotheses.clone(),
            by_category: self.by_category,
            learn: self.learn.clone(),
            ..PoolReading::default()
        })
    }
}
