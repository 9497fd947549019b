//! Token counts as providers report them, and what hone settles for.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::count::count;

/// Tokens spent. `reasoning` is a part of `completion`, `cached` and `cache_write` are parts of
/// `prompt`.
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
    /// Read tokens that were written to the provider's cache.
    pub cache_write: u64,
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
            cache_write: 0,
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

    /// Reads a `usage` object, as [`UsageReport`] does, with OpenAI's details; `None` unless it
    /// counts something.
    pub fn parse(value: &Value) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let report: UsageReport = serde_json::from_str(&value.to_string()).ok()?;
        let detail = |pointer: &str| {
            let told = value.pointer(pointer).map(Value::to_string);
            told.and_then(|told| count(&told)).unwrap_or(0)
        };
        Some(Self {
            reasoning: detail("/completion_tokens_details/reasoning_tokens"),
            cached: detail("/prompt_tokens_details/cached_tokens"),
            cache_write: detail("/prompt_tokens_details/cache_write_tokens"),
            ..report.usage()?
        })
    }

    /// OpenAI's `usage` object. Only some providers write to a cache; of the others nothing is
    /// said.
    pub fn to_value(&self) -> Value {
        let read = if self.cache_write == 0 {
            json!({"cached_tokens": self.cached})
        } else {
            json!({"cached_tokens": self.cached, "cache_write_tokens": self.cache_write})
        };
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.total,
            "prompt_tokens_details": read,
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
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.estimated = self.estimated.saturating_add(other.estimated);
    }
}

/// A `usage` object as any of the APIs writes it, without its details. Each member is read by
/// itself: one that is no count is missing, and the others stand.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "the names in the documents")]
pub struct UsageReport {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl UsageReport {
    /// What it counts; `None` if that is nothing. Anthropic's `input_tokens` leaves out what its
    /// cache was written to or read from.
    pub fn usage(&self) -> Option<Usage> {
        let cached = self
            .cache_creation_input_tokens
            .unwrap_or(0)
            .saturating_add(self.cache_read_input_tokens.unwrap_or(0));
        let input = self
            .prompt_tokens
            .or(self.input_tokens.map(|input| input.saturating_add(cached)));
        let output = self.completion_tokens.or(self.output_tokens);
        input.or(output).or(self.total_tokens)?;
        let sum = Usage::new(input.unwrap_or(0), output.unwrap_or(0));
        Some(Usage {
            total: sum.total.max(self.total_tokens.unwrap_or(0)),
            ..sum
        })
    }

    fn place(&mut self, name: &Name) -> Option<&mut Option<u64>> {
        Some(match name {
            Name::PromptTokens => &mut self.prompt_tokens,
            Name::CompletionTokens => &mut self.completion_tokens,
            Name::TotalTokens => &mut self.total_tokens,
            Name::InputTokens => &mut self.input_tokens,
            Name::OutputTokens => &mut self.output_tokens,
            Name::CacheCreationInputTokens => &mut self.cache_creation_input_tokens,
            Name::CacheReadInputTokens => &mut self.cache_read_input_tokens,
            Name::Other => return None,
        })
    }
}

/// The members that are read.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    PromptTokens,
    CompletionTokens,
    TotalTokens,
    InputTokens,
    OutputTokens,
    CacheCreationInputTokens,
    CacheReadInputTokens,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for UsageReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

/// Reads a report's members.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = UsageReport;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UsageReport, A::Error> {
        let mut report = UsageReport::default();
        while let Some(name) = map.next_key::<Name>()? {
            let Some(place) = report.place(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let told: &RawValue = map.next_value()?;
            // Of two the larger: which one is meant is not known.
            *place = (*place).max(count(told.get()));
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_member_does_not_void_the_others() {
        let whole = Some(Usage::new(10, 3000));
        for report in [
            r#"{"prompt_tokens":10,"completion_tokens":3000,"total_tokens":3010.0}"#,
            r#"{"prompt_tokens":10.0,"completion_tokens":3e3,"total_tokens":"3010"}"#,
            r#"{"prompt_tokens":"10","completion_tokens":"3000"}"#,
            r#"{"prompt_tokens":10,"completion_tokens":3000,"total_tokens":-1}"#,
            r#"{"prompt_tokens":10,"completion_tokens":3000,"total_tokens":1e400}"#,
            r#"{"prompt_tokens":10,"completion_tokens":3000,"total_tokens":{"a":[1]}}"#,
            r#"{"prompt_tokens":10,"completion_tokens":3000,"completion_tokens":1}"#,
            r#"{"prompt_tokens":10,"input_tokens":"?","output_tokens":3000,"x":[]}"#,
        ] {
            let read: UsageReport = serde_json::from_str(report).unwrap();
            assert_eq!(read.usage(), whole, "{report}");
            let tree = serde_json::from_str(report).map(|value| Usage::parse(&value));
            // What no tree can hold never came to a strategy.
            if let (Ok(told), false) = (tree, report.contains("completion_tokens\":1}")) {
                assert_eq!(told, whole, "{report}");
            }
        }
        let negative = r#"{"prompt_tokens":10,"completion_tokens":-3000,"total_tokens":3010}"#;
        let read: UsageReport = serde_json::from_str(negative).unwrap();
        let told = read.usage().unwrap();
        assert_eq!((told.prompt, told.completion, told.total), (10, 0, 3010));
        for nothing in [
            "{}",
            r#"{"total_tokens":-1}"#,
            r#"{"prompt_tokens":"many"}"#,
        ] {
            let read: UsageReport = serde_json::from_str(nothing).unwrap();
            assert_eq!(read.usage(), None, "{nothing}");
        }
    }

    #[test]
    fn a_usage_survives_being_written_and_read() {
        let usage = Usage {
            prompt: 7,
            completion: 5,
            total: 12,
            reasoning: 3,
            cached: 2,
            cache_write: 0,
            estimated: 0,
        };
        assert_eq!(Usage::parse(&usage.to_value()), Some(usage));
        let usage = Usage {
            cache_write: 4,
            ..usage
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
