//! A request as OpenAI's Responses upstreams take it.

use hone_strategies::chat::{ChatRequest, Origin};
use serde_json::{Map, Value, json};

use super::fields_in::KEPT;
use super::items_out::Items;
use super::{tools_in, tools_out};
use crate::leave::{Api, Leaving, own};
use crate::marks::Names;
use crate::shape::{Encoded, Losses, Refusal, Target};
use crate::tables::effort;
use crate::wire::json::str_of;

/// What chat and this dialect call the same.
const SAME: [&str; 9] = [
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "top_logprobs",
    "user",
    "moderation",
];
/// The lowest limit on an answer that OpenAI takes.
const LEAST_TOKENS: u64 = 16;
/// What Responses takes of chat's fields.
const API: Api = Api {
    dialect: super::said::OWN,
    name: "OpenAI's Responses API",
    lost: &[
        "frequency_penalty",
        "logit_bias",
        "min_p",
        "n",
        "presence_penalty",
        "seed",
        "top_k",
        "web_search_options",
    ],
    said: &[
        "logprobs",
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "top_logprobs",
        "user",
        "verbosity",
    ],
};

/// Writes the request.
pub(super) fn encode(request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
    // Responses has no stop sequences: hone watches for them all.
    let Leaving {
        request,
        own,
        mut names,
        mut losses,
        stops: _,
    } = API.leave(request)?;
    let request = &*request;
    let mut tools = None;
    if let Some(origin) = own {
        kept(request, origin)?;
        tools = tools_out::own(request, origin);
        if tools.is_none() {
            // What chat calls a tool in a namespace is no name of the client's.
            names = Names::kept_but(tools_in::special(Some(origin)).names());
        }
    }
    let tools = tools.unwrap_or_else(|| tools_out::of_chat(request, &names));
    let items = Items::write(request, target, &names, &tools)?;
    let mut out = Map::from_iter([("model".to_owned(), Value::from(&*target.model))]);
    if !items.instructions.is_empty() {
        let instructions = items.instructions.join("\n\n");
        out.insert("instructions".to_owned(), instructions.into());
    }
    out.insert("input".to_owned(), items.written.into());
    if let Some(origin) = own {
        out.extend(origin.fields.clone());
        out.shift_remove("stream_options");
    }
    fields((request, own), target, &mut out, &mut losses);
    told(tools, &mut out);
    Ok(Encoded {
        body: Value::Object(out).to_string().into_bytes(),
        path: "/responses".to_owned(),
        headers: Vec::new(),
        losses,
        names,
    })
}

/// Tells of the tools.
fn told(tools: tools_out::Written, out: &mut Map<String, Value>) {
    out.shift_remove("tool_choice");
    if tools.tools.is_empty() && !tools.in_place {
        return;
    }
    if !tools.tools.is_empty() {
        out.insert("tools".to_owned(), tools.tools.into());
    }
    if let Some(choice) = tools.choice {
        out.insert("tool_choice".to_owned(), choice);
    }
}

/// Refuses what only a provider keeps: the conversation is no longer the one that it knows.
fn kept(request: &ChatRequest, origin: &Origin) -> Result<(), Refusal> {
    for (name, why) in KEPT {
        if origin
            .fields
            .get(name)
            .is_some_and(|value| *value != json!(false))
        {
            return Err(Refusal::untranslatable(name, why));
        }
    }
    let natives = request
        .messages()
        .iter()
        .filter_map(|message| message.native());
    let own = natives.filter(|native| native.dialect == API.dialect);
    let mut items = own.flat_map(|native| &native.value);
    let is_reference = |item: &Value| matches!(str_of(item, "type"), "" | "item_reference");
    if items.any(|item| is_reference(item) && item.get("role").is_none()) {
        let why = "Items are not stored: send the whole conversation as `input`.";
        return Err(Refusal::untranslatable("input", why));
    }
    Ok(())
}

/// The fields beside input and tools. What the client wrote beside them is in `out` already.
fn fields(
    (request, own): (&ChatRequest, Option<&Origin>),
    target: &Target,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    for name in SAME {
        if let Some(value) = request.get(name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    for name in ["temperature", "top_p"] {
        match request.get(name) {
            Some(_) if !target.settings.takes_sampling => losses.degrade(name),
            Some(value) => drop(out.insert(name.to_owned(), value.clone())),
            None => {}
        }
    }
    if let Some((name, limit)) = request.token_limit() {
        let is_taken = own.is_some() || limit >= LEAST_TOKENS;
        if !is_taken {
            losses.degrade(name);
        }
        let limit = if is_taken { limit } else { LEAST_TOKENS };
        out.insert("max_output_tokens".to_owned(), limit.into());
    }
    if let Some(text) = text(request) {
        out.insert("text".to_owned(), text);
    }
    reasoning(request, target, out, losses);
    include(request, out);
    if out.insert("store".to_owned(), false.into()) == Some(json!(true)) {
        losses.degrade("store");
    }
    if target.stream {
        out.insert("stream".to_owned(), true.into());
    }
}

/// `text`, if the request says something of it.
pub(super) fn text(request: &ChatRequest) -> Option<Value> {
    let mut text = member(request, "text");
    if let Some(format) = request.get("response_format") {
        text.insert("format".to_owned(), format_of(format));
    }
    if let Some(verbosity) = request.get("verbosity") {
        text.insert("verbosity".to_owned(), verbosity.clone());
    }
    (!text.is_empty()).then_some(Value::Object(text))
}

/// What is nested in chat is flat here.
fn format_of(format: &Value) -> Value {
    let Some(schema) = format.get("json_schema").and_then(Value::as_object) else {
        return json!({"type": str_of(format, "type")});
    };
    let mut format = Map::from_iter([("type".to_owned(), Value::from("json_schema"))]);
    format.extend(schema.clone());
    format.entry("name").or_insert_with(|| "answer".into());
    Value::Object(format)
}

/// What the client wrote in the object `name` that chat has no name for.
fn member(request: &ChatRequest, name: &str) -> Map<String, Value> {
    let own = own(request, API.dialect).and_then(|origin| origin.fields.get(name)?.as_object());
    own.cloned().unwrap_or_default()
}

fn reasoning(
    request: &ChatRequest,
    target: &Target,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    let mut reasoning = member(request, "reasoning");
    if let Some(word) = request.get("reasoning_effort").and_then(Value::as_str) {
        let allowed = if effort::is_known(word) {
            effort::allowed(word, &target.settings.refused_efforts)
        } else {
            Some(word)
        };
        if allowed != Some(word) {
            losses.degrade("reasoning_effort");
        }
        if let Some(word) = allowed {
            reasoning.insert("effort".to_owned(), word.into());
        }
    }
    let origin = request.origin();
    if own(request, API.dialect).is_none() && origin.is_some_and(|origin| origin.wishes.reasoning) {
        reasoning.insert("summary".to_owned(), "auto".into());
    }
    if !reasoning.is_empty() {
        out.insert("reasoning".to_owned(), Value::Object(reasoning));
    }
}

/// Nothing is stored, so that reasoning must come back to be read again.
fn include(request: &ChatRequest, out: &mut Map<String, Value>) {
    let mut include = vec![json!("reasoning.encrypted_content")];
    if request.get("logprobs") == Some(&json!(true)) {
        include.push("message.output_text.logprobs".into());
    }
    if let Some(Value::Array(others)) = out.shift_remove("include") {
        include.extend(others);
    }
    out.insert("include".to_owned(), include.into());
}
