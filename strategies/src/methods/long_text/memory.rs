//! `memory`: a long text is read in parts side by side; the answer is made from the notes taken on
//! them.
//!
//! Paper: Russak et al., *Writing in the Margins: Better Inference Pattern for Long Context
//! Retrieval* (2024, arXiv 2408.14906).
//!
//! 1. What is long in the conversation is taken out of it and cut into overlapping parts of
//!    `memory_chunk_tokens`, at sentences where possible.
//! 2. One reader for each part, all at the same time, sees the rest of the conversation and notes
//!    what helps with its last request, or that nothing does.
//! 3. Of the notes the `memory_notes` most similar to the request (TF-IDF) are kept, in the order
//!    of the text.
//! 4. One call answers the conversation with the notes in place of the long texts.
//!
//! Departures: the paper writes margins while it fills the cache of one model; through an API the
//! parts are separate calls. OptiLLM cuts anywhere, reads one part after the other and loses all
//! roles; here a conversation that fits into one part is answered by a plain call, since it can be
//! read whole. A part that cannot be read is named in the answering call and the run is degraded;
//! without any part read the last error is relayed. The budget is kept for the answer: parts beyond
//! it stay unread. Nothing is remembered after the request.
//!
//! Calls parts + 1, depth 2; 1 and 1 for what fits into one part. The answer streams.

use futures_util::future::join_all;

use crate::chat::{ChatRequest, Choice};
use crate::demand::{Demand, Tokens};
use crate::error::{Exhausted, SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::reading::folding::{BYTES_PER_TOKEN, Reading, chunk, undelimited};
use crate::kit::reading::tf_idf::similarities;
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("memory/role.txt");
const WANTED: &str = include_str!("memory/wanted.txt");
const ANSWER: &str = include_str!("memory/answer.txt");
const UNREAD: &str = include_str!("memory/unread.txt");

/// Tokens that a note is taken to have; OptiLLM's limit.
const NOTE_TOKENS: u64 = 1000;
/// Most bytes that a part repeats of the one before.
const OVERLAP: usize = 400;

const CHUNK_TOKENS: ParamSpec = ParamSpec {
    name: "memory_chunk_tokens",
    kind: ParamKind::Integer {
        default: 25_000,
        min: 500,
        max: 1_000_000,
    },
    help: "tokens that one reader gets; what fits into one part is answered plainly",
};
const NOTES: ParamSpec = ParamSpec {
    name: "memory_notes",
    kind: ParamKind::Integer {
        default: 10,
        min: 1,
        max: 256,
    },
    help: "notes that the answer is made from, the most relevant ones",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "memory",
    name: "writing in the margins",
    summary: "long texts are read in parts side by side, and the answer is made from the notes on \
        them",
    paper: "Writing in the Margins, arXiv 2408.14906",
    params: &[&[CHUNK_TOKENS, NOTES]],
    cost: "1 + text / memory_chunk_tokens calls, depth 2; what fits into one part: 1 call, depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Memory::new(params)?)),
};

struct Memory {
    chunk_bytes: usize,
    notes: usize,
}

/// What a reader made of its part.
enum Margin {
    Note(String),
    Nothing,
    Unread(StrategyError),
}

impl Memory {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let chunk_bytes = CHUNK_TOKENS.integer(params)? as usize * BYTES_PER_TOKEN;
        Ok(Self {
            chunk_bytes,
            notes: NOTES.integer(params)? as usize,
        })
    }

    fn reading(&self, request: &ChatRequest) -> Option<Reading> {
        Reading::of(request, self.chunk_bytes)
    }

    fn parts<'a>(&self, reading: &'a Reading) -> Vec<&'a str> {
        chunk::overlapping(
            &reading.material,
            self.chunk_bytes,
            OVERLAP.min(self.chunk_bytes / 10),
        )
    }

    /// What the readers found. Fewer than the parts if the budget has no room for all and the
    /// answer.
    async fn margins(run: &Run, reading: &Reading, parts: &[&str]) -> Vec<Margin> {
        let case = Case::new(run, &reading.short);
        let room = run.calls_left().saturating_sub(1) as usize;
        let total = parts.len();
        let read = (0_u32..).zip(parts).take(room).map(|(index, part)| {
            let label = format!("part {} of {total}", index + 1);
            let wanted = format!("{}\n\n{}", case.verbatim(&label, part), WANTED.trim());
            let call = case.call(Purpose::Plan, ROLE, &[], &wanted);
            async move {
                run.complete_one(call, index)
                    .await
                    .map_or_else(Margin::Unread, |choice| margin(&choice))
            }
        });
        let mut margins = join_all(read).await;
        margins.resize_with(total, || {
            Margin::Unread(StrategyError::Budget(Exhausted::Calls))
        });
        margins
    }

    /// The notes that help most, in the order of the text, with the numbers of their parts.
    fn best(&self, question: &str, notes: Vec<(usize, String)>) -> Vec<(usize, String)> {
        if notes.len() <= self.notes {
            return notes;
        }
        let texts: Vec<String> = notes.iter().map(|(_, note)| note.clone()).collect();
        let mut ranked: Vec<_> = notes
            .into_iter()
            .zip(similarities(question, &texts))
            .collect();
        ranked.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        ranked.truncate(self.notes);
        let mut kept: Vec<_> = ranked.into_iter().map(|(note, _)| note).collect();
        kept.sort_by_key(|(part, _)| *part);
        kept
    }
}

/// A reader's reply. One that lacks the line it was asked for is a note, so that nothing is lost.
fn margin(reply: &Choice) -> Margin {
    let text = reply.message.text();
    let text = reasoning::strip(&text);
    let text = text.trim();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line: String = first
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ':')
        .collect();
    let note = match line.as_str() {
        "relevant:yes" => rest.trim(),
        line if line.starts_with("relevant:no") => "",
        line if line.starts_with("relevant:yes") && !rest.trim().is_empty() => rest.trim(),
        _ => text,
    };
    if note.is_empty() {
        Margin::Nothing
    } else {
        Margin::Note(note.to_owned())
    }
}

/// The notes and what is missing, as the answering call sees them.
fn findings(case: &Case<'_>, total: usize, notes: &[(usize, String)], unread: &[usize]) -> String {
    let mut sections = vec![case.rule(), ANSWER.trim().to_owned()];
    sections.extend(
        notes
            .iter()
            .map(|(part, note)| case.fence(&format!("note on part {part} of {total}"), note)),
    );
    if notes.is_empty() {
        sections.push("(There are no notes: no part holds anything that helps.)".to_owned());
    }
    if !unread.is_empty() {
        let numbers: Vec<String> = unread.iter().map(usize::to_string).collect();
        sections.push(format!("{} {}", UNREAD.trim(), numbers.join(", ")));
    }
    sections.join("\n\n")
}

impl Strategy for Memory {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Some(reading) = self.reading(request) else {
            return Demand::answer(request);
        };
        let parts = u32::try_from(self.parts(&reading).len()).unwrap_or(u32::MAX);
        let short = Tokens::of(&reading.short);
        let part = (self.chunk_bytes / BYTES_PER_TOKEN) as u64;
        let readers = Demand::step(
            parts,
            Tokens {
                input: short.input.saturating_add(part),
                output: NOTE_TOKENS,
            },
        );
        let notes = NOTE_TOKENS.saturating_mul(self.notes.min(parts as usize) as u64);
        readers.then(Demand::step(
            1,
            Tokens {
                input: short.input.saturating_add(notes),
                ..short
            },
        ))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let reading = self.reading(request).filter(|_| {
            let has_room = run.calls_left() > 1;
            if !has_room {
                run.degrade("budget");
            }
            has_room
        });
        let Some(reading) = reading else {
            return Ok(run
                .respond(SubCall::answer(&undelimited(request), Purpose::Final))
                .await?
                .into());
        };
        let parts = self.parts(&reading);
        let (mut notes, mut unread, mut read) = (Vec::new(), Vec::new(), 0_u32);
        let mut last_error = None;
        for (part, margin) in (1..).zip(Self::margins(run, &reading, &parts).await) {
            match margin {
                Margin::Note(note) => notes.push((part, note)),
                Margin::Nothing => {}
                Margin::Unread(error) => {
                    unread.push(part);
                    last_error = Some(error);
                    continue;
                }
            }
            read += 1;
        }
        match last_error {
            Some(error) if read == 0 => return Err(error),
            Some(error) => run.degrade(error.reason()),
            None => {}
        }
        run.note("parts", parts.len());
        run.note(
            "parts_with_notes",
            notes.iter().map(|(part, _)| *part).collect::<Vec<usize>>(),
        );
        run.note("unread_parts", unread.clone());
        let notes = self.best(&reading.question, notes);
        let case = Case::new(run, &reading.short);
        let informed = reading.informed(&findings(&case, parts.len(), &notes, &unread));
        Ok(run
            .respond(SubCall::answer(&informed, Purpose::Final))
            .await?
            .into())
    }
}
