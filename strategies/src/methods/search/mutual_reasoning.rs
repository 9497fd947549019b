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
//! Measured on a simulated model (docs/approaches.md) a plain vote that costs as much is as good or
//! better wherever a vote helps at all, since a search costs as much as some seventy samples.

mod leaf;
mod tree;

use futures_util::future::join_all;

use self::leaf::{Leaf, best_rated, elect};
use self::tree::{AT_ONCE, Action, Next, ROOT, Tree};
use crate::answer::Question;
use crate::chat::{ChatRequest, view};
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::rating::rate;
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Ballot, Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("mutual_reasoning/role.txt");
const ONE_STEP: &str = include_str!("mutual_reasoning/one_step.txt");
const SUBQUESTION: &str = include_str!("mutual_reasoning/subquestion.txt");
const RECONSIDER: &str = include_str!("mutual_reasoning/reconsider.txt");
const REPHRASE: &str = include_str!("mutual_reasoning/rephrase.txt");
const FINISH: &str = include_str!("mutual_reasoning/finish.txt");
const COMPLETE: &str = include_str!("mutual_reasoning/complete.txt");

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
        the best confirmed answer wins; in simulation a vote that costs as much is better",
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

/// A search under way.
struct Search<'a> {
    run: &'a Run,
    request: &'a ChatRequest,
    question: Question,
    case: Case<'a>,
    votes: u32,
    discriminator: Option<&'a str>,
    tree: Tree,
    leaves: Vec<(usize, Leaf)>,
    last_error: Option<StrategyError>,
}

/// What a call made of a node.
enum Made {
    Solutions(Candidates),
    Step(String),
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

impl Search<'_> {
    /// `size` rollouts side by side.
    async fn wave(&mut self, size: u32) {
        let mut rollouts = vec![ROOT; size as usize];
        while !rollouts.is_empty() {
            let next: Vec<Next> = rollouts.drain(..).map(|at| self.tree.next(at)).collect();
            for known in next.iter().filter_map(|next| {
                if let Next::Known(id) = next {
                    Some(*id)
                } else {
                    None
                }
            }) {
                let reward = self
                    .leaves
                    .iter()
                    .find(|(id, _)| *id == known)
                    .map_or(0.0, |(_, leaf)| leaf.reward);
                self.tree.reward(known, reward);
            }
            let this = &*self;
            let new = next.iter().filter_map(|next| {
                if let Next::Make(id, action) = next {
                    Some((*id, *action))
                } else {
                    None
                }
            });
            let made =
                join_all(new.map(|(id, action)| async move { (id, this.make(id, action).await) }))
                    .await;
            for (id, made) in made {
                rollouts.extend(self.place(id, made));
            }
        }
    }

    async fn make(&self, id: usize, action: Action) -> Result<Made, StrategyError> {
        let wanted = match action {
            Action::Finish => return self.finish(id).await,
            Action::OneStep => ONE_STEP,
            Action::Subquestion => SUBQUESTION,
            Action::Reconsider => RECONSIDER,
            Action::Rephrase => REPHRASE,
        };
        let steps = self.tree.steps(id);
        let so_far = if steps.is_empty() {
            "Nothing was done so far.".to_owned()
        } else {
            self.case.fence("steps so far", &steps.join("\n\n"))
        };
        let call = self
            .case
            .call(
                Purpose::Plan,
                ROLE,
                &[],
                &format!("{so_far}\n\n{}", wanted.trim()),
            )
            .diverse(0.8);
        let index = u32::try_from(id).unwrap_or(u32::MAX);
        let step = self
            .run
            .complete_one(call.numbered(i64::from(index)), index)
            .await?;
        let text = step.message.text();
        let text = reasoning::strip(&text).trim().to_owned();
        Ok(Made::Step(if step.is_truncated() {
            String::new()
        } else {
            text
        }))
    }

    /// Whole solutions from the steps above `id`; from the bare request if there are none.
    async fn finish(&self, id: usize) -> Result<Made, StrategyError> {
        let mut call = SubCall::answer(self.request, Purpose::Candidate).diverse(0.8);
        let steps = self.tree.steps(id);
        if !steps.is_empty() {
            let beginning = self.case.fence("beginning", &steps.join("\n\n"));
            let text = format!("{}\n\n{}\n\n{beginning}", FINISH.trim(), self.case.rule());
            call = call.with_messages(view::with_instructions(self.request.messages(), &text));
        }
        Ok(Made::Solutions(
            self.run.sample(&call, self.votes, None).await?,
        ))
    }

    /// Puts what was made into the tree. The rollout goes on from what is returned.
    fn place(&mut self, id: usize, made: Result<Made, StrategyError>) -> Option<usize> {
        match made {
            Ok(Made::Step(text)) if !text.is_empty() => {
                self.tree.open(id, text);
                return Some(id);
            }
            Ok(Made::Step(_)) => self.tree.give_up(id),
            Ok(Made::Solutions(solutions)) => {
                let steps = self.tree.steps(id).into_iter().map(str::to_owned).collect();
                let leaf = Leaf::new(steps, &solutions, &self.question);
                self.tree.reward(id, leaf.reward);
                self.leaves.push((id, leaf));
            }
            Err(error) => {
                self.run.degrade(error.reason());
                self.tree.give_up(id);
                self.last_error = Some(error);
            }
        }
        None
    }

    /// Has every solution confirmed, or rated where answers cannot be compared.
    async fn confirm(&mut self) {
        let this = &*self;
        let approvals = (0_u32..)
            .zip(&self.leaves)
            .map(|(index, (_, leaf))| async move {
                if this.question.is_closed() {
                    this.second_reader(leaf, index).await
                } else {
                    this.rating(leaf, index).await
                }
            });
        let approvals = join_all(approvals).await;
        for ((_, leaf), approval) in self.leaves.iter_mut().zip(approvals) {
            leaf.approval = approval;
        }
    }

    async fn second_reader(&self, leaf: &Leaf, index: u32) -> Option<f64> {
        let beginning = leaf.beginning(&mut self.run.rng(&format!("cut {index}")));
        let text = format!(
            "{}\n\n{}\n\n{}",
            COMPLETE.trim(),
            self.case.rule(),
            self.case.fence("first part", &beginning)
        );
        let messages = view::with_instructions(self.request.messages(), &text);
        let call = SubCall::answer(self.request, Purpose::Judge)
            .with_messages(messages)
            .diverse(0.8);
        let call = match self.discriminator {
            Some(model) => call.asking(model),
            None => call,
        };
        let read = self
            .run
            .candidate(&call, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        Some(if read.is_sound() && leaf.agrees(&read, &self.question) {
            1.0
        } else {
            0.0
        })
    }

    async fn rating(&self, leaf: &Leaf, index: u32) -> Option<f64> {
        let score = rate(self.run, &self.case, &leaf.solution.shown(), index).await;
        if score.is_none() {
            self.run.degrade("judge");
        }
        score.map(|score| score / 10.0)
    }

    /// Whether `outstanding` further rollouts are not worth making. Each one's answer is a vote.
    fn is_settled(&self, outstanding: u32) -> bool {
        if outstanding == 0 || !self.question.is_closed() {
            return false;
        }
        let mut poll = Poll::new(self.question.clone());
        for (index, (_, leaf)) in (0..).zip(&self.leaves) {
            poll.add(&Candidate {
                index,
                ..leaf.solution.clone()
            });
        }
        self.run.stopping().ends(&poll, outstanding as usize, true)
    }

    fn is_unanimous(&self) -> bool {
        let Some(((_, first), others)) = self.leaves.split_first() else {
            return true;
        };
        others
            .iter()
            .all(|(_, leaf)| first.agrees(&leaf.solution, &self.question))
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
