//! `longest`: several candidates; the longest is returned.

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::model::Purpose;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const CANDIDATES: ParamSpec = ParamSpec {
    name: "longest_of",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "candidates",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "longest",
    name: "longest of n",
    summary: "several candidates; the longest is returned",
    paper: "none: an example",
    params: &[&[CANDIDATES]],
    cost: "1 call (longest_of where n is ignored), depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| {
        Ok(DynStrategy::new(Longest {
            candidates: CANDIDATES.integer(params)?,
        }))
    },
};

struct Longest {
    candidates: u32,
}

impl Strategy for Longest {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Demand::candidates(self.candidates, request)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let candidates = run.sample(&call, self.candidates, None).await?;
        let longest = candidates.best(|a, b| a.text().len().cmp(&b.text().len()));
        Ok(run.elect(longest).await?.into())
    }
}
