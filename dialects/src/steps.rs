//! Steps of a conversation: the calls of a model's turn, and their results right behind it.

use std::collections::{HashMap, VecDeque};

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
    let mut open = Open::default();
    for (index, message) in messages.iter().enumerate() {
        if matches!(message.role(), "tool" | "function") {
            let id = message.get("tool_call_id").and_then(Value::as_str);
            if open.answer(id.unwrap_or_default()) {
                continue;
            }
            let why = "No call of the turn before has this id, or it has a result already.";
            let path = format!("messages[{index}].tool_call_id");
            return Err(Refusal::invalid(path, why));
        }
        if let Some(path) = open.first() {
            let why = format!("This call has no result before `messages[{index}]`.");
            return Err(Refusal::invalid(path, why));
        }
        open = Open::of(message, index);
    }
    let is_answered = messages.last().is_some_and(|last| last.role() == "tool");
    match open.first() {
        Some(path) if is_answered => {
            let why = "This call has no result, and others of its turn have.";
            Err(Refusal::invalid(path, why))
        }
        _ => Ok(()),
    }
}

/// The calls of a step, as far as they have results.
#[derive(Default)]
struct Open {
    /// Where the step stands.
    index: usize,
    is_answered: Vec<bool>,
    left: usize,
    places: Places,
}

impl Open {
    fn of(message: &Message, index: usize) -> Self {
        let calls = message.tool_calls().and_then(Value::as_array);
        let calls = calls.map_or(&[][..], Vec::as_slice);
        let mut places = Places::default();
        for (at, call) in calls.iter().enumerate() {
            places.add(str_of(call, "id"), at);
        }
        Self {
            index,
            is_answered: vec![false; calls.len()],
            left: calls.len(),
            places,
        }
    }

    /// Whether a call waits for the result `id`. It waits no longer.
    fn answer(&mut self, id: &str) -> bool {
        let Some(at) = self.places.take(id, |_| true) else {
            return false;
        };
        if let Some(is_answered) = self.is_answered.get_mut(at) {
            *is_answered = true;
        }
        self.left = self.left.saturating_sub(1);
        true
    }

    /// The path of the first call that waits.
    fn first(&self) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let at = self
            .is_answered
            .iter()
            .position(|is_answered| !is_answered)?;
        Some(format!("messages[{}].tool_calls[{at}]", self.index))
    }
}

/// Where the calls of a step stand, by an id or a name. A step may have a hundred thousand of them:
/// no result looks through all.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<String, VecDeque<usize>>);

impl Places {
    pub(crate) fn add(&mut self, id: &str, at: usize) {
        self.0.entry(id.to_owned()).or_default().push_back(at);
    }

    /// Takes the first call of `id` that is open. One that is not open is never looked at again.
    pub(crate) fn take(&mut self, id: &str, is_open: impl Fn(usize) -> bool) -> Option<usize> {
        let places = self.0.get_mut(id)?;
        std::iter::from_fn(|| places.pop_front()).find(|at| is_open(*at))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
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
