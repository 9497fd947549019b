//! `genselect`: several candidates, compared with each other by the model; the one it names wins.
//!
//! Paper: Moshkov et al., *AIMO-2 Winning Solution: Building State-of-the-Art Mathematical Reasoning Models with OpenMathReasoning dataset* (2025,
//! arXiv 2504.16891), where it is called GenSelect.
//!
//! 1. `num_candidates` candidates of one request; those of the same wording count as one.
//! 2. `batch`: one call compares all of them, in a random order. `tournament`: pairs are compared at the same time, the winners again, and so on.
//!
//! Departure: the paper trains the selector and shows it summaries; here the same model reads the candidates themselves, without their reasoning.
//! Candidates cut off or empty compete only if there are no others. Without a readable choice the wording that most candidates share wins, else the
//! first, and the run is degraded (`judge`).
//!
//! Calls 2 (1 + k where the upstream ignores `n`), depth 2; as a tournament k calls, depth 1 + ⌈log2 k⌉. The winner is replayed as a stream.

use futures_util::future::join_all;
use rand::seq::SliceRandom;

use crate::case::Case;
use crate::catalogue::{Entry, Makes, ParamKind, ParamSpec, Support};
use crate::chat::ChatRequest;
use crate::contract::BEST_CANDIDATE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::selection::{Group, distinct, record, worthy};
use crate::strategy::{DynStrategy, Output, Strategy};
use crate::verdict::parse_best;

const ROLE: &str = include_str!("generative_selection/role.txt");
const WANTED: &str = include_str!("generative_selection/wanted.txt");

const NUM_CANDIDATES: ParamSpec =
    ParamSpec { name: "num_candidates", kind: ParamKind::Integer { default: 4, min: 2, max: 32 }, help: "candidates" };
const COMPARISON_TEMPERATURE: ParamSpec = ParamSpec {
    name: "comparison_temperature",
    kind: ParamKind::Number { default: 0.3, min: 0.0, max: 2.0 },
    help: "temperature of the comparison",
};
const COMPARISON_MODE: ParamSpec = ParamSpec {
    name: "comparison_mode",
    kind: ParamKind::Choice { default: "batch", options: &["batch", "tournament"] },
    help: "all candidates in one call, or pair by pair",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "genselect",
    name: "generative selection",
    summary: "several candidates, compared with each other by the model; the one it names is returned",
    paper: "AIMO-2 Winning Solution, arXiv 2504.16891",
    params: &[NUM_CANDIDATES, COMPARISON_TEMPERATURE, COMPARISON_MODE],
    cost: "2 calls (1 + num_candidates where n is ignored), depth 2; tournament: num_candidates calls, depth 1 + ⌈log2 num_candidates⌉",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(GenerativeSelection::new(params)?)),
};

struct GenerativeSelection {
    candidates: u32,
    temperature: f64,
    mode: Mode,
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
            mode: if COMPARISON_MODE.word(params)? == "tournament" { Mode::Tournament } else { Mode::Batch },
        })
    }

    /// The best of `groups`. Their order is what the judge sees.
    async fn compare<'a>(&self, run: &Run, case: &Case<'_>, groups: Vec<Group<'a>>, index: u32) -> Option<Group<'a>> {
        let texts: Vec<String> = groups.iter().map(|group| group.text.clone()).collect();
        let call = case.call(Purpose::Judge, ROLE, &texts, WANTED).set("temperature", self.temperature);
        let choice = run.judge(&call, index, BEST_CANDIDATE, |reply| parse_best(reply, texts.len())).await;
        if choice.is_none() {
            run.degrade("judge");
        }
        let fallback = || groups.iter().min_by_key(|group| (std::cmp::Reverse(group.size), group.first.index));
        choice.and_then(|choice| groups.get(choice)).or_else(fallback).cloned()
    }

    async fn tournament<'a>(&self, run: &Run, case: &Case<'_>, mut groups: Vec<Group<'a>>) -> Option<Group<'a>> {
        while groups.len() > 1 {
            let matches = (0..).zip(groups.chunks(2)).map(|(index, pair)| async move {
                match pair {
                    [_, _] => self.compare(run, case, pair.to_vec(), index).await,
                    alone => alone.first().cloned(),
                }
            });
            groups = join_all(matches).await.into_iter().flatten().collect();
        }
        groups.pop()
    }
}

impl Strategy for GenerativeSelection {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let candidates = Demand::candidates(self.candidates, request);
        if matches!(self.mode, Mode::Batch) {
            return candidates.then(Demand::verdicts(1, Tokens::of_reading(request, self.candidates)));
        }
        let mut whole = candidates;
        let mut left = self.candidates;
        while left > 1 {
            whole = whole.then(Demand::verdicts(left / 2, Tokens::of_reading(request, 2)));
            left = left.div_ceil(2);
        }
        whole
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(0.7);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let mut groups = distinct(&worthy(&candidates));
        let winner = if groups.len() <= 1 {
            groups.pop()
        } else {
            groups.shuffle(&mut run.rng("order"));
            run.note("order", groups.iter().map(|group| group.first.index).collect::<Vec<_>>());
            let case = Case::new(run, request);
            match self.mode {
                Mode::Batch => self.compare(run, &case, groups, 0).await,
                Mode::Tournament => self.tournament(run, &case, groups).await,
            }
        };
        let winner = winner.map(|group| group.first).or(candidates.first()).ok_or(StrategyError::Deadline)?;
        run.record(candidates.iter().map(|candidate| record(candidate, None, None, Some(winner))));
        Ok(run.elect(winner).await?.into())
    }
}
