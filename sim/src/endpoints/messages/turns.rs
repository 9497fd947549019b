//! The conversation: whose turn it is, and what may be said in it.

use serde_json::Value;

use super::check::{refused, refuses_prefill};
use super::{MAKER, thinking};
use crate::ask::Ask;
use crate::endpoints::fields::{is_name, list, text, unknown};
use crate::endpoints::signature;
use crate::refusal::Refusal;

pub(super) fn check(ask: &Ask, is_newest: bool) -> Result<(), Refusal> {
    let messages = ask.messages()?;
    let model = ask.model()?;
    roles(messages)?;
    for (index, message) in messages.iter().enumerate() {
        content(messages, index, message, model)?;
        if is_newest {
            newest(index, message)?;
        }
        calls(messages, index, message)?;
    }
    if thinking::has_budget(ask) {
        begins_with_thinking(messages)?;
    }
    end(messages, model)
}

fn role(message: &Value) -> &str {
    text(message, "role").unwrap_or_default()
}

fn is(block: &Value, kind: &str) -> bool {
    text(block, "type") == Some(kind)
}

fn has(message: &Value, kind: &str) -> bool {
    list(message, "content").iter().any(|block| is(block, kind))
}

/// The user begins; a system message stands behind a user's, and not before tools' results.
fn roles(messages: &[Value]) -> Result<(), Refusal> {
    for (index, message) in messages.iter().enumerate() {
        if let Some(name) = unknown(message, &["role", "content"]) {
            return refused(format!(
                "messages.{index}.{name}: Extra inputs are not permitted"
            ));
        }
        let before = index.checked_sub(1).and_then(|before| messages.get(before));
        match (role(message), before.map(role)) {
            ("user", _) | ("assistant", Some(_)) | ("system", Some("user" | "system")) => {}
            ("assistant", None) => {
                return refused("messages: first message must use the \"user\" role");
            }
            ("system", _) => {
                return refused(format!(
                    "messages.{index}: a \"system\" message must follow a \"user\" message"
                ));
            }
            (other, _) => {
                return refused(format!(
                    "messages: Unexpected role \"{other}\". Allowed roles are \"user\", \
                     \"assistant\" or \"system\"."
                ));
            }
        }
    }
    Ok(())
}

fn content(messages: &[Value], index: usize, message: &Value, model: &str) -> Result<(), Refusal> {
    let is_last = index + 1 == messages.len();
    let is_prefill = is_last && role(message) == "assistant";
    match message.get("content") {
        Some(Value::String(text)) if text.is_empty() && !is_prefill => refused(format!(
            "messages.{index}: all messages must have non-empty content except for the optional \
             final assistant message"
        )),
        Some(Value::String(text)) if text.trim().is_empty() && !is_prefill => {
            refused("messages: text content blocks must contain non-whitespace text")
        }
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) if blocks.is_empty() && !is_prefill => refused(format!(
            "messages.{index}: all messages must have non-empty content except for the optional \
             final assistant message"
        )),
        Some(Value::Array(blocks)) => {
            let mut places = blocks.iter().enumerate();
            places.try_for_each(|(at, one)| {
                block(
                    &format!("messages.{index}.content.{at}"),
                    role(message),
                    one,
                    model,
                )
            })
        }
        Some(_) => refused(format!(
            "messages.{index}.content: Input should be a valid list"
        )),
        None => refused(format!("messages.{index}.content: Field required")),
    }
}

/// The types of blocks in a role's turns.
fn kinds(role: &str) -> &'static [&'static str] {
    match role {
        "user" => &[
            "text",
            "image",
            "document",
            "search_result",
            "tool_result",
            "container_upload",
        ],
        "assistant" => &[
            "text",
            "thinking",
            "redacted_thinking",
            "tool_use",
            "server_tool_use",
            "web_search_tool_result",
            "code_execution_tool_result",
            "document",
        ],
        _ => &["text", "tool_addition", "tool_removal"],
    }
}

fn block(place: &str, role: &str, block: &Value, model: &str) -> Result<(), Refusal> {
    let kind = text(block, "type").unwrap_or_default();
    if !kinds(role).contains(&kind) {
        return refused(format!(
            "{place}: Input tag '{kind}' found using 'type' does not match any of the expected \
             tags for role '{role}': {:?}",
            kinds(role)
        ));
    }
    let known: &[&str] = match kind {
        "text" => &["type", "text", "cache_control", "citations"],
        "tool_use" => &["type", "id", "name", "input", "cache_control", "caller"],
        "tool_result" => &[
            "type",
            "tool_use_id",
            "content",
            "is_error",
            "cache_control",
        ],
        "thinking" => &["type", "thinking", "signature"],
        "redacted_thinking" => &["type", "data"],
        "image" => &["type", "source", "cache_control"],
        _ => return Ok(()),
    };
    if let Some(name) = unknown(block, known) {
        return refused(format!(
            "{place}.{kind}.{name}: Extra inputs are not permitted"
        ));
    }
    match kind {
        "text" => said(place, block),
        "tool_use" => call(place, block),
        "tool_result" => result(place, block),
        "thinking" | "redacted_thinking" => thought(place, kind, block, model),
        _ => image(place, block),
    }
}

fn said(place: &str, block: &Value) -> Result<(), Refusal> {
    match text(block, "text") {
        None => refused(format!("{place}.text.text: Field required")),
        Some("") => refused("messages: text content blocks must be non-empty"),
        Some(text) if text.trim().is_empty() => {
            refused("messages: text content blocks must contain non-whitespace text")
        }
        Some(_) => Ok(()),
    }
}

fn call(place: &str, block: &Value) -> Result<(), Refusal> {
    let place = format!("{place}.tool_use");
    if !text(block, "id").is_some_and(|id| is_name(id, usize::MAX)) {
        return refused(format!(
            "{place}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        ));
    }
    if !text(block, "name").is_some_and(|name| is_name(name, 200)) {
        return refused(format!(
            "{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
        ));
    }
    match block.get("input") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => refused(format!("{place}.input: Input should be a valid dictionary")),
        None => refused(format!("{place}.input: Field required")),
    }
}

fn result(place: &str, block: &Value) -> Result<(), Refusal> {
    if text(block, "tool_use_id").is_none() {
        return refused(format!("{place}.tool_result.tool_use_id: Field required"));
    }
    match block.get("content") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => {
            for (index, inner) in blocks.iter().enumerate() {
                let kind = text(inner, "type").unwrap_or_default();
                let known = [
                    "text",
                    "image",
                    "document",
                    "search_result",
                    "tool_reference",
                ];
                if !known.contains(&kind) {
                    return refused(format!(
                        "{place}.tool_result.content.{index}: Input tag '{kind}' found using \
                         'type' does not match any of the expected tags: {known:?}"
                    ));
                }
                if kind == "text" {
                    said(&format!("{place}.tool_result.content.{index}"), inner)?;
                }
            }
            Ok(())
        }
        Some(_) => refused(format!(
            "{place}.tool_result.content: Input should be a valid string"
        )),
    }
}

fn thought(place: &str, kind: &str, block: &Value, model: &str) -> Result<(), Refusal> {
    let (name, of) = match kind {
        "thinking" => ("signature", text(block, "thinking")),
        _ => ("data", Some("")),
    };
    let (Some(signature), Some(of)) = (text(block, name), of) else {
        return refused(format!("{place}.{kind}.{name}: Field required"));
    };
    if signature::is_own(signature, MAKER, model, of) {
        return Ok(());
    }
    refused(format!("{place}: Invalid `{name}` in `{kind}` block"))
}

fn image(place: &str, block: &Value) -> Result<(), Refusal> {
    let source = block.get("source").unwrap_or(&Value::Null);
    let known = ["image/jpeg", "image/png", "image/gif", "image/webp"];
    let fits = match text(source, "type") {
        Some("base64") => {
            text(source, "data").is_some_and(|data| !data.is_empty())
                && text(source, "media_type").is_some_and(|kind| known.contains(&kind))
        }
        Some("url") => text(source, "url").is_some(),
        Some("file") => text(source, "file_id").is_some(),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    refused(format!(
        "{place}.image.source: Input should be an image of one of {known:?}"
    ))
}

/// What the newest version of the API takes no longer.
fn newest(index: usize, message: &Value) -> Result<(), Refusal> {
    if role(message) == "assistant" && has(message, "document") {
        return refused(format!(
            "messages.{index}: `document` blocks are not permitted in assistant messages"
        ));
    }
    let mut blocks = list(message, "content").iter();
    if role(message) == "user" && blocks.any(|block| !list(block, "citations").is_empty()) {
        return refused(format!(
            "messages.{index}: `citations` are not permitted in user messages"
        ));
    }
    Ok(())
}

/// Every call has one result, at the beginning of the next message, and every result a call.
fn calls(messages: &[Value], index: usize, message: &Value) -> Result<(), Refusal> {
    let blocks = list(message, "content");
    let next = messages.get(index + 1);
    let answers = next.map_or(&[][..], |next| list(next, "content"));
    let first: Vec<&str> = answers
        .iter()
        .take_while(|block| is(block, "tool_result"))
        .filter_map(|block| text(block, "tool_use_id"))
        .collect();
    let unanswered: Vec<&str> = blocks
        .iter()
        .filter(|block| is(block, "tool_use"))
        .filter_map(|block| text(block, "id"))
        .filter(|id| !first.contains(id))
        .collect();
    if !unanswered.is_empty() {
        return refused(format!(
            "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately \
             after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the \
             next message.",
            unanswered.join(", ")
        ));
    }
    let before = index.checked_sub(1).and_then(|before| messages.get(before));
    let asked: Vec<&str> = before
        .map_or(&[][..], |before| list(before, "content"))
        .iter()
        .filter(|block| is(block, "tool_use"))
        .filter_map(|block| text(block, "id"))
        .collect();
    let mut seen = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let Some(id) = text(block, "tool_use_id").filter(|_| is(block, "tool_result")) else {
            continue;
        };
        let place = format!("messages.{index}.content.{at}");
        if !asked.contains(&id) {
            return refused(format!(
                "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous \
                 message."
            ));
        }
        if seen.contains(&id) {
            return refused(format!(
                "{place}: each tool_use must have a single result. Found multiple `tool_result` \
                 blocks with id: {id}"
            ));
        }
        seen.push(id);
    }
    Ok(())
}

/// The turn whose tools were called last begins with reasoning.
fn begins_with_thinking(messages: &[Value]) -> Result<(), Refusal> {
    let Some((index, turn)) = messages
        .iter()
        .enumerate()
        .rfind(|(_, message)| role(message) == "assistant")
    else {
        return Ok(());
    };
    let is_open = messages
        .iter()
        .skip(index + 1)
        .any(|later| has(later, "tool_result"));
    let first = list(turn, "content").first();
    let kind = first
        .and_then(|block| text(block, "type"))
        .unwrap_or("text");
    if !is_open || matches!(kind, "thinking" | "redacted_thinking") {
        return Ok(());
    }
    refused(format!(
        "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found \
         `{kind}`. When `thinking` is enabled, a final `assistant` message must start with a \
         thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To \
         avoid this requirement, disable `thinking`."
    ))
}

/// The model's own words at the end.
fn end(messages: &[Value], model: &str) -> Result<(), Refusal> {
    let Some(last) = messages.last().filter(|last| role(last) == "assistant") else {
        return Ok(());
    };
    if refuses_prefill(model) {
        return refused(
            "This model does not support assistant message prefill. The conversation must end \
             with a user message.",
        );
    }
    let said = match last.get("content") {
        Some(Value::String(said)) => Some(said.as_str()),
        _ => list(last, "content")
            .last()
            .and_then(|block| text(block, "text")),
    };
    if said.is_some_and(|said| said.ends_with(char::is_whitespace)) {
        return refused("messages: final assistant content cannot end with trailing whitespace");
    }
    Ok(())
}
