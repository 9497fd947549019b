//! A client's Responses request in the middle form.

use std::sync::Arc;

use hone_strategies::chat::{ChatRequest, Message, Origin};
use serde_json::{Map, Value};

use super::{fields_in, items_in, tools_in};
use crate::marks::OWN_RESPONSE;
use crate::shape::Refusal;
use crate::wire::json::{self, list, missing, take, text, wanted};

/// What may stand in place of `input`.
const INSTEAD: [&str; 3] = ["conversation", "previous_response_id", "prompt"];

/// Reads the body.
pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Refusal> {
    let mut fields = json::body(body)?;
    let model = take(&mut fields, "model").ok_or_else(|| missing("model"))?;
    let model = text(model, "model")?;
    not_hones_own(&fields)?;
    let mut origin = Origin::new(super::said::OWN);
    let (mut messages, mut additional) = (Vec::new(), Vec::new());
    if let Some(instructions) = take(&mut fields, "instructions") {
        messages.push(Message::system(text(instructions, "instructions")?));
    }
    match take(&mut fields, "input") {
        Some(input) => {
            let read = items_in::read(input, &mut origin)?;
            messages.extend(read.messages);
            additional = read.tools;
        }
        None if INSTEAD.iter().any(|name| fields.contains_key(*name)) => {}
        None => return Err(missing("input")),
    }
    let mut request = ChatRequest::new(&model, messages);
    fields_in::limit(&mut fields, &mut request)?;
    fields_in::same(&mut fields, &mut request)?;
    tools(&mut fields, additional, &mut request, &mut origin)?;
    fields_in::text(&mut fields, &mut request, &mut origin)?;
    fields_in::reasoning(&mut fields, &mut request, &mut origin)?;
    fields_in::include(&mut fields, &mut request, &mut origin)?;
    fields_in::rest(fields, &mut origin)?;
    Ok(request.with_origin(Some(Arc::new(origin))))
}

/// Refuses to go on from an answer of hone's.
fn not_hones_own(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let before = fields.get("previous_response_id").and_then(Value::as_str);
    if before.is_none_or(|id| !id.starts_with(OWN_RESPONSE)) {
        return Ok(());
    }
    Err(Refusal::not_stored())
}

/// Reads the tools, and those that stand in the conversation.
fn tools(
    fields: &mut Map<String, Value>,
    additional: Vec<(String, Value)>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let mut tools = match take(fields, "tools") {
        Some(tools) => list(tools, "tools")?,
        None => Vec::new(),
    };
    let choice = take(fields, "tool_choice");
    if choice
        .as_ref()
        .is_some_and(|choice| !choice.is_string() && !choice.is_object())
    {
        return Err(wanted("tool_choice", "a text or an object"));
    }
    let mut read = tools_in::read(&tools)?;
    for (path, item) in additional {
        read.additional(&item, &path)?;
        tools.push(item);
    }
    if let Some(chosen) = read.choose(choice.as_ref())? {
        request.set("tool_choice", chosen);
    }
    for (path, end) in read.fates {
        origin.fate(path, end);
    }
    if !read.functions.is_empty() {
        request.set("tools", read.functions);
    }
    let is_object = choice.as_ref().is_some_and(Value::is_object);
    if !read.is_plain || is_object {
        origin.tools = tools;
    }
    if let Some(choice) = choice.filter(Value::is_object) {
        origin.fields.insert("tool_choice".to_owned(), choice);
    }
    Ok(())
}
