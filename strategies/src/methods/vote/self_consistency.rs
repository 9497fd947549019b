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
//! 3. The shortest candidate with the winning answer is returned, without the label that nobody but
//!    the instructions has asked for.
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
use crate::chat::{ChatRequest, Choice, view};
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

/// Its parameters, for methods that may run it.
pub(crate) const PARAMS: &[ParamSpec] = &[NUM_SAMPLES, FORCE_FORMAT];

pub(crate) const ENTRY: Entry = Entry {
    slug: "self_consistency",
    name: "self-consistency",
    summary: "several ways of reasoning; the answer on which most agree wins, and a vote as good \
        as decided stops the rest",
    paper: "Self-Consistency Improves Chain of Thought Reasoning, arXiv 2203.11171; Universal \
        Self-Consistency, arXiv 2311.17311",
    params: &[PARAMS],
    cost: "up to num_samples calls, depth 1 (waves: depth up to ⌈num_samples/4⌉); free text: 1 \
        call and 1 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(SelfConsistency::new(params)?)),
};

pub(crate) struct SelfConsistency {
    samples: u32,
    force_format: bool,
    manner: Manner,
}

impl SelfConsistency {
    pub(crate) fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: NUM_SAMPLES.integer(params)?,
            force_format: FORCE_FORMAT.boolean(params)?,
            manner: Manner::read(params)?,
        })
    }

    /// Whether nobody but hone has asked for the label of an answer.
    pub(crate) fn is_label_ours(&self) -> bool {
        !self.force_format
    }

    /// The request with a wish for a delimited answer, where that cannot spoil it.
    pub(crate) fn asking(&self, request: &ChatRequest, question: &Question) -> Option<ChatRequest> {
        let is_fitting = self.force_format || (question.is_closed() && !names_a_form(request));
        if !is_fitting || request.uses_tools() || request.wants_json() {
            return None;
        }
        let messages = view::with_instructions(request.messages(), FORMAT.trim());
        Some(request.with_messages(messages))
    }
}

/// Words with which a form is asked for.
const FORMS: [&str; 24] = [
    "answer only",
    "boxed",
    "exactly one",
    "final answer",
    "just a ",
    "just one",
    "just the ",
    "letter only",
    "no explanation",
    "no other",
    "nothing else",
    "number only",
    "one number",
    "one word",
    "only a ",
    "only an ",
    "only answer",
    "only one",
    "only the ",
    "only with",
    "only your",
    "single number",
    "single word",
    "without explanation",
];

/// Whether the conversation itself says what the answer has to look like.
pub(crate) fn names_a_form(request: &ChatRequest) -> bool {
    let instructions = request
        .messages()
        .iter()
        .filter(|message| matches!(message.role(), "system" | "developer"));
    instructions
        .chain(view::task(request.messages()))
        .any(|message| {
            let text = message.text().to_lowercase();
            FORMS.iter().any(|form| text.contains(form))
        })
}

/// An answer without the label that only hone has asked for: its value stays, unless the line
/// before ends with it.
pub(crate) fn unlabelled(choice: &Choice) -> Choice {
    const LABEL: &str = "final answer";
    let text = choice.message.text();
    let whole = text.trim_end();
    let (before, line) = whole.rsplit_once('\n').unwrap_or(("", whole));
    let marks = |c: char| c.is_whitespace() || "*#_".contains(c);
    let bare = line.trim_matches(marks);
    let value = bare
        .get(..LABEL.len())
        .filter(|begin| begin.eq_ignore_ascii_case(LABEL))
        .and_then(|_| bare.split_once(':'))
        .map(|(_, value)| value.trim_matches(marks));
    let Some(value) = value.filter(|value| !value.is_empty() && choice.logprobs.is_none()) else {
        return choice.clone();
    };
    let before = before.trim_end();
    let conclusion = before.trim_end_matches(|c: char| ".!*$".contains(c));
    let is_said = conclusion
        .strip_suffix(value)
        .is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || ".,-".contains(c)));
    let told = match (before.is_empty(), is_said) {
        (true, _) => value.to_owned(),
        (false, true) => before.to_owned(),
        (false, false) => format!("{before}\n\n{value}"),
    };
    Choice {
        message: choice.message.with("content", told),
        ..choice.clone()
    }
}

impl Strategy for SelfConsistency {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let votes = voting::demand(self.samples, self.manner, request);
        // The call for free text, or two for two texts, and their second attempts.
        Demand {
            max_calls: votes.max_calls.saturating_add(4),
            ..votes
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let question = voting::question(request);
        let is_free = !question.is_closed();
        let asking = self.asking(request, &question);
        let is_ours = asking.is_some() && self.is_label_ours();
        let asked = asking.as_ref().unwrap_or(request);
        let mut poll = Poll::weighed(run, request, self.samples);
        let call = poll.asking(SubCall::answer(asked, Purpose::Candidate).diverse(voting::DIVERSE));
        let candidates = run.sample(&call, self.samples, Some(&mut poll)).await?;
        poll.closed(run, request);
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
        if is_ours {
            let told = unlabelled(&winner.choice);
            return Ok(run.emit(told, winner.usage).await?.into());
        }
        Ok(run.elect(winner).await?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;

    fn told(text: &str) -> String {
        let choice = Choice::new(Message::assistant(text), "stop");
        unlabelled(&choice).message.text().into_owned()
    }

    #[test]
    fn the_label_goes_and_the_answer_stays() {
        for (text, left) in [
            ("Final answer: 5", "5"),
            ("2 + 3 = 5.\nFinal answer: 5", "2 + 3 = 5."),
            ("I add them.\n\n**Final answer:** 5\n", "I add them.\n\n5"),
            ("It is 15.\nFinal answer: 5", "It is 15.\n\n5"),
            ("A baker sells.\nFinal answer: A", "A baker sells.\n\nA"),
            ("The answer is 5.", "The answer is 5."),
            ("Final answer:", "Final answer:"),
        ] {
            assert_eq!(told(text), left, "{text}");
        }
    }

    #[test]
    fn a_form_that_is_asked_for_is_recognised() {
        for words in [
            "What is 2 + 3? Only the number.",
            "What is 2 + 3? Reply with one number and nothing else.",
            "What is 2 + 3? Just the result, no explanation.",
            "What is 2 + 3? Put it into \\boxed{}.",
        ] {
            let request = ChatRequest::new("m", [Message::user(words)]);
            assert!(names_a_form(&request), "{words}");
        }
        let system = Message::system("Answer only with a number.");
        let request = ChatRequest::new("m", [system, Message::user("What is 2 + 3?")]);
        assert!(names_a_form(&request));
        let free = ChatRequest::new("m", [Message::user("Tom has 3. How many are left?")]);
        assert!(!names_a_form(&free));
    }
}
