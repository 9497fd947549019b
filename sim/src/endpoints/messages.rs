//! `POST /v1/messages` and `/v1/messages/count_tokens`, Anthropic's endpoints.
//!
//! With the profile `anthropic`, requests are refused as Anthropic refuses them; without it, only
//! what cannot be answered is.

use http::HeaderMap;
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
mod thinking;
mod tools;
mod turns;
mod write;

/// Signatures of this dialect.
const MAKER: &str = "messages";

/// Answers a conversation.
pub(crate) fn answer(ask: &Ask, headers: &HeaderMap, dice: &mut Dice) -> Result<Script, Refusal> {
    if ask.knobs.profile == Some(Profile::Anthropic) {
        check::check(ask, headers, &check::FIELDS)?;
    }
    let limit = ask
        .number("max_tokens", 0..=u32::MAX)?
        .ok_or_else(|| Refusal::invalid("max_tokens: Field required").param("max_tokens"))?;
    let mut wants = wants(ask)?;
    wants.limit = Some(limit);
    if let Some(window) = ask.knobs.window.filter(|most| wants.prompt_tokens > *most) {
        return Err(Refusal::invalid(format!(
            "prompt is too long: {} tokens > {window} maximum",
            wants.prompt_tokens
        )));
    }
    let reply = Reply::draw(ask, &wants, dice);
    let script = write::script(ask, ask.model()?, &reply);
    Ok(script.answering(wants.prompt_tokens))
}

/// Counts the tokens of a conversation.
pub(crate) fn count(ask: &Ask, headers: &HeaderMap) -> Result<Script, Refusal> {
    if ask.knobs.profile == Some(Profile::Anthropic) {
        check::check(ask, headers, &check::COUNTED)?;
    }
    let tokens = wants(ask)?.prompt_tokens;
    Ok(Script::json(&json!({"input_tokens": tokens})))
}

fn wants(ask: &Ask) -> Result<Wants<'_>, Refusal> {
    let messages = ask.messages()?;
    let system = ask.get("system").map_or(0, input_tokens);
    let tools = ask.get("tools").and_then(Value::as_array);
    let tools: Vec<Tool<'_>> = tools.into_iter().flatten().filter_map(tool).collect();
    let told: u32 = tools.iter().filter_map(|tool| tool.schema).map(size).sum();
    let choice = ask.get("tool_choice");
    let choice = match choice.and_then(|choice| text(choice, "type")) {
        Some("none") => Choice::Never,
        Some("any") => Choice::Some,
        Some("tool") => choice
            .and_then(|choice| text(choice, "name"))
            .map_or(Choice::Some, Choice::Named),
        _ => Choice::Auto,
    };
    let format = ask
        .get("output_config")
        .and_then(|config| config.pointer("/format/schema"));
    let last = messages
        .last()
        .map_or(&[][..], |last| list(last, "content"));
    Ok(Wants {
        prompt_tokens: prompt_tokens(messages)
            .saturating_add(system)
            .saturating_add(told),
        limit: None,
        thinks: thinking::is_on(ask),
        tools,
        choice,
        is_answered: last
            .iter()
            .any(|block| text(block, "type") == Some("tool_result")),
        format: format.map_or(Format::Text, Format::Schema),
        stops: ask
            .get("stop_sequences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
    })
}

/// A tool that the client runs.
fn tool(tool: &Value) -> Option<Tool<'_>> {
    Some(Tool {
        name: text(tool, "name")?,
        namespace: None,
        schema: Some(tool.get("input_schema")?),
    })
}

/// The tokens of a schema.
fn size(schema: &Value) -> u32 {
    u32::try_from(schema.to_string().len().div_ceil(4)).unwrap_or(u32::MAX)
}
