//! What will be done for a request: relayed or answered by a strategy, on which upstream, under
//! which model name.

use std::sync::Arc;

use hone_dialects::Dialect;
use hone_strategies::{Expr, Params, catalogue};

use crate::upstream::Upstream;

pub mod select;
pub mod tags;

pub use select::{RoutingInput, select};

/// Where a request goes, and under which model name.
#[derive(Debug, Clone)]
pub struct Route {
    /// Who serves it.
    pub(crate) upstream: Arc<Upstream>,
    /// The name that the upstream knows. `None` if the request names no model.
    pub model: Option<String>,
    /// Whether that name differs from the client's.
    pub(crate) renamed: bool,
}

impl Route {
    /// To `upstream`, for what names no model there.
    pub(crate) fn without_model(upstream: &Arc<Upstream>) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            model: None,
            renamed: false,
        }
    }
}

/// Bytes of the longest name of a model that an upstream is asked for. Names stand in logs, in
/// metrics and in what is remembered of models.
pub(crate) const LONGEST_MODEL: usize = 256;

/// What will be done.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Forward the request and hand back the answer.
    Relay(Route),
    /// Run an approach.
    Strategy(StrategyPlan),
}

/// An approach to run.
#[derive(Debug, Clone)]
pub struct StrategyPlan {
    /// Where its calls go.
    pub(crate) route: Route,
    /// What was asked for.
    pub approach: Expr,
    /// The parameters of virtual model, tenant and server, in this order of precedence. The
    /// request's own come before all of them.
    pub(crate) params: Params,
    /// The models that these parameters let the caller ask.
    pub(crate) granted: Granted,
}

impl StrategyPlan {
    /// A run at `route` that changes nothing.
    pub(crate) fn unchanged(route: Route) -> Self {
        Self {
            route,
            approach: Expr::slug("none"),
            params: Params::default(),
            granted: Granted::default(),
        }
    }
}

impl Plan {
    /// Where the request, or its sub-calls, go.
    pub fn route(&self) -> &Route {
        match self {
            Self::Relay(route) | Self::Strategy(StrategyPlan { route, .. }) => route,
        }
    }
}

/// Models that the operator names in the parameters of a virtual model or of a tenant. As with
/// approaches, what the operator chose for a caller is not asked of the caller's own list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Granted(Vec<String>);

impl Granted {
    /// What these parameters name.
    pub(crate) fn by<'a>(params: impl IntoIterator<Item = &'a Params>) -> Self {
        let naming = params
            .into_iter()
            .flat_map(Params::iter)
            .filter(|(name, _)| catalogue::names_models(name));
        let names = naming.flat_map(|(_, value)| catalogue::model_names(value));
        Self(
            names
                .filter_map(|name| name.as_str())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Without what `params` name: what a caller asks for itself is no gift.
    #[must_use]
    pub(crate) fn except(mut self, params: &Params) -> Self {
        let asked = Self::by([params]);
        self.0.retain(|name| !asked.covers(name));
        self
    }

    /// Whether the model is among them.
    pub(crate) fn covers(&self, model: &str) -> bool {
        self.0.iter().any(|name| name == model)
    }
}

/// Why no plan could be made. All of these are the client's to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A prefix where the model already says what runs, or two prefixes in a row.
    #[error("ambiguous approach in model name {model:?}")]
    Ambiguous {
        /// The client's model name.
        model: String,
        /// What to write instead.
        instead: String,
    },
    /// The tenant may not use this approach.
    #[error("approach {approach} is not allowed")]
    ApproachNotAllowed {
        /// What was asked for.
        approach: String,
    },
    /// A strategy is to ask a model whose name carries an approach.
    #[error("{model:?} in a list of models carries an approach")]
    ApproachInList {
        /// The name.
        model: String,
    },
    /// No model is asked for an answer here.
    #[error("approach {approach} where none can answer")]
    ApproachNotSupportedHere {
        /// What was asked for.
        approach: String,
    },
    /// The upstream does not speak the client's dialect, nor is there a translation.
    #[error("upstream {upstream} speaks {}", dialect.name())]
    DialectNotSupported {
        /// The upstream's name.
        upstream: String,
        /// What it speaks.
        dialect: Dialect,
    },
    /// Body fields and header disagree.
    #[error("body and header ask for different approaches")]
    Disagree,
    /// The text is not an expression.
    #[error("not an approach: {reason}")]
    Malformed {
        /// Where it was read.
        place: &'static str,
        /// What the grammar says.
        reason: String,
    },
    /// No model has so long a name.
    #[error("a model's name of {length} bytes")]
    ModelTooLong {
        /// How long it is.
        length: usize,
    },
    /// The tenant may not use this model.
    #[error("model {model:?} is not allowed")]
    ModelNotAllowed {
        /// What was asked for.
        model: String,
    },
    /// No upstream serves this model.
    #[error("model {model:?} is not served")]
    ModelNotFound {
        /// What was asked for.
        model: String,
    },
    /// No upstream is configured, which cannot be. A fault of hone's own.
    #[error("cannot be: no upstream is configured")]
    NoUpstream,
    /// There is no such strategy.
    #[error("unknown approach {slug:?}")]
    UnknownApproach {
        /// The slug.
        slug: String,
        /// One that exists and is spelled alike.
        nearest: Option<String>,
    },
}
