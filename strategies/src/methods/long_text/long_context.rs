//! `longcepo`: a text beyond the model's window is read in parts, question by question.
//!
//! Papers: Zhou et al., *LLM×MapReduce: Simplified Long-Sequence Processing using Large Language
//! Models* (2024, arXiv 2410.09342); planning as in Cerebras' *LongCePO* (2025), which has no
//! paper.
//!
//! 1. What is long in the conversation is taken out and cut into parts of `longcepo_chunk_size`
//!    tokens. What precedes `<CONTEXT_END>` is the text.
//! 2. At the same time: a summary of each part; the bare question, and up to
//!    `longcepo_max_questions` smaller ones on the way to it.
//! 3. Each smaller question, then the main one: every part is read, knowing the summaries of the
//!    `longcepo_num_neighbor_summaries` parts on either side and the answers so far, and gives a
//!    record or that it has no information. Records that do not fit into the window are merged,
//!    several at a time.
//! 4. The records give the answer: of a smaller question by a call of its own, of the main one by
//!    the call that answers the conversation.
//!
//! Departures: OptiLLM summarises anew for every question, asks for the bare question in a call of
//! its own, repeats calls up to ten times, merges in pairs one after the other, and fails without
//! its delimiter; here each of these costs at most one call, and a conversation without the
//! delimiter is divided at its last paragraph. `longcepo_order = "parallel"` asks for questions
//! that do not need each other, and reads for all of them at once. A text that fits into one part
//! is answered by a plain call. Parts that cannot be read are named in the last call and the run is
//! degraded; a call is always kept for the answer. Without any part read the last error is relayed.
//!
//! Calls, with C parts and Q smaller questions: 1 + C + (Q + 1)(C + 1) and the merges; depth 1 +
//! 2(Q + 1), in parallel order 5 (1 and 1 for what fits). The answer streams.

mod reader;
mod record;
mod sizes;

use futures_util::future::{join, join_all};

use self::reader::{Findings, Reader, most_merges};
use self::record::Questions;
use self::sizes::{AT_ONCE, Sizes};
use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::reading::folding::{BYTES_PER_TOKEN, Reading, chunk, undelimited};
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const PLAN_ROLE: &str = include_str!("long_context/plan_role.txt");
const PLAN: &str = include_str!("long_context/plan.txt");
const ANSWER: &str = include_str!("long_context/answer.txt");

/// Tokens that instructions and the conversation itself are taken to have in a call that merges.
const INSTRUCTIONS: u32 = 500;

const CHUNK_SIZE: ParamSpec = ParamSpec {
    name: "longcepo_chunk_size",
    kind: ParamKind::Integer {
        default: 4096,
        min: 256,
        max: 200_000,
    },
    help: "tokens that one reader gets; what fits into one part is answered plainly",
};
const WINDOW: ParamSpec = ParamSpec {
    name: "longcepo_max_context_window",
    kind: ParamKind::Integer {
        default: 8192,
        min: 2048,
        max: 2_000_000,
    },
    help: "tokens that one call may hold; records beyond it are merged",
};
const RECORD: ParamSpec = ParamSpec {
    name: "longcepo_max_output_tokens",
    kind: ParamKind::Integer {
        default: 1024,
        min: 64,
        max: 100_000,
    },
    help: "tokens of a record that are kept",
};
const SUMMARY: ParamSpec = ParamSpec {
    name: "longcepo_max_output_tokens_summary",
    kind: ParamKind::Integer {
        default: 300,
        min: 16,
        max: 10_000,
    },
    help: "tokens of a summary that are kept",
};
const NEIGHBOURS: ParamSpec = ParamSpec {
    name: "longcepo_num_neighbor_summaries",
    kind: ParamKind::Integer {
        default: 5,
        min: 0,
        max: 100,
    },
    help: "parts on either side whose summaries a reader is told",
};
const MAX_QUESTIONS: ParamSpec = ParamSpec {
    name: "longcepo_max_questions",
    kind: ParamKind::Integer {
        default: 3,
        min: 0,
        max: 10,
    },
    help: "smaller questions on the way to the main one",
};
const ORDER: ParamSpec = ParamSpec {
    name: "longcepo_order",
    kind: ParamKind::Choice {
        default: "sequential",
        options: &["sequential", "parallel"],
    },
    help: "smaller questions one after the other, each knowing the answers before, or at once",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "longcepo",
    name: "planning and reading of long contexts",
    summary: "a text beyond the model's window is read in parts, question by question, and \
        answered from the readers' records",
    paper: "LLM×MapReduce, arXiv 2410.09342; Cerebras LongCePO (2025)",
    params: &[&[
        CHUNK_SIZE,
        WINDOW,
        RECORD,
        SUMMARY,
        NEIGHBOURS,
        MAX_QUESTIONS,
        ORDER,
    ]],
    cost: "with C parts and Q ≤ longcepo_max_questions: 1 + C + (Q + 1)(C + 1) calls and the \
        merges, depth 1 + 2(Q + 1), parallel 5; \
           what fits into one part: 1 call, depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(LongContext::new(params)?)),
};

struct LongContext {
    chunk_bytes: usize,
    sizes: Sizes,
    questions: u32,
    is_parallel: bool,
}

/// Smaller questions with their answers, as later calls are told them.
type Known = Vec<String>;

impl LongContext {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let record = RECORD.integer(params)?;
        let room = WINDOW
            .integer(params)?
            .saturating_sub(record)
            .saturating_sub(INSTRUCTIONS);
        Ok(Self {
            chunk_bytes: CHUNK_SIZE.integer(params)? as usize * BYTES_PER_TOKEN,
            sizes: Sizes {
                record: record as usize,
                room: room as usize * BYTES_PER_TOKEN,
                summary: SUMMARY.integer(params)? as usize,
                neighbours: NEIGHBOURS.integer(params)? as usize,
            },
            questions: MAX_QUESTIONS.integer(params)?,
            is_parallel: ORDER.word(params)? == "parallel",
        })
    }

    fn parts<'a>(&self, reading: &'a Reading) -> Vec<&'a str> {
        chunk::chunks(&reading.material, self.chunk_bytes)
    }

    /// The most smaller questions for which the budget has room; `None` if there is none even for
    /// the main one.
    fn affordable(&self, run: &Run, parts: u32) -> Option<u32> {
        let fits = |questions: &u32| calls(parts, *questions) <= run.calls_left();
        let affordable = (0..=self.questions).rev().find(fits);
        if affordable != Some(self.questions) {
            run.degrade("budget");
        }
        affordable
    }

    /// The bare question and the smaller ones. One call.
    async fn plan(
        &self,
        run: &Run,
        case: &Case<'_>,
        limit: u32,
    ) -> Result<Questions, StrategyError> {
        let order = if self.is_parallel {
            "Each must be answerable without the answers to the others."
        } else {
            "Put them into an order in which later ones may build on the answers to earlier ones."
        };
        let wanted = PLAN
            .trim()
            .replace("{limit}", &limit.to_string())
            .replace("{order}", order);
        let reply = run
            .complete_one(case.call(Purpose::Plan, PLAN_ROLE, &[], &wanted), 0)
            .await?;
        Ok(Questions::read(
            &reasoning::strip(&reply.message.text()),
            limit as usize,
        ))
    }

    /// The smaller questions that could be answered, with their answers.
    async fn explore(
        &self,
        reader: &Reader<'_>,
        questions: &[String],
        summaries: &[String],
    ) -> Known {
        if self.is_parallel {
            let asks = (0_u32..)
                .zip(questions)
                .map(|(index, question)| explored(reader, index, question, "", summaries));
            return join_all(asks).await.into_iter().flatten().collect();
        }
        let mut known = Known::new();
        for (index, question) in (0..).zip(questions) {
            known.extend(explored(reader, index, question, &known.join("\n"), summaries).await);
        }
        known
    }

    async fn read(
        &self,
        run: &Run,
        reading: &Reading,
        limit: u32,
    ) -> Result<Output, StrategyError> {
        let reader = Reader {
            run,
            case: Case::new(run, &reading.short),
            parts: self.parts(reading),
            sizes: self.sizes,
        };
        let (summaries, planned) =
            join(reader.summaries(), self.plan(run, &reader.case, limit)).await;
        let (summaries, planned) = match (summaries, planned) {
            (Err(_), Err(error)) => return Err(error),
            (summaries, planned) => (told(run, summaries), told(run, planned)),
        };
        let known = self.explore(&reader, &planned.smaller, &summaries).await;
        let question = planned.main.unwrap_or_else(|| reading.question.clone());
        let mut findings = reader.read(&question, &known.join("\n"), &summaries).await;
        if let Some(error) = findings
            .failure(reader.parts.len())
            .filter(|_| known.is_empty())
        {
            return Err(error);
        }
        findings.records = reader.collapse(&question, findings.records).await;
        run.note("parts", reader.parts.len());
        run.note("questions", planned.smaller);
        run.note("unread_parts", findings.unread.clone());
        let informed = reading.informed(&report(&reader.case, &findings, &known));
        Ok(run
            .respond(SubCall::answer(&informed, Purpose::Final))
            .await?
            .into())
    }
}

/// What was made of something optional; an error is told.
fn told<T: Default>(run: &Run, result: Result<T, StrategyError>) -> T {
    result
        .inspect_err(|error| run.degrade(error.reason()))
        .unwrap_or_default()
}

/// A smaller question with its answer, if the parts hold one.
async fn explored(
    reader: &Reader<'_>,
    index: u32,
    question: &str,
    known: &str,
    summaries: &[String],
) -> Option<String> {
    let findings = reader.read(question, known, summaries).await;
    let records = reader.collapse(question, findings.records).await;
    let answer = reader.reduce(index, question, &records).await?;
    Some(format!("Question: {question}\nAnswer: {answer}"))
}

/// What the last call is told.
fn report(case: &Case<'_>, findings: &Findings, known: &[String]) -> String {
    let mut sections = vec![case.rule(), ANSWER.trim().to_owned()];
    if !known.is_empty() {
        sections.push(case.fence("earlier answers", &known.join("\n\n")));
    }
    if findings.records.is_empty() {
        sections.push("(There are no records: no part has information on the request.)".to_owned());
    } else {
        sections.push(case.fence("records", &findings.records.join("\n\n")));
    }
    if !findings.unread.is_empty() {
        let numbers: Vec<String> = findings.unread.iter().map(usize::to_string).collect();
        sections.push(format!(
            "(These parts could not be read, so something may be missing: {}.)",
            numbers.join(", ")
        ));
    }
    sections.join("\n\n")
}

/// Calls for the plan, the summaries, and the smaller questions and the main one, without merges.
fn calls(parts: u32, questions: u32) -> u32 {
    let per_question = parts.saturating_add(1);
    parts
        .saturating_add(1)
        .saturating_add(per_question.saturating_mul(questions.saturating_add(1)))
}

impl Strategy for LongContext {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Some(reading) = Reading::of(request, self.chunk_bytes) else {
            return Demand::answer(request);
        };
        let parts = u32::try_from(self.parts(&reading).len()).unwrap_or(u32::MAX);
        let short = Tokens::of(&reading.short);
        let records = short
            .input
            .saturating_add((self.sizes.room / BYTES_PER_TOKEN) as u64);
        let part = short
            .input
            .saturating_add((self.chunk_bytes / BYTES_PER_TOKEN) as u64);
        let told = (self.sizes.summary
            * self.sizes.neighbours.saturating_mul(2).min(parts as usize))
            as u64;
        let at_once = u32::try_from(AT_ONCE).unwrap_or(u32::MAX).min(parts);
        let reading_all = |tokens: Tokens| {
            let all = Demand::step(parts, tokens);
            Demand {
                depth: parts.div_ceil(at_once.max(1)),
                first_wave: at_once,
                first_wave_choices: at_once,
                parallel: at_once,
                ..all
            }
        };
        let summaries = reading_all(Tokens {
            input: part,
            output: self.sizes.summary as u64,
        });
        let plan = Demand::step(1, Tokens::of_reading(&reading.short, 0));
        let map = reading_all(Tokens {
            input: part.saturating_add(told),
            output: self.sizes.record as u64,
        });
        let smaller = map.then(Demand::step(
            1,
            Tokens {
                input: records,
                output: self.sizes.record as u64,
            },
        ));
        let mut whole = summaries.beside(plan);
        if self.is_parallel {
            whole = if self.questions > 0 {
                whole.then(smaller.times(self.questions))
            } else {
                whole
            };
        } else {
            whole = (0..self.questions).fold(whole, |whole, _| whole.then(smaller));
        }
        let whole = whole.then(map).then(Demand::step(
            1,
            Tokens {
                input: records,
                ..short
            },
        ));
        let merges = most_merges(parts, &self.sizes).saturating_mul(self.questions + 1);
        Demand {
            max_calls: whole.max_calls.saturating_add(merges),
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if let Some(reading) = Reading::of(request, self.chunk_bytes) {
            let parts = u32::try_from(self.parts(&reading).len()).unwrap_or(u32::MAX);
            if let Some(limit) = self.affordable(run, parts) {
                return self.read(run, &reading, limit).await;
            }
        }
        Ok(run
            .respond(SubCall::answer(&undelimited(request), Purpose::Final))
            .await?
            .into())
    }
}
