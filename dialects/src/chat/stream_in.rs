//! Chunks, read as an upstream sends them.

use hone_strategies::chat::{Chunk, Ending, Progress, Said, Stop};
use serde_json::{Value, json};

use super::{rename, told};
use crate::shape::{ErrorReply, Event, Source, StreamDecoder};
use crate::wire::sse::{Message, Reader};

pub(super) struct Decoder {
    reader: Reader,
    source: Source,
    progress: Progress,
    /// The ids of each choice's calls, for servers that number none.
    calls: Vec<(u32, String)>,
    has_ended: bool,
}

/// More calls than one answer has.
const MOST_CALLS: usize = 4096;

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            reader: Reader::new(source.max_event_bytes),
            source,
            progress: Progress::default(),
            calls: Vec::new(),
            has_ended: false,
        }
    }

    fn message(&mut self, message: &Message, events: &mut Vec<Event>) {
        if self.has_ended {
            return;
        }
        if message.data.trim_ascii() == b"[DONE]" {
            return self.end(Stop::Said, events);
        }
        match Said::read(&message.data) {
            Ok(Said::Chunk(mut chunk)) => {
                self.number(&mut chunk);
                self.progress.add(&chunk);
                events.push(Event::Chunk(chunk));
            }
            Ok(Said::Failure(failure)) => self.fail(told(&failure), events),
            Ok(Said::Nothing) => {}
            Err(error) => self.fail(ErrorReply::malformed(error.message), events),
        }
    }

    /// Gives calls their numbers, by their ids, and the client's names.
    fn number(&mut self, chunk: &mut Chunk) {
        for choice in &mut chunk.choices {
            let calls = choice.delta.fields.get_mut("tool_calls");
            for call in calls.and_then(Value::as_array_mut).into_iter().flatten() {
                if !self.source.names.is_empty() {
                    rename(call, &self.source.names);
                }
                let Some(call) = call
                    .as_object_mut()
                    .filter(|call| !call.contains_key("index"))
                else {
                    continue;
                };
                let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
                let at = place(&mut self.calls, choice.index, id);
                call.insert("index".to_owned(), json!(at));
            }
        }
    }

    fn fail(&mut self, error: ErrorReply, events: &mut Vec<Event>) {
        self.has_ended = true;
        events.push(Event::Failed(error));
    }

    fn end(&mut self, stop: Stop, events: &mut Vec<Event>) {
        if self.progress.ending(stop) != Ending::Whole {
            return self.fail(ErrorReply::truncated(), events);
        }
        let missing = self.progress.missing_ends();
        if !missing.choices.is_empty() {
            events.push(Event::Chunk(missing));
        }
        self.has_ended = true;
        events.push(Event::Done);
    }
}

/// The number of the call `id` among the calls of `choice`. What has no id belongs to the last one.
fn place(calls: &mut Vec<(u32, String)>, choice: u32, id: &str) -> usize {
    let mut known = calls.iter().filter(|(index, _)| *index == choice);
    let count = known.clone().count();
    if let Some(at) = known.position(|(_, known)| known == id) {
        return at;
    }
    if id.is_empty() || calls.len() >= MOST_CALLS {
        return count.saturating_sub(1);
    }
    calls.push((choice, id.to_owned()));
    count
}

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        if self.has_ended {
            return events;
        }
        let Ok(messages) = self.reader.push(bytes) else {
            self.fail(ErrorReply::malformed("An event is too large."), &mut events);
            return events;
        };
        for message in &messages {
            self.message(message, &mut events);
        }
        events
    }

    fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(message) = self.reader.finish() {
            self.message(&message, &mut events);
        }
        if !self.has_ended {
            self.end(Stop::End, &mut events);
        }
        events
    }
}
