//! Items of the input together: calls and their results, reasoning and what follows it.

use http::StatusCode;
use serde_json::Value;

use super::MAKER;
use super::items::kind;
use super::object::reasoning_of;
use crate::ask::Ask;
use crate::endpoints::fields::text;
use crate::endpoints::signature;
use crate::refusal::Refusal;

pub(super) fn check(ask: &Ask, items: &[Value]) -> Result<(), Refusal> {
    calls(items)?;
    for (index, item) in items.iter().enumerate() {
        if kind(item) == "item_reference" {
            return Err(lost(text(item, "id").unwrap_or_default()));
        }
        if kind(item) == "reasoning" {
            reasoning(ask, index, item)?;
            follows(items.get(index + 1), item)?;
        }
        precedes(items.get(..index).unwrap_or_default(), item)?;
    }
    Ok(())
}

/// Every call has a result, and every result a call before it.
fn calls(items: &[Value]) -> Result<(), Refusal> {
    let of = |item: &Value| text(item, "call_id").unwrap_or_default().to_owned();
    for (call, output, name) in [
        ("function_call", "function_call_output", "function call"),
        (
            "custom_tool_call",
            "custom_tool_call_output",
            "custom tool call",
        ),
    ] {
        let ids = |wanted: &str| -> Vec<String> {
            let found = items.iter().filter(|item| kind(item) == wanted);
            found.map(of).collect()
        };
        let (asked, answered) = (ids(call), ids(output));
        if let Some(id) = answered.iter().find(|id| !asked.contains(id)) {
            let message = format!("No tool call found for {name} output with call_id {id}.");
            return Err(Refusal::invalid(message).param("input"));
        }
        if let Some(id) = asked.iter().find(|id| !answered.contains(id)) {
            let message = format!("No tool output found for {name} {id}.");
            return Err(Refusal::invalid(message).param("input"));
        }
    }
    Ok(())
}

/// Reasoning comes with what it was, or was stored: then it was made here.
fn reasoning(ask: &Ask, index: usize, item: &Value) -> Result<(), Refusal> {
    let id = text(item, "id").unwrap_or_default();
    let is_stored = ask.field("store") != Some(&Value::Bool(false)) && id.starts_with("rs_sim");
    let Some(content) = text(item, "encrypted_content") else {
        return if is_stored { Ok(()) } else { Err(lost(id)) };
    };
    if signature::is_own(content, MAKER, ask.model()?, "") {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "The encrypted content for item {id} could not be verified. Reason: Encrypted content \
         could not be decrypted or parsed."
    ))
    .param(&format!("input[{index}].encrypted_content"))
    .code("invalid_encrypted_content"))
}

fn lost(id: &str) -> Refusal {
    let message = format!(
        "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try \
         again with `store` set to true, or remove this item from your input."
    );
    Refusal::new(StatusCode::NOT_FOUND, message).param("input")
}

/// Behind reasoning stands what it was for.
fn follows(next: Option<&Value>, item: &Value) -> Result<(), Refusal> {
    let id = text(item, "id").unwrap_or_default();
    let is_followed = next.is_some_and(|next| match kind(next) {
        "message" => text(next, "role") == Some("assistant"),
        other => other == "reasoning" || other.ends_with("_call"),
    });
    if is_followed {
        return Ok(());
    }
    let message = format!(
        "Item '{id}' of type 'reasoning' was provided without its required following item."
    );
    Err(Refusal::invalid(message).param("input"))
}

/// What was made behind reasoning is shown behind it.
fn precedes(before: &[Value], item: &Value) -> Result<(), Refusal> {
    let Some(wanted) = reasoning_of(item) else {
        return Ok(());
    };
    let mut reasons = before.iter().filter(|item| kind(item) == "reasoning");
    if reasons.any(|item| text(item, "id") == Some(&wanted)) {
        return Ok(());
    }
    let id = text(item, "id").unwrap_or_default();
    let kind = kind(item);
    let message = format!(
        "Item '{id}' of type '{kind}' was provided without its required 'reasoning' item: \
         '{wanted}'."
    );
    Err(Refusal::invalid(message).param("input"))
}
