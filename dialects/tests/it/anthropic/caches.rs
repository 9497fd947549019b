//! What a client marks for the provider's cache.

use hone_dialects::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::translated;

const ANTHROPIC: Dialect = Dialect::Anthropic;

/// A request whose parts are marked as `marks` says.
fn marked(marks: [bool; 5]) -> Value {
    let mut system = json!({"type": "text", "text": "Be brief."});
    let mut tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let mut asked = json!({"type": "text", "text": "a"});
    let mut call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let mut result = json!({"type": "tool_result", "tool_use_id": "c", "content": "r"});
    let parts = [&mut system, &mut tool, &mut asked, &mut call, &mut result];
    for (part, is_marked) in parts.into_iter().zip(marks) {
        if is_marked {
            part["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"});
        }
    }
    json!({"model": "m", "max_tokens": 9, "system": [system], "tools": [tool], "messages": [
        {"role": "user", "content": [asked, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]}]})
}

fn count(body: &Value) -> usize {
    body.to_string().matches("cache_control").count()
}

proptest! {
    #[test]
    fn no_cache_breakpoint_is_lost_on_the_way_to_anthropic(marks: [bool; 5]) {
        let body = marked(marks);
        let same = translated(ANTHROPIC, ANTHROPIC, &body);
        for name in ["messages", "tools"] {
            prop_assert_eq!(&same[name], &body[name]);
        }
        prop_assert_eq!(count(&same), count(&body), "{}", same);
        prop_assert_eq!(count(&translated(ANTHROPIC, Dialect::OpenAiChat, &body)), 0);
    }

    #[test]
    fn no_fifth_cache_breakpoint_is_added_to_a_clients_own(marks: [bool; 5]) {
        let found = translated(ANTHROPIC, ANTHROPIC, &marked(marks));
        let own = marks.iter().filter(|is_marked| **is_marked).count();
        prop_assert!(count(&found) <= own, "{}", found);
        let chat = translated(ANTHROPIC, Dialect::OpenAiChat, &marked(marks));
        let found = translated(Dialect::OpenAiChat, ANTHROPIC, &chat);
        prop_assert_eq!(count(&found), 0, "{}", found);
    }
}
