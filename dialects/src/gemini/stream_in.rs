//! An upstream's stream, read.
//!
//! Nothing says that a stream is whole but its end, at which every candidate must have its finish
//! reason. A reason is told when it comes, and so are the counters that come with it or behind it:
//! whoever reads may stop there. What else comes behind it counts: a call, a counter, another
//! reason that the call makes of it. More of what was said would reach a client behind its end:
//! such a stream has failed.

use std::collections::BTreeMap;

use hone_strategies::chat::{Chunk, ChunkChoice, Delta, Usage};
use serde_json::{Map, Value, json};

use super::answer_in::{self as answer, Read};
use super::documents::Documents;
use super::fields::{get, text};
use super::{logprobs, signature};
use crate::marks::Minter;
use crate::shape::{ErrorReply, Event, Source, StreamDecoder};
use crate::tables::{finish, usage};
use crate::wire::json::document;

mod plain;

use plain::Plain;

/// More candidates than any answer has.
const MOST_CANDIDATES: usize = 128;

pub(super) struct Decoder {
    documents: Documents,
    source: Source,
    minter: Minter,
    /// Boxed, since a tree has room for eleven at once.
    candidates: BTreeMap<u32, Box<Candidate>>,
    /// What is told with the next end, or by itself when one has been told: the counters, and what
    /// stands beside the candidates.
    beside: Chunk,
    /// The newest counters, if they have not been read.
    counters: String,
    /// What of it has been told.
    told: Chunk,
    has_ended: bool,
    events: Vec<Event>,
}

/// A candidate as far as it has come.
#[derive(Default)]
struct Candidate {
    calls: u32,
    says_something: bool,
    /// Its finish reason.
    word: Option<String>,
    refusal: String,
    /// What its finish reason has been told to mean.
    told: Option<&'static str>,
    /// What it has said in parts that chat can say, until one comes that chat cannot.
    plain: Vec<Value>,
    /// Whether one came.
    is_odd: bool,
}

/// What a part says.
struct Said {
    part: Value,
    /// In chat's fields.
    fields: Map<String, Value>,
    /// Whether that is not all of it.
    is_odd: bool,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            documents: Documents::new(source.max_event_bytes),
            minter: Minter::new(&source.seed),
            source,
            candidates: BTreeMap::new(),
            beside: Chunk::default(),
            counters: String::new(),
            told: Chunk::default(),
            has_ended: false,
            events: Vec::new(),
        }
    }

    fn document(&mut self, bytes: &[u8]) {
        if self.has_ended {
            return;
        }
        if Plain::read(bytes).is_some_and(|plain| self.piece(&plain)) {
            return;
        }
        let Some(document) = document(bytes) else {
            let why = "A part of the upstream's stream is no JSON.";
            return self.fail(ErrorReply::malformed(why));
        };
        if let Some(error) = answer::told(&document) {
            return self.fail(error);
        }
        self.beside.rest.extend(answer::rest(&document));
        let told = get(&document, "usageMetadata").and_then(usage::from_gemini);
        let told = told.or_else(|| self.counted());
        self.beside.usage = told.or(self.beside.usage);
        self.counters.clear();
        let candidates = get(&document, "candidates").and_then(Value::as_array);
        for (at, candidate) in candidates.into_iter().flatten().enumerate() {
            self.candidate(candidate, at);
        }
        if let Some(why) = answer::blocked(&document).filter(|_| self.candidates.is_empty()) {
            let blocked = Candidate {
                word: Some("SAFETY".to_owned()),
                refusal: why,
                ..Candidate::default()
            };
            self.candidates.insert(0, Box::new(blocked));
        }
        self.ends();
    }

    /// Tells a piece of a text if all candidates go on and this one's parts need no company. Gives
    /// whether they do.
    fn piece(&mut self, plain: &Plain<'_>) -> bool {
        let (index, text, is_thought) = plain.piece();
        let is_ending = self.candidates.values().any(|other| other.word.is_some());
        let candidate = self.candidates.get_mut(&index);
        let candidate = candidate.filter(|candidate| !candidate.is_odd && !is_ending);
        let (Some(candidate), true) = (candidate, plain.is_small()) else {
            return false;
        };
        if !text.is_empty() {
            candidate.says_something = true;
            join_text(&mut candidate.plain, text, is_thought);
        }
        plain.name(&mut self.beside.rest);
        if let Some(counters) = plain.usage_metadata {
            self.counters.clear();
            self.counters.push_str(counters.get());
        }
        if !text.is_empty() {
            let name = if is_thought {
                "reasoning_content"
            } else {
                "content"
            };
            self.add(index, Delta::field(name, text));
        }
        true
    }

    /// The counters that have not been read.
    fn counted(&self) -> Option<Usage> {
        usage::from_gemini(&document(self.counters.as_bytes())?)
    }

    /// Tells the ends that are known and have not been told, and the counters with or behind them.
    fn ends(&mut self) {
        let mut ends = Vec::new();
        for (index, candidate) in &mut self.candidates {
            let meaning = candidate.meaning();
            let Some(reason) = meaning.filter(|_| meaning != candidate.told) else {
                continue;
            };
            candidate.told = meaning;
            let mut delta = Delta::finish(reason);
            if reason == "content_filter" && !candidate.refusal.is_empty() {
                let refusal = candidate.refusal.as_str().into();
                delta.fields.insert("refusal".to_owned(), refusal);
            }
            let index = *index;
            ends.push(ChunkChoice { index, delta });
        }
        let mut candidates = self.candidates.values();
        let is_ending = candidates.any(|candidate| candidate.told.is_some());
        if self.has_ended || !is_ending || ends.is_empty() && self.beside == self.told {
            return;
        }
        self.told.clone_from(&self.beside);
        let mut chunk = self.beside.clone();
        chunk.choices = ends;
        self.events.push(Event::Chunk(chunk));
    }

    fn candidate(&mut self, told: &Value, at: usize) {
        let index = get(told, "index").and_then(Value::as_u64);
        let index = index.or_else(|| u64::try_from(at).ok());
        let index = index
            .and_then(|index| u32::try_from(index).ok())
            .unwrap_or(0);
        let is_new = !self.candidates.contains_key(&index);
        if is_new && self.candidates.len() >= MOST_CANDIDATES {
            let why = "The upstream's answer has too many candidates.";
            return self.fail(ErrorReply::malformed(why));
        }
        let mut candidate = self.candidates.remove(&index).unwrap_or_default();
        if is_new {
            self.add(index, Delta::field("role", "assistant"));
        }
        let parts = get(told, "content").and_then(|content| get(content, "parts"));
        for part in parts.and_then(Value::as_array).into_iter().flatten() {
            self.part(index, &mut candidate, part);
        }
        if let Some(part) = answer::beside(told) {
            let said = Said {
                part,
                fields: Map::new(),
                is_odd: true,
            };
            self.said(index, &mut candidate, said);
        }
        if let Some(logprobs) = logprobs::read(told) {
            let logprobs = Some(logprobs);
            self.add(
                index,
                Delta {
                    logprobs,
                    ..Delta::default()
                },
            );
        }
        let word = text(told, "finishReason");
        if !word.is_empty() && word != "FINISH_REASON_UNSPECIFIED" {
            candidate.word = Some(word.to_owned());
            text(told, "finishMessage").clone_into(&mut candidate.refusal);
            if finish::from_gemini(word) == finish::Meaning::Failed {
                self.fail(answer::failed(word, &candidate.refusal));
            }
        }
        self.candidates.insert(index, candidate);
    }

    fn part(&mut self, index: u32, candidate: &mut Candidate, part: &Value) {
        let (fields, is_odd) = match answer::read(part, &self.source, &mut self.minter) {
            Read::Call(mut call, is_odd) => {
                if let Some(fields) = call.as_object_mut() {
                    fields.insert("index".to_owned(), candidate.calls.into());
                }
                candidate.calls = candidate.calls.saturating_add(1);
                (Some(("tool_calls", json!([call]))), is_odd)
            }
            Read::Other => (None, true),
            Read::Text(text, is_odd) => (Some(("content", text.into())), is_odd),
            Read::Thought(text, is_odd) => (Some(("reasoning_content", text.into())), is_odd),
        };
        let is_empty = |value: &Value| value == "";
        let says = fields.as_ref().is_none_or(|(_, value)| !is_empty(value));
        if !says && !is_odd {
            return;
        }
        let is_call = matches!(fields, Some(("tool_calls", _)));
        if says && !is_call && candidate.told.is_some() {
            let why = "The upstream's stream goes on behind its finish reason.";
            return self.fail(ErrorReply::malformed(why));
        }
        candidate.says_something |= says;
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let fields: Map<String, Value> = fields.into_iter().collect();
        let part = part.clone();
        let said = Said {
            part,
            fields,
            is_odd,
        };
        self.said(index, candidate, said);
    }

    /// Tells what a part says. Parts go along as soon as there is one that chat cannot say; those
    /// before it, which have been told, come first.
    fn said(&mut self, index: u32, candidate: &mut Candidate, said: Said) {
        let Said {
            part,
            fields,
            is_odd,
        } = said;
        if !candidate.is_odd && !is_odd {
            join(&mut candidate.plain, part);
            let delta = Delta {
                fields,
                ..Delta::default()
            };
            return self.add(index, delta);
        }
        candidate.is_odd = true;
        if !candidate.plain.is_empty() {
            let told = std::mem::take(&mut candidate.plain);
            let native = Some(answer::native(told, &self.source));
            self.add(
                index,
                Delta {
                    native,
                    ..Delta::default()
                },
            );
        }
        let native = Some(answer::native(vec![part], &self.source));
        self.add(
            index,
            Delta {
                fields,
                native,
                ..Delta::default()
            },
        );
    }

    fn add(&mut self, index: u32, delta: Delta) {
        if !self.has_ended {
            self.events.push(Event::Chunk(Chunk::of(index, delta)));
        }
    }

    fn fail(&mut self, error: ErrorReply) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.events.push(Event::Failed(error));
        }
    }

    /// The end of the body. The answer is whole if every candidate is.
    fn end(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        for candidate in candidates.values() {
            match &candidate.word {
                None => return self.fail(ErrorReply::truncated()),
                Some(word) if candidate.meaning().is_none() => {
                    return self.fail(answer::failed(word, &candidate.refusal));
                }
                Some(_) => {}
            }
        }
        if candidates.is_empty() {
            return self.fail(ErrorReply::truncated());
        }
        self.has_ended = true;
        self.events.push(Event::Done);
    }
}

impl Candidate {
    /// What its finish reason means, as far as is known: nothing where the answer would be none.
    fn meaning(&self) -> Option<&'static str> {
        let says_something = self.says_something || self.is_odd;
        let meaning = finish::from_gemini(self.word.as_ref()?);
        meaning.reason(says_something, self.calls > 0)
    }
}

/// Adds a part that chat can say to those before it: texts of one kind are one.
fn join(parts: &mut Vec<Value>, part: Value) {
    if let Some(more) = part.get("text").and_then(Value::as_str)
        && signature::of(&part).is_empty()
    {
        return join_text(parts, more, is_thought(&part));
    }
    parts.push(part);
}

/// Adds a text, or a thought, to the last part if that is one.
fn join_text(parts: &mut Vec<Value>, more: &str, is_thought_too: bool) {
    let last = parts.last_mut();
    let last = last.filter(|last| is_thought(last) == is_thought_too);
    if let Some(Value::String(whole)) = last.and_then(|last| last.get_mut("text")) {
        return whole.push_str(more);
    }
    parts.push(if is_thought_too {
        json!({"text": more, "thought": true})
    } else {
        json!({ "text": more })
    });
}

fn is_thought(part: &Value) -> bool {
    part.get("thought") == Some(&Value::Bool(true))
}

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        if !self.has_ended {
            match self.documents.push(bytes) {
                Ok(documents) => documents.iter().for_each(|bytes| self.document(bytes)),
                Err(_) => self.fail(ErrorReply::malformed("An event is too large.")),
            }
        }
        std::mem::take(&mut self.events)
    }

    fn finish(&mut self) -> Vec<Event> {
        if !self.has_ended {
            let (last, is_whole) = self.documents.finish();
            let last = last.filter(|bytes| !bytes.trim_ascii().is_empty());
            let is_cut = last.as_ref().is_some_and(|bytes| document(bytes).is_none());
            if let Some(last) = last.filter(|_| !is_cut) {
                self.document(&last);
            }
            if is_cut || !is_whole {
                self.fail(ErrorReply::truncated());
            }
        }
        if !self.has_ended {
            self.end();
        }
        std::mem::take(&mut self.events)
    }
}
