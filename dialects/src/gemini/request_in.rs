//! A client's request in the middle form.

use std::sync::Arc;

use hone_strategies::chat::{ChatRequest, Dialect, End, Origin};
use serde_json::{Map, Value};

use super::fields::{has_only, take, text};
use super::{config_in, tools_in, turns_in};
use crate::port::Route;
use crate::shape::Refusal;
use crate::wire::json::{self, list, missing, object};

/// What a counter's body has the request in.
const COUNTED: &str = "generateContentRequest";
/// Thresholds that block nothing.
const BLOCK_NOTHING: [&str; 3] = ["BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "OFF"];

/// Reads the body.
pub(super) fn decode(body: &[u8], route: &Route<'_>) -> Result<ChatRequest, Refusal> {
    let mut fields = json::body(body)?;
    let mut above = String::new();
    if let Some((value, path)) = take(&mut fields, COUNTED, "") {
        fields = object(value, &path)?;
        above = path;
    }
    let model = model(&mut fields, &above, route)?;
    let mut origin = Origin::new(Dialect::Gemini);
    origin.version = route.version.map(str::to_owned);
    origin.wishes.array = route.array;
    let mut messages = Vec::new();
    if let Some((system, path)) = take(&mut fields, "systemInstruction", &above) {
        messages.extend(turns_in::system(system, &path, &mut origin)?);
    }
    let (turns, path) = take(&mut fields, "contents", &above)
        .ok_or_else(|| missing(&super::fields::join(&above, "contents")))?;
    messages.extend(turns_in::turns(turns, &path, &mut origin)?);
    let mut request = ChatRequest::new(&model, messages);
    if route.stream {
        request.set("stream", true);
    }
    if let Some((config, path)) = take(&mut fields, "generationConfig", &above) {
        config_in::read(config, &path, &mut request, &mut origin)?;
    }
    let choice = take(&mut fields, "toolConfig", &above);
    if let Some((tools, path)) = take(&mut fields, "tools", &above) {
        let choice = choice.as_ref().map(|(choice, _)| choice);
        tools_in::tools(&tools, &path, choice, &mut request, &mut origin)?;
    }
    if let Some((choice, path)) = choice {
        tools_in::choice(choice, &path, &mut request, &mut origin)?;
    }
    safety(&mut fields, &above, &mut origin)?;
    rest(fields, &above, &mut origin);
    Ok(request.with_origin(Some(Arc::new(origin))))
}

fn model(
    fields: &mut Map<String, Value>,
    above: &str,
    route: &Route<'_>,
) -> Result<String, Refusal> {
    let told = take(fields, "model", above);
    let model = match (route.model, told) {
        (Some(model), _) => model.to_owned(),
        (None, Some((model, path))) => json::text(model, &path)?,
        (None, None) => return Err(missing("model")),
    };
    let model = model.strip_prefix("models/").unwrap_or(&model);
    Ok(model.to_owned())
}

/// Settings of what is blocked. Elsewhere there are none, so that those that block nothing are
/// missed by nobody.
fn safety(
    fields: &mut Map<String, Value>,
    above: &str,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Some((settings, path)) = take(fields, "safetySettings", above) else {
        return Ok(());
    };
    let settings = list(settings, &path)?;
    let blocks = |setting: &Value| !BLOCK_NOTHING.contains(&text(setting, "threshold"));
    if settings.iter().any(blocks) {
        origin.fate(path, End::Degrade);
    }
    origin
        .fields
        .insert("safetySettings".to_owned(), settings.into());
    Ok(())
}

/// What chat has no name for.
fn rest(fields: Map<String, Value>, above: &str, origin: &mut Origin) {
    for (name, value) in fields {
        let path = super::fields::join(above, &name);
        let is = |camel: &str| {
            has_only(
                &Map::from_iter([(name.clone(), true.into())]).into(),
                &[camel],
            )
        };
        if is("cachedContent") && !value.is_null() {
            let why = "What a provider keeps can be read there only: send the whole conversation.";
            origin.fate(path, End::Refuse(why.to_owned()));
        } else if is("store") && value == true {
            origin.fate(path, End::Degrade);
        } else if !(value.is_null() || is("store") && value == false) {
            origin.fate(path, End::Quiet);
        }
        origin.fields.insert(name, value);
    }
}
