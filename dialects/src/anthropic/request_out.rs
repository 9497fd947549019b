//! A request as Anthropic's upstreams take it.

use hone_strategies::chat::{ChatRequest, Dialect, Origin};
use serde_json::{Map, Value, json};

use super::reasoning::Wanted;
use super::request_in::{SAMPLED, SAMPLING, is_plain_user};
use super::{tools_out, turns_out};
use crate::leave::{Api, Leaving};
use crate::shape::{Encoded, Losses, Refusal, Target};

/// What Anthropic takes of chat's fields.
const API: Api = Api {
    dialect: Dialect::Anthropic,
    name: "Anthropic's API",
    lost: &[
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "min_p",
        "n",
        "presence_penalty",
        "seed",
        "top_logprobs",
        "verbosity",
        "web_search_options",
    ],
    said: &["parallel_tool_calls", "safety_identifier", "top_k", "user"],
};

/// Writes the request.
pub(super) fn encode(request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
    let Leaving {
        request,
        own,
        names,
        mut losses,
        stops,
    } = API.leave(request)?;
    let request = &*request;
    let mut out = Map::new();
    out.insert("model".to_owned(), target.model.as_str().into());
    let limit = request.token_limit().map(|(_, limit)| limit);
    let limit = limit.unwrap_or(target.settings.max_tokens_default);
    out.insert("max_tokens".to_owned(), limit.into());
    if let Some(origin) = own {
        out.extend(origin.fields.clone());
    }
    sampling(request, own, target, &mut out, &mut losses);
    if !stops.is_empty() {
        out.insert("stop_sequences".to_owned(), stops.into());
    }
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
