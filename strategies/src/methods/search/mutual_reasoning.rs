//! `rstar`: a tree search over steps of reasoning, whose solutions a second reader has to confirm.
//!
//! Paper: Qi et al., *Mutual Reasoning Makes Smaller LLMs Stronger Problem-Solvers* (2024, arXiv
//! 2408.06195).
//!
//! 1. `rstar_num_rollouts` times: go down the tree by upper confidence bound (`rstar_c`) to an
//!    action not yet tried (one step, a smaller question with its answer, that question once more,
//!    the task in other words, all that is left), and go on until a whole solution exists, at most
//!    `rstar_max_depth` actions deep. Each call sees all steps before it.
//! 2. A solution is made `rstar_votes` times at once; the share that give its most frequent answer
//!    is its reward.
//! 3. A second reader gets the question and the first 20 to 50 % of a solution and finishes it; a
//!    solution counts if both come to the same answer.
//! 4. Among those that count (all, if none does) the answer with the greatest sum of rewards times
//!    its frequency wins. The solution that gives it is returned as it was written.
//!
//! Where the question does not tell what its answer looks like, answers cannot be compared: then a
//! judge rates the solutions instead of step 3.
//!
//! Rollouts run five at a time, side by side; what they learn guides the next five. A step not yet
//! known counts as a visit without value. Where answers can be compared, each rollout's answer is a
//! vote: no further five begin once those to come are not worth waiting for (`stop_confidence`,
//! `stop_window`). The votes within a rollout are always all heard, because their share is its
//! reward.
//!
//! Departures: the paper expands all actions at once and has more rollouts; its second reader is
//! another model, here the request's own unless `rstar_discriminator_model` names one. A rollout
//! whose step fails ends there. At the end of the budget or at the deadline the solutions so far
//! decide; a solution is made of the bare request first, so that there is one early. Solutions that
//! were not confirmed for lack of a second reader do not count if others were.
//!
//! Calls for r ≤ 5 rollouts of depth d > 1: 1 + (r − 1)·d, and r second readers unless all
//! solutions agree (more where the upstream ignores `n`); depth d + 1, d more per further five
//! rollouts. The winner is replayed as a stream.
//!
//! Measured on a simulated model (docs/approaches.md) a plain vote of equal cost is as good or
//! better wherever a vote helps at all, since a search costs as much as some seventy samples.

mod leaf;
mod search;
mod tree;

use self::leaf::{best_rated, elect};
use self::search::Search;
use self::tree::{AT_ONCE, Tree};
use crate::chat::ChatRequest;
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::{self};
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::Run;
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const MAX_DEPTH: ParamSpec = ParamSpec {
    name: "rstar_max_depth",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 8,
    },
    help: "most actions of a rollout",
};
const NUM_ROLLOUTS: ParamSpec = ParamSpec {
    name: "rstar_num_rollouts",
    kind: ParamKind::Integer {
        default: 5,
        min: 1,
        max: 32,
    },
    help: "rollouts, five at a time",
};
const EXPLORATION: ParamSpec = ParamSpec {
    name: "rstar_c",
    kind: ParamKind::Number {
        default: 1.4,
        min: 0.0,
        max: 10.0,
    },
    help: "weight of what was visited little, from the second five rollouts on",
};
const VOTES: ParamSpec = ParamSpec {
    name: "rstar_votes",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 32,
    },
    help: "solutions made at the end of a rollout, of which the most frequent answer counts",
};

const DISCRIMINATOR_MODEL: ParamSpec = ParamSpec {
    name: "rstar_discriminator_model",
    kind: ParamKind::Models { most: 1 },
    help: "the second reader; without it the request's model",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "rstar",
    name: "mutual reasoning",
    summary: "a tree search over steps of reasoning; a second reader confirms the solutions, and \
        the best confirmed answer wins; a vote of equal cost did better in simulation",
    paper: "Mutual Reasoning Makes Smaller LLMs Stronger Problem-Solvers, arXiv 2408.06195",
    params: &[&[
        MAX_DEPTH,
        NUM_ROLLOUTS,
        EXPLORATION,
        VOTES,
        DISCRIMINATOR_MODEL,
    ]],
    cost: "up to 1 + (rstar_num_rollouts − 1) × rstar_max_depth + rstar_num_rollouts calls, depth \
        rstar_max_depth + 1; rstar_max_depth more depth \
           per further five rollouts",
    makes: Makes::Answer,
    tools: Support::Loses,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(MutualReasoning::new(params)?)),
};

struct MutualReasoning {
    max_depth: u32,
    rollouts: u32,
    exploration: f64,
    votes: u32,
    /// One name or none.
    discriminator: Vec<String>,
}

impl MutualReasoning {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            max_depth: MAX_DEPTH.integer(params)?,
            rollouts: NUM_ROLLOUTS.integer(params)?,
            exploration: EXPLORATION.number(params)?,
            votes: VOTES.integer(params)?,
            discriminator: DISCRIMINATOR_MODEL.models(params)?,
        })
    }

    /// How many rollouts run side by side, five by five. Where rollouts are one action deep there
    /// is only one to make.
    fn waves(&self) -> impl Iterator<Item = u32> {
        let all = if self.max_depth == 1 {
            1
        } else {
            self.rollouts
        };
        (0..all)
            .step_by(AT_ONCE as usize)
            .map(move |begun| AT_ONCE.min(all - begun))
    }
}

impl Strategy for MutualReasoning {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let writing = Demand::candidates(self.votes, request);
        let Tokens { input, .. } = Tokens::of_reading(request, 1);
        let step = |calls| {
            Demand::step(
                calls,
                Tokens {
                    input,
                    output: OUTPUT_ESTIMATE,
                },
            )
        };
        let mut whole = Demand::default();
        for (wave, size) in self.waves().enumerate() {
            // The first rollout of all is a single call.
            let (short, long) = if wave == 0 { (1, size - 1) } else { (0, size) };
            let mut first = if short == 1 {
                writing
            } else {
                Demand::default()
            };
            for depth in 1..=self.max_depth {
                let level = if depth == self.max_depth {
                    writing.times(long)
                } else {
                    step(long)
                };
                whole = whole.then(if depth == 1 {
                    std::mem::take(&mut first).beside(level)
                } else {
                    level
                });
            }
        }
        let leaves: u32 = self.waves().sum();
        let reading = Tokens {
            input,
            ..Tokens::of(request)
        };
        if leaves == 1 {
            whole
        } else {
            whole.then(Demand::verdicts(leaves, reading))
        }
    }

    fn models(&self) -> &[String] {
        &self.discriminator
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let mut search = Search {
            run,
            request,
            question: voting::question(request),
            case: Case::new(run, request),
            votes: self.votes,
            discriminator: self.discriminator.first().map(String::as_str),
            tree: Tree::new(self.exploration, self.max_depth),
            leaves: Vec::new(),
            last_error: None,
        };
        let mut outstanding: u32 = self.waves().sum();
        for size in self.waves() {
            search.wave(size).await;
            outstanding -= size;
            if search.is_settled(outstanding) {
                break;
            }
        }
        if search.leaves.len() > 1 && !search.is_unanimous() {
            search.confirm().await;
        }
        let leaves = search.leaves.into_iter().map(|(_, leaf)| leaf);
        let Some(leaves) = NonEmpty::new(leaves.collect()) else {
            // The first rollout asks for whole solutions: it gives a leaf or an error.
            let nothing = StrategyError::Unreachable("no rollout came to its end");
            return Err(search.last_error.unwrap_or(nothing));
        };
        let winner = if search.question.is_closed() {
            elect(&leaves, &search.question)
        } else {
            best_rated(&leaves)
        };
        run.record((0..).zip(&leaves).map(|(index, leaf)| {
            let chosen = std::ptr::eq(leaf, winner).then_some(&leaf.solution);
            crate::run::trace::CandidateRecord {
                index,
                ..record(&leaf.solution, None, Some(leaf.reward), chosen)
            }
        }));
        Ok(run.elect(&winner.solution).await?.into())
    }
}
