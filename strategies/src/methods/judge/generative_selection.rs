//! `genselect`: several candidates, compared with each other by the model; the one it names wins.
//!
//! Paper: Moshkov et al., *AIMO-2 Winning Solution: Building State-of-the-Art Mathematical
//! Reasoning Models with OpenMathReasoning dataset* (2025, arXiv 2504.16891), where it is called
//! GenSelect.
//!
//! 1. `num_candidates` candidates of one request; those of the same wording count as one.
//! 2. `batch`: one call compares all of them, in a random order. `tournament`: pairs are compared
//!    at the same time, the winners again, and so on.
//!
//! Departure: the paper trains the selector and shows it summaries; here the same model reads the
//! candidates themselves, without their reasoning. Candidates cut off or empty compete only if
//! there are no others. Without a readable choice the wording that most candidates share wins, else
//! the first, and the run is degraded (`judge`).
//!
//! Calls 2 (1 + k where the upstream ignores `n`), depth 2; as a tournament k calls, depth 1 +
//! ⌈log2 k⌉. The winner is replayed as a stream.

use rand::seq::SliceRandom;

use crate::chat::{ChatRequest, Choice};
use crate::contract::BEST_CANDIDATE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::{Group, distinct, record, worthy};
use crate::kit::reading::verdict::parse_best;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Run, SubCall};
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
    cost: "2 calls (1 + num_candidates where n is ignored), depth 2; tournament: num_candidates \
        calls, depth 1 + ⌈log2 num_candidates⌉",
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
}

/// Who is ahead, and what the judge wrote when it said so.
#[derive(Clone)]
struct Ahead<'a> {
    group: Group<'a>,
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
            include_reasoning: INCLUDE_REASONING.boolean(params)?,
            mode: if COMPARISON_MODE.word(params)? == "tournament" {
                Mode::Tournament
            } else {
                Mode::Batch
            },
        })
    }

    /// The best of `groups`. Their order is what the judge sees.
    async fn compare<'a>(
        &self,
        run: &Run,
        case: &Case<'_>,
        groups: &NonEmpty<Ahead<'a>>,
        index: u32,
    ) -> Ahead<'a> {
        let texts: Vec<String> = groups
            .iter()
            .map(|ahead| ahead.group.text.clone())
            .collect();
        let call = case
            .call(Purpose::Judge, ROLE, &texts, WANTED)
            .set("temperature", self.temperature);
        let read = |reply: &str| {
            parse_best(reply, texts.len()).map(|choice| (choice, reply.trim().to_owned()))
        };
        let verdict = run.judge(&call, index, BEST_CANDIDATE, read).await;
        let chosen = verdict.and_then(|(choice, comparison)| {
            Some(Ahead {
                comparison: Some(comparison),
                ..groups.get(choice)?.clone()
            })
        });
        chosen.unwrap_or_else(|| {
            run.degrade("judge");
            let most = groups.best(|a, b| {
                let earlier = b.group.first.index.cmp(&a.group.first.index);
                a.group.size.cmp(&b.group.size).then(earlier)
            });
            most.clone()
        })
    }

    async fn tournament<'a>(
        &self,
        run: &Run,
        case: &Case<'_>,
        groups: NonEmpty<Ahead<'a>>,
    ) -> Ahead<'a> {
        let mut groups = groups;
        while groups.len().get() > 1 {
            let pairs = groups.pairs();
            let matches = pairs.map_numbered(|index, (left, right)| async move {
                let Some(right) = right else { return left };
                let mut pair = NonEmpty::one(left);
                pair.push(right);
                self.compare(run, case, &pair, index).await
            });
            groups = matches.joined().await;
        }
        groups.into_first()
    }
}

impl Strategy for GenerativeSelection {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let candidates = Demand::candidates(self.candidates, request);
        if matches!(self.mode, Mode::Batch) {
            return candidates.then(Demand::verdicts(
                1,
                Tokens::of_reading(request, self.candidates),
            ));
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
        let mut groups = distinct(&worthy(&candidates)).map(|group| Ahead {
            group,
            comparison: None,
        });
        let ahead = if groups.len().get() == 1 {
            groups.into_first()
        } else {
            groups.shuffle(&mut run.rng("order"));
            run.note(
                "order",
                groups
                    .iter()
                    .map(|ahead| ahead.group.first.index)
                    .collect::<Vec<_>>(),
            );
            let case = Case::new(run, request);
            match self.mode {
                Mode::Batch => self.compare(run, &case, &groups, 0).await,
                Mode::Tournament => self.tournament(run, &case, groups).await,
            }
        };
        let winner = ahead.group.first;
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
