//! Running a plan.

use futures_util::future::join_all;

use super::Plan;
use crate::chat::{ChatRequest, Choice, Reported, Shown, Usage};
use crate::error::StrategyError;
use crate::run::account::Account;
use crate::run::options::RunOptions;
use crate::run::trace::Trace;
use crate::run::{Answer, Run};

/// What a run made.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answers. A branch that failed is absent; the others keep their numbers, which are those
    /// of the events.
    pub choices: Vec<Choice>,
    /// All calls together, discarded candidates and judges included.
    pub usage: Usage,
    /// What the providers of all answered calls said beside that, such as costs, added up.
    pub reported: Reported,
    /// What the calls used that made the choices, without what it took to get there: what an
    /// agent's context grows by.
    pub final_usage: Usage,
    /// Calls made, retries included.
    pub calls: u32,
    /// Why the answer is less than what was asked for: `deadline`, `budget`, `limit`, `tools` and
    /// so on. Empty if it is not.
    pub degraded: Vec<String>,
    /// What happened.
    pub trace: Trace,
}

/// Runs `plan` on `request`, `n` pipelines side by side.
///
/// Branch b of pipeline i makes the choice number i × width + b.
///
/// # Errors
///
/// [`StrategyError::NoSolver`] before anything is asked. If no choice has an answer: the error of
/// the first. If a streamed answer broke off after a part of it was told: that.
///
/// # Cancel safety
///
/// Dropping the future drops every call under way.
pub async fn execute(
    plan: &Plan,
    request: ChatRequest,
    options: RunOptions,
) -> Result<Outcome, StrategyError> {
    execute_on(plan, request, options, Account::default()).await
}

/// Like [`execute`], with an account that tells what was spent also if there is no answer, or the
/// future is dropped.
pub async fn execute_on(
    plan: &Plan,
    request: ChatRequest,
    options: RunOptions,
    account: Account,
) -> Result<Outcome, StrategyError> {
    if plan.needs_solver() && options.solver.is_none() {
        return Err(StrategyError::NoSolver);
    }
    let mut request = request;
    let pipelines = request.n();
    for name in plan.param_names() {
        request.remove(name);
    }
    request.remove("n");
    if let Some(memory) = options.model.memory() {
        request = request.counted_in(memory);
    }
    let run = Run::new(options, plan.manner, (Shown::of(&request), account));
    let width = plan.node.width();
    let results = if pipelines == 1 {
        plan.node.last(&run, request, 0).await
    } else {
        let last = |pipeline| plan.node.last(&run, request.clone(), pipeline * width);
        let runs = join_all((0..pipelines).map(last)).await;
        runs.into_iter().flatten().collect()
    };
    outcome(&run, results)
}

fn outcome(
    run: &Run,
    results: Vec<(u32, Result<Answer, StrategyError>)>,
) -> Result<Outcome, StrategyError> {
    let mut choices = Vec::new();
    let mut final_usage = Usage::default();
    let mut first_error = None;
    for (index, result) in results {
        match result {
            Ok(answer) => {
                final_usage.add(&answer.usage.unwrap_or_default());
                choices.push(Choice {
                    index,
                    ..answer.choice
                });
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                run.degrade("failed_choices");
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if choices.is_empty() => return Err(error),
        _ => choices.sort_by_key(|choice| choice.index),
    }
    let (calls, log) = run.close();
    Ok(Outcome {
        choices,
        usage: log.usage,
        reported: log.reported,
        final_usage,
        calls,
        degraded: log.degraded,
        trace: log.trace,
    })
}
