//! What to ask, of whom, how, and what to keep.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use hone_strategies::Params;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::dataset::Format;
use crate::grade::Kind;
use crate::prices::{Budget, Prices};

/// What to ask, of whom, how, and what to keep.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file of questions.
    pub dataset: PathBuf,
    /// What it is written in; nothing means what it looks like.
    pub format: Option<Format>,
    /// How answers are compared where a question does not say so itself; nothing means as the form
    /// of the expected answer suggests.
    pub grader: Option<Kind>,
    /// Only so many questions, the first of the dataset.
    pub max_questions: Option<NonZeroU32>,
    /// The models to ask.
    pub models: Vec<String>,
    /// The approaches; the plain model is compared with them whether it is named or not.
    pub entrants: Vec<Entrant>,
    /// Who judges what only a judge can grade; nothing means the model that was asked.
    pub judge_model: Option<String>,
    /// `max_tokens` of each request.
    pub max_tokens: Option<NonZeroU32>,
    /// `temperature` of each request.
    pub temperature: Option<f64>,
    /// Where the requests' seeds come from.
    pub seed: u32,
    /// How often each question is asked.
    pub repeats: NonZeroU32,
    /// Questions under way at once.
    pub concurrency: NonZeroU16,
    /// When to ask no more.
    pub budget: Budget,
    /// What tokens cost.
    pub prices: Prices,
    /// Most plain samples of a question that the baseline votes over; 0 leaves the baseline out.
    pub baseline_samples: u32,
    /// The endpoint, as far as answers depend on it.
    pub endpoint: EndpointFacts,
    /// The directory of the journal and the reports.
    pub out: PathBuf,
}

impl Default for Settings {
    /// One question at a time to nobody: `dataset` and `models` must be set.
    fn default() -> Self {
        Self {
            dataset: PathBuf::new(),
            format: None,
            grader: None,
            max_questions: None,
            models: Vec::new(),
            entrants: Vec::new(),
            judge_model: None,
            max_tokens: None,
            temperature: None,
            seed: 1,
            repeats: NonZeroU32::MIN,
            concurrency: NonZeroU16::MIN,
            budget: Budget::default(),
            prices: Prices::default(),
            baseline_samples: 16,
            endpoint: EndpointFacts::default(),
            out: PathBuf::from("eval"),
        }
    }
}

/// An approach with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    /// As it was written: its name in journal and reports.
    pub title: String,
    /// The expression, sent as `optillm_approach`.
    pub approach: String,
    /// Its parameters, sent as members of the request.
    pub params: Params,
    /// Set for a virtual model, which has its approach and parameters already: neither is sent.
    pub alias: Option<Alias>,
}

/// A virtual model: a name under which an endpoint runs an approach on another model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name that is asked for.
    pub name: String,
    /// The model that it runs on, with which it is compared.
    pub target: String,
}

impl Entrant {
    /// The plain model.
    pub fn plain() -> Self {
        Self {
            title: "none".to_owned(),
            approach: "none".to_owned(),
            params: Params::new(),
            alias: None,
        }
    }

    /// The models that its parameters name beside the one that is asked.
    pub(crate) fn panel(&self) -> impl Iterator<Item = &str> {
        let lists = self
            .params
            .iter()
            .filter(|(name, _)| name.ends_with("_models"));
        lists
            .filter_map(|(_, value)| value.as_array())
            .flatten()
            .filter_map(Value::as_str)
    }
}

/// The endpoint, as far as answers depend on it: a journal that was kept with another is refused.
#[derive(Debug, Clone, Default)]
pub struct EndpointFacts {
    /// Its URL, if it is one endpoint.
    pub base_url: Option<String>,
    /// What a configuration makes of a model, if it is asked through one.
    pub config: Option<Value>,
    /// Whether it runs the approaches itself.
    pub direct: bool,
    /// Seconds that one answer may take. Told in reports only.
    pub timeout_seconds: u32,
}

impl EndpointFacts {
    /// Whether a request that names no approach may get another one than `none`: an endpoint with
    /// settings of its own may have a default.
    pub(crate) const fn may_choose(&self) -> bool {
        self.direct || self.config.is_some()
    }
}

impl Settings {
    /// What is asked of `model`: the plain model first, each approach once, and the virtual models
    /// that run on it.
    pub(crate) fn contestants(&self, model: &str) -> Vec<Entrant> {
        let mut entrants = vec![Entrant::plain()];
        let is_of_model = |entrant: &&Entrant| {
            let alias = entrant.alias.as_ref();
            alias.is_none_or(|alias| alias.target == model)
        };
        for entrant in self.entrants.iter().filter(is_of_model) {
            if !entrants.iter().any(|known| known.title == entrant.title) {
                entrants.push(entrant.clone());
            }
        }
        entrants
    }

    /// The first model that is asked and has no price.
    pub(crate) fn unpriced(&self) -> Option<&str> {
        let asked = self.models.iter().chain(&self.judge_model);
        let panels = self.entrants.iter().flat_map(Entrant::panel);
        self.prices.missing(asked.map(String::as_str).chain(panels))
    }

    /// What answers depend on beside model, approach and question. `dataset` is the file's text.
    pub(crate) fn kept(&self, dataset: &str) -> Value {
        json!({
            "base_url": self.endpoint.base_url,
            "config": self.endpoint.config,
            "dataset": format!("sha256:{}", hex::encode(Sha256::digest(dataset))),
            "direct": self.endpoint.direct,
            "grader": self.grader,
            "judge_model": self.judge_model,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "temperature": self.temperature,
        })
    }

    /// `kept`, with what was asked of whom and at which prices, as reports tell it.
    pub(crate) fn told(&self, kept: Value) -> Value {
        let mut told = kept;
        let titles = self.entrants.iter().map(|entrant| &entrant.title);
        let more = [
            ("dataset_file", json!(self.dataset.display().to_string())),
            ("models", json!(self.models)),
            ("approaches", json!(titles.collect::<Vec<_>>())),
            ("repeats", json!(self.repeats)),
            ("max_questions", json!(self.max_questions)),
            ("timeout_seconds", json!(self.endpoint.timeout_seconds)),
            ("baseline_samples", json!(self.baseline_samples)),
            ("prices", json!(self.prices.as_slice())),
        ];
        if let Some(told) = told.as_object_mut() {
            told.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        told
    }
}
