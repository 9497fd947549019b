//! Token counts as providers report them, and what hone settles for.

use serde::Serialize;
use serde_json::{Value, json};

/// Tokens spent. `reasoning` is a part of `completion`, `cached` a part of `prompt`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens read.
    pub prompt: u64,
    /// Tokens generated.
    pub completion: u64,
    /// Tokens read and generated, as reported.
    pub total: u64,
    /// Generated tokens that were not shown.
    pub reasoning: u64,
    /// Read tokens that came from the provider's cache.
    pub cached: u64,
    /// How many of `total` nobody reported: hone's own count, or what was reserved.
    pub estimated: u64,
}

impl Usage {
    /// A usage of `prompt` tokens read and `completion` tokens generated.
    pub fn new(prompt: u64, completion: u64) -> Self {
        Self {
            prompt,
            completion,
            total: prompt.saturating_add(completion),
            reasoning: 0,
            cached: 0,
            estimated: 0,
        }
    }

    /// The same, where no provider has reported it.
    pub fn estimate(prompt: u64, completion: u64) -> Self {
        let usage = Self::new(prompt, completion);
        Self {
            estimated: usage.total,
            ..usage
        }
    }

    /// Reads OpenAI's `usage` object; `None` unless it counts something.
    pub fn parse(value: &Value) -> Option<Self> {
        let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
        let (prompt, completion, total) = (
            count("/prompt_tokens"),
            count("/completion_tokens"),
            count("/total_tokens"),
        );
        prompt.or(completion).or(total)?;
        let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
        Some(Self {
            prompt,
            completion,
            total: total.unwrap_or(0).max(prompt.saturating_add(completion)),
            reasoning: count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
            cached: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
            estimated: 0,
        })
    }

    /// OpenAI's `usage` object.
    pub fn to_value(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        })
    }

    /// Counts `other` too. Saturates.
    pub fn add(&mut self, other: &Self) {
        self.prompt = self.prompt.saturating_add(other.prompt);
        self.completion = self.completion.saturating_add(other.completion);
        self.total = self.total.saturating_add(other.total);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.cached = self.cached.saturating_add(other.cached);
        self.estimated = self.estimated.saturating_add(other.estimated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_survives_being_written_and_read() {
        let usage = Usage {
            prompt: 7,
            completion: 5,
            total: 12,
            reasoning: 3,
            cached: 2,
            estimated: 0,
        };
        assert_eq!(Usage::parse(&usage.to_value()), Some(usage));
    }

    #[test]
    fn a_missing_total_is_the_sum_and_an_empty_object_is_no_usage() {
        assert_eq!(
            Usage::parse(&json!({"prompt_tokens": 2, "completion_tokens": 3}))
                .map(|usage| usage.total),
            Some(5)
        );
        assert_eq!(Usage::parse(&json!({})), None);
        assert_eq!(Usage::parse(&Value::Null), None);
    }
}
