//! What the strategies that look into a model's decoding have in common: asking for what they need,
//! and saying what an upstream lacks.
//!
//! What an upstream can do is learned from its answers and kept by the embedder, per tenant,
//! upstream and model. Without what is needed a strategy is not what was asked for, so the request
//! is refused by name, unless `decoding_fallback` allows the nearest thing.

use crate::chat::{ChatRequest, Delta};
use crate::error::{Missing, StrategyError};
use crate::model::{Fact, ModelError};
use crate::run::Run;
use crate::spec::{ParamKind, ParamSpec};

pub(crate) const FALLBACK: ParamSpec = ParamSpec {
    name: "decoding_fallback",
    kind: ParamKind::Boolean { default: false },
    help: "where the upstream lacks what is needed, do the nearest thing and say so, instead of \
        refusing",
};

/// Whether the upstream is known not to tell alternatives to its tokens.
pub(crate) fn lacks_alternatives(run: &Run, request: &ChatRequest) -> bool {
    [Fact::TellsAlternatives, Fact::Accepts("logprobs")]
        .into_iter()
        .any(|fact| run.knows(request.model(), fact) == Some(false))
}

/// Remembers that the upstream does not tell alternatives, and says so.
pub(crate) fn no_alternatives(run: &Run, request: &ChatRequest) -> StrategyError {
    run.learn(request.model(), Fact::TellsAlternatives, false);
    StrategyError::Unsupported(Missing::Alternatives)
}

/// The error as it concerns the caller: a refusal of what hone added is something that the upstream
/// lacks, not the client's mistake.
pub(crate) fn as_missing(run: &Run, request: &ChatRequest, error: StrategyError) -> StrategyError {
    match &error {
        StrategyError::Model(ModelError::Rejected(rejection))
            if matches!(rejection.status, 400 | 422)
                && request.get("logprobs").is_none()
                && (rejection.blames("logprobs") || rejection.blames("top_logprobs")) =>
        {
            no_alternatives(run, request)
        }
        _ => error,
    }
}

/// Whether a delta adds text that a reader would see.
pub(crate) fn speaks(delta: &Delta) -> bool {
    delta
        .fields
        .get("content")
        .and_then(serde_json::Value::as_str)
        .is_some_and(|text| !text.trim().is_empty())
}
