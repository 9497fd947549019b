//! The steps of an answer, at the pace that the knobs say.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::knobs::Knobs;
use crate::script::Step;

/// What is sent of a stream, and when.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    knobs: &'a Knobs,
    steps: VecDeque<Step>,
}

impl<'a> Steps<'a> {
    pub(super) const fn new(knobs: &'a Knobs) -> Self {
        Self {
            knobs,
            steps: VecDeque::new(),
        }
    }

    /// Text that carries so many tokens, once they are made.
    pub(super) fn push(&mut self, text: String, tokens: u32) {
        let wait = self.knobs.pace(tokens);
        if !wait.is_zero() {
            self.steps.push_back(Step::Wait(wait));
        }
        self.steps.push_back(Step::Send {
            bytes: Bytes::from(text),
            tokens,
        });
    }

    /// Tokens, as many at once as an event has, and their number.
    pub(super) fn chunks<'p>(
        &self,
        pieces: &'p [String],
    ) -> impl Iterator<Item = (String, u32)> + use<'p> {
        let size = usize::try_from(self.knobs.chunk_tokens.get()).unwrap_or(usize::MAX);
        pieces
            .chunks(size)
            .map(|pieces| (pieces.concat(), count(pieces)))
    }

    pub(super) fn done(self) -> VecDeque<Step> {
        self.steps
    }
}

/// How many tokens there are.
pub(super) fn count(pieces: &[String]) -> u32 {
    u32::try_from(pieces.len()).unwrap_or(u32::MAX)
}
