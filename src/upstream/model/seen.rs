//! What has come of an answer, for its account.

use hone_strategies::chat::{Chunk, Progress, TokenCounter, Usage, Written};

/// What has come of an answer.
#[derive(Default)]
pub(super) struct Seen {
    /// Of the first choice.
    first: TokenCounter,
    /// Of all choices.
    all: TokenCounter,
    pub(super) choices: usize,
    pub(super) usage: Option<Usage>,
    /// Whether the usage came with the end of the answer.
    pub(super) has_final_usage: bool,
    pub(super) progress: Progress,
}

impl Seen {
    /// Adds what `chunk` says.
    pub(super) fn chunk(&mut self, chunk: &Chunk) {
        for choice in &chunk.choices {
            self.all.add(&choice.delta);
            if choice.index == 0 {
                self.first.add(&choice.delta);
            }
            self.choices = self.choices.max(choice.index as usize + 1);
        }
        self.progress.add(chunk);
        self.usage = chunk.usage.or(self.usage);
        let has_ended = chunk
            .choices
            .iter()
            .all(|choice| choice.delta.finish_reason.is_some());
        self.has_final_usage =
            self.usage.is_some() && (self.has_final_usage || chunk.usage.is_some()) && has_ended;
    }

    /// How much text that was.
    pub(super) fn written(&self) -> Written {
        Written {
            first: self.first.tokens(),
            all: self.all.tokens(),
        }
    }
}
