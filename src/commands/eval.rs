//! `hone eval`: questions to every approach, through a hone in this process or to one elsewhere.

use std::io::{self, Write};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueHint;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::status::Status;
use super::values;
use crate::config::{AuthSlot, Config, Price, glob};
use endpoint::Endpoint;
use hone_eval::{
    Budget, EndpointFacts, Entrant, Evaluation, Format, Kind, Prices, Settings, Stopped,
};
use pool::PoolArgs;

mod client;
mod endpoint;
mod entrants;
mod pool;
mod refusal;
#[cfg(test)]
mod tests;

/// What to ask, whom, how, and what to keep.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EvalArgs {
    /// Questions: JSON objects, one a line or in an array, or a table (CSV), with `prompt` (and
    /// `system`) or `messages`, `answer`, and if wanted `id`, `grader`; or a published dataset
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) dataset: PathBuf,
    /// What the dataset is [default: what it looks like]
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// Ask through the upstreams of this configuration, with its fallback keys and its prices,
    /// instead of one endpoint
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["base_url", "direct", "key_env", "auth"], group = "priced")]
    pub(super) config: Option<PathBuf>,
    /// The endpoint: any OpenAI-compatible provider, or a hone
    #[arg(long, value_name = "URL", default_value = "https://api.openai.com/v1")]
    pub(super) base_url: String,
    /// Let the endpoint, which is a hone, run the approaches, instead of running them here
    #[arg(long)]
    pub(super) direct: bool,
    /// The environment variable with the endpoint's key
    #[arg(long, value_name = "VAR", default_value = "OPENAI_API_KEY")]
    pub(super) key_env: String,
    /// Where the endpoint reads its key: bearer, x-api-key, api-key, x-goog-api-key, or none if it
    /// needs none
    #[arg(long, value_name = "SLOT", value_parser = values::auth_slot,
        default_value = "bearer")]
    pub(super) auth: AuthSlot,
    /// The models, separated by commas. A virtual model of --config runs as it is, beside the model
    /// that it runs on
    #[arg(
        long = "model",
        value_name = "MODEL",
        required_unless_present = "from_pool",
        value_delimiter = ','
    )]
    pub(super) models: Vec<String>,
    /// An approach with its parameters, as in `bon`, `bon:best_of_n=5` or
    /// `fusion:fusion_models=["a","b"]`; may be repeated. `none` is always among them
    #[arg(long = "approach", value_name = "EXPR[:NAME=VALUE,…]",
        value_parser = entrants::entrant)]
    pub(super) entrants: Vec<Entrant>,
    /// How answers are compared with what is expected, unless a question says so itself [default:
    /// as the form of the answer suggests]
    #[arg(long, value_enum)]
    pub(super) grader: Option<Kind>,
    /// The model that judges answers which only a judge can grade [default: the model that is
    /// asked]
    #[arg(long, value_name = "MODEL")]
    pub(super) judge_model: Option<String>,
    /// `max_tokens` of each request
    #[arg(long, value_name = "N")]
    pub(super) max_tokens: Option<NonZeroU32>,
    /// `temperature` of each request
    #[arg(long, value_name = "T")]
    pub(super) temperature: Option<f64>,
    /// Where the requests' seeds come from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) seed: u32,
    /// How often each question is asked
    #[arg(long, default_value_t = NonZeroU32::MIN, value_name = "N")]
    pub(super) repeats: NonZeroU32,
    /// Only the first questions of the dataset
    #[arg(long, value_name = "N")]
    pub(super) max_questions: Option<NonZeroU32>,
    /// Questions under way at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16)
        .range(1..=256))]
    pub(super) concurrency: u16,
    /// Seconds that one answer may take, an approach's calls together
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub(super) timeout: u32,
    /// Only tell what it will take: requests, calls, tokens and cost. Asks nothing
    #[arg(long)]
    pub(super) estimate: bool,
    /// Ask no more once so many tokens have been used, earlier runs in the same directory included
    #[arg(long, value_name = "N")]
    pub(super) max_total_tokens: Option<u64>,
    /// Ask no more once so much has been spent, by the price table
    #[arg(long, value_name = "AMOUNT", requires = "priced")]
    pub(super) max_cost: Option<f64>,
    /// Prices: a TOML file of `[[price]]` tables as in a configuration, with `model`, `input` and
    /// `output` per million tokens
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath, group = "priced")]
    pub(super) prices: Option<PathBuf>,
    /// Most plain samples a question for the baseline: self-consistency at equal spend; 0 leaves it
    /// out
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u32)
        .range(0..=64))]
    pub(super) baseline_samples: u32,
    /// Where answers and reports are kept. Run the same command again to go on after an
    /// interruption
    #[arg(long, default_value = "eval", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: PathBuf,
    /// The pool of samples.
    #[command(flatten)]
    pub(super) pool: PoolArgs,
}

impl EvalArgs {
    /// How long one answer may take.
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.max(1).into())
    }
}

/// Asks, with progress on standard error, and writes the comparison to `out` and into the directory
/// of the journal.
///
/// # Errors
///
/// When a file cannot be used, the key is missing, or the system refuses threads or a port.
pub(super) fn run(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    Runtime::new()?.block_on(evaluate(args, out))
}

async fn evaluate(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    let config = args
        .config
        .as_deref()
        .map(|path| Config::load(path, None, false))
        .transpose()
        .map_err(io::Error::other)?;
    let evaluation = Evaluation::open(settings(args, config.as_ref())?)?;
    if let Some(reading) = args.pool.reading() {
        evaluation.report_pool(&reading, out)?;
        return Ok(Status::Done);
    }
    if args.estimate {
        evaluation.estimate(out)?;
        return Ok(Status::Done);
    }
    let endpoint = Endpoint::start(args, config)?;
    let (stopped, is_graded) = if let Some(plan) = args.pool.plan() {
        (evaluation.fill_pool(&plan, &endpoint, out).await?, true)
    } else {
        let outcome = evaluation.run(&endpoint, out).await?;
        (outcome.stopped, outcome.is_graded)
    };
    endpoint.stop().await;
    Ok(match stopped {
        Stopped::Interrupted => Status::Interrupted,
        Stopped::Done if !is_graded => Status::Failed,
        Stopped::Failing(_) | Stopped::Busy(_) => Status::Failed,
        Stopped::Budget | Stopped::Done => Status::Done,
    })
}

fn settings(args: &EvalArgs, config: Option<&Config>) -> io::Result<Settings> {
    let (models, entrants) = entrants::of(&args.models, &args.entrants, config);
    Ok(Settings {
        dataset: args.dataset.clone(),
        format: args.format,
        grader: args.grader,
        max_questions: args.max_questions,
        models,
        entrants,
        judge_model: args.judge_model.clone(),
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        seed: args.seed,
        repeats: args.repeats,
        concurrency: NonZeroU16::new(args.concurrency).unwrap_or(NonZeroU16::MIN),
        budget: Budget {
            tokens: args.max_total_tokens,
            cost: args.max_cost,
        },
        prices: prices(args.prices.as_deref(), config)?,
        baseline_samples: args.baseline_samples,
        endpoint: EndpointFacts {
            base_url: config.is_none().then(|| args.base_url.clone()),
            config: config.map(facts),
            direct: args.direct,
            timeout_seconds: args.timeout,
        },
        out: args.out.clone(),
    })
}

/// What a configuration makes of a model: where it is, with which parameters.
fn facts(config: &Config) -> Value {
    let upstreams = config
        .upstreams
        .iter()
        .map(|upstream| json!({"name": upstream.name, "base_url": upstream.base_url.to_string()}));
    let models = config.models.iter().map(|model| {
        json!({"name": model.name, "model": model.model, "approach": model.approach.to_string()})
    });
    json!({"upstreams": upstreams.collect::<Value>(), "models": models.collect::<Value>(),
        "params": config.params})
}

/// The prices of the file at `path`, or else those of `config`.
fn prices(path: Option<&Path>, config: Option<&Config>) -> io::Result<Prices> {
    let table = match (path, config) {
        (Some(path), _) => price_file(path)?,
        (None, Some(config)) => config.prices.clone(),
        (None, None) => Vec::new(),
    };
    let price = |price: Price| hone_eval::Price {
        model: price.model,
        input: price.input,
        cached: price.cached,
        output: price.output,
    };
    Ok(Prices::new(
        table.into_iter().map(price).collect(),
        glob::matches,
    ))
}

/// Reads a price table: the `[[price]]` of a configuration, without the rest of it.
///
/// # Errors
///
/// When it cannot be read, or is none.
fn price_file(path: &Path) -> io::Result<Vec<Price>> {
    let named =
        |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    Price::read(&text).map_err(|error| named(&error))
}
