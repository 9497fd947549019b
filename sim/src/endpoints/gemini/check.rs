//! What Google refuses of a request, in its words.

use serde_json::Value;

use super::{Asked, config, field, snake, tools, turns};
use crate::ask::Ask;
use crate::refusal::Refusal;

/// The fields of a request.
const FIELDS: [&str; 10] = [
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "tools",
];

pub(super) fn refused(message: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal::invalid(message))
}

/// Refuses an object with a member that is not among `known`, in either case.
pub(super) fn only(object: &Value, known: &[&str], place: &str) -> Result<(), Refusal> {
    let mut names = object.as_object().into_iter().flat_map(|all| all.keys());
    let is_known = |name: &str| {
        known
            .iter()
            .any(|known| *known == name || snake(known) == name)
    };
    match names.find(|name| !is_known(name)) {
        Some(name) => Err(unknown(name, place)),
        None => Ok(()),
    }
}

/// There is no field of this name.
pub(super) fn unknown(name: &str, place: &str) -> Refusal {
    let at = if place.is_empty() {
        String::new()
    } else {
        format!(" at '{place}'")
    };
    Refusal::invalid(format!(
        "Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."
    ))
}

/// Refuses a request that Google refuses.
pub(super) fn check(ask: &Ask, asked: &Asked<'_>) -> Result<(), Refusal> {
    let is_known = |name: &str| {
        let mut known = FIELDS.iter().chain(&["toolConfig"]);
        known.any(|known| *known == name || snake(known) == name)
    };
    if let Some(name) = ask.names().find(|name| !is_known(name)) {
        return Err(unknown(name, ""));
    }
    if let Some(name) = field(ask, "cachedContent") {
        let message = format!("CachedContent not found (or permission denied): {name}");
        return Err(Refusal::new(http::StatusCode::FORBIDDEN, message));
    }
    system(ask)?;
    config::check(config(ask), asked, ask.get("tools").is_some())?;
    tools::check(ask)?;
    turns::check(super::contents(ask)?, asked)
}

/// The system's instruction is text.
fn system(ask: &Ask) -> Result<(), Refusal> {
    let Some(system) = field(ask, "systemInstruction") else {
        return Ok(());
    };
    only(system, &["parts", "role"], "system_instruction")?;
    let parts = super::members(system, "parts");
    if parts.is_empty() {
        return refused(
            "* GenerateContentRequest.system_instruction.parts: contents.parts must not be \
             empty.\n",
        );
    }
    for (index, part) in parts.iter().enumerate() {
        only(
            part,
            &["text"],
            &format!("system_instruction.parts[{index}]"),
        )?;
    }
    Ok(())
}
