//! From an approach to something that can run.

pub(crate) mod compose;
pub mod execute;
pub mod expr;

use self::compose::{Node, Position, Stage};
use self::expr::Expr;
use crate::catalogue;
use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::SpecError;
use crate::params::Params;
use crate::run::Manner;
use crate::spec::COMMON_PARAMS;
use crate::strategy::Entry;

/// Most that one request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct PlanLimits {
    /// Calls, second attempts at a verdict included.
    pub calls: u32,
    /// `n`.
    pub choices: u32,
    /// Calls at the same time.
    pub parallel: u32,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self {
            calls: 256,
            choices: 16,
            parallel: 64,
        }
    }
}

/// An approach with its parameters, ready to run on any number of requests.
#[derive(Clone)]
pub struct Plan {
    expr: Expr,
    limits: PlanLimits,
    pub(crate) node: Node,
    pub(crate) manner: Manner,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("expr", &self.expr.to_string())
            .finish_non_exhaustive()
    }
}

/// Plans `expr` with `params`. Parameters that no strategy of `expr` declares are ignored.
///
/// # Errors
///
/// An unknown slug, or a parameter of the wrong type or out of range.
pub fn plan(expr: &Expr, params: &Params, limits: &PlanLimits) -> Result<Plan, SpecError> {
    Ok(Plan {
        expr: expr.clone(),
        limits: *limits,
        node: build(expr, params)?,
        manner: Manner::read(params)?,
    })
}

fn build(expr: &Expr, params: &Params) -> Result<Node, SpecError> {
    let all = |parts: &[Expr]| {
        parts
            .iter()
            .map(|part| build(part, params))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match expr {
        Expr::Parallel(parts) => Node::Parallel(all(parts)?),
        Expr::Sequence(parts) => Node::Sequence(all(parts)?),
        Expr::Slug(slug) => {
            let entry = catalogue::entry(slug)
                .ok_or_else(|| SpecError::unknown_slug(slug, catalogue::nearest_slug(slug)))?;
            Node::Stage(Stage {
                entry,
                strategy: (entry.build)(params)?,
            })
        }
    })
}

/// The body fields that the strategies of `expr` declare, and that are removed before a request
/// goes upstream. Unknown slugs declare none.
pub fn param_names(expr: &Expr) -> Vec<&'static str> {
    let declared = expr
        .slugs()
        .into_iter()
        .filter_map(catalogue::entry)
        .flat_map(Entry::params)
        .chain(COMMON_PARAMS);
    let mut names: Vec<_> = declared.map(|param| param.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Plan {
    /// What it needs for `request`, all its choices together.
    pub fn demand(&self, request: &ChatRequest) -> Demand {
        self.node.demand(request, Position::Last).times(request.n())
    }

    /// What it needs for `request`, if that is within the limits it was planned with.
    ///
    /// # Errors
    ///
    /// Too many choices, calls or parallel calls.
    pub fn check(&self, request: &ChatRequest) -> Result<Demand, SpecError> {
        let PlanLimits {
            calls,
            choices,
            parallel,
        } = self.limits;
        if request.n() > choices {
            return Err(SpecError::too_many(
                Some("n"),
                format!(
                    "`n` must be at most {choices} with the approach `{}`.",
                    self.expr
                ),
            ));
        }
        let demand = self.demand(request);
        let too_many = |what: &str, needed: u32, limit: u32| {
            let message = format!(
                "The approach `{}` may need {needed} {what} for this request; at most {limit} are \
                    allowed.",
                self.expr
            );
            Err(SpecError::too_many(None, message))
        };
        if demand.max_calls > calls {
            return too_many("calls", demand.max_calls, calls);
        }
        if demand.parallel > parallel {
            return too_many("parallel calls", demand.parallel, parallel);
        }
        Ok(demand)
    }

    /// Whether it cannot run without a [`crate::Solver`].
    pub fn needs_solver(&self) -> bool {
        self.node.needs_solver()
    }

    /// The body fields that it declares, to be removed before a request goes upstream.
    pub fn param_names(&self) -> Vec<&'static str> {
        param_names(&self.expr)
    }

    /// The models beside the request's own that it may ask, each once, by the names that its
    /// parameters give them.
    ///
    /// A call to one of them has this name as its request's model. The embedding application must
    /// have decided, before the run, what each name means and whether the caller may use it.
    pub fn models(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.node.models(&mut names);
        names
    }

    /// The approach that it runs.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// How many choices it makes for each that the client asks for: one per branch.
    pub fn width(&self) -> u32 {
        self.node.width()
    }
}
