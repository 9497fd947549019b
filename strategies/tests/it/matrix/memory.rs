//! What prompts take is counted, whatever the strategy: each that is made of answers takes at least
//! its own length, as messages and as JSON, from whoever embeds the crate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hone_strategies::chat::{Held, Memory};
use serde_json::{Value, json};

use super::trial;
use crate::support::{Fake, Seen, plays};
use crate::table::table;

/// Bytes that are taken now, and all that ever were.
#[derive(Debug, Clone, Default)]
struct Counter(Arc<(AtomicUsize, AtomicUsize)>);

struct Taken(Counter, usize);

impl Counter {
    fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn ever(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Memory for Counter {
    fn take(&self, bytes: usize) -> Option<Held> {
        self.0.0.fetch_add(bytes, Ordering::SeqCst);
        self.0.1.fetch_add(bytes, Ordering::SeqCst);
        Some(Box::new(Taken(self.clone(), bytes)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}

/// Bytes of the conversations that were sent, each once however many calls share it, beside the
/// client's own messages.
fn made(seen: &[Seen], own: &str) -> usize {
    let mut conversations = BTreeMap::new();
    for seen in seen {
        let json = seen.request.to_segments().pieces.swap_remove(1);
        let messages = seen.request.messages().iter();
        let texts = messages.map(|message| message.text().into_owned());
        let texts = texts.filter(|text| !text.is_empty() && !own.contains(text.as_str()));
        let texts: usize = texts.map(|text| text.len()).sum();
        let bytes = if texts == 0 { 0 } else { json.len() + texts };
        conversations.insert(json.as_ptr().addr(), bytes);
    }
    conversations.into_values().sum()
}

#[tokio::test(start_paused = true)]
async fn every_prompt_that_is_made_takes_its_memory_and_gives_it_back() {
    let mut making = 0;
    for (approach, params, ..) in table() {
        let counter = Counter::default();
        let script = |seen: &Seen| {
            let mut completion = plays(seen)?;
            for choice in &mut completion.choices {
                let long = format!("{}\n{}", "word ".repeat(2000), choice.message.text());
                choice.message = hone_strategies::chat::Message::assistant(long);
            }
            Ok(completion)
        };
        let model = Fake::new(script).counted_in(Arc::new(counter.clone()));
        let trial = trial(model, &params);
        let own = text_of(&trial.body["messages"]);
        // What becomes of answers like these is not asked here.
        drop(trial.run(approach).await);
        let (made, taken) = (made(&trial.model.requests(), &own), counter.ever());
        assert!(taken >= made, "{approach}: {taken} bytes taken of {made}");
        making += usize::from(made > 10_000);
        drop(trial);
        assert_eq!(counter.now(), 0, "{approach}");
    }
    assert!(making > 30, "{making} make prompts of their answers");
}

fn text_of(messages: &Value) -> String {
    let messages = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = messages.iter().map(|message| match &message["content"] {
        Value::String(text) => text.clone(),
        other => json!(other).to_string(),
    });
    texts.collect::<Vec<_>>().join("\n")
}
