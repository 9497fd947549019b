//! `longest`: several candidates; the longest is returned. The example of how a strategy is added.

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

mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::chat::Message;
    use crate::model::{Fact, Model};
    use crate::params::Params;
    use crate::run::Manner;
    use crate::run::account::Account;
    use crate::run::budget::RunLimits;
    use crate::run::options::{Fences, RunOptions};
    use crate::testing::{Script, ScriptedModel};

    #[tokio::test(start_paused = true)]
    async fn the_longest_candidate_is_returned() {
        let model = ScriptedModel::new("Rather long.")
            .when(
                |_, call| call.index == 1,
                Script::text("The longest of all."),
            )
            .when(|_, call| call.index == 2, Script::text("Short."));
        // An upstream that ignores `n` is asked once for each candidate.
        model.learn("m", Fact::HonoursN, false);
        let options = RunOptions {
            model: Arc::new(model),
            solver: None,
            limits: RunLimits {
                calls: 3,
                tokens: 10_000,
                deadline: Instant::now() + Duration::from_secs(60),
                parallel: 3,
            },
            seed: 1,
            fences: Fences::Repeatable,
            sink: None,
        };
        let params = Params::new();
        let manner = Manner::read(&params).unwrap();
        let run = Run::new(options, manner, Account::default());
        let request = ChatRequest::new("m", [Message::user("Tell me something.")]);
        let strategy = (ENTRY.build)(&params).unwrap();
        let Output::Answer(answer) = strategy.execute(&run, &request).await.unwrap() else {
            panic!("an answer")
        };
        assert_eq!(answer.choice.message.text(), "The longest of all.");
    }
}
