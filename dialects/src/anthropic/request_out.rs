//! A request as Anthropic's upstreams take it.

use hone_strategies::chat::{ChatRequest, Dialect, Origin};
use serde_json::{Map, Value, json};

use super::reasoning::Wanted;
use super::request_in::{SAMPLED, SAMPLING, is_plain_user};
use super::{tools_out, turns_out};
use crate::marks::Names;
use crate::shape::{Encoded, Losses, Refusal, Target};
use crate::wire::json::wanted;
use crate::{steps, stops};

/// What chat has and Anthropic has not.
const LOST: [&str; 10] = [
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "n",
    "presence_penalty",
    "seed",
    "top_logprobs",
    "verbosity",
    "web_search_options",
    "min_p",
];
/// What cannot be left out.
const REFUSED: [&str; 3] = ["audio", "function_call", "functions"];
/// What is said in another place, or by hone.
const SAID: [&str; 17] = [
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
    "safety_identifier",
];

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
    let mut out = Map::new();
    out.insert("model".to_owned(), target.model.as_str().into());
    out.insert("max_tokens".to_owned(), limit(request, own, target)?.into());
    if let Some(origin) = own {
        out.extend(origin.fields.clone());
    }
    if own.is_none() {
        steps::check(request.messages())?;
    }
    lost(request, &mut losses)?;
    sampling(request, own, target, &mut out, &mut losses);
    stop(request, &mut out)?;
    let turns = turns_out::Turns::write(request, target, &names, &mut losses)?;
    let turns = turns.finished(request, &mut out, &mut losses);
    tools_out::write(request, own, &names, &mut out);
    user(request, own, &mut out, &mut losses);
    let wishes = Wanted {
        request,
        own,
        target,
        lacks_thinking: turns.lacks_thinking,
    };
    wishes.write(&mut out, &mut losses);
    if own.is_some() && !out.contains_key("thinking") {
        clear_nothing(&mut out);
    }
    if target.stream {
        out.insert("stream".to_owned(), true.into());
    }
    Ok(Encoded {
        body: Value::Object(out).to_string().into_bytes(),
        path: "/messages".to_owned(),
        headers: headers(own, target),
        losses,
        names,
    })
}

/// The client's own version and features in trial, if it speaks this dialect.
fn headers(own: Option<&Origin>, target: &Target) -> Vec<(&'static str, String)> {
    let version = own.and_then(|origin| origin.version.clone());
    let version = version.unwrap_or_else(|| target.settings.anthropic_version.clone());
    let beta = own.and_then(|origin| origin.beta.clone());
    let beta = beta.map(|beta| ("anthropic-beta", beta));
    [("anthropic-version", version)]
        .into_iter()
        .chain(beta)
        .collect()
}

/// What the request says beside its chat form, if its client speaks this dialect.
fn own(request: &ChatRequest) -> Option<&Origin> {
    let origin = request.origin()?;
    (origin.dialect == Dialect::Anthropic).then_some(origin)
}

fn limit(request: &ChatRequest, own: Option<&Origin>, target: &Target) -> Result<u64, Refusal> {
    match request.token_limit() {
        Some((name, 0)) if own.is_none() => Err(wanted(name, "at least 1")),
        Some((_, limit)) => Ok(limit),
        None => Ok(target.settings.max_tokens_default),
    }
}

fn lost(request: &ChatRequest, losses: &mut Losses) -> Result<(), Refusal> {
    for name in REFUSED {
        if request.get(name).is_some() {
            let why = format!("Anthropic's API has nothing like `{name}`.");
            return Err(Refusal::untranslatable(name, why));
        }
    }
    let kinds = request.get("modalities").and_then(Value::as_array);
    if kinds.into_iter().flatten().any(|kind| kind != "text") {
        let why = "Anthropic's API answers with text only.";
        return Err(Refusal::untranslatable("modalities", why));
    }
    for name in LOST {
        let value = request.get(name);
        // One choice is what there is, and no probabilities are what nobody asked for.
        let says_nothing =
            |value: &Value| *value == json!(false) || name == "n" && *value == json!(1);
        if value.is_some_and(|value| !says_nothing(value)) {
            losses.degrade(name);
        }
    }
    if request.get("store") == Some(&Value::Bool(true)) {
        losses.degrade("store");
    }
    for name in request.names() {
        let known = SAID.contains(&name) || LOST.contains(&name) || name == "modalities";
        if !known && name != "store" {
            losses.quiet(name);
        }
    }
    Ok(())
}

/// What the model is sampled by. A newer version of the API refuses it: what its client has written
/// earns the upstream's own answer, what a strategy has added is left out.
fn sampling(
    request: &ChatRequest,
    own: Option<&Origin>,
    target: &Target,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    let version = own.and_then(|origin| origin.version.as_deref());
    let is_newer = version.is_some_and(|version| version > SAMPLED);
    for name in SAMPLING {
        let Some(value) = request.get(name) else {
            continue;
        };
        let is_added = is_newer && out.get(name) != Some(value);
        if is_added || !target.settings.takes_sampling {
            losses.degrade(name);
        } else if name == "temperature" && value.as_f64().is_some_and(|value| value > 1.0) {
            losses.degrade(name);
            out.insert(name.to_owned(), 1.into());
        } else {
            out.insert(name.to_owned(), value.clone());
        }
    }
}

/// The stop sequences that Anthropic takes; hone watches for others.
fn stop(request: &ChatRequest, out: &mut Map<String, Value>) -> Result<(), Refusal> {
    let told = stops::part(request, Dialect::Anthropic)?.told;
    if !told.is_empty() {
        out.insert("stop_sequences".to_owned(), told.into());
    }
    Ok(())
}

fn user(
    request: &ChatRequest,
    own: Option<&Origin>,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    if own.is_some() {
        return;
    }
    for name in ["user", "safety_identifier"] {
        match request.get(name).and_then(Value::as_str) {
            Some(id) if is_plain_user(id) => {
                out.insert("metadata".to_owned(), json!({"user_id": id}));
            }
            Some(_) => losses.quiet(name),
            None => {}
        }
    }
}

/// Takes out edits that clear thinking where none is sent: the API refuses the one without the
/// other.
fn clear_nothing(out: &mut Map<String, Value>) {
    let Some(Value::Object(context)) = out.get_mut("context_management") else {
        return;
    };
    let Some(Value::Array(edits)) = context.get_mut("edits") else {
        return;
    };
    edits.retain(|edit| !crate::wire::json::str_of(edit, "type").starts_with("clear_thinking"));
    if edits.is_empty() {
        out.shift_remove("context_management");
    }
}
