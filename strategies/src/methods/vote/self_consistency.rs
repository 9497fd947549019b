//! `self_consistency`: several ways of reasoning; the answer on which most of them agree wins.
//!
//! Papers: Wang et al., *Self-Consistency Improves Chain of Thought Reasoning in Language Models*
//! (2022, arXiv 2203.11171); for free text Chen et al., *Universal Self-Consistency for Large
//! Language Model Generation* (2023, arXiv 2311.17311); for stopping early Aggarwal et al., *Let's
//! Sample Step by Step* (2023, arXiv 2305.11860).
//!
//! 1. `num_samples` candidates. Where the question tells what its answer looks like (a number, an
//!    option, yes or no) and the conversation does not ask for a form, the instructions ask for a
//!    last line that names the answer; `sc_force_format` asks for it everywhere.
//! 2. Answers are compared by what they say. A vote that is decided, or very likely to be
//!    (`stop_confidence`), cancels the rest.
//! 3. The shortest candidate with the winning answer is returned.
//! 4. Where no two free texts agree, one call chooses the candidate most consistent with the
//!    others, as `usc` does.
//!
//! Candidates cut off, refused or without a recognisable answer abstain.
//!
//! Calls up to n, depth 1 (`sampling = "waves"`: depth up to ⌈n/4⌉); for free text 1 call and 1
//! depth more. The winner is replayed as a stream.
//!
//! Measured on a simulated model (docs/approaches.md) the instructions of five samples cost as much
//! as two more: `majority_voting` gets more votes for it where answers are recognised without being
//! asked for.

use crate::answer::Question;
use crate::chat::{ChatRequest, view};
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::kit::choosing::voting::{self, Poll};
use crate::methods::vote::universal_self_consistency::most_consistent;
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Manner, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const FORMAT: &str = include_str!("self_consistency/format.txt");

const NUM_SAMPLES: ParamSpec = ParamSpec {
    name: "num_samples",
    kind: ParamKind::Integer {
        default: 5,
        min: 1,
        max: 64,
    },
    help: "candidates",
};
const FORCE_FORMAT: ParamSpec = ParamSpec {
    name: "sc_force_format",
    kind: ParamKind::Boolean { default: false },
    help: "ask for a delimited final answer whatever the question",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "self_consistency",
    name: "self-consistency",
    summary: "several ways of reasoning; the answer on which most agree wins, and a vote as good \
        as decided stops the rest",
    paper: "Self-Consistency Improves Chain of Thought Reasoning, arXiv 2203.11171; Universal \
        Self-Consistency, arXiv 2311.17311",
    params: &[&[NUM_SAMPLES, FORCE_FORMAT]],
    cost: "up to num_samples calls, depth 1 (waves: depth up to ⌈num_samples/4⌉); free text: 1 \
        call and 1 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(SelfConsistency::new(params)?)),
};

struct SelfConsistency {
    samples: u32,
    force_format: bool,
    manner: Manner,
}

impl SelfConsistency {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: NUM_SAMPLES.integer(params)?,
            force_format: FORCE_FORMAT.boolean(params)?,
            manner: Manner::read(params)?,
        })
    }

    /// The request, with a wish for a delimited answer where that cannot spoil it.
    fn asking(&self, request: &ChatRequest, question: &Question) -> ChatRequest {
        let is_fitting = self.force_format || (question.is_closed() && !names_a_form(request));
        if !is_fitting || request.uses_tools() || request.wants_json() {
            return request.clone();
        }
        request.with_messages(view::with_instructions(request.messages(), FORMAT.trim()))
    }
}

/// Whether the conversation itself says how to delimit the answer.
fn names_a_form(request: &ChatRequest) -> bool {
    let instructions = request
        .messages()
        .iter()
        .filter(|message| matches!(message.role(), "system" | "developer"));
    instructions
        .chain(view::task(request.messages()))
        .any(|message| {
            let text = message.text().to_lowercase();
            text.contains("boxed") || text.contains("final answer")
        })
}

impl Strategy for SelfConsistency {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let votes = voting::demand(self.samples, self.manner, request);
        // The call for free text, and its second attempt.
        Demand {
            max_calls: votes.max_calls.saturating_add(2),
            ..votes
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let question = voting::question(request);
        let is_free = !question.is_closed();
        let call =
            SubCall::answer(&self.asking(request, &question), Purpose::Candidate).diverse(1.0);
        let mut poll = Poll::new(question);
        let candidates = run.sample(&call, self.samples, Some(&mut poll)).await?;
        let winners = poll.winners(&candidates);
        let elected = winners
            .iter()
            .copied()
            .min_by_key(|candidate| candidate.text().len());
        let winner = match elected {
            Some(elected) if !is_free || winners.len() > 1 => elected,
            _ => most_consistent(run, request, &candidates).await,
        };
        poll.record(run, &candidates, winner);
        Ok(run.elect(winner).await?.into())
    }
}
