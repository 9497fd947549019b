//! How an approach's answer is written: as a client's dialect has it, whole or as a stream.

use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::{Dialect, Ending, Frame, Losses, StreamEncoder, codec};
use hone_strategies::chat::{Added, Completion, Usage, WrittenChunk};
use hone_strategies::{Event, Outcome};
use serde_json::{Map, Value, json};

use super::chat::{self, Identity};
use super::error::ErrorReply;
use crate::config::ShownUsage;
use crate::request::headers::Detail;
use crate::sse;

/// Writes one answer.
pub(crate) enum Writer {
    /// In the form in which approaches have it.
    Chat(Box<ChatWriter>),
    /// In another dialect.
    Foreign(Box<ForeignWriter>),
}

/// Writes `chat.completion` or its chunks.
#[derive(Debug)]
pub(crate) struct ChatWriter {
    /// What all chunks share.
    pub(crate) identity: Identity,
    /// Whether the client asked for a usage chunk.
    pub(crate) include_usage: bool,
    /// How much is told about the run.
    pub(crate) detail: Detail,
    /// Which use of tokens is told.
    pub(crate) shown: ShownUsage,
    /// What goes beside the choices of the next chunk.
    pub(crate) beside: Map<String, Value>,
}

/// Writes by a codec.
pub(crate) struct ForeignWriter {
    dialect: Dialect,
    frame: Frame,
    encoder: Option<Box<dyn StreamEncoder>>,
    has_begun: bool,
    detail: Detail,
    shown: ShownUsage,
}

impl ForeignWriter {
    /// One for a client of `dialect`.
    pub(crate) fn new(
        dialect: Dialect,
        frame: Frame,
        (detail, shown): (Detail, ShownUsage),
    ) -> Self {
        Self {
            dialect,
            frame,
            encoder: None,
            has_begun: false,
            detail,
            shown,
        }
    }

    fn is_array(&self) -> bool {
        let origin = self.frame.request.origin();
        origin.is_some_and(|origin| origin.wishes.array)
    }

    fn encoder(&mut self) -> &mut dyn StreamEncoder {
        let (dialect, frame) = (self.dialect, &self.frame);
        let make = || codec(dialect).stream_encoder(frame.clone());
        &mut **self.encoder.get_or_insert_with(make)
    }

    /// What `write` writes, behind the head of the stream.
    fn begun(&mut self, write: impl FnOnce(&mut dyn StreamEncoder) -> String) -> Bytes {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let encoder = self.encoder();
        let mut text = if is_first {
            encoder.begin()
        } else {
            String::new()
        };
        text.push_str(&write(encoder));
        Bytes::from(text)
    }

    fn usage(&self, outcome: &Outcome) -> Usage {
        match self.shown {
            ShownUsage::Sum => outcome.usage,
            ShownUsage::Last => outcome.final_usage,
        }
    }

    fn document(&self, outcome: &Outcome, losses: &Losses) -> String {
        let first = outcome.choices.first();
        let answer = Completion {
            choices: outcome.choices.clone(),
            usage: Some(self.usage(outcome)),
            reported: outcome.reported.clone(),
            rest: first
                .map(|choice| Arc::clone(&choice.beside))
                .unwrap_or_default(),
        };
        let text = codec(self.dialect).encode_answer(&answer, &self.frame);
        let Some(hone) = told(outcome, self.detail, losses) else {
            return text;
        };
        match serde_json::from_str::<Map<String, Value>>(&text) {
            Ok(mut fields) => {
                fields.insert("hone".to_owned(), hone);
                Value::Object(fields).to_string()
            }
            Err(_not_an_object) => text,
        }
    }
}

/// What is told of a run beside its answer.
fn told(outcome: &Outcome, detail: Detail, losses: &Losses) -> Option<Value> {
    let hone = chat::hone(outcome, detail)?;
    let mut hone = serde_json::to_value(hone).ok()?;
    if let Some(fields) = hone.as_object_mut().filter(|_| !losses.quiet.is_empty()) {
        // What nobody will miss is told to those only who ask.
        fields.insert("left_out".to_owned(), json!(losses.quiet));
    }
    Some(hone)
}

impl Writer {
    /// A whole answer, as JSON.
    pub(crate) fn document(&self, outcome: &Outcome, losses: &Losses) -> String {
        match self {
            Self::Chat(writer) => {
                let told = (writer.detail, writer.shown);
                chat::completion(&writer.identity, outcome, told)
            }
            Self::Foreign(writer) => writer.document(outcome, losses),
        }
    }

    /// The type of a stream.
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Foreign(writer) if writer.is_array() => "application/json",
            Self::Chat(_) | Self::Foreign(_) => "text/event-stream",
        }
    }

    /// What has happened in the run.
    pub(super) fn event(&mut self, event: &Event) -> Option<Bytes> {
        let bytes = match self {
            Self::Chat(writer) => return writer.event(event),
            Self::Foreign(writer) => match event {
                Event::Beside(_) => return None,
                Event::Started => writer.begun(|_| String::new()),
                Event::Delta { choice, delta } => {
                    writer.begun(|encoder| encoder.delta(*choice, delta))
                }
            },
        };
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The end of an answer that is whole.
    pub(super) fn whole(&mut self, outcome: &Outcome, losses: &Losses) -> Vec<Bytes> {
        let detail = match self {
            Self::Chat(writer) => writer.detail,
            Self::Foreign(writer) => writer.detail,
        };
        let detail = if detail == Detail::None {
            Detail::Usage
        } else {
            detail
        };
        let hone = told(outcome, detail, losses).map(|hone| hone.to_string());
        match self {
            Self::Chat(writer) => writer.whole(outcome, hone),
            Self::Foreign(writer) => {
                let ending = Ending {
                    usage: writer.usage(outcome),
                    trailer: hone,
                };
                vec![writer.begun(|encoder| encoder.end(&ending))]
            }
        }
    }

    /// The end of an answer that will never be whole.
    pub(super) fn failed(&mut self, error: &ErrorReply, request: &str) -> Bytes {
        match self {
            Self::Chat(_) => sse::encode::event(&error.body().to_string()),
            Self::Foreign(writer) => {
                let error = error.plain(request);
                writer.begun(|encoder| encoder.fail(&error))
            }
        }
    }

    /// A sign of life.
    pub(super) fn beat(&mut self) -> Bytes {
        match self {
            Self::Chat(_) => sse::encode::comment("working"),
            Self::Foreign(writer) => Bytes::from(writer.encoder().beat()),
        }
    }
}

impl ChatWriter {
    fn event(&mut self, event: &Event) -> Option<Bytes> {
        match event {
            Event::Beside(fields) => {
                self.beside.extend((**fields).clone());
                None
            }
            Event::Delta { choice, delta } => {
                let usage = self.include_usage.then_some(&Value::Null);
                Some(self.chunk(&[delta.to(*choice)], usage))
            }
            Event::Started => None,
        }
    }

    fn chunk(&mut self, choices: &[Added<'_>], usage: Option<&Value>) -> Bytes {
        let Identity { id, created, model } = &self.identity;
        let chunk = WrittenChunk {
            id,
            created: *created,
            model,
            choices,
            beside: &std::mem::take(&mut self.beside),
            usage,
        };
        // A chunk is always JSON.
        sse::encode::event(&serde_json::to_string(&chunk).unwrap_or_default())
    }

    fn whole(&mut self, outcome: &Outcome, hone: Option<String>) -> Vec<Bytes> {
        let mut ready = Vec::new();
        if self.include_usage {
            ready.push(self.chunk(&[], Some(&chat::usage(outcome, self.shown))));
        }
        if let Some(hone) = hone {
            ready.push(sse::encode::comment(&format!("hone {hone}")));
        }
        ready.push(Bytes::from_static(sse::encode::DONE.as_bytes()));
        ready
    }
}

impl std::fmt::Debug for Writer {
    /// Without the conversation, which belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chat(writer) => writer.fmt(f),
            Self::Foreign(writer) => write!(f, "Foreign({:?})", writer.dialect),
        }
    }
}
