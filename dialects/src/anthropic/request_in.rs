//! A client's Messages request in the middle form.

use std::sync::Arc;

use hone_strategies::chat::{ChatRequest, Dialect, End, Origin};
use serde_json::{Map, Value};

use super::{reasoning, tools_in, turns_in};
use crate::port::Route;
use crate::shape::Refusal;
use crate::wire::json::{self, missing, take, text, wanted};

/// Fields that go out under the same name in chat.
const SAME: [&str; 4] = ["temperature", "top_k", "top_p", "stream"];
/// Of these, what the model is sampled by.
pub(super) const SAMPLING: [&str; 3] = ["temperature", "top_k", "top_p"];

/// How what chat has no name for ends in another dialect. What is not listed is missed by nobody.
const FATES: [(&str, Fate); 5] = [
    (
        "container",
        Fate::Refuse("A container is kept by the provider that made it."),
    ),
    ("context_management", Fate::Degrade),
    (
        "inference_geo",
        Fate::Refuse("No other upstream promises where it runs."),
    ),
    ("mcp_servers", Fate::Degrade),
    (
        "user_profile_id",
        Fate::Refuse("A profile is kept by the provider that made it."),
    ),
];

enum Fate {
    Degrade,
    Refuse(&'static str),
}

/// Reads the body.
pub(super) fn decode(body: &[u8], route: &Route<'_>) -> Result<ChatRequest, Refusal> {
    let mut fields = json::body(body)?;
    let model = text(
        take(&mut fields, "model").ok_or_else(|| missing("model"))?,
        "model",
    )?;
    let mut origin = Origin::new(Dialect::Anthropic);
    origin.version = route.version.map(str::to_owned);
    origin.beta = route.beta.map(str::to_owned);
    let mut messages = Vec::new();
    if let Some(system) = take(&mut fields, "system") {
        messages.extend(turns_in::system(system, "system", &mut origin)?);
    }
    let turns = take(&mut fields, "messages").ok_or_else(|| missing("messages"))?;
    messages.extend(turns_in::turns(turns, &mut origin)?);
    let mut request = ChatRequest::new(&model, messages);
    if !route.counts || fields.contains_key("max_tokens") {
        limit(&mut fields, &mut request, &mut origin)?;
    }
    for name in SAME {
        if let Some(value) = take(&mut fields, name) {
            check(name, &value)?;
            request.set(name, value);
        }
    }
    if let Some(stop) = take(&mut fields, "stop_sequences") {
        request.set("stop", json::list(stop, "stop_sequences")?);
    }
    let choice = take(&mut fields, "tool_choice");
    let tools = take(&mut fields, "tools");
    tools_in::tools(tools, choice.as_ref(), &mut request, &mut origin)?;
    if let Some(choice) = &choice {
        tools_in::choice(choice, &mut request)?;
    }
    user(&fields, &mut request, &mut origin);
    reasoning::read(&fields, &mut request, &mut origin)?;
    rest(fields, &mut origin);
    keep_sampling(&request, &mut origin);
    Ok(request.with_origin(Some(Arc::new(origin))))
}

/// The version of the API up to which every request may name sampling fields.
pub(super) const SAMPLED: &str = "2023-06-01";

/// Marks what the client samples by, where a newer version refuses what a strategy would add.
fn keep_sampling(request: &ChatRequest, origin: &mut Origin) {
    if origin
        .version
        .as_deref()
        .is_none_or(|version| version <= SAMPLED)
    {
        return;
    }
    for name in SAMPLING {
        if let Some(value) = request.get(name) {
            origin.fields.insert(name.to_owned(), value.clone());
        }
    }
}

fn check(name: &str, value: &Value) -> Result<(), Refusal> {
    match (name, value) {
        ("stream", Value::Bool(_)) => Ok(()),
        ("stream", _) => Err(wanted(name, "true or false")),
        (_, Value::Number(_)) => Ok(()),
        _ => Err(wanted(name, "a number")),
    }
}

/// The limit on the answer: this dialect must have one, so that it is no wish.
fn limit(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let limit = take(fields, "max_tokens").ok_or_else(|| missing("max_tokens"))?;
    let tokens = limit
        .as_u64()
        .ok_or_else(|| wanted("max_tokens", "a whole number"))?;
    if tokens == 0 {
        let why = "Only Anthropic's API warms a cache without an answer.";
        origin.fate("max_tokens", End::Refuse(why.to_owned()));
    }
    request.set("max_tokens", tokens);
    Ok(())
}

/// Whether an id of a user's says nothing but that. Some clients write account data there.
pub(super) fn is_plain_user(id: &str) -> bool {
    id.len() <= 64 && !id.starts_with('{')
}

fn user(fields: &Map<String, Value>, request: &mut ChatRequest, origin: &mut Origin) {
    let Some(metadata) = fields.get("metadata") else {
        return;
    };
    match metadata.get("user_id").and_then(Value::as_str) {
        Some(id) if is_plain_user(id) => request.set("user", id),
        _ => origin.fate("metadata", End::Quiet),
    }
}

/// What chat has no name for.
fn rest(fields: Map<String, Value>, origin: &mut Origin) {
    for (name, value) in fields {
        let known = matches!(&*name, "metadata" | "output_config" | "thinking");
        if !known && !value.is_null() {
            let fate = FATES.iter().find(|(listed, _)| *listed == name);
            origin.fate(
                &*name,
                match fate {
                    Some((_, Fate::Degrade)) => End::Degrade,
                    Some((_, Fate::Refuse(why))) => End::Refuse((*why).to_owned()),
                    None => End::Quiet,
                },
            );
        }
        origin.fields.insert(name, value);
    }
}
