//! `bon`: several candidates vote; where that does not decide, a judge rates the leading answers.
//!
//! Paper: Cobbe et al., *Training Verifiers to Solve Math Word Problems* (2021, arXiv 2110.14168)
//! for choosing by a verifier; Zheng et al., *Judging LLM-as-a-Judge with MT-Bench and Chatbot
//! Arena* (2023, arXiv 2306.05685) for a model as the judge.
//!
//! 1. `best_of_n` candidates of one request. Where the question tells what an answer looks like,
//!    their votes are weighed by their own log probabilities (`vote_weight`).
//! 2. An answer that more give than any other is returned: what most candidates say is right more
//!    often than what a model says of them. Else the `judge_top` leading answers are rated from 0
//!    to 10, one candidate of each, `bon_judge_samples` times, all at the same time.
//! 3. The majority of the bests wins (`bon_best_of`, [`bests`]): a judge is believed as far as it
//!    deserves, its favourite alone beats no two that are next.
//!
//! With `judge_always`, `judge_top` = `bon_best_of` = `best_of_n` this is best of n as it is
//! published: every different answer is rated, and the highest rating wins.
//!
//! Departure: the papers train the verifier; here it is the same model, asked for correctness.
//! Candidates cut off or empty compete only if there are no others. An answer that could not be
//! rated counts as the mean of the others; without any rating the vote decides. In both cases the
//! run is degraded (`judge`).
//!
//! Calls 1 + min(n, `judge_top`) (n more where the upstream ignores `n`; 1 where the vote
//! decides), depth 2. The winner is replayed as a stream.

use futures_util::future::join_all;

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::leaders::{Cluster, clusters, contested, most_contested};
use crate::kit::choosing::rating;
use crate::kit::choosing::rating::bests::{self, Rated};
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::{self, Poll};
use crate::kit::tokens::confidence::mean;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Ballot, Candidate, Judging, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const BEST_OF_N: ParamSpec = ParamSpec {
    name: "best_of_n",
    kind: ParamKind::Integer {
        default: 5,
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
    help: "ratings per answer, of which the mean counts",
};
const BEST_OF: ParamSpec = ParamSpec {
    name: "bon_best_of",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 64,
    },
    help: "how far the ratings count: the answer wins that is the best of most sets of so many \
        candidates; 1: not at all; best_of_n: alone",
};

pub(crate) const PARAMS: &[ParamSpec] = &[BEST_OF_N, JUDGE_SAMPLES, BEST_OF];

pub(crate) const ENTRY: Entry = Entry {
    slug: "bon",
    name: "best of n",
    summary: "several candidates vote; where that decides nothing, the model rates the leading \
        answers",
    paper: "Training Verifiers to Solve Math Word Problems, arXiv 2110.14168; Majority \
        of the Bests, arXiv 2511.18630",
    params: &[PARAMS],
    cost: "1 + judge_top × bon_judge_samples calls (best_of_n more where n is ignored; 1 where a \
        vote decides), depth 2",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(BestOfN::new(params)?)),
};

struct BestOfN {
    candidates: u32,
    judge_samples: u32,
    best_of: u32,
    judging: Judging,
}

impl BestOfN {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            candidates: BEST_OF_N.integer(params)?,
            judge_samples: JUDGE_SAMPLES.integer(params)?,
            best_of: BEST_OF.integer(params)?,
            judging: Judging::read(params)?,
        })
    }

    /// Ratings, if the candidates all differ.
    fn verdicts(&self) -> u32 {
        match most_contested(self.candidates, self.judging) {
            1 => 0,
            rated => rated.saturating_mul(self.judge_samples),
        }
    }

    /// What the judge thinks of each of `rivals`.
    async fn rate(
        &self,
        run: &Run,
        request: &ChatRequest,
        rivals: &NonEmpty<Cluster<'_>>,
    ) -> NonEmpty<Rated> {
        let case = Case::new(run, request);
        let rated = rivals.map_ref(|rival| rival).map_numbered(|index, rival| {
            let call = rating::call(&case, &rival.text);
            async move {
                Rated {
                    size: rival.size,
                    weight: rival.weight,
                    score: self.score(run, call, index).await,
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
        let calls = (0..self.judge_samples)
            .map(|sample| rating::rating(run, &call, index * self.judge_samples + sample));
        mean(join_all(calls).await.into_iter().flatten())
    }
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
        let question = voting::question(request);
        let mut poll = if question.is_closed() {
            Poll::weighed(run, request, self.candidates)
        } else {
            Poll::new(question.clone())
        };
        let call = poll.asking(SubCall::answer(request, Purpose::Candidate).diverse(1.0));
        let candidates = run.sample(&call, self.candidates, None).await?;
        for candidate in &candidates {
            poll.add(candidate);
        }
        poll.closed(run, request);
        let rivals = contested(clusters(&question, &poll, &candidates), self.judging);
        let (winner, rated) = if rivals.len().get() == 1 {
            (rivals.first().first, None)
        } else {
            let rated = self.rate(run, request, &rivals).await;
            if rated.iter().any(|rated| rated.score.is_none()) {
                run.degrade("judge");
            }
            let elected = rivals.get(bests::elected(&rated, self.best_of));
            (elected.unwrap_or(rivals.first()).first, Some(rated))
        };
        let score_of = |candidate: &Candidate| {
            let at = rivals
                .iter()
                .position(|rival| rival.first.index == candidate.index)?;
            rated.as_ref()?.get(at)?.score
        };
        run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, score_of(candidate), Some(winner))),
        );
        Ok(run.elect(winner).await?.into())
    }
}
