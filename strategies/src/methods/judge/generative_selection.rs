//! `genselect`: several candidates, compared with each other by the model; the one it names wins.
//!
//! Paper: Moshkov et al., *AIMO-2 Winning Solution: Building State-of-the-Art Mathematical
//! Reasoning Models with OpenMathReasoning dataset* (2025, arXiv 2504.16891), where it is called
//! GenSelect.
//!
//! 1. `num_candidates` candidates of one request, which vote first: an answer that more give than
//!    any other is returned (unless `judge_always`).
//! 2. Else the `judge_top` leading answers are compared. `batch`: one call compares all of them, in
//!    a random order. `tournament`: pairs are compared at the same time, the winners again, and so
//!    on. Two answers are compared in both orders, and only a choice that survives that counts.
//!
//! Departure: the paper trains the selector and shows it summaries; here the same model reads the
//! candidates themselves, without their reasoning, and begins with its choice (`judge_style`).
//! Candidates cut off or empty compete only if there are no others. Without a choice the answer
//! that most candidates share wins, else the first; without a readable one the run is degraded
//! (`judge`).
//!
//! Calls 2 (3 where two answers are compared, 1 where the vote decides; as many more as the
//! upstream ignores of `n`), depth 2; as a tournament of t answers 1 + 2 (t - 1) calls, depth 1 +
//! ⌈log2 t⌉. The winner is replayed as a stream.

use rand::seq::SliceRandom;

use crate::chat::{ChatRequest, Choice};
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::comparison::{self, Comparison};
use crate::kit::choosing::leaders::{Cluster, clusters, contested, most_contested};
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Judging, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("generative_selection/role.txt");
const WANTED: &str = include_str!("generative_selection/wanted.txt");

const NUM_CANDIDATES: ParamSpec = ParamSpec {
    name: "num_candidates",
    kind: ParamKind::Integer {
        default: 4,
        min: 2,
        max: 32,
    },
    help: "candidates",
};
const COMPARISON_TEMPERATURE: ParamSpec = ParamSpec {
    name: "comparison_temperature",
    kind: ParamKind::Number {
        default: 0.3,
        min: 0.0,
        max: 2.0,
    },
    help: "temperature of the comparison",
};
const COMPARISON_MODE: ParamSpec = ParamSpec {
    name: "comparison_mode",
    kind: ParamKind::Choice {
        default: "batch",
        options: &["batch", "tournament"],
    },
    help: "all candidates in one call, or pair by pair",
};

const INCLUDE_REASONING: ParamSpec = ParamSpec {
    name: "include_reasoning",
    kind: ParamKind::Boolean { default: false },
    help: "add the comparison to the answer's text, unless it calls tools or must be JSON",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "genselect",
    name: "generative selection",
    summary: "several candidates, compared with each other by the model; the one it names is \
        returned",
    paper: "AIMO-2 Winning Solution, arXiv 2504.16891",
    params: &[&[
        NUM_CANDIDATES,
        COMPARISON_TEMPERATURE,
        COMPARISON_MODE,
        INCLUDE_REASONING,
    ]],
    cost: "2 calls (1 + num_candidates where n is ignored; 1 less where a vote decides, 1 more \
        where two answers are compared), depth 2; tournament: 1 + 2 × (judge_top - 1) calls, \
        depth 1 + ⌈log2 judge_top⌉",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(GenerativeSelection::new(params)?)),
};

struct GenerativeSelection {
    candidates: u32,
    temperature: f64,
    mode: Mode,
    include_reasoning: bool,
    judging: Judging,
}

/// Who is ahead, and what the judge wrote when it said so.
#[derive(Clone)]
struct Ahead<'a> {
    cluster: Cluster<'a>,
    comparison: Option<String>,
}

enum Mode {
    Batch,
    Tournament,
}

impl GenerativeSelection {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            candidates: NUM_CANDIDATES.integer(params)?,
            temperature: COMPARISON_TEMPERATURE.number(params)?,
            judging: Judging::read(params)?,
            include_reasoning: INCLUDE_REASONING.boolean(params)?,
            mode: if COMPARISON_MODE.word(params)? == "tournament" {
                Mode::Tournament
            } else {
                Mode::Batch
            },
        })
    }

    /// The best of `rivals`. Their order is what the judge sees.
    async fn compare<'a>(
        &self,
        comparison: &Comparison<'_>,
        rivals: &NonEmpty<Ahead<'a>>,
        index: u32,
    ) -> Ahead<'a> {
        let texts: Vec<String> = rivals
            .iter()
            .map(|ahead| ahead.cluster.text.clone())
            .collect();
        let best = comparison.best(&texts, index).await;
        let chosen = best.and_then(|best| {
            Some(Ahead {
                comparison: Some(best.reply),
                ..rivals.get(best.at)?.clone()
            })
        });
        chosen.unwrap_or_else(|| {
            let most = rivals.best(|a, b| {
                let earlier = b.cluster.first.index.cmp(&a.cluster.first.index);
                a.cluster.size.cmp(&b.cluster.size).then(earlier)
            });
            most.clone()
        })
    }

    async fn tournament<'a>(
        &self,
        comparison: &Comparison<'_>,
        rivals: NonEmpty<Ahead<'a>>,
    ) -> Ahead<'a> {
        let mut rivals = rivals;
        while rivals.len().get() > 1 {
            let pairs = rivals.pairs();
            let matches = pairs.map_numbered(|index, (left, right)| async move {
                let Some(right) = right else { return left };
                let mut pair = NonEmpty::one(left);
                pair.push(right);
                self.compare(comparison, &pair, index).await
            });
            rivals = matches.joined().await;
        }
        rivals.into_first()
    }

    /// The best of several answers between which the vote is open.
    async fn choose<'a>(
        &self,
        run: &Run,
        request: &ChatRequest,
        rivals: NonEmpty<Ahead<'a>>,
    ) -> Ahead<'a> {
        let mut rivals = rivals;
        rivals.shuffle(&mut run.rng("order"));
        let order = rivals.iter().map(|ahead| ahead.cluster.first.index);
        run.note("order", order.collect::<Vec<_>>());
        let case = Case::new(run, request);
        let case = if self.include_reasoning {
            case.reasoned()
        } else {
            case
        };
        let comparison = Comparison {
            run,
            case: &case,
            role: ROLE,
            wanted: WANTED,
            temperature: self.temperature,
        };
        match self.mode {
            Mode::Batch => self.compare(&comparison, &rivals, 0).await,
            Mode::Tournament => self.tournament(&comparison, rivals).await,
        }
    }
}

impl Strategy for GenerativeSelection {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let candidates = Demand::candidates(self.candidates, request);
        let mut left = most_contested(self.candidates, self.judging);
        if matches!(self.mode, Mode::Batch) {
            return candidates.then(comparison::demand(left, request));
        }
        let mut whole = candidates;
        while left > 1 {
            let matches = Demand::verdicts(2 * (left / 2), Tokens::of_reading(request, 2));
            whole = whole.then(matches);
            left = left.div_ceil(2);
        }
        whole
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(0.7);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let question = voting::question(request);
        let poll = Poll::of(question.clone(), &candidates);
        let rivals = contested(clusters(&question, &poll, &candidates), self.judging);
        let rivals = rivals.map(|cluster| Ahead {
            cluster,
            comparison: None,
        });
        let ahead = if rivals.len().get() == 1 {
            rivals.into_first()
        } else {
            self.choose(run, request, rivals).await
        };
        let winner = ahead.cluster.first;
        run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, None, Some(winner))),
        );
        match ahead.comparison {
            Some(comparison)
                if self.include_reasoning
                    && !request.wants_json()
                    && winner.choice.message.tool_calls().is_none() =>
            {
                let text = format!(
                    "{}\n\n---\n\n**How it was chosen**\n\n{comparison}",
                    winner.choice.message.text()
                );
                let choice = Choice {
                    message: winner.choice.message.with("content", text),
                    ..winner.choice.clone()
                };
                Ok(run.emit(choice, winner.usage).await?.into())
            }
            _ => Ok(run.elect(winner).await?.into()),
        }
    }
}
