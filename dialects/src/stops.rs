//! Stop sequences that an upstream is not told.
//!
//! Responses has none, Google takes five and chat four. What an upstream is not told hone watches
//! for: the text is cut where a sequence begins, and the answer ends there with `stop`. Only text
//! is watched, never what was thought or the arguments of calls. In a stream, what could be the
//! beginning of a sequence is held back until more is known; without a match all text comes out as
//! it went in. Text on both sides of a call is apart.

use hone_strategies::chat::{
    ChatRequest, Choice, Chunk, ChunkChoice, Completion, Delta, Dialect, Message,
};
use serde_json::{Map, Value};

mod scan;

use scan::{Found, Needle, Scan};

use crate::shape::{Event, Refusal};

/// More sequences than anybody needs. Each costs a look at every byte of the text.
const MOST: usize = 64;
/// Bytes of the longest sequence.
const LONGEST: usize = 4096;
/// More choices than any upstream gives. Others are not watched.
const MOST_CHOICES: usize = 128;

/// A request's stop sequences: who watches for which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parted {
    /// What the upstream is told.
    pub told: Vec<String>,
    /// What hone watches for.
    pub watched: Vec<String>,
}

/// Parts the stop sequences of `request` for an upstream of `dialect`. Where both speak one
/// dialect that has stop sequences, the upstream is told everything, and says itself what it thinks
/// of it.
///
/// # Errors
///
/// What is no sequence, or more than hone watches for, by its path in the client's own spelling.
pub fn part(request: &ChatRequest, dialect: Dialect) -> Result<Parted, Refusal> {
    let mut parted = Parted::default();
    let client = client(request);
    let most = most(dialect);
    let is_own = client == dialect && most > 0;
    for (index, stop) in given(request).iter().enumerate() {
        let Value::String(stop) = stop else {
            let path = format!("{}.{index}", path(client));
            return Err(Refusal::invalid(path, "A stop sequence must be a string."));
        };
        if is_own || (parted.told.len() < most && is_taken(stop, dialect)) {
            parted.told.push(stop.clone());
        } else if !stop.is_empty() {
            parted.watched.push(stop.clone());
        }
    }
    let is_long = |stop: &String| stop.len() > LONGEST;
    if parted.watched.len() > MOST || parted.watched.iter().any(is_long) {
        let why = format!(
            "This upstream is not told them, and hone watches for at most {MOST} stop sequences \
             of {LONGEST} bytes."
        );
        return Err(Refusal::untranslatable(path(client), why));
    }
    Ok(parted)
}

fn client(request: &ChatRequest) -> Dialect {
    let origin = request.origin();
    origin.map_or(Dialect::OpenAiChat, |origin| origin.dialect)
}

/// How many sequences an upstream takes.
fn most(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Anthropic => usize::MAX,
        Dialect::Gemini => 5,
        Dialect::OpenAiChat => 4,
        Dialect::OpenAiResponses => 0,
    }
}

/// Whether an upstream takes this one. Anthropic refuses white space alone.
fn is_taken(stop: &str, dialect: Dialect) -> bool {
    !stop.is_empty() && (dialect != Dialect::Anthropic || !stop.trim().is_empty())
}

/// Where a client writes them.
fn path(client: Dialect) -> &'static str {
    match client {
        Dialect::Anthropic => "stop_sequences",
        Dialect::Gemini => "generationConfig.stopSequences",
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "stop",
    }
}

fn given(request: &ChatRequest) -> &[Value] {
    match request.get("stop") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(stops)) => stops,
        Some(stop) => std::slice::from_ref(stop),
    }
}

/// Watches what an upstream answers. See the [module](self).
#[derive(Debug)]
pub struct Guard {
    needles: Vec<Needle>,
    /// How many choices the request wants.
    wanted: usize,
    choices: Vec<(u32, Watched)>,
}

/// What is known of a choice.
#[derive(Debug)]
struct Watched {
    scan: Scan,
    calls: bool,
    is_cut: bool,
}

impl Guard {
    /// One for the answer of an upstream of `dialect`, if there is something to watch for.
    pub fn of(request: &ChatRequest, dialect: Dialect) -> Option<Self> {
        let watched = part(request, dialect).ok()?.watched;
        let wanted = usize::try_from(request.n()).unwrap_or(1);
        Self::new(watched, wanted)
    }

    /// One that watches for `stops` in an answer of `wanted` choices.
    pub fn new(stops: Vec<String>, wanted: usize) -> Option<Self> {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty());
        let needles: Vec<Needle> = stops.map(Needle::new).collect();
        (!needles.is_empty()).then(|| Self {
            needles,
            wanted: wanted.max(1),
            choices: Vec::new(),
        })
    }

    /// Whether every choice has been cut: nothing more will come out but the end, and the upstream
    /// need not go on.
    pub fn is_over(&self) -> bool {
        let is_over = |(_, watched): &(u32, Watched)| watched.is_over();
        self.choices.len() >= self.wanted && self.choices.iter().all(is_over)
    }

    /// What becomes of the next events of a stream.
    pub fn push(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut out = Vec::with_capacity(events.len());
        for event in events {
            match event {
                Event::Chunk(chunk) => out.extend(self.chunk(chunk)),
                // The answer was whole before.
                Event::Failed(_) if self.is_over() => out.push(Event::Done),
                end @ (Event::Done | Event::Failed(_)) => {
                    out.extend(self.rest());
                    out.push(end);
                }
            }
        }
        out
    }

    /// Cuts a whole answer.
    pub fn whole(&self, answer: &mut Completion) {
        for choice in &mut answer.choices {
            self.cut(choice);
        }
    }

    fn cut(&self, choice: &mut Choice) {
        let text = choice.message.get("content").and_then(Value::as_str);
        let mut scan = Scan::new(self.needles.len());
        let Some(Found::Cut(said, stop)) = text.map(|text| scan.push(&self.needles, text)) else {
            return;
        };
        let mut fields = choice.message.fields().clone();
        fields.insert("content".to_owned(), said.into());
        fields.shift_remove("tool_calls");
        choice.message = Message::from_fields(fields);
        choice.finish_reason = Some("stop".to_owned());
        choice.rest.extend(met(&stop));
    }

    fn chunk(&mut self, mut chunk: Chunk) -> Option<Event> {
        let needles = &self.needles;
        let known = &mut self.choices;
        chunk.choices.retain_mut(|ChunkChoice { index, delta }| {
            let mut choices = known.iter_mut();
            if let Some((_, watched)) = choices.find(|(known, _)| known == index) {
                return watched.delta(needles, delta);
            }
            if known.len() >= MOST_CHOICES {
                return true;
            }
            let mut watched = Watched::new(needles.len());
            let is_left = watched.delta(needles, delta);
            known.push((*index, watched));
            is_left
        });
        let says = chunk.usage.is_some() || !chunk.reported.is_empty() || !chunk.rest.is_empty();
        (says || !chunk.choices.is_empty()).then_some(Event::Chunk(chunk))
    }

    /// What is still held back.
    fn rest(&mut self) -> Option<Event> {
        let mut rest = Chunk::default();
        for (index, watched) in &mut self.choices {
            let held = watched.scan.flush();
            if !held.is_empty() {
                let delta = Delta::content(held);
                rest.choices.extend(Chunk::of(*index, delta).choices);
            }
        }
        (!rest.choices.is_empty()).then_some(Event::Chunk(rest))
    }
}

/// The stop sequence that ended a choice, as its end tells it.
fn met(stop: &str) -> Map<String, Value> {
    Map::from_iter([("stop_sequence".to_owned(), stop.into())])
}

impl Watched {
    fn new(needles: usize) -> Self {
        Self {
            scan: Scan::new(needles),
            calls: false,
            is_cut: false,
        }
    }

    /// Whether nothing more comes of it. Calls that had begun go on to their end.
    fn is_over(&self) -> bool {
        self.is_cut && !self.calls
    }

    /// Leaves of `delta` what may be said now. Gives whether that is something, or always was
    /// nothing.
    fn delta(&mut self, needles: &[Needle], delta: &mut Delta) -> bool {
        if self.is_over() {
            return false;
        }
        let was_empty = delta.is_empty();
        let text = match delta.fields.get_mut("content") {
            Some(Value::String(text)) => std::mem::take(text),
            _ => String::new(),
        };
        let had_text = !text.is_empty();
        let mut said = self.text(needles, text, delta);
        if !self.is_cut {
            let begins = delta.fields.contains_key("tool_calls");
            self.calls |= begins;
            if begins || delta.finish_reason.is_some() {
                said.push_str(&self.scan.flush());
            }
        }
        match delta.fields.get_mut("content") {
            Some(Value::String(_)) if said.is_empty() && had_text => {
                delta.fields.shift_remove("content");
            }
            Some(Value::String(text)) => *text = said,
            _ if said.is_empty() => {}
            _ => drop(delta.fields.insert("content".to_owned(), said.into())),
        }
        was_empty || !delta.is_empty()
    }

    /// What may be said of `text`. `delta` is ended where it is cut.
    fn text(&mut self, needles: &[Needle], text: String, delta: &mut Delta) -> String {
        if self.is_cut || text.is_empty() {
            return String::new();
        }
        match self.scan.push(needles, &text) {
            Found::All => text,
            Found::Some(said) => said,
            Found::Cut(said, stop) => {
                self.is_cut = true;
                delta.native = None;
                delta.logprobs = None;
                delta.rest = Some(Box::new(met(&stop)));
                if !self.calls {
                    delta.fields.shift_remove("tool_calls");
                    delta.finish_reason = Some("stop".to_owned());
                }
                said
            }
        }
    }
}

#[cfg(test)]
mod tests;
