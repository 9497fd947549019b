//! `leap`: learns principles from mistakes with the conversation's worked examples, and answers by
//! them.
//!
//! Paper: Zhang et al., *In-Context Principle Learning from Mistakes* (2024, arXiv 2402.05403).
//!
//! Without signs of worked examples (labelled questions and answers, or several turns) one plain
//! call answers. With them:
//!
//! 1. One call lists the examples; beside it a draft answers the conversation. If there are no
//!    examples after all, the draft is the answer.
//! 2. Each example's question is answered `leap_samples` times, without its answer.
//! 3. Of the attempts whose answer is wrong, one call per example learns principles. An example
//!    that is never missed is asked for its likeliest mistake.
//! 4. One call condenses the principles of all examples (not needed for one example).
//! 5. The conversation, examples included, is answered with the principles in its instructions.
//!
//! Examples go through 2 and 3 independently of each other. Answers are compared by what they say.
//!
//! Departures: OptiLLM orders mistakes to be made; the paper and this take those that happen. The
//! paper learns once per task and keeps the principles; here each request learns its own, as
//! OptiLLM does, since what is kept between requests could tell one tenant what another asks.
//!
//! An example whose calls fail teaches nothing. If nothing was learned or the last call fails, the
//! draft is the answer and the run says why (`principles`); so it does at the end of the budget and
//! at the deadline.
//!
//! Calls 4 + 2k for k > 1 examples, at most six (more where the upstream ignores `n`), depth 5;
//! without examples 1 and 1. The last call streams; the draft is replayed.

mod examples;

use std::pin::pin;

use futures_util::future::{Either, join_all, select};

use self::examples::Example;
use crate::chat::{ChatRequest, Message, view};
use crate::contract::{EXAMPLES, PRINCIPLES};
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::StrategyError;
use crate::kit::case::{Case, ceiling};
use crate::model::Purpose;
use crate::reasoning;
use crate::run::{Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const EXTRACT_ROLE: &str = include_str!("principle_learning/extract_role.txt");
const EXTRACT: &str = include_str!("principle_learning/extract.txt");
const ATTEMPT: &str = include_str!("principle_learning/attempt.txt");
const TEACHER: &str = include_str!("principle_learning/teacher.txt");
const MISTAKES: &str = include_str!("principle_learning/mistakes.txt");
const LIKELY: &str = include_str!("principle_learning/likely.txt");
const CONDENSE: &str = include_str!("principle_learning/condense.txt");
const APPLY: &str = include_str!("principle_learning/apply.txt");

/// Most principles that the last call gets.
const MOST_PRINCIPLES: &str = "8";

const SAMPLES: ParamSpec = ParamSpec {
    name: "leap_samples",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "attempts at each worked example",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "leap",
    name: "in-context principle learning",
    summary: "learns principles from mistakes with the conversation's worked examples and answers \
        by them",
    paper: "In-Context Principle Learning from Mistakes, arXiv 2402.05403",
    params: &[&[SAMPLES]],
    cost: "4 + 2 × examples calls, depth 5; without worked examples 1 call, depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| {
        Ok(DynStrategy::new(PrincipleLearning {
            samples: SAMPLES.integer(params)?,
        }))
    },
};

struct PrincipleLearning {
    samples: u32,
}

/// A lesson under way.
struct Lesson<'a> {
    run: &'a Run,
    request: &'a ChatRequest,
    case: Case<'a>,
    samples: u32,
}

impl Lesson<'_> {
    /// The principles, if there are examples and something was learned from them.
    async fn learn(&self, expected: u32) -> Option<String> {
        let call = self
            .case
            .call(
                Purpose::Plan,
                EXTRACT_ROLE,
                &[],
                &format!("{}\n\n{EXAMPLES}", EXTRACT.trim()),
            )
            .set("temperature", 0.0);
        let mut examples = self.run.judge(&call, 0, EXAMPLES, examples::read).await?;
        examples.truncate(expected as usize);
        if examples.is_empty() {
            return None;
        }
        let learned = (0..)
            .zip(&examples)
            .map(|(index, example)| self.learn_from(example, index));
        let mut learned: Vec<String> = join_all(learned).await.into_iter().flatten().collect();
        if learned.len() < 2 {
            return learned.pop().or_else(|| self.nothing());
        }
        let condensed = self
            .teach(
                &[("principles", learned.join("\n\n"))],
                &CONDENSE.trim().replace("{count}", MOST_PRINCIPLES),
                0,
            )
            .await;
        Some(condensed.unwrap_or_else(|| learned.join("\n\n")))
    }

    fn nothing(&self) -> Option<String> {
        self.run.degrade("principles");
        None
    }

    /// What `example` teaches.
    async fn learn_from(&self, example: &Example, index: u32) -> Option<String> {
        let attempts = self
            .attempts(example, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let texts = attempts
            .iter()
            .filter(|attempt| attempt.is_sound())
            .map(Candidate::text);
        let missed: Vec<String> = texts
            .filter(|text| example.is_missed_by(text) == Some(true))
            .collect();
        let wanted = if missed.is_empty() { LIKELY } else { MISTAKES };
        let mut materials = vec![
            ("question", example.question.clone()),
            ("right answer", example.answer.clone()),
        ];
        materials.extend(missed.into_iter().map(|text| ("attempt", text)));
        self.teach(&materials, wanted.trim(), index + 1).await
    }

    /// Answers to an example's question, by a reader of the client's instructions who knows nothing
    /// else.
    async fn attempts(&self, example: &Example, index: u32) -> Result<Candidates, StrategyError> {
        let question = Message::user(format!(
            "{}\n\n{}",
            self.case.excerpt(&example.question),
            ATTEMPT.trim()
        ));
        // Instructions that hold the examples would give the answers away.
        let leading = self
            .request
            .messages()
            .first()
            .filter(|message| matches!(message.role(), "system" | "developer"));
        let leading = leading
            .filter(|message| !message.text().contains(&example.question))
            .cloned();
        let messages = leading.into_iter().chain([question]).collect();
        let call = SubCall::internal(
            self.request,
            Purpose::Candidate,
            messages,
            ceiling(self.request),
        )
        .diverse(0.7);
        self.run
            .sample(
                &call.numbered(i64::from(index * self.samples)),
                self.samples,
                None,
            )
            .await
    }

    /// A call that learns from `materials`.
    async fn teach(
        &self,
        materials: &[(&str, String)],
        wanted: &str,
        index: u32,
    ) -> Option<String> {
        let fenced: Vec<String> = materials
            .iter()
            .map(|(label, text)| self.case.fence(label, text))
            .collect();
        let system = Message::system(format!("{}\n\n{}", TEACHER.trim(), self.case.rule()));
        let user = Message::user(format!(
            "{}\n\n{wanted}\n\n{PRINCIPLES}",
            fenced.join("\n\n")
        ));
        let call = SubCall::internal(
            self.request,
            Purpose::Critique,
            vec![system, user],
            ceiling(self.request),
        );
        let reply = self
            .run
            .complete_one(call, index)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let text = reply.message.text();
        let text = reasoning::strip(&text).trim().to_owned();
        (!text.is_empty() && !reply.is_truncated()).then_some(text)
    }

    fn applying(&self, principles: &str) -> SubCall {
        let text = [
            APPLY.trim(),
            &self.case.rule(),
            &self.case.fence("principles", principles),
        ]
        .join("\n\n");
        SubCall::answer(self.request, Purpose::Final)
            .with_messages(view::with_instructions(self.request.messages(), &text))
    }

    /// The answer by `principles`; the draft if that fails.
    async fn answer(
        &self,
        principles: &str,
        draft: Option<Candidate>,
    ) -> Result<Output, StrategyError> {
        match (self.run.respond(self.applying(principles)).await, draft) {
            (Ok(answer), _) => Ok(answer.into()),
            (Err(error), Some(draft)) if !error.is_final() => {
                self.run.degrade("principles");
                self.run.degrade(error.reason());
                Ok(self.run.elect(&draft).await?.into())
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Strategy for PrincipleLearning {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let examples = examples::signs(request.messages());
        if examples == 0 {
            return Demand::answer(request);
        }
        let Tokens { input, output } = Tokens::of(request);
        let small = Tokens {
            input: OUTPUT_ESTIMATE,
            output: OUTPUT_ESTIMATE,
        };
        let listing = Demand::verdicts(
            1,
            Tokens {
                input,
                output: OUTPUT_ESTIMATE,
            },
        );
        let spare = if self.samples > 1 { self.samples } else { 0 };
        let attempts = Demand {
            max_calls: 1 + spare,
            first_wave_choices: self.samples,
            parallel: self.samples,
            ..Demand::step(1, small)
        };
        let learning = Demand::step(
            1,
            Tokens {
                input: OUTPUT_ESTIMATE.saturating_mul(u64::from(self.samples)),
                ..small
            },
        );
        let condensing = if examples > 1 {
            Demand::step(1, small)
        } else {
            Demand::default()
        };
        let last = Demand::step(
            1,
            Tokens {
                input: input.saturating_add(OUTPUT_ESTIMATE),
                output,
            },
        );
        let learned = attempts
            .times(examples)
            .then(learning.times(examples))
            .then(condensing);
        Demand::answer(request)
            .beside(listing)
            .then(learned)
            .then(last)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let expected = examples::signs(request.messages());
        if expected == 0 {
            return Ok(run
                .respond(SubCall::answer(request, Purpose::Final))
                .await?
                .into());
        }
        let lesson = Lesson {
            run,
            request,
            case: Case::new(run, request),
            samples: self.samples,
        };
        let asked = SubCall::answer(request, Purpose::Candidate);
        // The draft is begun first: what the budget has room for is an answer.
        let draft = pin!(run.candidate(&asked, 0));
        let learning = pin!(lesson.learn(expected));
        let (principles, draft) = match select(draft, learning).await {
            Either::Left((draft, learning)) => (learning.await, draft),
            // An answer by principles does not wait for one without.
            Either::Right((Some(principles), _)) => return lesson.answer(&principles, None).await,
            Either::Right((None, draft)) => (None, draft.await),
        };
        match principles {
            Some(principles) => lesson.answer(&principles, draft.ok()).await,
            None => Ok(run.elect(&draft?).await?.into()),
        }
    }
}
