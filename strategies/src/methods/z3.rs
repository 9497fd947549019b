//! `z3`: the model states the problem, a constraint solver solves it, the model answers with the
//! result.
//!
//! Papers: Ye et al., *SatLM: Satisfiability-Aided Language Models Using Declarative Prompting*
//! (2023, arXiv 2305.09656); Pan et al., *Logic-LM* (2023, arXiv 2305.12295), for repairs from the
//! solver's own messages.
//!
//! 1. At the same time: a direct answer (`z3_speculate`), and a formulation in SMT-LIB 2 or the
//!    word that a solver does not apply.
//! 2. The script is parsed, checked against a list of commands and solved within `z3_timeout`
//!    seconds. What is unreadable, undecided, or unsat where a solution is presupposed goes back
//!    with the solver's message, up to `z3_max_attempts` times; every repair is solved.
//! 3. `z3_samples` formulations run side by side; the result that most give counts.
//! 4. One call answers with the script and the result before it. A direct answer still under way is
//!    cancelled.
//!
//! Departures: OptiLLM has the model write Python and executes it; here nothing that a model writes
//! is ever executed, the solver is a process of its own that reads a checked script, and its
//! verdict is read from its output and not searched for the word "Error". Where a solver does not
//! apply, the direct answer is the answer; so it is, degraded (`solver`), where no formulation
//! worked, and where the last call fails. Without a solver to run this cannot be planned.
//!
//! Calls 3 (2 where a solver does not apply), depth 2 (1), each repair 1 and 1 more. The last call
//! streams, a direct answer is replayed.

mod formulation;

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;

use self::formulation::Formulation;
use crate::chat::{ChatRequest, Choice, Message, view};
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::record;
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidates, Run, SolveError, SubCall};
use crate::solver::smt::Script;
use crate::solver::{Finding, Objection, Satisfiability, SolverError};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("z3/role.txt");
const WANTED: &str = include_str!("z3/wanted.txt");
const REPAIR: &str = include_str!("z3/repair.txt");
const ANSWER: &str = include_str!("z3/answer.txt");

/// Most bytes of what the solver printed that a call is shown.
const SHOWN: usize = 4096;

const TIMEOUT: ParamSpec = ParamSpec {
    name: "z3_timeout",
    kind: ParamKind::Integer {
        default: 30,
        min: 1,
        max: 120,
    },
    help: "seconds for the solver on one script",
};
const MAX_ATTEMPTS: ParamSpec = ParamSpec {
    name: "z3_max_attempts",
    kind: ParamKind::Integer {
        default: 3,
        min: 0,
        max: 8,
    },
    help: "repairs of a script that gave no result",
};
const SAMPLES: ParamSpec = ParamSpec {
    name: "z3_samples",
    kind: ParamKind::Integer {
        default: 1,
        min: 1,
        max: 16,
    },
    help: "formulations side by side; the result that most give counts",
};
const SPECULATE: ParamSpec = ParamSpec {
    name: "z3_speculate",
    kind: ParamKind::Boolean { default: true },
    help: "begin a direct answer beside the formulation, in case no solver is needed",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "z3",
    name: "solver in the loop",
    summary: "the model states the problem in SMT-LIB, the z3 solver solves it, the model answers \
        with the result",
    paper: "SatLM, arXiv 2305.09656; Logic-LM, arXiv 2305.12295",
    params: &[&[TIMEOUT, MAX_ATTEMPTS, SAMPLES, SPECULATE]],
    cost: "2 + z3_samples calls, depth 2 (z3_speculate off: 1 call less); each of up to \
        z3_max_attempts repairs 1 call and 1 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Z3::new(params)?)),
};

struct Z3 {
    timeout: Duration,
    repairs: u32,
    samples: u32,
    speculates: bool,
}

/// A problem with its solution.
struct Solved {
    script: Script,
    finding: Finding,
}

/// What came of one formulation.
enum Attempt {
    Solved(Solved),
    /// What to tell its author, with the script as far as there was one.
    Refused(Option<Script>, Objection),
}

impl Attempt {
    /// A formulation that never became a script.
    fn refused(objection: impl Into<String>) -> Self {
        Self::Refused(None, Objection(objection.into()))
    }

    /// What the solver printed about `script`, held against what its author expected. Where nothing
    /// is presupposed, either result is a solution.
    fn judged(script: Script, output: &str, expected: Option<Satisfiability>) -> Self {
        let finding = match Finding::read(output) {
            Ok(finding) => finding,
            Err(objection) => return Self::Refused(Some(script), objection),
        };
        if expected.is_none_or(|expected| expected == finding.verdict) {
            return Self::Solved(Solved { script, finding });
        }
        let found = match finding.verdict {
            Satisfiability::Sat => "sat",
            Satisfiability::Unsat => "unsat",
        };
        let printed = shown(&finding.text);
        let objection = format!("{printed}\n{found} was not the expected result.");
        Self::Refused(Some(script), Objection(objection))
    }
}

/// Why there is no solution.
enum Unsolved {
    /// Every formulation was refused by the solver.
    Attempts,
    /// The call for a formulation failed.
    Failed(StrategyError),
    /// There is nothing for a solver to do.
    Inapplicable,
    /// The solver could not be run.
    Solver(SolverError),
}

/// What became of the direct answer.
type Direct = Result<Candidates, StrategyError>;

impl Z3 {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            timeout: Duration::from_secs(TIMEOUT.integer(params)?.into()),
            repairs: MAX_ATTEMPTS.integer(params)?,
            samples: SAMPLES.integer(params)?,
            speculates: SPECULATE.boolean(params)?,
        })
    }

    /// The solution that most formulations lead to; of equals the first.
    async fn solve(&self, run: &Run, case: &Case<'_>) -> Result<Solved, Unsolved> {
        let mut solved: Vec<Solved> = Vec::new();
        let mut unsolved = Unsolved::Attempts;
        for result in
            join_all((0..self.samples).map(|sample| self.formulate(run, case, sample))).await
        {
            match result {
                Ok(solution) => solved.push(solution),
                Err(error) => unsolved = error,
            }
        }
        run.note("solved_formulations", solved.len());
        let same = |a: &Solved, b: &Solved| {
            a.finding.verdict == b.finding.verdict && a.finding.values == b.finding.values
        };
        let votes = |solution: &Solved| solved.iter().filter(|other| same(solution, other)).count();
        let most = solved.iter().map(votes).max().unwrap_or_default();
        let winner = solved.iter().position(|solution| votes(solution) == most);
        winner.map(|at| solved.swap_remove(at)).ok_or(unsolved)
    }

    /// One formulation, repaired until the solver can use it.
    async fn formulate(&self, run: &Run, case: &Case<'_>, sample: u32) -> Result<Solved, Unsolved> {
        let temperature = if self.samples == 1 { 0.1 } else { 1.0 };
        let first = case
            .call(Purpose::Plan, ROLE, &[], WANTED)
            .set("temperature", temperature);
        let mut call = first.clone();
        for attempt in 0..=self.repairs {
            let index = sample * (self.repairs + 1) + attempt;
            let reply = match run
                .complete_one(call.numbered(run.seed_offset(index)), index)
                .await
            {
                Ok(reply) => reply,
                Err(error) if attempt == 0 => return Err(Unsolved::Failed(error)),
                Err(error) => {
                    run.degrade(error.reason());
                    return Err(Unsolved::Attempts);
                }
            };
            match self.attempt(run, &reply).await? {
                Attempt::Solved(solution) => return Ok(solution),
                Attempt::Refused(script, objection) => {
                    call = repair(&first, case, &reply, script.as_ref(), &objection);
                }
            }
        }
        Err(Unsolved::Attempts)
    }

    /// Reads one reply and has the solver try it.
    async fn attempt(&self, run: &Run, reply: &Choice) -> Result<Attempt, Unsolved> {
        if reply.is_truncated() {
            return Ok(Attempt::refused(
                "The reply was cut off before its end. Be brief.",
            ));
        }
        let (script, expected) = match Formulation::read(&reasoning::strip(&reply.message.text())) {
            Formulation::Inapplicable => return Err(Unsolved::Inapplicable),
            Formulation::Missing => {
                return Ok(Attempt::refused(
                    "There is no block that begins with ```smt2.",
                ));
            }
            Formulation::Script { script, expected } => (script, expected),
        };
        let script = match Script::parse(&script) {
            Ok(script) => script,
            Err(error) => return Ok(Attempt::refused(error.to_string())),
        };
        let output = match run.solve(&script, self.timeout).await {
            Ok(output) => output,
            Err(SolveError::Run(error)) => return Err(Unsolved::Failed(error)),
            Err(SolveError::Solver(error @ SolverError::Unavailable { .. })) => {
                return Err(Unsolved::Solver(error));
            }
            Err(SolveError::Solver(error)) => {
                return Ok(Attempt::Refused(Some(script), Objection(error.to_string())));
            }
        };
        Ok(Attempt::judged(script, &output, expected))
    }

    /// The solution, and the direct answer as far as it was wanted and has come. Where there is no
    /// solution it is waited for; where there is one, an answer still under way is cancelled.
    async fn race(
        &self,
        run: &Run,
        case: &Case<'_>,
        request: &ChatRequest,
    ) -> (Result<Solved, Unsolved>, Option<Direct>) {
        let call = SubCall::answer(request, Purpose::Candidate);
        let mut direct = pin!(run.sample(&call, 1, None));
        let mut solving = pin!(self.solve(run, case));
        let mut answered = None;
        let solved = loop {
            tokio::select! {
                // In this order the direct answer has its call even if the budget has only one.
                biased;
                answer = &mut direct, if self.speculates
                    && answered.is_none() => answered = Some(answer),
                solved = &mut solving => break solved,
            }
        };
        if self.speculates && solved.is_err() && answered.is_none() {
            answered = Some(direct.await);
        }
        (solved, answered)
    }

    /// Says why there is no solution.
    fn settle(run: &Run, unsolved: &Unsolved) {
        match unsolved {
            Unsolved::Attempts => run.degrade("solver"),
            Unsolved::Failed(error) => run.degrade(error.reason()),
            Unsolved::Inapplicable => run.note("solver", "does not apply"),
            Unsolved::Solver(error) => {
                tracing::warn!(%error, "solver");
                run.degrade("solver");
            }
        }
    }
}

/// The formulation's own conversation, continued with what is wrong.
fn repair(
    first: &SubCall,
    case: &Case<'_>,
    reply: &Choice,
    script: Option<&Script>,
    objection: &Objection,
) -> SubCall {
    let text = reply.message.text();
    let said = reasoning::strip(&text);
    if said.trim().is_empty() || reply.is_truncated() {
        return first.clone();
    }
    let mut sections = vec![
        REPAIR.trim().to_owned(),
        case.fence("solver", shown(&objection.0)),
    ];
    sections.extend(script.map(|script| case.fence("script", &script.to_string())));
    let mut messages = first.request.messages().to_vec();
    messages.push(Message::assistant(said.trim()));
    messages.push(Message::user(sections.join("\n\n")));
    first.with_messages(messages)
}

/// The conversation with problem and solution in its instructions.
fn informed(case: &Case<'_>, request: &ChatRequest, solved: &Solved) -> ChatRequest {
    let script = case.fence("script", solved.script.to_string().trim());
    let sections = [
        ANSWER.trim().to_owned(),
        case.rule(),
        script,
        case.fence("solver", shown(&solved.finding.text)),
    ];
    request.with_messages(view::with_instructions(
        request.messages(),
        &sections.join("\n\n"),
    ))
}

fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SHOWN))
        .unwrap_or_default()
}

/// Hands over the direct answer.
async fn hand_over(run: &Run, direct: Candidates) -> Result<Output, StrategyError> {
    let candidate = direct.first();
    run.record([record(candidate, None, None, Some(candidate))]);
    Ok(run.elect(candidate).await?.into())
}

impl Strategy for Z3 {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let formulations = Demand::step(self.samples, Tokens::of_reading(request, 0));
        let first = if self.speculates {
            Demand::answer(request).beside(formulations)
        } else {
            formulations
        };
        let repairs = self.samples.saturating_mul(self.repairs);
        let whole = first.then(Demand::answer(request));
        Demand {
            max_calls: whole.max_calls.saturating_add(repairs),
            ..whole
        }
    }

    fn needs_solver(&self) -> bool {
        true
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let case = Case::new(run, request);
        let (solved, direct) = self.race(run, &case, request).await;
        let (solved, direct) = match (solved, direct) {
            (Ok(solved), direct) => (solved, direct.and_then(Result::ok)),
            (Err(unsolved), Some(direct)) => {
                let direct = direct?;
                Self::settle(run, &unsolved);
                return hand_over(run, direct).await;
            }
            (Err(Unsolved::Failed(error)), None) => return Err(error),
            (Err(unsolved), None) => {
                Self::settle(run, &unsolved);
                return Ok(run
                    .respond(SubCall::answer(request, Purpose::Final))
                    .await?
                    .into());
            }
        };
        let answer = run
            .respond(SubCall::answer(
                &informed(&case, request, &solved),
                Purpose::Final,
            ))
            .await;
        match (answer, direct) {
            (Ok(answer), _) => Ok(answer.into()),
            (Err(error), Some(direct)) if !error.is_final() => {
                run.degrade("solver");
                run.degrade(error.reason());
                hand_over(run, direct).await
            }
            (Err(error), _) => Err(error),
        }
    }
}
