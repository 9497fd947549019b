//! The token use of an event stream.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::text::{text_bytes, tokens};
use super::{Api, Observed, TokenUse};
use crate::sse::RawEvent;

/// Reads the events of one stream.
#[derive(Debug)]
pub struct StreamReader {
    api: Api,
    reported: Option<TokenUse>,
    counter: StreamCounter,
}

/// Counts generated tokens without a tokenizer: at least one per event with text, at least one per
/// four bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamCounter {
    events: u64,
    bytes: u64,
}

/// What an event is to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
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

impl StreamCounter {
    /// Counts an event with `bytes` of generated text; one without any is not counted.
    pub fn add(&mut self, bytes: u64) {
        self.events = self.events.saturating_add(u64::from(bytes > 0));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Generated tokens so far.
    pub fn tokens(&self) -> u64 {
        self.events.max(tokens(self.bytes))
    }
}

impl StreamReader {
    /// A reader of a stream that answers a request to `api`.
    pub fn new(api: Api) -> Self {
        Self {
            api,
            reported: None,
            counter: StreamCounter::default(),
        }
    }

    /// Reads the next event. All of an event above the splitter's bound counts as text.
    pub fn observe(&mut self, event: &RawEvent) -> EventKind {
        if event.is_oversized() {
            self.counter
                .add(u64::try_from(event.bytes.len()).unwrap_or(u64::MAX));
            return EventKind::Text;
        }
        let Some(data) = event.data() else {
            return EventKind::Other;
        };
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            return EventKind::Other;
        };
        match self.api {
            Api::ChatCompletions | Api::Completions => self.completion_chunk(&event),
            Api::Embeddings => EventKind::Other,
            Api::Messages => self.message_event(&event),
            Api::Responses => self.response_event(&event),
        }
    }

    /// Generated tokens so far, by hone's count: what a client that leaves has already cost.
    pub fn counted(&self) -> u64 {
        self.counter.tokens()
    }

    /// What the stream told, also if it was cut off.
    pub fn finish(self) -> Observed {
        Observed {
            reported: self.reported,
            counted: Some(self.counter.tokens()),
        }
    }

    fn completion_chunk(&mut self, event: &Event<'_>) -> EventKind {
        let has_usage = self.report(event.usage);
        let has_choices = event
            .choices
            .is_some_and(|choices| !is_empty_array(choices));
        match event.choices {
            Some(choices) if has_choices => self.text(choices),
            _ if has_usage => EventKind::UsageOnly,
            _ => EventKind::Other,
        }
    }

    fn message_event(&mut self, event: &Event<'_>) -> EventKind {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(borrow)]
            usage: Option<&'a RawValue>,
        }

        match event.kind.as_deref() {
            Some("content_block_delta") => {
                return event
                    .delta
                    .map_or(EventKind::Other, |delta| self.text(delta));
            }
            Some("message_delta") => self.report(event.usage),
            Some("message_start") => self.report(event.message.and_then(|message| {
                serde_json::from_str::<Message<'_>>(message.get())
                    .ok()?
                    .usage
            })),
            _ => false,
        };
        EventKind::Other
    }

    fn response_event(&mut self, event: &Event<'_>) -> EventKind {
        #[derive(Deserialize)]
        struct Response<'a> {
            #[serde(borrow)]
            usage: Option<&'a RawValue>,
        }

        match event.kind.as_deref() {
            Some("response.completed" | "response.failed" | "response.incomplete") => {
                let usage = event.response.and_then(|response| {
                    serde_json::from_str::<Response<'_>>(response.get())
                        .ok()?
                        .usage
                });
                self.report(usage);
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
        let Some(reported) = usage.and_then(TokenUse::parse) else {
            return false;
        };
        self.reported = Some(self.reported.unwrap_or_default().max(reported));
        true
    }

    fn text(&mut self, value: &RawValue) -> EventKind {
        let bytes = text_bytes(value);
        self.counter.add(bytes);
        if bytes > 0 {
            EventKind::Text
        } else {
            EventKind::Other
        }
    }
}

fn is_empty_array(value: &RawValue) -> bool {
    serde_json::from_str::<Vec<IgnoredAny>>(value.get()).is_ok_and(|items| items.is_empty())
}
