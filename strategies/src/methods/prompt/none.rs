//! `none`: one call, the client's request as it is. Paper: none. Calls 1, depth 1. Streams.

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::model::Purpose;
use crate::run::{Run, SubCall};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

pub(crate) const ENTRY: Entry = Entry {
    slug: "none",
    name: "no strategy",
    summary: "one call with the request as it is",
    paper: "no paper",
    params: &[],
    cost: "1 call, depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Honours,
    build: |_params| Ok(DynStrategy::new(Plain)),
};

struct Plain;

impl Strategy for Plain {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Demand::answer(request)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        Ok(run
            .respond(SubCall::answer(request, Purpose::Final))
            .await?
            .into())
    }
}
