//! `majority_voting`: several candidates; the answer that most of them give wins.
//!
//! Paper: Wang et al., *Self-Consistency Improves Chain of Thought Reasoning in Language Models*
//! (2022, arXiv 2203.11171), of which this is the plain form: the client's prompt stays as it is.
//!
//! `k` candidates; their final answers are compared by what they say; the first candidate with the
//! most frequent answer is returned. As soon as the lead cannot be lost, or is not likely to be
//! (`stop_confidence`), the rest is cancelled (Aggarwal et al., *Let's Sample Step by Step*, 2023,
//! arXiv 2305.11860). Candidates cut off, refused or without a recognisable answer abstain; if all
//! do, the first sound candidate is returned.
//!
//! Calls up to k, depth 1; with `sampling = "waves"` depth up to ⌈k/4⌉. The winner is replayed as a
//! stream.
//!
//! It is what the others are measured by (docs/approaches.md): a vote gains where errors scatter,
//! and loses where most answers are wrong in the same way.

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Manner, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const K: ParamSpec = ParamSpec {
    name: "k",
    kind: ParamKind::Integer {
        default: 8,
        min: 1,
        max: 64,
    },
    help: "candidates",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "majority_voting",
    name: "majority voting",
    summary: "several candidates; the most frequent final answer wins, and a vote as good as \
        decided stops the rest",
    paper: "Self-Consistency Improves Chain of Thought Reasoning, arXiv 2203.11171; adaptive \
        stopping, arXiv 2305.11860",
    params: &[&[K]],
    cost: "up to k calls, depth 1 (waves: depth up to ⌈k/4⌉)",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(MajorityVoting::new(params)?)),
};

struct MajorityVoting {
    k: u32,
    manner: Manner,
}

impl MajorityVoting {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            k: K.integer(params)?,
            manner: Manner::read(params)?,
        })
    }
}

impl Strategy for MajorityVoting {
    fn demand(&self, request: &ChatRequest) -> Demand {
        voting::demand(self.k, self.manner, request)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let mut poll = Poll::weighed(run, request, self.k);
        let call = SubCall::answer(request, Purpose::Candidate).diverse(voting::DIVERSE);
        let call = poll.asking(call);
        let candidates = run.sample(&call, self.k, Some(&mut poll)).await?;
        poll.closed(run, request);
        let winner = poll.elected(&candidates);
        poll.record(run, &candidates, winner);
        Ok(run.elect(winner).await?.into())
    }
}
