//! `usc`: several answers; the model itself names the one that agrees most with the others.
//!
//! Paper: Chen et al., *Universal Self-Consistency for Large Language Model Generation* (2023,
//! arXiv 2311.17311): self-consistency where answers cannot be compared by what they end in, such
//! as summaries, code and open questions.
//!
//! 1. `usc_samples` candidates of one request.
//! 2. One call reads all of them, in a random order and without their reasoning, and names the most
//!    consistent one. It asks for agreement, not for quality: the paper found that this is what a
//!    model tells more reliably.
//!
//! Candidates of the same wording are all shown, since how many say a thing is what counts; if all
//! have the same wording nothing is asked. Departure: the paper lets the model begin with its
//! choice; here it compares first and ends with it. Candidates cut off or empty compete only if
//! there are no others. Without a readable choice the wording that most candidates share wins, else
//! the first, and the run is degraded (`judge`).
//!
//! Calls 2 (1 + k where the upstream ignores `n`), depth 2. The winner is replayed as a stream.

use rand::seq::SliceRandom;

use crate::chat::ChatRequest;
use crate::contract::BEST_CANDIDATE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::{Group, distinct, record, worthy};
use crate::kit::reading::verdict::parse_best;
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Run, SubCall};
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
    cost: "2 calls (1 + usc_samples where n is ignored), depth 2",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(UniversalSelfConsistency::new(params)?)),
};

struct UniversalSelfConsistency {
    samples: u32,
}

impl UniversalSelfConsistency {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: SAMPLES.integer(params)?,
        })
    }
}

/// The candidate that agrees most with the others, by the model's own reading.
pub(crate) async fn most_consistent<'a>(
    run: &Run,
    request: &ChatRequest,
    candidates: &'a Candidates,
) -> &'a Candidate {
    let mut sound = worthy(candidates);
    let groups = distinct(&sound);
    if groups.len().get() > 1 {
        sound.shuffle(&mut run.rng("order"));
        run.note(
            "order",
            sound
                .iter()
                .map(|candidate| candidate.index)
                .collect::<Vec<_>>(),
        );
        let texts: Vec<String> = sound.iter().map(|candidate| candidate.shown()).collect();
        let call = Case::new(run, request)
            .call(Purpose::Judge, ROLE, &texts, WANTED)
            .set("temperature", 0.0);
        let choice = run
            .judge(&call, 0, BEST_CANDIDATE, |reply| {
                parse_best(reply, texts.len())
            })
            .await;
        if let Some(chosen) = choice.and_then(|choice| sound.get(choice)) {
            return chosen;
        }
        run.degrade("judge");
    }
    let by_size = |a: &Group<'_>, b: &Group<'_>| {
        let earlier = b.first.index.cmp(&a.first.index);
        a.size.cmp(&b.size).then(earlier)
    };
    groups.best(by_size).first
}

impl Strategy for UniversalSelfConsistency {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Demand::candidates(self.samples, request).then(Demand::verdicts(
            1,
            Tokens::of_reading(request, self.samples),
        ))
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
