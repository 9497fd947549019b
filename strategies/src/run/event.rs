//! What a run tells while it works, and how a finished answer is told as a stream.

mod channel;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::FutureExt;
use serde_json::{Map, Value};

pub use self::channel::{Closed, Sink, Source};
use crate::chat::{Choice, Delta, content_beside};
use crate::error::StrategyError;

/// Where a run's events go.
pub type EventSink = Sink<Event>;
/// Where they come out.
pub type EventStream = Source<Event>;

/// A way for the events of one run, with room for `most` of them, at least one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use hone_strategies::{Event, event_channel};
/// let (sink, mut events) = event_channel(4);
/// sink.send(Event::Started).await.unwrap();
/// drop(sink);
/// assert_eq!(events.recv().await, Some(Event::Started));
/// assert_eq!(events.recv().await, None);
/// # }
/// ```
pub fn event_channel(most: usize) -> (EventSink, EventStream) {
    channel::channel(most)
}

/// Longest piece of text, in characters, of a finished answer that is told as a stream.
const PIECE_CHARS: usize = 160;

/// Something that happened in a run. It is small, because some of them may wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What the provider says beside the choices of the answer, to go with the next delta.
    Beside(Box<Map<String, Value>>),
    /// An addition to a choice of the answer.
    Delta {
        /// The choice.
        choice: u32,
        /// What is added.
        delta: Box<Delta>,
    },
    /// The first call succeeded: the run will have an answer, or fail for its own reasons. Sent
    /// once, before any delta.
    Started,
}

/// The way to the client for one choice. Puts the role in front.
#[derive(Debug, Clone)]
pub(crate) struct ChoiceSink {
    events: EventSink,
    choice: u32,
    /// Shared, so that the role is told once, whichever part speaks first.
    has_role: Arc<AtomicBool>,
}

impl ChoiceSink {
    pub(crate) fn new(events: EventSink, choice: u32) -> Self {
        Self {
            events,
            choice,
            has_role: Arc::default(),
        }
    }

    /// Tells an addition. What the future holds is small, whatever `delta` is.
    pub(crate) fn send(
        &self,
        delta: Delta,
    ) -> impl Future<Output = Result<(), StrategyError>> + use<'_> {
        let delta = (!delta.is_empty()).then(|| Box::new(self.begun(delta)));
        let choice = self.choice;
        self.tell(delta.map(|delta| Event::Delta { choice, delta }))
    }

    /// `delta` behind the role, if it is the first.
    fn begun(&self, mut delta: Delta) -> Delta {
        if !self.has_role.swap(true, Ordering::Relaxed) && !delta.fields.contains_key("role") {
            delta
                .fields
                .shift_insert(0, "role".to_owned(), "assistant".into());
        }
        delta
    }

    /// Tells what stands beside the choices of a chunk or completion, if it has not been `told`.
    pub(crate) fn beside(
        &self,
        rest: &Map<String, Value>,
        told: &mut Map<String, Value>,
    ) -> impl Future<Output = Result<(), StrategyError>> + use<'_> {
        let is_new = |(name, value): &(&String, &Value)| told.get(*name) != Some(value);
        let new: Map<String, Value> = content_beside(rest)
            .filter(is_new)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let event = (!new.is_empty()).then(|| {
            told.extend(new.clone());
            Event::Beside(Box::new(new))
        });
        self.tell(event)
    }

    /// Nearly always there is room; what waits for it is no part of all futures.
    async fn tell(&self, event: Option<Event>) -> Result<(), StrategyError> {
        let Some(event) = event else {
            return Ok(());
        };
        let mut event = Some(event);
        let told = match self.events.poll_send(&mut event, None) {
            Poll::Ready(told) => told,
            Poll::Pending => {
                poll_fn(|cx| self.events.poll_send(&mut event, Some(cx)))
                    .boxed()
                    .await
            }
        };
        told.map_err(|_closed| StrategyError::Gone)
    }

    /// Tells a finished answer: role first, then everything that its message holds, then its true
    /// finish reason.
    pub(crate) async fn replay(mut self, choice: &Choice) -> Result<(), StrategyError> {
        self.beside(&choice.beside, &mut Map::new()).await?;
        if choice.message.native().is_some() {
            return self.whole(choice).await;
        }
        self.send(Delta::field("role", "assistant")).await?;
        let fields = choice.message.fields();
        // Reasoning comes before what it led to, wherever the provider put it.
        let is_late = |name: &str| matches!(name, "content" | "tool_calls");
        for (name, value) in fields
            .iter()
            .filter(|(name, _)| *name != "role" && !is_late(name))
        {
            self.field(name, value).await?;
        }
        if let Some(logprobs) = &choice.logprobs {
            let content = fields.get("content").cloned().unwrap_or_default();
            self.send(Delta {
                logprobs: Some(logprobs.clone()),
                ..Delta::field("content", content)
            })
            .await?;
        } else if let Some(content) = fields.get("content") {
            self.field("content", content).await?;
        }
        for (index, call) in fields
            .get("tool_calls")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            self.send(Delta::field("tool_calls", vec![with_index(call, index)]))
                .await?;
        }
        self.send(Delta {
            finish_reason: choice.finish_reason.clone(),
            rest: choice.said_of_end(),
            ..Delta::default()
        })
        .await
    }

    /// The same at once, for an answer whose parts are those of another dialect: only whole they
    /// say the same in both.
    async fn whole(&mut self, choice: &Choice) -> Result<(), StrategyError> {
        let mut fields = choice.message.fields().clone();
        fields.retain(|_, value| !value.is_null());
        if let Some(Value::Array(calls)) = fields.get_mut("tool_calls") {
            let indexed = |(index, call): (usize, &mut Value)| *call = with_index(call, index);
            calls.iter_mut().enumerate().for_each(indexed);
        }
        self.send(Delta {
            fields,
            finish_reason: choice.finish_reason.clone(),
            logprobs: choice.logprobs.clone(),
            native: choice.message.native().cloned(),
            rest: choice.said_of_end(),
        })
        .await
    }

    async fn field(&mut self, name: &str, value: &Value) -> Result<(), StrategyError> {
        match value {
            Value::Null => Ok(()),
            Value::Array(elements) if elements.is_empty() => Ok(()),
            Value::Object(members) if members.is_empty() => Ok(()),
            Value::String(text) => {
                for piece in pieces(text) {
                    self.send(Delta::field(name, piece)).await?;
                }
                Ok(())
            }
            value => self.send(Delta::field(name, value.clone())).await,
        }
    }
}

fn with_index(call: &Value, index: usize) -> Value {
    let mut fields = Map::from_iter([("index".to_owned(), Value::from(index))]);
    fields.extend(call.as_object().cloned().unwrap_or_default());
    Value::Object(fields)
}

/// `text` cut after spaces into pieces of about [`PIECE_CHARS`] characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (limit, _) = rest
            .char_indices()
            .nth(PIECE_CHARS)
            .unwrap_or((rest.len(), ' '));
        let head = rest.get(..limit)?;
        let cut = if limit < rest.len() {
            head.rfind(' ').map_or(limit, |space| space + 1)
        } else {
            limit
        };
        let (piece, tail) = rest.split_at_checked(cut)?;
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chat::{Assembler, Chunk, Dialect, Message, Native};

    async fn replayed(choice: Choice) -> (Vec<Delta>, Choice) {
        let (sender, mut receiver) = event_channel(1000);
        ChoiceSink::new(sender, 3).replay(&choice).await.unwrap();
        let mut deltas = Vec::new();
        let mut assembler = Assembler::new();
        while let Some(Event::Delta {
            choice: index,
            delta,
        }) = receiver.recv().await
        {
            deltas.push((*delta).clone());
            assembler.push(Chunk::of(index, *delta));
        }
        (deltas, assembler.finish().choices.remove(0))
    }

    #[tokio::test]
    async fn a_replayed_answer_is_the_answer() {
        let call =
            json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let message = Message::assistant("word ".repeat(200))
            .with("reasoning_content", "hm")
            .with("tool_calls", vec![call]);
        let mut choice = Choice {
            index: 3,
            ..Choice::new(message, "tool_calls")
        };
        let (deltas, again) = replayed(choice.clone()).await;
        assert_eq!(again, choice);
        assert!(deltas.len() > 6, "several deltas, not one");
        assert_eq!(deltas[0].fields.get("role"), Some(&json!("assistant")));
        choice.logprobs = Some(json!({"content": [{"token": "word", "logprob": -0.1}]}).into());
        assert_eq!(replayed(choice.clone()).await.1, choice);
    }

    #[tokio::test]
    async fn an_answer_of_another_dialect_is_replayed_with_what_it_was() {
        let native = |text: &str| {
            let native = Native {
                dialect: Dialect::Anthropic,
                model: "a/m".to_owned(),
                value: vec![json!({"type": "text", "text": text})],
            };
            Some(Arc::new(native))
        };
        let message = Message::assistant("It is 4.").with_native(native("It is 4."));
        let choice = Choice {
            index: 3,
            ..Choice::new(message, "stop")
        };
        let (deltas, again) = replayed(choice.clone()).await;
        assert_eq!(again, choice);
        assert_eq!(deltas.len(), 1);
    }

    #[tokio::test]
    async fn what_is_empty_has_no_frame_of_its_own() {
        let message = Message::assistant("It is 4.")
            .with("annotations", json!([]))
            .with("audio", Value::Null)
            .with("refusal", "")
            .with("tool_calls", json!([]))
            .with("metadata", json!({}));
        let (deltas, _) = replayed(Choice::new(message, "stop")).await;
        let names: Vec<_> = deltas
            .iter()
            .flat_map(|delta| delta.fields.keys().cloned())
            .collect();
        assert_eq!(names, ["role", "content"]);
        assert_eq!(deltas.len(), 3, "the last has the reason");
    }

    proptest! {
        #[test]
        fn pieces_spell_the_text(text in "(\\PC{0,30} ?){0,30}") {
            let pieces: Vec<&str> = pieces(&text).collect();
            prop_assert_eq!(pieces.concat(), text.clone());
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.chars()
                .count() <= PIECE_CHARS));
        }
    }
}
