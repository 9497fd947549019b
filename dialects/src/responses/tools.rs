//! What tools are called in chat, and what they are called here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::functions::{input, wrapped};
use crate::wire::json::str_of;

/// A tool that chat has no word for: one in a namespace, or one that takes a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Special {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) is_custom: bool,
}

/// A client's special tools, by what they are called in chat.
#[derive(Debug, Clone, Default)]
pub(super) struct Tools {
    special: BTreeMap<String, Special>,
}

/// A call, as the middle form has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

impl Tools {
    pub(super) fn add(&mut self, name: String, special: Special) {
        self.special.insert(name, special);
    }

    /// What chat calls them.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.special.keys().map(String::as_str)
    }

    /// What the tool is that chat calls `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Special> {
        self.special.get(name)
    }

    /// Whether the tool that chat calls `name` is one of these.
    pub(super) fn has(&self, name: &str) -> bool {
        self.special.contains_key(name)
    }

    /// Whether the tool that chat calls `name` takes a text.
    pub(super) fn is_custom(&self, name: &str) -> bool {
        let special = self.special.get(name);
        special.is_some_and(|special| special.is_custom)
    }

    /// The item that a call is, without `id` and `status`.
    pub(super) fn item(&self, call: Call<'_>) -> Value {
        let special = self.special.get(call.name);
        let name = special.map_or(call.name, |special| &special.name);
        let mut item = if self.is_custom(call.name) {
            json!({"type": "custom_tool_call", "call_id": call.id, "name": name,
                "input": input(call.arguments)})
        } else {
            json!({"type": "function_call", "call_id": call.id, "name": name,
                "arguments": call.arguments})
        };
        let namespace = special.and_then(|special| special.namespace.as_deref());
        if let (Some(namespace), Some(fields)) = (namespace, item.as_object_mut()) {
            fields.insert("namespace".to_owned(), namespace.into());
        }
        item
    }
}

/// What a tool in a namespace is called in chat.
pub(super) fn flat(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        return name.to_owned();
    }
    format!("{namespace}__{name}")
}

/// Whether an item is a call of a tool that the client runs.
pub(super) fn is_call(item: &Value) -> bool {
    matches!(str_of(item, "type"), "custom_tool_call" | "function_call")
}

/// The call that an item is, as chat has it: its id, its tool, its arguments.
pub(super) fn call_of(item: &Value) -> Option<(String, String, String)> {
    let name = flat(str_of(item, "namespace"), str_of(item, "name"));
    let arguments = match str_of(item, "type") {
        "function_call" => match item.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(value @ Value::Object(_)) => value.to_string(),
            _ => String::new(),
        },
        "custom_tool_call" => wrapped(str_of(item, "input")),
        _ => return None,
    };
    let id = [str_of(item, "call_id"), str_of(item, "id")];
    let id = id.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
    Some((crate::marks::clean(id).into_owned(), name, arguments))
}

/// A call as an element of chat's `tool_calls`.
pub(super) fn chat_call((id, name, arguments): (String, String, String)) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}
