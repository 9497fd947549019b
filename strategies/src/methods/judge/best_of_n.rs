//! `bon`: several candidates, each rated on its own; the best rating wins.
//!
//! Paper: Cobbe et al., *Training Verifiers to Solve Math Word Problems* (2021, arXiv 2110.14168)
//! for choosing by a verifier; Zheng et al., *Judging LLM-as-a-Judge with MT-Bench and Chatbot
//! Arena* (2023, arXiv 2306.05685) for a model as the judge.
//!
//! 1. `best_of_n` candidates of one request.
//! 2. If all give the same answer, the first is the answer. Else each different one is rated from 0
//!    to 10, `bon_judge_samples` times, all at the same time.
//! 3. The highest mean wins; among equals the one that more candidates agree with, then the first.
//!
//! Departure: the papers train the verifier; here it is the same model with a rubric that puts
//! correctness first. Candidates cut off or empty compete only if there are no others. One that
//! could not be rated is out, unless none could: then the answer that most give wins and the run is
//! degraded (`judge`).
//!
//! Calls 1 + n (2n where the upstream ignores `n`), depth 2. The winner is replayed as a stream.

use futures_util::future::join_all;

use crate::chat::ChatRequest;
use crate::contract::SCORE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::rating;
use crate::kit::choosing::selection::{Group, distinct, record, worthy};
use crate::kit::choosing::voting::{self, Poll, agree};
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Candidate, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const BEST_OF_N: ParamSpec = ParamSpec {
    name: "best_of_n",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 64,
    },
    help: "candidates",
};
const JUDGE_SAMPLES: ParamSpec = ParamSpec {
    name: "bon_judge_samples",
    kind: ParamKind::Integer {
        default: 1,
        min: 1,
        max: 8,
    },
    help: "ratings per candidate, of which the mean counts",
};
const ALWAYS_JUDGE: ParamSpec = ParamSpec {
    name: "bon_always_judge",
    kind: ParamKind::Boolean { default: false },
    help: "rate the candidates even if all give the same answer",
};

pub(crate) const PARAMS: &[ParamSpec] = &[BEST_OF_N, JUDGE_SAMPLES, ALWAYS_JUDGE];

pub(crate) const ENTRY: Entry = Entry {
    slug: "bon",
    name: "best of n",
    summary: "several candidates, each rated by the model on its own; the best one is returned",
    paper: "Training Verifiers to Solve Math Word Problems, arXiv 2110.14168; Judging \
        LLM-as-a-Judge, arXiv 2306.05685",
    params: &[PARAMS],
    cost: "1 + best_of_n × bon_judge_samples calls (2 × best_of_n where n is ignored), depth 2",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(BestOfN::new(params)?)),
};

struct BestOfN {
    candidates: u32,
    judge_samples: u32,
    always_judge: bool,
}

/// A group of equal candidates with its mean rating.
struct Rated<'a> {
    group: Group<'a>,
    score: Option<f64>,
}

impl BestOfN {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            candidates: BEST_OF_N.integer(params)?,
            judge_samples: JUDGE_SAMPLES.integer(params)?,
            always_judge: ALWAYS_JUDGE.boolean(params)?,
        })
    }

    fn verdicts(&self) -> u32 {
        let rated = if self.candidates == 1 && !self.always_judge {
            0
        } else {
            self.candidates
        };
        rated.saturating_mul(self.judge_samples)
    }

    async fn rate<'a>(
        &self,
        run: &Run,
        request: &ChatRequest,
        groups: NonEmpty<Group<'a>>,
    ) -> NonEmpty<Rated<'a>> {
        let case = Case::new(run, request);
        let rated = groups.map_numbered(|index, group| {
            let call = rating::call(&case, &group.text);
            async move {
                Rated {
                    score: self.score(run, call, index).await,
                    group,
                }
            }
        });
        rated.joined().await
    }

    /// The mean of the ratings; `None` without any.
    async fn score(&self, run: &Run, call: SubCall, index: u32) -> Option<f64> {
        // Asking the same judge again is worth something only if it may answer differently.
        let call = call.set(
            "temperature",
            if self.judge_samples == 1 { 0.0 } else { 1.0 },
        );
        let calls = (0..self.judge_samples).map(|sample| {
            run.judge(
                &call,
                index * self.judge_samples + sample,
                SCORE,
                rating::read,
            )
        });
        let scores: Vec<f64> = join_all(calls).await.into_iter().flatten().collect();
        let count = scores.iter().fold(0.0, |count, _| count + 1.0);
        (count > 0.0).then(|| scores.iter().sum::<f64>() / count)
    }
}

/// The highest rating; among equals the answer that more give, then the first.
fn best<'a, 'b>(rated: &'b NonEmpty<Rated<'a>>) -> &'b Rated<'a> {
    rated.best(|a, b| {
        let score = |rated: &Rated<'_>| rated.score.unwrap_or(f64::NEG_INFINITY);
        score(a)
            .total_cmp(&score(b))
            .then(a.group.size.cmp(&b.group.size))
    })
}

impl Strategy for BestOfN {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let candidates = Demand::candidates(self.candidates, request);
        candidates.then(Demand::verdicts(
            self.verdicts(),
            Tokens::of_reading(request, 1),
        ))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let poll = Poll::of(voting::question(request), &candidates);
        let mut groups = distinct(&worthy(&candidates));
        for group in groups.iter_mut() {
            group.size = group.size.max(poll.votes_with(group.first));
        }
        let is_agreed = groups.len().get() == 1
            || agree(
                groups.iter().map(|group| group.first),
                &voting::question(request),
            );
        let is_settled = is_agreed && !self.always_judge;
        let rated = if is_settled {
            groups.map(Rated::unrated)
        } else {
            self.rate(run, request, groups).await
        };
        if !is_settled && rated.iter().any(|rated| rated.score.is_none()) {
            run.degrade("judge");
        }
        let winner = best(&rated).group.first;
        let score_of = |candidate: &Candidate| {
            rated
                .iter()
                .find(|rated| rated.group.text == candidate.shown())?
                .score
        };
        run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, score_of(candidate), Some(winner))),
        );
        Ok(run.elect(winner).await?.into())
    }
}

impl<'a> Rated<'a> {
    fn unrated(group: Group<'a>) -> Self {
        Self { group, score: None }
    }
}
