//! `hone eval` on the command line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;
use hone_strategies::{Expr, Params, PlanLimits};

use super::grade::Kind;
use crate::config::AuthSlot;

/// What to ask, whom, how, and what to keep.
#[derive(Debug, Clone, clap::Args)]
pub struct EvalArgs {
    /// Questions: a JSON object a line with `prompt` (and `system`) or `messages`, `answer`, and if
    /// wanted `id`, `grader`
    #[arg(long, value_name = "FILE.jsonl", value_hint = ValueHint::FilePath)]
    pub dataset: PathBuf,
    /// Ask through the upstreams of this configuration, with its fallback keys and its prices,
    /// instead of one endpoint
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["base_url", "direct", "key_env", "auth"], group = "priced")]
    pub config: Option<PathBuf>,
    /// The endpoint: any OpenAI-compatible provider, or a hone
    #[arg(long, value_name = "URL", default_value = "https://api.openai.com/v1")]
    pub base_url: String,
    /// Let the endpoint, which is a hone, run the approaches, instead of running them here
    #[arg(long)]
    pub direct: bool,
    /// The environment variable with the endpoint's key
    #[arg(long, value_name = "VAR", default_value = "OPENAI_API_KEY")]
    pub key_env: String,
    /// Where the endpoint reads its key: bearer, x-api-key, api-key, x-goog-api-key, or none if it
    /// needs none
    #[arg(long, value_name = "SLOT", value_parser = crate::commands::values::auth_slot,
        default_value = "bearer")]
    pub auth: AuthSlot,
    /// The models, separated by commas
    #[arg(
        long = "model",
        value_name = "MODEL",
        required = true,
        value_delimiter = ','
    )]
    pub models: Vec<String>,
    /// An approach with its parameters, as in `bon` or `bon:best_of_n=5`; may be repeated. `none`
    /// is always among them
    #[arg(long = "approach", value_name = "EXPR[:NAME=VALUE,…]", value_parser = entrant)]
    pub entrants: Vec<Entrant>,
    /// How answers are compared with what is expected, unless a question says so itself [default:
    /// as the form of the answer suggests]
    #[arg(long, value_enum)]
    pub grader: Option<Kind>,
    /// The model that judges answers which only a judge can grade [default: the model that is
    /// asked]
    #[arg(long, value_name = "MODEL")]
    pub judge_model: Option<String>,
    /// `max_tokens` of each request
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<NonZeroU32>,
    /// `temperature` of each request
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Where the requests' seeds come from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u32,
    /// How often each question is asked
    #[arg(long, default_value_t = NonZeroU32::MIN, value_name = "N")]
    pub repeats: NonZeroU32,
    /// Only the first questions of the dataset
    #[arg(long, value_name = "N")]
    pub max_questions: Option<NonZeroU32>,
    /// Questions under way at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16)
        .range(1..=256))]
    pub concurrency: u16,
    /// Seconds that one answer may take, an approach's calls together
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub timeout: u32,
    /// Ask no more once so many tokens have been used, earlier runs in the same directory included
    #[arg(long, value_name = "N")]
    pub max_total_tokens: Option<u64>,
    /// Ask no more once so much has been spent, by the price table
    #[arg(long, value_name = "AMOUNT", requires = "priced")]
    pub max_cost: Option<f64>,
    /// Prices: a TOML file of `[[price]]` tables as in a configuration, with `model`, `input` and
    /// `output` per million tokens
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath, group = "priced")]
    pub prices: Option<PathBuf>,
    /// Most plain samples a question for the baseline: self-consistency at equal spend; 0 leaves it
    /// out
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u32)
        .range(0..=64))]
    pub baseline_samples: u32,
    /// Where answers and reports are kept. Run the same command again to go on after an
    /// interruption
    #[arg(long, default_value = "eval", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
}

/// An approach with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    /// As it was written: its name in journal and reports.
    pub title: String,
    /// The expression.
    pub approach: String,
    /// Its parameters.
    pub params: Params,
}

impl Entrant {
    /// The plain model.
    pub fn plain() -> Self {
        Self {
            title: "none".to_owned(),
            approach: "none".to_owned(),
            params: Params::new(),
        }
    }
}

impl EvalArgs {
    /// The approaches, the plain model first.
    pub fn entrants(&self) -> Vec<Entrant> {
        let mut entrants = vec![Entrant::plain()];
        for entrant in &self.entrants {
            if !entrants.iter().any(|known| known.title == entrant.title) {
                entrants.push(entrant.clone());
            }
        }
        entrants
    }

    /// How long one answer may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.max(1).into())
    }
}

/// Reads `EXPR` or `EXPR:NAME=VALUE,…`, and checks what can be checked before anything is asked.
fn entrant(text: &str) -> Result<Entrant, String> {
    let (approach, rest) = text.split_once(':').unwrap_or((text, ""));
    let expr = Expr::parse(approach).map_err(|error| error.to_string())?;
    let pairs = rest
        .split(',')
        .filter(|pair| !pair.is_empty())
        .map(crate::commands::values::param);
    let params: Params = pairs.collect::<Result<_, _>>()?;
    hone_strategies::plan(&expr, &params, &PlanLimits::default()).map_err(|error| error.message)?;
    let known = hone_strategies::param_names(&expr);
    if let Some((name, _)) = params.iter().find(|(name, _)| !known.contains(name)) {
        return Err(format!(
            "`{approach}` has no parameter `{name}`; it has {}",
            known.join(", ")
        ));
    }
    Ok(Entrant {
        title: text.to_owned(),
        approach: expr.to_string(),
        params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approach_is_checked_with_its_parameters() {
        let bon = entrant("bon:best_of_n=5").unwrap();
        assert_eq!(
            (bon.approach.as_str(), bon.params.get("best_of_n")),
            ("bon", Some(&5.into()))
        );
        assert_eq!(entrant("re2&moa").unwrap().title, "re2&moa");
        for wrong in [
            "nonsense",
            "bon:best_of_n=many",
            "bon:k=5",
            "bon:best_of_n",
            "a&&b",
        ] {
            assert!(entrant(wrong).is_err(), "{wrong}");
        }
    }
}
