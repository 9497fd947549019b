//! What ends an upstream's answer: one rule for streams, documents and everybody who reads them.

use serde_json::Value;

use super::completion::usual_reason;
use super::delta::{Chunk, ChunkChoice, Delta};

/// Why nothing more of an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The time for it is over.
    Deadline,
    /// The upstream's body ended.
    End,
    /// The upstream said that it failed.
    Error,
    /// The upstream said that this was all: `[DONE]`, or the end of a JSON document.
    Said,
    /// Every choice had its finish reason, and nothing but comments came after it.
    Silence,
}

/// What an answer is that has been read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It broke off. It must not be told as whole.
    Cut,
    /// The upstream failed. It must not be told as whole.
    Failed,
    /// It is all that the upstream had to say.
    Whole,
}

/// Which choices of an answer have begun, and which have ended. None above 127 is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    begun: u128,
    ended: u128,
    /// Those that call tools.
    calling: u128,
}

impl Progress {
    /// Looks at what was added.
    pub fn add(&mut self, chunk: &Chunk) {
        for ChunkChoice { index, delta } in &chunk.choices {
            let bit = 1_u128.checked_shl(*index).unwrap_or(0);
            self.begun |= bit;
            if delta.finish_reason.is_some() {
                self.ended |= bit;
            }
            let calls = delta.fields.get("tool_calls").and_then(Value::as_array);
            if calls.is_some_and(|calls| !calls.is_empty()) {
                self.calling |= bit;
            }
        }
    }

    /// Whether something has begun, and everything that has begun has ended.
    pub fn has_ended(&self) -> bool {
        self.begun != 0 && self.begun == self.ended
    }

    /// What the answer is if nothing more is read of it because of `stop`.
    pub fn ending(&self, stop: Stop) -> Ending {
        match stop {
            Stop::Error => Ending::Failed,
            Stop::Said => Ending::Whole,
            Stop::End | Stop::Silence if self.has_ended() => Ending::Whole,
            Stop::Deadline | Stop::End | Stop::Silence => Ending::Cut,
        }
    }

    /// The ends of the choices that have none, for an answer that is whole: some upstreams give no
    /// finish reason.
    pub fn missing_ends(&self) -> Chunk {
        let open = (0..u128::BITS).filter(|index| (self.begun & !self.ended) >> index & 1 == 1);
        let choices = open.map(|index| {
            let is_calling = self.calling >> index & 1 == 1;
            ChunkChoice {
                index,
                delta: Delta::finish(usual_reason(is_calling)),
            }
        });
        Chunk {
            choices: choices.collect(),
            ..Chunk::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn any_stop() -> impl Strategy<Value = Stop> {
        select(vec![
            Stop::Deadline,
            Stop::End,
            Stop::Error,
            Stop::Said,
            Stop::Silence,
        ])
    }

    proptest! {
        #[test]
        fn nothing_failed_or_cut_is_whole(
            deltas in prop::collection::vec((0_u32..130, any::<bool>()), 0..12),
            stop in any_stop(),
        ) {
            let mut progress = Progress::default();
            for (index, ends) in &deltas {
                let delta = if *ends { Delta::finish("stop") } else { Delta::content("a") };
                progress.add(&Chunk::of(*index, delta));
            }
            let seen = |index: u32, wanted: bool| deltas.contains(&(index, wanted));
            let begun: Vec<u32> =
                (0..128).filter(|index| seen(*index, true) || seen(*index, false)).collect();
            let has_ended = !begun.is_empty() && begun.iter().all(|index| seen(*index, true));
            let wanted = match stop {
                Stop::Error => Ending::Failed,
                Stop::End | Stop::Silence if !has_ended => Ending::Cut,
                Stop::Deadline => Ending::Cut,
                Stop::Said | Stop::End | Stop::Silence => Ending::Whole,
            };
            prop_assert_eq!(progress.ending(stop), wanted);
            progress.add(&progress.missing_ends());
            prop_assert!(begun.is_empty() || progress.has_ended());
        }
    }
}
