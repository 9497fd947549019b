//! The token use of an event stream.

use std::borrow::Cow;

use hone_strategies::chat::{TokenCounter, Usage, Written, text_bytes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::google::Document;
use super::{Api, Observed, larger};
use crate::sse::RawEvent;

/// Reads the events of one stream.
#[derive(Debug)]
pub(crate) struct StreamReader {
    api: Api,
    /// Choices that the request asked for.
    choices: u64,
    reported: Option<Usage>,
    /// Whether a report came with the end of the answer.
    is_whole: bool,
    counter: TokenCounter,
    /// Of the first of several choices.
    first: TokenCounter,
}

/// What an event is to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Anything but the others: `[DONE]`, comments, what opens and closes parts of an answer.
    Other,
    /// Generated text.
    Text,
    /// The event that a chat or completion stream ends with if its client asked for usage: no
    /// choices, and the token use.
    UsageOnly,
}

/// The members of an event that matter here, not yet parsed, so that an oddity in one does not hide
/// the others.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl StreamReader {
    /// A reader of a stream that answers a request to `api` for `choices` choices.
    pub(crate) fn new(api: Api, choices: u64) -> Self {
        Self {
            api,
            choices,
            reported: None,
            is_whole: false,
            counter: TokenCounter::default(),
            first: TokenCounter::default(),
        }
    }

    /// Reads the next event. All of an event above the splitter's bound counts as text. It comes in
    /// pieces, as blank lines do, and how many depends on the network: so they count by bytes.
    pub(crate) fn observe(&mut self, event: &RawEvent) -> EventKind {
        if event.is_oversized() {
            self.counter.add_bytes(event.bytes.len() as u64);
            return EventKind::Text;
        }
        if self.api == Api::Any {
            self.counter.add_bytes(event.bytes.len() as u64);
        }
        let Some(data) = event.data() else {
            return EventKind::Other;
        };
        if self.api == Api::Gemini {
            return self.document(&Document::read(&data));
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            return EventKind::Other;
        };
        match self.api {
            Api::Any => self.any_event(&event),
            Api::ChatCompletions | Api::Completions => self.completion_chunk(&event),
            Api::Embeddings | Api::Gemini => EventKind::Other,
            Api::Messages => self.message_event(&event),
            Api::Responses => self.response_event(&event),
        }
    }

    /// Whether it is a stream of Google's.
    pub(super) fn is_googles(&self) -> bool {
        self.api == Api::Gemini
    }

    /// What the stream told, also if it was cut off.
    pub(crate) fn finish(self) -> Observed {
        let all = self.counter.tokens();
        if self.api == Api::Any {
            return super::of_any(self.reported, self.is_whole, all);
        }
        let first = if self.choices > 1 {
            self.first.tokens()
        } else {
            all
        };
        let (reported, interim) = if self.is_whole {
            (self.reported, None)
        } else {
            (None, self.reported)
        };
        Observed {
            reported,
            interim,
            counted: Some(Written { first, all }),
        }
    }

    fn completion_chunk(&mut self, event: &Event<'_>) -> EventKind {
        let has_usage = self.report(event.usage);
        let has_choices = event
            .choices
            .is_some_and(|choices| !is_empty_array(choices));
        let kind = match event.choices {
            Some(choices) if has_choices => {
                if self.choices > 1 {
                    self.first.add_text(first_choice_bytes(choices));
                }
                self.text(choices)
            }
            _ if has_usage => EventKind::UsageOnly,
            _ => EventKind::Other,
        };
        // What was reported of one choice says nothing of text that came after it.
        self.is_whole |= has_usage && event.choices.is_none_or(ends);
        kind
    }

    /// Each report is of the whole answer up to there.
    fn document(&mut self, document: &Document) -> EventKind {
        self.counter.add_text(document.bytes);
        self.reported = document.usage.or(self.reported);
        self.is_whole = document.usage.is_some() && document.ends;
        if document.bytes > 0 {
            EventKind::Text
        } else {
            EventKind::Other
        }
    }

    /// A report may stand in the event, or in what it is about.
    fn any_event(&mut self, event: &Event<'_>) -> EventKind {
        const ENDS: [&str; 4] = ["completed", "done", "end", "stop"];
        let is_end = |kind: &str| ENDS.iter().any(|end| kind.ends_with(end));
        let within = [event.message, event.response].into_iter().flatten();
        let mut has_usage = false;
        for usage in within.filter_map(usage_in).chain(event.usage) {
            has_usage |= self.report(Some(usage));
        }
        // What comes behind a report may be more than it speaks of.
        self.is_whole = has_usage || self.is_whole && event.kind.as_deref().is_some_and(is_end);
        EventKind::Other
    }

    fn message_event(&mut self, event: &Event<'_>) -> EventKind {
        match event.kind.as_deref() {
            Some("content_block_delta") => {
                return event
                    .delta
                    .map_or(EventKind::Other, |delta| self.text(delta));
            }
            Some("message_delta") => {
                let has_usage = self.report(event.usage);
                self.is_whole |= has_usage;
                has_usage
            }
            Some("message_start") => self.report(event.message.and_then(usage_in)),
            _ => false,
        };
        EventKind::Other
    }

    fn response_event(&mut self, event: &Event<'_>) -> EventKind {
        match event.kind.as_deref() {
            Some("response.completed" | "response.failed" | "response.incomplete") => {
                self.is_whole |= self.report(event.response.and_then(usage_in));
                EventKind::Other
            }
            Some(kind)
                if kind
                    .rsplit_once('.')
                    .is_some_and(|(_, last)| last == "delta") =>
            {
                event
                    .delta
                    .map_or(EventKind::Other, |delta| self.text(delta))
            }
            _ => EventKind::Other,
        }
    }

    /// Takes in a report, if it is one. Reports that come in parts or grow with the stream are
    /// merged.
    fn report(&mut self, usage: Option<&RawValue>) -> bool {
        let Some(reported) = usage.and_then(super::parse) else {
            return false;
        };
        self.reported = Some(larger(self.reported.unwrap_or_default(), reported));
        true
    }

    fn text(&mut self, value: &RawValue) -> EventKind {
        let bytes = raw_bytes(value);
        self.counter.add_text(bytes);
        if bytes > 0 {
            self.is_whole = false;
            EventKind::Text
        } else {
            EventKind::Other
        }
    }
}

/// The `usage` of an object, not yet parsed.
fn usage_in(object: &RawValue) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Reporting<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }

    serde_json::from_str::<Reporting<'_>>(object.get())
        .ok()?
        .usage
}

fn raw_bytes(value: &RawValue) -> u64 {
    text_bytes(&mut serde_json::Deserializer::from_str(value.get()))
}

/// The text of the choice number 0 among those that an event adds to.
fn first_choice_bytes(choices: &RawValue) -> u64 {
    #[derive(Deserialize)]
    struct Numbered {
        #[serde(default)]
        index: u64,
    }

    let choices = serde_json::from_str::<Vec<&RawValue>>(choices.get()).unwrap_or_default();
    let is_first = |choice: &&RawValue| {
        serde_json::from_str::<Numbered>(choice.get()).is_ok_and(|numbered| numbered.index == 0)
    };
    choices.into_iter().filter(is_first).map(raw_bytes).sum()
}

/// Whether these choices of a chunk are none, or the last that there are of one.
fn ends(choices: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Ending {
        finish_reason: Option<IgnoredAny>,
    }

    let choices = serde_json::from_str::<Vec<Ending>>(choices.get()).unwrap_or_default();
    choices.iter().all(|choice| choice.finish_reason.is_some())
}

fn is_empty_array(value: &RawValue) -> bool {
    serde_json::from_str::<Vec<IgnoredAny>>(value.get()).is_ok_and(|items| items.is_empty())
}
