//! `POST /v1/responses` and `/v1/responses/input_tokens`.
//!
//! With the profile `responses`, requests are refused as OpenAI refuses them; without it, only what
//! cannot be answered is.

use serde_json::{Value, json};

use super::fields::{list, text};
use super::reply::{Choice, Format, Reply, Tool, Wants};
use crate::ask::Ask;
use crate::chance::Dice;
use crate::profile::Profile;
use crate::refusal::Refusal;
use crate::script::Script;
use crate::text::{input_tokens, prompt_tokens};

mod check;
mod events;
mod history;
mod items;
mod object;
mod tools;

use object::Answer;

/// Signatures of this dialect.
const MAKER: &str = "responses";

/// Answers an input.
pub(crate) fn answer(ask: &Ask, dice: &mut Dice) -> Result<Script, Refusal> {
    if ask.knobs.profile == Some(Profile::Responses) {
        check::check(ask, &check::FIELDS)?;
    }
    let mut wants = wants(ask)?;
    wants.limit = ask.number("max_output_tokens", 1..=u32::MAX)?;
    if let Some(window) = ask.knobs.window.filter(|most| wants.prompt_tokens > *most) {
        return Err(Refusal::invalid(format!(
            "Your input exceeds the context window of this model ({} of {window} tokens). Please \
             adjust your input and try again.",
            wants.prompt_tokens
        ))
        .param("input")
        .code("context_length_exceeded"));
    }
    let reply = Reply::draw(ask, &wants, dice);
    let answer = Answer {
        ask,
        model: ask.model()?,
        reply: &reply,
    };
    let script = if ask.stream().is_some() {
        events::stream(&answer)
    } else {
        answer.whole()
    };
    Ok(script.answering(wants.prompt_tokens))
}

/// Counts the tokens of an input.
pub(crate) fn count(ask: &Ask) -> Result<Script, Refusal> {
    if ask.knobs.profile == Some(Profile::Responses) {
        check::check(ask, &check::COUNTED)?;
    }
    let tokens = wants(ask)?.prompt_tokens;
    let object = "response.input_tokens";
    Ok(Script::json(
        &json!({"object": object, "input_tokens": tokens}),
    ))
}

fn wants(ask: &Ask) -> Result<Wants<'_>, Refusal> {
    let input = ask
        .get("input")
        .ok_or_else(|| Refusal::invalid("Missing required parameter: 'input'.").param("input"))?;
    let tokens = match input {
        Value::Array(items) => prompt_tokens(items),
        other => input_tokens(other),
    };
    let tools: Vec<Tool<'_>> = tools(ask.get("tools").unwrap_or(&Value::Null));
    let told = tools.iter().filter_map(|tool| tool.schema).map(size);
    let choice = match ask.get("tool_choice") {
        Some(Value::String(word)) if word == "none" => Choice::Never,
        Some(Value::String(word)) if word == "required" => Choice::Some,
        Some(choice) => text(choice, "name").map_or(Choice::Auto, Choice::Named),
        None => Choice::Auto,
    };
    let last = input.as_array().and_then(|items| items.last());
    let kind = last.and_then(|item| text(item, "type")).unwrap_or_default();
    Ok(Wants {
        prompt_tokens: tokens
            .saturating_add(ask.get("instructions").map_or(0, input_tokens))
            .saturating_add(told.sum()),
        limit: None,
        thinks: thinks(ask),
        tools,
        choice,
        is_answered: kind.ends_with("_call_output"),
        format: format(ask),
        stops: Vec::new(),
    })
}

/// Whether the model reasons: it is asked to, or shows that it does.
fn thinks(ask: &Ask) -> bool {
    let reasoning = ask.get("reasoning");
    let effort = reasoning.and_then(|reasoning| text(reasoning, "effort"));
    reasoning.is_some_and(Value::is_object) && effort != Some("none")
}

fn format(ask: &Ask) -> Format<'_> {
    let format = ask.get("text").and_then(|text| text.get("format"));
    let Some(format) = format else {
        return Format::Text;
    };
    match (text(format, "type"), format.get("schema")) {
        (Some("json_schema"), Some(schema)) => Format::Schema(schema),
        (Some("json_object"), _) => Format::Object,
        _ => Format::Text,
    }
}

/// The tools that the client runs, those of namespaces included.
fn tools(all: &Value) -> Vec<Tool<'_>> {
    let all = all.as_array().into_iter().flatten();
    let own = |tool| match text(tool, "type") {
        Some("namespace") => list(tool, "tools")
            .iter()
            .filter_map(|inner| one(inner, text(tool, "name")))
            .collect(),
        _ => one(tool, None).into_iter().collect::<Vec<_>>(),
    };
    all.flat_map(own).collect()
}

fn one<'a>(tool: &'a Value, namespace: Option<&'a str>) -> Option<Tool<'a>> {
    let schema = match text(tool, "type")? {
        "function" => Some(tool.get("parameters").unwrap_or(&Value::Null)),
        "custom" => None,
        _ => return None,
    };
    Some(Tool {
        name: text(tool, "name")?,
        namespace,
        schema,
    })
}

/// The tokens of a schema.
fn size(schema: &Value) -> u32 {
    u32::try_from(schema.to_string().len().div_ceil(4)).unwrap_or(u32::MAX)
}
