//! What a plan needs, told before anything is spent.

use serde::Serialize;

use crate::chat::ChatRequest;

pub(crate) use crate::model::OUTPUT_ESTIMATE;

/// What a plan needs for one request. Failed calls that are tried again are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// Calls if everything goes as it should: `n` is honoured, verdicts are readable, no vote is
    /// decided early.
    pub calls: u32,
    /// Most calls.
    pub max_calls: u32,
    /// Calls without which it need not begin; fewer than `calls` where it does with what it may
    /// have.
    pub least_calls: u32,
    /// Calls that wait for each other.
    pub depth: u32,
    /// Calls that start at once.
    pub first_wave: u32,
    /// Answers that the first wave asks for; more than its calls where one asks for several.
    pub first_wave_choices: u32,
    /// Most calls at the same time.
    pub parallel: u32,
    /// Estimated tokens that one call of the first wave reads.
    pub input_tokens: u64,
    /// Tokens that one answer may have: the client's own limit, else an estimate.
    pub output_tokens: u64,
    /// Estimated tokens of all `calls`, read and generated.
    pub total_tokens: u64,
}

impl Demand {
    /// One call that answers the request.
    pub(crate) fn answer(request: &ChatRequest) -> Self {
        Self::step(1, Tokens::of(request))
    }

    /// `calls` calls side by side.
    pub(crate) fn step(calls: u32, tokens: Tokens) -> Self {
        Self {
            calls,
            max_calls: calls,
            least_calls: calls,
            // No call, no step: a judge of one candidate is not asked.
            depth: calls.min(1),
            first_wave: calls,
            first_wave_choices: calls,
            parallel: calls,
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            total_tokens: tokens
                .input
                .saturating_add(tokens.output)
                .saturating_mul(u64::from(calls)),
        }
    }

    /// `k` candidates that nothing can stop early: one call that asks for all, or, where that is
    /// not honoured, the missing ones one by one.
    pub(crate) fn candidates(k: u32, request: &ChatRequest) -> Self {
        let tokens = Tokens::of(request);
        let together = Tokens {
            output: tokens.output.saturating_mul(u64::from(k)),
            ..tokens
        };
        let spare = if k > 1 { k } else { 0 };
        Self {
            max_calls: 1 + spare,
            first_wave_choices: k,
            parallel: k,
            output_tokens: tokens.output,
            ..Self::step(1, together)
        }
    }

    /// `calls` verdicts side by side, each asked for a second time if it cannot be read.
    pub(crate) fn verdicts(calls: u32, tokens: Tokens) -> Self {
        Self {
            max_calls: calls.saturating_mul(2),
            ..Self::step(calls, tokens)
        }
    }

    /// This, then `next`.
    pub(crate) fn then(self, next: Self) -> Self {
        let first = if self.calls == 0 { next } else { self };
        Self {
            calls: self.calls.saturating_add(next.calls),
            max_calls: self.max_calls.saturating_add(next.max_calls),
            least_calls: self.least_calls.saturating_add(next.least_calls),
            depth: self.depth + next.depth,
            parallel: self.parallel.max(next.parallel),
            total_tokens: self.total_tokens.saturating_add(next.total_tokens),
            ..first
        }
    }

    /// This and `other` at the same time.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            max_calls: self.max_calls.saturating_add(other.max_calls),
            least_calls: self.least_calls.saturating_add(other.least_calls),
            depth: self.depth.max(other.depth),
            first_wave: self.first_wave.saturating_add(other.first_wave),
            first_wave_choices: self
                .first_wave_choices
                .saturating_add(other.first_wave_choices),
            parallel: self.parallel.saturating_add(other.parallel),
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
        }
    }

    /// This `n` times at the same time.
    pub(crate) fn times(self, n: u32) -> Self {
        Self {
            calls: self.calls.saturating_mul(n),
            max_calls: self.max_calls.saturating_mul(n),
            least_calls: self.least_calls.saturating_mul(n),
            first_wave: self.first_wave.saturating_mul(n),
            first_wave_choices: self.first_wave_choices.saturating_mul(n),
            parallel: self.parallel.saturating_mul(n),
            total_tokens: self.total_tokens.saturating_mul(u64::from(n)),
            ..self
        }
    }
}

/// The size of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Tokens {
    /// A call that answers `request`.
    pub(crate) fn of(request: &ChatRequest) -> Self {
        let output = request
            .token_limit()
            .map_or(OUTPUT_ESTIMATE, |(_, limit)| limit);
        Self {
            input: request.estimated_prompt_tokens(),
            output,
        }
    }

    /// A call that reads the request's conversation and `candidates` answers to it, and gives a
    /// verdict or a critique.
    pub(crate) fn of_reading(request: &ChatRequest, candidates: u32) -> Self {
        let Self { input, output } = Self::of(request);
        Self {
            input: input.saturating_add(output.saturating_mul(u64::from(candidates))),
            output: OUTPUT_ESTIMATE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_calls_takes_no_time() {
        let tokens = Tokens {
            input: 10,
            output: 20,
        };
        let whole = Demand::step(1, tokens).then(Demand::verdicts(0, tokens));
        assert_eq!(whole, Demand::step(1, tokens));
        assert_eq!(whole.then(Demand::verdicts(3, tokens)).depth, 2);
    }
}
