//! `mcts`: a tree search over answers that are rated, rewritten and rated again.
//!
//! Papers: Zhang et al., *Accessing GPT-4 level Mathematical Olympiad Solutions via Monte Carlo
//! Tree Self-refine* (2024, arXiv 2406.07394); Kocsis and Szepesvári, *Bandit based Monte-Carlo
//! Planning* (2006) for the bound by which a node is chosen.
//!
//! 1. Three answers, each rated from 0 to 10 by itself; those of the same wording count as one.
//! 2. `mcts_simulations` times: go down from the first answers by upper confidence bound, `Q +
//!    mcts_exploration · √(ln N / (1 + n))`, rewrite the answer arrived at (one call that first
//!    lists its faults), rate the rewrite. Q is half an answer's own rating and half the best that
//!    came of it.
//! 3. The best rating in the whole tree wins; of equals the more visited, the shallower, the
//!    earlier answer.
//!
//! Simulations run in `mcts_depth` waves, all of a wave at the same time; one that is under way
//! counts as a visit without value, so that they differ.
//!
//! Departures: OptiLLM plays a dialogue with an invented user and judges that; here the user's
//! request is answered and the answer judged. There is no way back to the dialogue: nobody could
//! ask OptiLLM for anything else, and with up to three simulations its result is its first sample.
//! The paper rates an answer several times; here once, as the judge is asked without temperature.
//! Where the answer must be JSON or tools are on offer, faults cannot be listed in the reply, and a
//! rewrite is asked for without the list.
//!
//! A rewrite that fails, is cut off or lacks the answer's line is left out, and so is what cannot
//! be rated; if no first answer can be rated, the answer that most of them give wins and the run is
//! degraded (`judge`). At the end of the budget or at the deadline the best answer so far is given.
//!
//! Calls 1 + 3 + 2s for s simulations (2 more where the upstream ignores `n`), depth 2 +
//! 2·min(`mcts_depth`, s); with 0 simulations one plain call. The winner is replayed as a stream.

mod revision;
mod tree;

use futures_util::future::join_all;

use self::tree::Tree;
use crate::chat::{ChatRequest, view};
use crate::contract::{REVISION, SYNTHESIS};
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::rating::rate;
use crate::kit::choosing::selection::{distinct, record, worthy};
use crate::kit::choosing::voting::most_agreed;
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const REWRITE: &str = include_str!("monte_carlo_tree_search/rewrite.txt");
const REWRITE_BARE: &str = include_str!("monte_carlo_tree_search/rewrite_bare.txt");

/// Answers that the search begins with.
const FIRSTS: u32 = 3;

const SIMULATIONS: ParamSpec = ParamSpec {
    name: "mcts_simulations",
    kind: ParamKind::Integer {
        default: 2,
        min: 0,
        max: 64,
    },
    help: "rewrites",
};
const EXPLORATION: ParamSpec = ParamSpec {
    name: "mcts_exploration",
    kind: ParamKind::Number {
        default: 0.2,
        min: 0.0,
        max: 10.0,
    },
    help: "weight of what was visited little, against a rating from 0 to 1",
};
const DEPTH: ParamSpec = ParamSpec {
    name: "mcts_depth",
    kind: ParamKind::Integer {
        default: 1,
        min: 1,
        max: 8,
    },
    help: "most rewrites of rewrites, and waves in which simulations run",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "mcts",
    name: "Monte Carlo tree search",
    summary: "answers are rated, the most promising rewritten without their faults and rated \
        again; the best of all is returned",
    paper: "Monte Carlo Tree Self-refine, arXiv 2406.07394",
    params: &[&[SIMULATIONS, EXPLORATION, DEPTH]],
    cost: "4 + 2 × mcts_simulations calls (2 more where n is ignored), depth 2 + 2 × \
        min(mcts_depth, mcts_simulations); 1 call for 0 simulations",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(MonteCarloTreeSearch::new(params)?)),
};

struct MonteCarloTreeSearch {
    simulations: u32,
    exploration: f64,
    depth: u32,
}

impl MonteCarloTreeSearch {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            simulations: SIMULATIONS.integer(params)?,
            exploration: EXPLORATION.number(params)?,
            depth: DEPTH.integer(params)?,
        })
    }

    /// How many simulations each wave has.
    fn waves(&self) -> impl Iterator<Item = u32> {
        let waves = self.depth.min(self.simulations).max(1);
        let (each, more) = (self.simulations / waves, self.simulations % waves);
        (0..waves).map(move |wave| each + u32::from(wave < more))
    }

    async fn search(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let firsts = run.sample(&call, FIRSTS, None).await?;
        let mut search = Search::new(run, request, Tree::new(self.exploration, self.depth));
        search.plant(&firsts).await;
        for size in self.waves() {
            search.wave(size).await;
        }
        let chosen = search
            .tree
            .best_answer()
            .and_then(|best| search.answers.get(best));
        let winner = chosen.map_or_else(|| most_agreed(request, &firsts), |chosen| &chosen.answer);
        let unrated = firsts.iter().filter(|first| {
            search
                .answers
                .iter()
                .all(|rated| rated.answer.index != first.index)
        });
        run.record(unrated.map(|first| record(first, None, None, Some(winner))));
        run.record(
            search
                .answers
                .iter()
                .map(|rated| record(&rated.answer, None, Some(rated.score), Some(winner))),
        );
        Ok(run.elect(winner).await?.into())
    }
}

/// A search under way. Answers have the numbers of the tree's nodes.
struct Search<'a> {
    run: &'a Run,
    request: &'a ChatRequest,
    case: Case<'a>,
    tree: Tree,
    answers: Vec<Rated>,
    /// The number of the next rewrite among all answers.
    next: u32,
}

/// An answer and its rating from 0 to 10.
struct Rated {
    answer: Candidate,
    score: f64,
}

impl<'a> Search<'a> {
    fn new(run: &'a Run, request: &'a ChatRequest, tree: Tree) -> Self {
        Self {
            run,
            request,
            case: Case::new(run, request),
            tree,
            answers: Vec::new(),
            next: FIRSTS,
        }
    }

    /// Rates the first answers.
    async fn plant(&mut self, firsts: &Candidates) {
        let groups = distinct(&worthy(firsts));
        let ratings = groups
            .iter()
            .map(|group| rate(self.run, &self.case, &group.text, group.first.index));
        let ratings = join_all(ratings).await;
        for (group, score) in groups.iter().zip(ratings) {
            self.add(None, group.first.clone(), score);
        }
    }

    /// `size` simulations at the same time.
    async fn wave(&mut self, size: u32) {
        let chosen: Vec<usize> = (0..size).filter_map(|_| self.tree.select()).collect();
        let first = self.next;
        self.next += size;
        let this = &*self;
        let rewrites = (first..)
            .zip(&chosen)
            .map(|(index, parent)| this.simulate(*parent, index));
        let rewrites = join_all(rewrites).await;
        for (parent, made) in chosen.into_iter().zip(rewrites) {
            self.tree.tried(parent);
            if let Some((answer, score)) = made {
                self.add(Some(parent), answer, score);
            }
        }
    }

    /// A rewrite of `parent` with its rating; `None` if it failed.
    async fn simulate(&self, parent: usize, index: u32) -> Option<(Candidate, Option<f64>)> {
        let draft = self.answers.get(parent)?.answer.shown();
        let (call, is_bare) = self.rewriting(draft);
        let written = self
            .run
            .candidate(&call, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let answer = if is_bare {
            written
        } else {
            Candidate {
                choice: revision::answer_alone(written.choice)?,
                ..written
            }
        };
        if !answer.is_sound() {
            return None;
        }
        let score = rate(self.run, &self.case, &answer.shown(), index).await;
        Some((answer, score))
    }

    /// The call that rewrites `draft`, and whether its reply is the answer and nothing else.
    fn rewriting(&self, draft: String) -> (SubCall, bool) {
        let is_bare = self.request.wants_json() || self.request.uses_tools();
        let (instructions, contract) = if is_bare {
            (REWRITE_BARE, SYNTHESIS)
        } else {
            (REWRITE, REVISION)
        };
        let sections = [
            self.case.rule(),
            self.case.numbered(&[draft]),
            instructions.trim().to_owned(),
            contract.to_owned(),
        ];
        let messages = view::with_instructions(self.request.messages(), &sections.join("\n\n"));
        let call = SubCall::answer(self.request, Purpose::Candidate)
            .with_messages(messages)
            .diverse(1.0);
        (call, is_bare)
    }

    fn add(&mut self, parent: Option<usize>, answer: Candidate, score: Option<f64>) {
        match score {
            Some(score) => {
                self.tree.add(parent, score / 10.0);
                self.answers.push(Rated { answer, score });
            }
            None => self.run.degrade("judge"),
        }
    }
}

impl Strategy for MonteCarloTreeSearch {
    fn demand(&self, request: &ChatRequest) -> Demand {
        if self.simulations == 0 {
            return Demand::answer(request);
        }
        let reading = Tokens::of_reading(request, 1);
        let rewriting = Tokens {
            output: Tokens::of(request).output.saturating_add(OUTPUT_ESTIMATE),
            ..reading
        };
        let firsts = Demand::candidates(FIRSTS, request).then(Demand::verdicts(FIRSTS, reading));
        self.waves().fold(firsts, |whole, size| {
            whole
                .then(Demand::step(size, rewriting))
                .then(Demand::verdicts(size, reading))
        })
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if self.simulations == 0 {
            return Ok(run
                .respond(SubCall::answer(request, Purpose::Final))
                .await?
                .into());
        }
        self.search(run, request).await
    }
}
