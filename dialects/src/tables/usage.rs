//! Token counts in each dialect.
//!
//! Anthropic counts what was not cached, what was written to the cache and what was read from it
//! apart from each other; OpenAI and Google count cached tokens within the prompt; Google counts
//! thoughts apart from the answer. The middle form counts a part within its whole, as OpenAI does.
//! Totals are computed and never copied, and nothing falls below zero.

use hone_strategies::chat::{Usage, count};
use serde_json::{Map, Value, json};

/// The count at `pointer`, if there is one. Google tells its counters with every event, so this
/// takes no memory.
fn told(report: &Value, pointer: &str) -> Option<u64> {
    let mut names = pointer.split('/').skip(1);
    let value = names.try_fold(report, |value, name| value.get(name))?;
    let value = Some(value).filter(|value| !value.is_null())?;
    value.as_u64().or_else(|| count(&value.to_string()))
}

/// A usage of these parts, which are kept within their wholes.
fn within(prompt: u64, completion: u64, parts: Usage) -> Usage {
    let cached = parts.cached.min(prompt);
    Usage {
        cached,
        cache_write: parts.cache_write.min(prompt - cached),
        reasoning: parts.reasoning.min(completion),
        ..Usage::new(prompt, completion)
    }
}

/// Anthropic's counters as a stream tells them: each is of the whole answer so far, so that the
/// last one holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnthropicCounters {
    input: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl AnthropicCounters {
    /// Reads one `usage` object. What it does not tell stays as it was.
    pub fn update(&mut self, report: &Value) {
        let last =
            |counter: &mut Option<u64>, pointer| *counter = told(report, pointer).or(*counter);
        last(&mut self.input, "/input_tokens");
        last(&mut self.read, "/cache_read_input_tokens");
        last(&mut self.written, "/cache_creation_input_tokens");
        last(&mut self.output, "/output_tokens");
        last(&mut self.thinking, "/output_tokens_details/thinking_tokens");
    }

    /// What they come to; nothing if nothing was told.
    pub fn usage(&self) -> Option<Usage> {
        self.input.or(self.output)?;
        let (cached, cache_write) = (self.read.unwrap_or(0), self.written.unwrap_or(0));
        let input = self.input.unwrap_or(0);
        let prompt = input.saturating_add(cached).saturating_add(cache_write);
        let parts = Usage {
            cached,
            cache_write,
            reasoning: self.thinking.unwrap_or(0),
            ..Usage::default()
        };
        Some(within(prompt, self.output.unwrap_or(0), parts))
    }
}

/// Reads Anthropic's `usage`.
pub fn from_anthropic(report: &Value) -> Option<Usage> {
    let mut counters = AnthropicCounters::default();
    counters.update(report);
    counters.usage()
}

/// Anthropic's `usage`. Every counter is there: clients crash without.
pub fn to_anthropic(usage: &Usage) -> Value {
    let cached = usage.cached.saturating_add(usage.cache_write);
    let mut report = json!({
        "input_tokens": usage.prompt.saturating_sub(cached),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    });
    if let (true, Some(fields)) = (usage.reasoning > 0, report.as_object_mut()) {
        let details = json!({"thinking_tokens": usage.reasoning});
        fields.insert("output_tokens_details".to_owned(), details);
    }
    report
}

/// Reads the `usage` of a Responses object.
pub fn from_responses(report: &Value) -> Option<Usage> {
    let (input, output) = (
        told(report, "/input_tokens"),
        told(report, "/output_tokens"),
    );
    input.or(output)?;
    let part = |pointer| told(report, pointer).unwrap_or(0);
    let parts = Usage {
        cached: part("/input_tokens_details/cached_tokens"),
        cache_write: part("/input_tokens_details/cache_write_tokens"),
        reasoning: part("/output_tokens_details/reasoning_tokens"),
        ..Usage::default()
    };
    Some(within(input.unwrap_or(0), output.unwrap_or(0), parts))
}

/// The `usage` of a Responses object. Both details are there, with all of their counters: clients
/// read them unasked.
pub fn to_responses(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt.saturating_add(usage.completion),
    })
}

/// Reads Google's `usageMetadata`.
pub fn from_gemini(report: &Value) -> Option<Usage> {
    let part = |pointer| told(report, pointer);
    let (prompt, answer) = (part("/promptTokenCount"), part("/candidatesTokenCount"));
    let thoughts = part("/thoughtsTokenCount");
    prompt.or(answer).or(thoughts)?;
    let tools = part("/toolUsePromptTokenCount").unwrap_or(0);
    let prompt = prompt.unwrap_or(0).saturating_add(tools);
    let reasoning = thoughts.unwrap_or(0);
    let parts = Usage {
        cached: part("/cachedContentTokenCount").unwrap_or(0),
        reasoning,
        ..Usage::default()
    };
    let completion = answer.unwrap_or(0).saturating_add(reasoning);
    Some(within(prompt, completion, parts))
}

/// Google's `usageMetadata`. What is zero of the details is left out.
pub fn to_gemini(usage: &Usage) -> Value {
    let mut report = Map::new();
    let mut add = |name: &str, tokens: u64| report.insert(name.to_owned(), tokens.into());
    add("promptTokenCount", usage.prompt);
    add(
        "candidatesTokenCount",
        usage.completion.saturating_sub(usage.reasoning),
    );
    add(
        "totalTokenCount",
        usage.prompt.saturating_add(usage.completion),
    );
    if usage.cached > 0 {
        add("cachedContentTokenCount", usage.cached);
    }
    if usage.reasoning > 0 {
        add("thoughtsTokenCount", usage.reasoning);
    }
    Value::Object(report)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn googles_thoughts_and_anthropics_cache_are_counted_once() {
        let gemini = json!({"promptTokenCount": 90, "cachedContentTokenCount": 60,
            "candidatesTokenCount": 5, "thoughtsTokenCount": 20});
        let usage = from_gemini(&gemini).unwrap();
        assert_eq!((usage.prompt, usage.completion, usage.total), (90, 25, 115));
        assert_eq!((usage.cached, usage.reasoning), (60, 20));
        assert_eq!(
            to_anthropic(&usage),
            json!({"input_tokens": 30, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 60, "output_tokens": 25,
                "output_tokens_details": {"thinking_tokens": 20}})
        );
    }

    #[test]
    fn what_googles_tools_read_counts_as_prompt() {
        let gemini = json!({"promptTokenCount": 90, "toolUsePromptTokenCount": 7,
            "candidatesTokenCount": 5, "totalTokenCount": 1});
        let usage = from_gemini(&gemini).unwrap();
        assert_eq!((usage.prompt, usage.completion, usage.total), (97, 5, 102));
    }

    #[test]
    fn anthropics_counters_are_of_the_whole_answer_and_the_last_holds() {
        let mut counters = AnthropicCounters::default();
        assert_eq!(counters.usage(), None);
        counters.update(&json!({"input_tokens": 7, "output_tokens": 1}));
        counters.update(&json!({"output_tokens": 5, "cache_read_input_tokens": 2}));
        let usage = counters.usage().unwrap();
        assert_eq!((usage.prompt, usage.completion, usage.cached), (9, 5, 2));
    }

    #[test]
    fn responses_has_all_details_whether_or_not_they_are_zero() {
        let details = |usage: &Usage| {
            let told = to_responses(usage);
            let read = told["input_tokens_details"].clone();
            (read, told["output_tokens_details"].clone())
        };
        assert_eq!(
            details(&Usage::new(7, 5)),
            (
                json!({"cached_tokens": 0, "cache_write_tokens": 0}),
                json!({"reasoning_tokens": 0})
            )
        );
        let usage = from_anthropic(&json!({"input_tokens": 30, "output_tokens": 5,
            "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10}));
        let usage = usage.unwrap();
        assert_eq!(to_responses(&usage)["input_tokens"], 100);
        let read = json!({"cached_tokens": 60, "cache_write_tokens": 10});
        assert_eq!(details(&usage).0, read);
    }

    #[test]
    fn odd_reports_neither_crash_nor_wrap() {
        let most = u64::MAX;
        let odd = json!({"input_tokens": most, "output_tokens": most,
            "cache_read_input_tokens": most, "cache_creation_input_tokens": most,
            "output_tokens_details": {"thinking_tokens": most}});
        let usage = from_anthropic(&odd).unwrap();
        assert_eq!(to_anthropic(&usage)["input_tokens"], 0);
        for report in [
            json!(null),
            json!({}),
            json!([1]),
            json!({"input_tokens": "many"}),
        ] {
            assert_eq!(from_anthropic(&report), None);
            assert_eq!(from_responses(&report), None);
            assert_eq!(from_gemini(&report), None);
        }
        let less = json!({"promptTokenCount": 3, "cachedContentTokenCount": 9});
        assert_eq!(from_gemini(&less).map(|usage| usage.cached), Some(3));
    }

    prop_compose! {
        fn any_usage()(
            parts in (0_u64..1 << 40, 0_u64..1 << 40, 0_u64..1 << 40),
            output in (0_u64..1 << 40, 0_u64..1 << 40),
        ) -> Usage {
            let ((input, cached, cache_write), (answer, reasoning)) = (parts, output);
            let parts = Usage { cached, cache_write, reasoning, ..Usage::default() };
            within(input + cached + cache_write, answer + reasoning, parts)
        }
    }

    proptest! {
        #[test]
        fn no_cached_token_is_counted_twice_by_any_dialect(usage in any_usage()) {
            prop_assert_eq!(from_anthropic(&to_anthropic(&usage)), Some(usage));
            prop_assert_eq!(from_responses(&to_responses(&usage)), Some(usage));
            prop_assert_eq!(Usage::parse(&usage.to_value()), Some(usage));
            let gemini = from_gemini(&to_gemini(&usage));
            prop_assert_eq!(gemini, Some(Usage { cache_write: 0, ..usage }));
        }

        #[test]
        fn anthropics_input_does_not_include_what_was_cached(usage in any_usage()) {
            let told = to_anthropic(&usage);
            let count = |name: &str| told[name].as_u64().unwrap();
            let cached = count("cache_read_input_tokens");
            let written = count("cache_creation_input_tokens");
            prop_assert_eq!((cached, written), (usage.cached, usage.cache_write));
            prop_assert_eq!(count("input_tokens") + cached + written, usage.prompt);
        }
    }
}
