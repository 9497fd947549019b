//! A request as Google's upstreams take it.

use hone_strategies::chat::{ChatRequest, Dialect};
use serde_json::{Map, Value};

use super::{config_out, tools_out, turns_out};
use crate::leave::{Api, Leaving};
use crate::shape::{Encoded, Refusal, Target};
use crate::wire::verb::{Verb, path_of};

/// The version of the API that translated requests go to.
pub(super) const VERSION: &str = "v1beta";

/// What Google takes of chat's fields.
const API: Api = Api {
    dialect: Dialect::Gemini,
    name: "Google's API",
    lost: &[
        "logit_bias",
        "min_p",
        "repetition_penalty",
        "verbosity",
        "web_search_options",
    ],
    said: &[
        "frequency_penalty",
        "logprobs",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "seed",
        "top_k",
        "top_logprobs",
    ],
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
    if request.get("parallel_tool_calls") == Some(&Value::Bool(false)) {
        losses.degrade("parallel_tool_calls");
    }
    let mut out = Map::new();
    turns_out::write(request, target, &names, &mut out, &mut losses)?;
    tools_out::write(request, own, &names, &mut out, &mut losses);
    config_out::write((request, own), target, stops, &mut out, &mut losses);
    for (name, value) in own.iter().flat_map(|origin| &origin.fields) {
        if !matches!(name.as_str(), "generationConfig" | "toolConfig") {
            out.insert(name.clone(), value.clone());
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
