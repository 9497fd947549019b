//! Steps of a conversation: the calls of a model's turn, and their results right behind it.

use hone_strategies::chat::Message;
use serde_json::Value;

use crate::shape::Refusal;
use crate::wire::json::str_of;

/// Checks that every call is answered before the conversation goes on, and that every result has
/// its call. Calls of the last turn need no answer yet, unless one of them has its own. hone
/// invents no results.
///
/// # Errors
///
/// The first call without a result, or result without a call, by its path in chat's spelling.
pub fn check(messages: &[Message]) -> Result<(), Refusal> {
    // Where the open step's calls stand, and those that have no result yet.
    let mut open: Vec<(String, &str)> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if matches!(message.role(), "tool" | "function") {
            let id = message.get("tool_call_id").and_then(Value::as_str);
            let id = id.unwrap_or_default();
            let Some(at) = open.iter().position(|(_, call)| *call == id) else {
                let why = "No call of the turn before has this id, or it has a result already.";
                return Err(Refusal::invalid(
                    format!("messages[{index}].tool_call_id"),
                    why,
                ));
            };
            open.remove(at);
            continue;
        }
        if let Some((path, _)) = open.first() {
            let why = format!("This call has no result before `messages[{index}]`.");
            return Err(Refusal::invalid(path.as_str(), why));
        }
        let calls = message.tool_calls().and_then(Value::as_array);
        for (at, call) in calls.into_iter().flatten().enumerate() {
            let path = format!("messages[{index}].tool_calls[{at}]");
            open.push((path, str_of(call, "id")));
        }
    }
    let is_answered = messages.last().is_some_and(|last| last.role() == "tool");
    match open.first() {
        Some((path, _)) if is_answered => {
            let why = "This call has no result, and others of its turn have.";
            Err(Refusal::invalid(path.as_str(), why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn calls(ids: &[&str]) -> Message {
        let calls: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Message::assistant("").with("tool_calls", calls)
    }

    fn result(id: &str) -> Message {
        Message::new("tool", "r").with("tool_call_id", id)
    }

    fn refused(messages: &[Message]) -> Option<String> {
        check(messages).err()?.param
    }

    #[test]
    fn calls_with_their_results_in_any_order_pass_and_so_do_the_last_turns() {
        let messages = [
            calls(&["a", "b"]),
            result("b"),
            result("a"),
            Message::user("q"),
            calls(&["a"]),
        ];
        assert_eq!(refused(&messages), None);
    }

    #[test]
    fn a_call_without_a_result_is_refused_by_its_path() {
        for next in [Message::user("q"), Message::system("s"), calls(&["c"])] {
            let found = refused(&[calls(&["a", "b"]), result("a"), next]);
            assert_eq!(found.as_deref(), Some("messages[0].tool_calls[1]"));
        }
        let found = refused(&[calls(&["a", "b"]), result("a")]);
        assert_eq!(found.as_deref(), Some("messages[0].tool_calls[1]"));
    }

    #[test]
    fn a_result_without_a_call_is_refused_by_its_path() {
        let orphans = [
            vec![result("a")],
            vec![calls(&["b"]), result("a")],
            vec![calls(&["a"]), result("a"), result("a")],
        ];
        for messages in orphans {
            let last = messages.len() - 1;
            let path = format!("messages[{last}].tool_call_id");
            assert_eq!(refused(&messages), Some(path));
        }
    }
}
