//! Token use, read beside a response that is passed on as it comes.
//!
//! What is reported is believed; beside it hone counts for itself, for providers that report
//! nothing, streams that end early and several choices of which only one is reported. Nothing here
//! changes, delays or refuses a response: what cannot be read is left out. Compressed responses
//! cannot be read.

use bytes::Bytes;
use hone_strategies::chat::{Usage, UsageReport, Written, is_possible, settle};
use serde_json::value::RawValue;

pub(crate) mod body;
mod google;
mod passing;
pub(crate) mod stream;

pub(crate) use body::BodyReader;
pub(crate) use stream::{EventKind, StreamReader};

use crate::sse::{RawEvent, Splitter};

/// The kinds of responses whose token use can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// An unknown one: its answers may report `usage` like another one's. Without a report every
    /// four bytes count as a token.
    Any,
    /// `chat/completions`.
    ChatCompletions,
    /// `completions`.
    Completions,
    /// `embeddings`.
    Embeddings,
    /// Google's `generateContent` and `streamGenerateContent`.
    Gemini,
    /// Anthropic's `messages`.
    Messages,
    /// `responses`.
    Responses,
}

/// What a response told about its token use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// The provider's own account of the whole answer, the last or largest where it gives several.
    pub reported: Option<Usage>,
    /// Its account so far, of a stream that ended without one of the whole.
    pub(crate) interim: Option<Usage>,
    /// Generated tokens by hone's count; `None` if the response was too large to be read.
    pub(crate) counted: Option<Written>,
}

/// What is known of a response that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its provider had reported its use by then.
    Reported(Usage),
    /// At least so much was used by then.
    AtLeast(Usage),
}

/// Reads one response, of either form.
#[derive(Debug)]
pub enum UsageReader {
    /// A JSON body.
    Body(BodyReader),
    /// An event stream.
    Stream(Box<EventReader>),
}

/// A place in a response where its last word could stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Between two events.
    Events,
    /// Between two of Google's, which have data only.
    GooglesEvents,
    /// In a list of Google's, where this must stand before another element.
    List(&'static str),
}

/// Splits an event stream and reads each event once.
#[derive(Debug)]
pub struct EventReader {
    /// Until the stream has ended.
    splitter: Option<Splitter>,
    reader: StreamReader,
}

impl EventReader {
    /// A reader of a stream that answers a request to `api` for `choices` choices, of which at most
    /// one event of `max_event_bytes` is kept.
    pub(crate) fn new(api: Api, max_event_bytes: usize, choices: u64) -> Self {
        Self {
            splitter: Some(Splitter::new(max_event_bytes)),
            reader: StreamReader::new(api, choices),
        }
    }

    /// Reads the next bytes of the stream. Each event that is complete by then goes to `seen`.
    pub(crate) fn push(&mut self, chunk: Bytes, mut seen: impl FnMut(RawEvent, EventKind)) {
        let Some(splitter) = &mut self.splitter else {
            return;
        };
        for event in splitter.push(chunk) {
            let kind = self.reader.observe(&event);
            seen(event, kind);
        }
    }

    /// What stands behind the last whole event, at the stream's end. Given once.
    pub(crate) fn rest(&mut self) -> Option<(RawEvent, EventKind)> {
        let event = self.splitter.take()?.finish()?;
        let kind = self.reader.observe(&event);
        Some((event, kind))
    }

    fn finish(mut self) -> Observed {
        drop(self.rest());
        self.reader.finish()
    }
}

impl Observed {
    /// What to charge for a call whose answer is whole and whose input was estimated at
    /// `input_estimate` tokens. `None` if nothing is known: neither a report that can be believed
    /// nor a text, beside which one could have been left out.
    pub(crate) fn settled(&self, input_estimate: u64) -> Option<Usage> {
        let written = self.counted.unwrap_or_default();
        let is_one = |usage: &Usage| usage.total > 0 && is_possible(usage, written, input_estimate);
        match (self.reported.filter(is_one), self.interim) {
            (None, Some(_)) if self.reported.is_none() => Some(self.at_least(input_estimate)),
            (None, _) if written.all == 0 => None,
            (reported, _) => Some(settle(reported, written, input_estimate)),
        }
    }

    /// What is known if the answer was cut off here. Only an account of the whole answer tells what
    /// the call has used: Anthropic's streams begin with one of the input and one token.
    pub(crate) fn seen(&self, input_estimate: u64) -> Option<Seen> {
        let written = self.counted.unwrap_or_default();
        let is_possible = |usage| is_possible(&usage, written, input_estimate);
        if self.reported.is_some_and(is_possible) {
            return self.settled(input_estimate).map(Seen::Reported);
        }
        let is_known = self.interim.is_some() || self.counted.is_some();
        is_known.then(|| Seen::AtLeast(self.at_least(input_estimate)))
    }

    fn at_least(&self, input_estimate: u64) -> Usage {
        let counted = self.counted.unwrap_or_default();
        let interim = self
            .interim
            .filter(|usage| is_possible(usage, counted, input_estimate))
            .unwrap_or_default();
        let written = counted.all;
        let prompt = if interim.prompt == 0 {
            input_estimate
        } else {
            interim.prompt
        };
        Usage::estimate(prompt, interim.completion.max(written))
    }
}

/// Reads the `usage` object of any of the APIs. `None` unless it counts something.
fn parse(usage: &RawValue) -> Option<Usage> {
    serde_json::from_str::<UsageReport>(usage.get())
        .ok()?
        .usage()
}

/// What an answer of an unknown API told: its report, if that is of the whole, else `tokens` by its
/// length.
fn of_any(report: Option<Usage>, is_whole: bool, tokens: u64) -> Observed {
    let report = report.filter(|usage| usage.total > 0);
    let reported = report.filter(|_| is_whole);
    let counted = if reported.is_some() { 0 } else { tokens };
    Observed {
        reported,
        interim: report.filter(|_| !is_whole),
        counted: Some(Written::one(counted)),
    }
}

/// The larger number of each kind.
fn larger(one: Usage, other: Usage) -> Usage {
    let (prompt, completion) = (
        one.prompt.max(other.prompt),
        one.completion.max(other.completion),
    );
    Usage {
        prompt,
        completion,
        total: one
            .total
            .max(other.total)
            .max(prompt.saturating_add(completion)),
        ..one
    }
}

impl UsageReader {
    /// For a JSON body with `choices` choices, of which at most `max_bytes` are kept.
    pub fn body(api: Api, max_bytes: usize, choices: u64) -> Self {
        Self::Body(BodyReader::new(api, max_bytes, choices))
    }

    /// For an event stream with `choices` choices, of which at most one event of `max_event_bytes`
    /// is kept.
    pub fn stream(api: Api, max_event_bytes: usize, choices: u64) -> Self {
        Self::Stream(Box::new(EventReader::new(api, max_event_bytes, choices)))
    }

    /// Where the response stands: between two events, or between two elements of a list. Of events
    /// it is asked whether `is_between` them.
    pub(crate) fn gap(&self, is_between: bool) -> Option<Gap> {
        match self {
            Self::Body(body) => body.gap().map(Gap::List),
            Self::Stream(_) if !is_between => None,
            Self::Stream(events) if events.reader.is_googles() => Some(Gap::GooglesEvents),
            Self::Stream(_) => Some(Gap::Events),
        }
    }

    /// Reads the next bytes of the response.
    pub fn observe(&mut self, chunk: &Bytes) {
        match self {
            Self::Body(body) => body.observe(chunk),
            Self::Stream(stream) => stream.push(chunk.clone(), |_event, _kind| {}),
        }
    }

    /// What is known at the end of the response, or where it was cut off.
    pub fn finish(self) -> Observed {
        match self {
            Self::Body(body) => body.finish(),
            Self::Stream(stream) => stream.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
