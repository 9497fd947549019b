//! Counts the tokens of a streamed answer as it comes, without a tokenizer.

use super::Delta;
use super::text::{members_text_bytes, tokens_of_bytes};

/// Generated tokens so far: where their log probabilities tell them apart those; else at least one
/// for each event with text, and at least one for every four bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounter {
    told_apart: u64,
    events: u64,
    bytes: u64,
}

impl TokenCounter {
    /// Counts an event with `bytes` of generated text; one without any is not counted.
    pub fn add_text(&mut self, bytes: u64) {
        self.events = self.events.saturating_add(u64::from(bytes > 0));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts `bytes` of text of which nobody can tell in how many events it came.
    pub fn add_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts what `delta` adds.
    pub fn add(&mut self, delta: &Delta) {
        let told_apart = delta
            .logprobs
            .as_ref()
            .map_or(0, |logprobs| logprobs.count("content"));
        if told_apart > 0 {
            self.told_apart = self.told_apart.saturating_add(told_apart as u64);
        } else {
            self.add_text(members_text_bytes(&delta.fields));
        }
    }

    /// Tokens so far.
    pub fn tokens(&self) -> u64 {
        let counted = self.events.max(tokens_of_bytes(self.bytes));
        self.told_apart.saturating_add(counted)
    }
}
