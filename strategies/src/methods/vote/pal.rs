//! `pal`: the model writes programs, hone calculates them, and their numbers vote with those of
//! texts.
//!
//! Papers: Gao et al., *PAL: Program-aided Language Models* (2022, arXiv 2211.10435); Chen et al.,
//! *Program of Thoughts Prompting* (2022, arXiv 2211.12588); Zhao et al., *Automatic Model
//! Selection with Large Language Models for Reasoning* (2023, arXiv 2305.14333), for programs and
//! texts together: they err in different ways.
//!
//! 1. Two programs. The instructions say what a program may hold ([`crate::answer::program`]:
//!    straight lines of arithmetic), and one worked example stands before the last turn: without it
//!    small models write prose. The client's own instructions stay. If both give the same number,
//!    the vote is over.
//! 2. Else the other of `pal_programs` and `pal_texts` answers in prose, at the same time, asked
//!    for as `self_consistency` asks. In the vote a program weighs 1.5 and a text 1; what cannot be
//!    run or read abstains. A vote that is decided cancels the rest (`stop_confidence`).
//! 3. The shortest text with the winning number is the answer. Without one the number is: in a box
//!    or alone where the conversation asks for that, else in one sentence. With `pal_answer =
//!    "explained"` one call explains it instead, which streams.
//!
//! Only for questions that ask for one number, from clients that want neither tools nor JSON; every
//! other is answered by `self_consistency`, with its parameters. If nobody gives a number, the
//! first sound text is the answer (degraded `vote`), or without one that of a plain call.
//!
//! Departures: hone evaluates exact fractions and executes nothing, where PAL runs Python; and the
//! vote replaces the call with which arXiv 2305.14333 has a model choose.
//!
//! Calls 2 to pal_programs + pal_texts, depth 1 or 2; explained 1 call and 1 depth more. With one
//! program all are asked at once. What is not explained is replayed as a stream.

mod tally;

use self::tally::Tally;
use crate::chat::{ChatRequest, Choice, Message, view};
use crate::contract::WORKSPACE;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::{Case, ceiling};
use crate::kit::choosing::voting;
use crate::methods::vote::self_consistency::{self, SelfConsistency, names_a_form, unlabelled};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Answer, Ballot, Candidate, Manner, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const INSTRUCTIONS: &str = include_str!("pal/instructions.txt");
const QUESTION: &str = include_str!("pal/question.txt");
const PROGRAM: &str = include_str!("pal/program.txt");
const EXPLAIN: &str = include_str!("pal/explain.txt");

/// Programs that end the vote if they agree.
const FIRST: u32 = 2;
/// The temperature of programs, so that they differ.
const DIVERSE: f64 = 0.8;

const PROGRAMS: ParamSpec = ParamSpec {
    name: "pal_programs",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "programs, of which two come first",
};
const TEXTS: ParamSpec = ParamSpec {
    name: "pal_texts",
    kind: ParamKind::Integer {
        default: 2,
        min: 0,
        max: 16,
    },
    help: "answers in prose that vote with the programs where the first two do not agree",
};
const ANSWER: ParamSpec = ParamSpec {
    name: "pal_answer",
    kind: ParamKind::Choice {
        default: "number",
        options: &["number", "explained"],
    },
    help: "what is returned where no answer in prose has the winning number: the number, or one \
        more call's explanation of it",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "pal",
    name: "program-aided language model",
    summary: "the model writes programs, hone calculates them exactly, and their numbers vote with \
        those of answers in prose; other questions are answered by self_consistency",
    paper: "PAL, arXiv 2211.10435; Program of Thoughts, arXiv 2211.12588; arXiv 2305.14333",
    params: &[&[PROGRAMS, TEXTS, ANSWER], self_consistency::PARAMS],
    cost: "2 to pal_programs + pal_texts calls, depth 1 or 2; explained: 1 call and 1 depth more; \
        questions that ask for no number: as self_consistency",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Pal::new(params)?)),
};

struct Pal {
    programs: u32,
    texts: u32,
    explains: bool,
    /// For texts, and for questions that are not about a number.
    prose: SelfConsistency,
    manner: Manner,
}

/// The candidates, and how they voted.
struct Heard {
    candidates: Vec<Candidate>,
    tally: Tally,
}

impl Heard {
    /// The shortest text with the winning number, else the first program with it; where nobody
    /// voted the first sound text.
    fn chosen(&self) -> Option<&Candidate> {
        let texts = || {
            let is_text = |candidate: &&Candidate| !self.tally.is_program(candidate);
            self.candidates.iter().filter(is_text)
        };
        let Some(leader) = self.tally.leader() else {
            return texts().find(|text| text.is_sound());
        };
        let has_won =
            |candidate: &&Candidate| leader.candidates.contains(&(candidate.index as usize));
        let shortest = texts().filter(has_won).min_by_key(|text| text.text().len());
        shortest.or_else(|| self.candidates.iter().find(has_won))
    }
}

impl Pal {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            programs: PROGRAMS.integer(params)?,
            texts: TEXTS.integer(params)?,
            explains: ANSWER.word(params)? == "explained",
            prose: SelfConsistency::new(params)?,
            manner: Manner::read(params)?,
        })
    }

    /// The programs that are waited for before anything else is asked.
    fn first(&self) -> u32 {
        if self.programs < FIRST { 0 } else { FIRST }
    }

    fn all(&self) -> u32 {
        self.programs.saturating_add(self.texts)
    }

    /// All calls that there may be, the programs first.
    fn calls(&self, request: &ChatRequest, asking: Option<&ChatRequest>) -> Vec<SubCall> {
        let asked = asking.unwrap_or(request);
        let text = SubCall::answer(asked, Purpose::Candidate).diverse(voting::DIVERSE);
        let programs = (0..self.programs).map(|_| program_call(request));
        let texts = (0..self.texts).map(|_| text.clone());
        programs.chain(texts).collect()
    }

    /// Two programs, then the others if these do not agree.
    async fn hear(
        &self,
        run: &Run,
        calls: &[SubCall],
        mut tally: Tally,
    ) -> Result<Heard, StrategyError> {
        let from = self.first();
        let (first, rest) = calls.split_at_checked(from as usize).unwrap_or_default();
        let mut candidates = Vec::new();
        if !first.is_empty() {
            candidates.extend(run.sample_each(first, None).await?);
            for program in &candidates {
                tally.add(program);
            }
        }
        let mut tally = tally.counting_from(from);
        if rest.is_empty() || tally.is_unanimous(candidates.len()) {
            return Ok(Heard { candidates, tally });
        }
        let rest: Vec<SubCall> = rest.iter().map(|call| call.numbered(from.into())).collect();
        match run.sample_each(&rest, Some(&mut tally)).await {
            Ok(others) => candidates.extend(others.into_iter().map(|other| Candidate {
                index: other.index.saturating_add(from),
                ..other
            })),
            Err(error) if error.is_final() || candidates.is_empty() => return Err(error),
            Err(error) => run.degrade(error.reason()),
        }
        Ok(Heard { candidates, tally })
    }

    /// The winning number where no text has it.
    async fn tell(
        &self,
        run: &Run,
        request: &ChatRequest,
        number: &str,
        program: &Candidate,
    ) -> Result<Answer, StrategyError> {
        if self.explains {
            let explained = informed(&Case::new(run, request), request, number);
            match run
                .respond(SubCall::answer(&explained, Purpose::Final))
                .await
            {
                Err(error) if !error.is_final() => {
                    run.degrade("explanation");
                    run.degrade(error.reason());
                }
                answered => return answered,
            }
        }
        if request
            .get("logprobs")
            .is_some_and(|wanted| *wanted == true)
        {
            run.degrade("logprobs");
        }
        let choice = Choice {
            message: program
                .choice
                .message
                .with("content", told(request, number)),
            logprobs: None,
            ..program.choice.clone()
        };
        run.emit(choice, program.usage).await
    }
}

/// The answer of a plain call; if it fails, that of the first candidate, which is prose where no
/// program could be read in it.
async fn plainly(
    run: &Run,
    request: &ChatRequest,
    candidates: &[Candidate],
) -> Result<Answer, StrategyError> {
    let answered = run.respond(SubCall::answer(request, Purpose::Final)).await;
    let sound = candidates.iter().find(|candidate| candidate.is_sound());
    match (answered, sound.or(candidates.first())) {
        (Err(error), Some(candidate)) if !error.is_final() => {
            run.degrade(error.reason());
            run.elect(candidate).await
        }
        (answered, _) => answered,
    }
}

/// Whether the request asks for one number, in a form that programs do not spoil.
fn asks_for_number(request: &ChatRequest) -> bool {
    let question = voting::question(request);
    let is_last = request
        .messages()
        .last()
        .is_some_and(|last| last.role() == "user");
    is_last
        && question.is_closed()
        && question.asks_for_number()
        && !question.asks_for_truth()
        && question.options().next().is_none()
        && !request.uses_tools()
        && !request.wants_json()
}

/// The request for a program that this approach makes of a request for a number, for whoever keeps
/// programs to vote with them later; nothing of any other request.
pub fn program_request(request: &ChatRequest) -> Option<ChatRequest> {
    asks_for_number(request).then(|| program_call(request).request)
}

/// A call for a program. All of one conversation are alike, so that providers can reuse what they
/// have read of it.
fn program_call(request: &ChatRequest) -> SubCall {
    let mut messages = view::with_instructions(request.messages(), INSTRUCTIONS.trim());
    let last = view::history(&messages).len();
    let example = [
        Message::user(QUESTION.trim()),
        Message::assistant(PROGRAM.trim()),
    ];
    messages.splice(last..last, example);
    SubCall::internal(request, Purpose::Candidate, messages, ceiling(request)).diverse(DIVERSE)
}

/// The conversation with the number, and what to do with it, in its instructions.
fn informed(case: &Case<'_>, request: &ChatRequest, number: &str) -> ChatRequest {
    let text = [
        EXPLAIN.trim(),
        &case.rule(),
        &case.fence(WORKSPACE, &format!("The answer is {number}.")),
    ]
    .join("\n\n");
    request.with_messages(view::with_instructions(request.messages(), &text))
}

/// The number in the form that the conversation asks for.
fn told(request: &ChatRequest, number: &str) -> String {
    let asks_for_box = |message: &Message| message.text().contains("boxed");
    if request.messages().iter().any(asks_for_box) {
        format!("\\boxed{{{number}}}")
    } else if names_a_form(request) {
        number.to_owned()
    } else if voting::question(request).asks_for_percentage() {
        format!("The answer is {number}%.")
    } else {
        format!("The answer is {number}.")
    }
}

impl Strategy for Pal {
    fn demand(&self, request: &ChatRequest) -> Demand {
        if !asks_for_number(request) {
            return self.prose.demand(request);
        }
        let tokens = Tokens::of(request);
        let rest = self.all().saturating_sub(self.first());
        let mut votes = Demand::step(self.first(), Tokens::of_reading(request, 0));
        if rest > 0 {
            votes = votes.then(voting::demand_each(rest, self.manner, tokens));
        }
        if self.explains {
            return votes.then(Demand::answer(request));
        }
        // The plain call where nobody gives a number or a text.
        Demand {
            max_calls: votes.max_calls.saturating_add(1),
            ..votes
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if !asks_for_number(request) {
            return self.prose.execute(run, request).await;
        }
        let question = voting::question(request);
        let asking = self.prose.asking(request, &question);
        let calls = self.calls(request, asking.as_ref());
        let tally = Tally::new(question, self.programs);
        let heard = self.hear(run, &calls, tally).await?;
        let chosen = heard.chosen();
        heard.tally.record(run, &heard.candidates, chosen);
        let leader = heard.tally.leader();
        if leader.is_none() {
            run.degrade("vote");
        }
        let answer = match (leader, chosen) {
            (Some(leader), Some(program)) if heard.tally.is_program(program) => {
                let number = leader.value.to_string();
                self.tell(run, request, &number, program).await?
            }
            (_, Some(text)) if asking.is_some() && self.prose.is_label_ours() => {
                run.emit(unlabelled(&text.choice), text.usage).await?
            }
            (_, Some(text)) => run.elect(text).await?,
            (_, None) => plainly(run, request, &heard.candidates).await?,
        };
        Ok(answer.into())
    }
}
