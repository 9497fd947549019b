//! `usc`: several answers; the model itself names the one that agrees most with the others.
//!
//! Paper: Chen et al., *Universal Self-Consistency for Large Language Model Generation* (2023,
//! arXiv 2311.17311): self-consistency where answers cannot be compared by what they end in, such
//! as summaries, code and open questions.
//!
//! 1. `usc_samples` candidates of one request. Where the question tells what an answer looks like
//!    they vote first, and a vote that decides is the answer.
//! 2. One call reads them, in a random order and without their reasoning, and names the most
//!    consistent one. It asks for agreement, not for quality: the paper found that this is what a
//!    model tells more reliably. Of a vote it reads the `judge_top` leading answers only. Two texts
//!    are read in both orders, and only a choice that survives that counts.
//!
//! Free candidates of the same wording are all shown, since how many say a thing is what counts; if
//! all have the same wording nothing is asked. As in the paper the model begins with its choice,
//! and what it says behind that is cut off (`judge_style`). Candidates cut off or empty compete
//! only if there are no others. Without a choice the answer that most candidates share wins, else
//! the first; without a readable one the run is degraded (`judge`).
//!
//! Calls 2 (3 where two texts are compared; as many more as the upstream ignores of `n`), depth 2.
//! The winner is replayed as a stream.

use rand::seq::SliceRandom;

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::comparison::{self, Comparison};
use crate::kit::choosing::leaders::{clusters, contested, is_closed, most_contested};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Judging, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("universal_self_consistency/role.txt");
const WANTED: &str = include_str!("universal_self_consistency/wanted.txt");

const SAMPLES: ParamSpec = ParamSpec {
    name: "usc_samples",
    kind: ParamKind::Integer {
        default: 8,
        min: 2,
        max: 32,
    },
    help: "candidates",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "usc",
    name: "universal self-consistency",
    summary: "several answers of any kind; the model names the one that agrees most with the \
        others",
    paper: "Universal Self-Consistency for Large Language Model Generation, arXiv 2311.17311",
    params: &[&[SAMPLES]],
    cost: "2 calls (1 + usc_samples where n is ignored; 1 less where a vote decides, 1 more where \
        two answers are compared), depth 2",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(UniversalSelfConsistency::new(params)?)),
};

struct UniversalSelfConsistency {
    samples: u32,
    judging: Judging,
}

impl UniversalSelfConsistency {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: SAMPLES.integer(params)?,
            judging: Judging::read(params)?,
        })
    }
}

/// The candidate that agrees most with the others, by the model's own reading.
pub(crate) async fn most_consistent<'a>(
    run: &Run,
    request: &ChatRequest,
    candidates: &'a Candidates,
) -> &'a Candidate {
    let question = voting::question(request);
    let poll = Poll::of(question.clone(), candidates);
    let all = clusters(&question, &poll, candidates);
    let is_vote = question.is_closed() && poll.cast() > 0;
    let leader = all.first().first;
    let rivals: Vec<&Candidate> = if all.len().get() == 1 {
        Vec::new()
    } else if is_vote {
        let judging = Judging {
            always: false,
            ..run.judging()
        };
        let rivals = contested(all, judging).into_iter();
        rivals.map(|rival| rival.first).collect()
    } else {
        worthy(candidates).into_iter().collect()
    };
    if rivals.len() < 2 {
        return leader;
    }
    chosen(run, request, rivals).await.unwrap_or(leader)
}

async fn chosen<'a>(
    run: &Run,
    request: &ChatRequest,
    mut rivals: Vec<&'a Candidate>,
) -> Option<&'a Candidate> {
    rivals.shuffle(&mut run.rng("order"));
    let order: Vec<u32> = rivals.iter().map(|candidate| candidate.index).collect();
    run.note("order", order);
    let texts: Vec<String> = rivals.iter().map(|candidate| candidate.shown()).collect();
    let comparison = Comparison {
        run,
        case: &Case::new(run, request),
        role: ROLE,
        wanted: WANTED,
        temperature: 0.0,
    };
    let best = comparison.best(&texts, 0).await?;
    rivals.get(best.at).copied()
}

impl Strategy for UniversalSelfConsistency {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let most = if is_closed(request) {
            most_contested(self.samples, self.judging)
        } else {
            self.samples
        };
        Demand::candidates(self.samples, request).then(comparison::demand(most, request))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let candidates = run.sample(&call, self.samples, None).await?;
        let winner = most_consistent(run, request, &candidates).await;
        run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, None, Some(winner))),
        );
        Ok(run.elect(winner).await?.into())
    }
}
