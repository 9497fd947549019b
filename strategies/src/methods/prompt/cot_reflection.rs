//! `cot_reflection`: the model thinks, checks itself, and then answers; the client gets the answer
//! only.
//!
//! Paper: none of its own; chain of thought as in Wei et al. (2022, arXiv 2201.11903) with a
//! self-check in the manner of Madaan et al., *Self-Refine* (2023, arXiv 2303.17651), in one call.
//!
//! One call with instructions to think in `<thinking>`, to check in `<reflection>` and to answer in
//! `<output>`. What stands in `<output>` is the answer and streams from there on. A client that
//! demands JSON cannot get tags: then one call reasons and a second one answers. Without tags the
//! whole text is the answer. Thinking that was cut off is never shown: the answer is empty, with
//! finish reason `length`. `return_full_response` shows everything.
//!
//! Calls 1, depth 1; 2 and 2 where JSON is demanded. Streams. Tools are not offered to a model that
//! must write tags: a plain call answers.

mod output_filter;

use self::output_filter::OutputFilter;
use crate::chat::{ChatRequest, view};
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Answer, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const INSTRUCTIONS: &str = include_str!("cot_reflection/instructions.txt");
const REASON: &str = include_str!("cot_reflection/reason.txt");
const CONCLUDE: &str = include_str!("cot_reflection/conclude.txt");

const FULL_RESPONSE: ParamSpec = ParamSpec {
    name: "return_full_response",
    kind: ParamKind::Boolean { default: false },
    help: "return the thinking too",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "cot_reflection",
    name: "chain of thought with reflection",
    summary: "one call that thinks, checks itself and answers; only the answer is returned",
    paper: "Chain-of-Thought Prompting, arXiv 2201.11903; Self-Refine, arXiv 2303.17651",
    params: &[&[FULL_RESPONSE]],
    cost: "1 call, depth 1 (2 and 2 where JSON is demanded)",
    makes: Makes::Answer,
    tools: Support::Loses,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(CotReflection::new(params)?)),
};

struct CotReflection {
    full_response: bool,
}

impl CotReflection {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            full_response: FULL_RESPONSE.boolean(params)?,
        })
    }

    async fn in_one_call(&self, run: &Run, request: &ChatRequest) -> Result<Answer, StrategyError> {
        let messages = view::with_instructions(request.messages(), INSTRUCTIONS.trim());
        let mut call = SubCall::answer(&request.with_messages(messages), Purpose::Final)
            .default_temperature(0.6);
        if self.full_response {
            return run.respond(call).await;
        }
        // Their tokens would tell what the filter hides.
        if ["logprobs", "top_logprobs"]
            .map(|name| call.request.take(name))
            .iter()
            .any(Option::is_some)
        {
            run.degrade("logprobs");
        }
        run.respond_through(call, &mut OutputFilter::new()).await
    }
}

/// Reasons in one call, answers in the required form in a second.
async fn in_two_calls(run: &Run, request: &ChatRequest) -> Result<Answer, StrategyError> {
    let mut first = SubCall::answer(request, Purpose::Candidate).default_temperature(0.6);
    first.request.remove("response_format");
    let first = first.with_messages(view::with_instructions(request.messages(), REASON.trim()));
    let mut messages = request.messages().to_vec();
    match run
        .complete_one(first.numbered(run.seed_offset(0)), 0)
        .await
    {
        Ok(reasoning) if !reasoning.message.text().trim().is_empty() => {
            messages = view::with_turn(&messages, &reasoning.message.text(), CONCLUDE.trim());
        }
        Ok(_) => run.degrade("reasoning"),
        Err(error) => return Err(error),
    }
    run.respond(SubCall::answer(
        &request.with_messages(messages),
        Purpose::Final,
    ))
    .await
}

impl Strategy for CotReflection {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let one = Demand::answer(request);
        if request.wants_json() {
            one.then(one)
        } else {
            one
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let answer = if request.wants_json() {
            in_two_calls(run, request).await?
        } else {
            self.in_one_call(run, request).await?
        };
        Ok(answer.into())
    }
}
