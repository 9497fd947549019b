//! A request as Google's upstreams take it.

use hone_strategies::chat::{ChatRequest, Dialect, Origin};
use serde_json::{Map, Value, json};

use super::{config_out, tools_out, turns_out};
use crate::marks::Names;
use crate::shape::{Encoded, Losses, Refusal, Target};
use crate::wire::verb::{Verb, path_of};

/// The version of the API that translated requests go to.
pub(super) const VERSION: &str = "v1beta";

/// What chat has and Google has not.
const LOST: [&str; 5] = [
    "logit_bias",
    "min_p",
    "repetition_penalty",
    "verbosity",
    "web_search_options",
];
/// What cannot be left out.
const REFUSED: [&str; 3] = ["audio", "function_call", "functions"];
/// What is said in another place, or by hone.
const SAID: [&str; 21] = [
    "frequency_penalty",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
];
/// The same.
const SAID_TOO: [&str; 2] = ["top_logprobs", "top_p"];

/// Writes the request.
pub(super) fn encode(request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
    let mut losses = Losses::default();
    let own = own(request);
    if let (None, Some(origin)) = (own, request.origin()) {
        losses.leave(&origin.fates)?;
    }
    let names = match own {
        Some(_) => Names::default(),
        None => Names::of(tools_out::names(request)),
    };
    let called = tools_out::Called {
        names: own.is_none().then_some(&names),
    };
    let mut out = Map::new();
    lost(request, &mut losses)?;
    turns_out::write(request, target, called, &mut out, &mut losses)?;
    tools_out::write(request, own, called, &mut out, &mut losses)?;
    config_out::write(request, own, target, &mut out, &mut losses)?;
    if let Some(origin) = own {
        for (name, value) in &origin.fields {
            if !matches!(name.as_str(), "generationConfig" | "toolConfig") {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    let verb = if target.stream {
        Verb::Stream
    } else {
        Verb::Generate
    };
    let mut path = path_of(VERSION, &target.model, verb);
    if target.stream {
        path.push_str("?alt=sse");
    }
    Ok(Encoded {
        body: Value::Object(out).to_string().into_bytes(),
        path,
        headers: Vec::new(),
        losses,
        names,
    })
}

/// What the request says beside its chat form, if its client speaks this dialect.
fn own(request: &ChatRequest) -> Option<&Origin> {
    let origin = request.origin()?;
    (origin.dialect == Dialect::Gemini).then_some(origin)
}

fn lost(request: &ChatRequest, losses: &mut Losses) -> Result<(), Refusal> {
    for name in REFUSED {
        if request.get(name).is_some() {
            let why = format!("Google's API has nothing like `{name}`.");
            return Err(Refusal::untranslatable(name, why));
        }
    }
    let kinds = request.get("modalities").and_then(Value::as_array);
    if kinds.into_iter().flatten().any(|kind| kind != "text") {
        let why = "Only text can be asked of Google's API here.";
        return Err(Refusal::untranslatable("modalities", why));
    }
    for name in request.names() {
        let value = request.get(name).unwrap_or(&Value::Null);
        let says_nothing = value.is_null() || *value == json!({}) || *value == json!([]);
        let known = SAID.contains(&name) || SAID_TOO.contains(&name);
        if LOST.contains(&name) && !says_nothing {
            losses.degrade(name);
        } else if !known && !says_nothing {
            losses.quiet(name);
        }
    }
    if request.get("store") == Some(&Value::Bool(true)) {
        losses.degrade("store");
    }
    if request.get("parallel_tool_calls") == Some(&Value::Bool(false)) {
        losses.degrade("parallel_tool_calls");
    }
    Ok(())
}
