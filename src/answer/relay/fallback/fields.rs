//! What of a JSON body the operator's key serves: the listed fields, and within them items, parts
//! and tools that carry their content themselves instead of naming what is stored in the account.
//!
//! Every occurrence of a name is looked at, and names must be spelled exactly: an upstream may take
//! another one of two, or ignore case. `null` is nothing.

use hone_strategies::catalogue::COMMON_PARAMS;
use hone_strategies::{Entry, STRATEGIES};

use crate::api::endpoint::{Kind, fields};
use crate::request::envelope::{EnvelopeError, elements, members};

/// What is refused: a field, with what it stands in.
type Checked = Result<(), Refused>;

/// Why a body is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No JSON object.
    Envelope(EnvelopeError),
    /// What the client is told of the field, item or tool.
    Field(String),
}

/// Fields of hone's own.
const OWN: [&str; 2] = ["decoding", "optillm_approach"];

const MESSAGE: &[&str] = &[
    "annotations",
    "cache_control",
    "content",
    "extra_content",
    "function_call",
    "name",
    "prefix",
    "provider_specific_fields",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "role",
    "thinking",
    "thinking_blocks",
    "tool_call_id",
    "tool_calls",
];

const PART: &[&str] = &[
    "annotations",
    "audio_url",
    "cache_control",
    "detail",
    "file",
    "file_data",
    "file_url",
    "filename",
    "image_url",
    "input_audio",
    "logprobs",
    "refusal",
    "signature",
    "text",
    "thinking",
    "type",
    "video_url",
];

const PART_TYPES: &[&str] = &[
    "audio_url",
    "computer_screenshot",
    "file",
    "image_url",
    "input_audio",
    "input_file",
    "input_image",
    "input_text",
    "output_text",
    "reasoning_text",
    "refusal",
    "summary_text",
    "text",
    "thinking",
    "video_url",
];

/// Of the object in which a part has its content.
const CONTENT: &[&str] = &["data", "detail", "file_data", "filename", "format", "url"];
/// Parts that have their content in an object.
const IN_AN_OBJECT: &[&str] = &["audio_url", "file", "image_url", "input_audio", "video_url"];

const ITEM: &[&str] = &[
    "acknowledged_safety_checks",
    "action",
    "arguments",
    "call_id",
    "content",
    "encrypted_content",
    "id",
    "input",
    "name",
    "namespace",
    "operation",
    "output",
    "pending_safety_checks",
    "phase",
    "role",
    "status",
    "summary",
    "type",
];

const ITEM_TYPES: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "function_call",
    "function_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "message",
    "reasoning",
    "web_search_call",
];

/// An item with none of these is looked up by its id.
const CARRIES_ITSELF: &[&str] = &["action", "call_id", "content", "encrypted_content"];

const TOOL: &[&str] = &[
    "cache_control",
    "custom",
    "description",
    "display_height",
    "display_width",
    "environment",
    "external_web_access",
    "filters",
    "format",
    "function",
    "name",
    "parameters",
    "search_context_size",
    "strict",
    "type",
    "user_location",
];

const TOOL_TYPES: &[&str] = &[
    "apply_patch",
    "computer_use_preview",
    "custom",
    "function",
    "local_shell",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
];

/// Whether `body`, of a request to an endpoint of this `kind`, has nothing but `served` fields and
/// `extra` ones, which the operator has named.
pub(super) fn check(kind: Kind, served: &[&str], extra: &[String], body: &[u8]) -> Checked {
    let text = std::str::from_utf8(body).map_err(|error| {
        Refused::Envelope(EnvelopeError::InvalidUtf8 {
            at: error.valid_up_to(),
        })
    })?;
    let is_served = |name: &str| {
        served.contains(&name)
            || fields::SAMPLING.contains(&name)
            || extra.iter().any(|own| own == name)
            || kind == Kind::Chat && (OWN.contains(&name) || is_parameter(name))
    };
    each_member(text, |name, value| {
        // What is asked not to run in the background is asked for what is served.
        match (kind, name) {
            (_, "background") if value == "false" => Ok(()),
            _ if !is_served(name) => refuse(name),
            (Kind::Chat, "messages") => each_object(name, value, message),
            (Kind::Chat | Kind::Responses, "tools") => each_object(name, value, tool),
            (Kind::Responses, "input") => each_object(name, value, item),
            (Kind::Chat, "audio") => each_member(value, voice),
            (Kind::Other, _) => voice(name, value),
            _ => Ok(()),
        }
    })
}

/// Whether some strategy has a parameter of this name.
fn is_parameter(name: &str) -> bool {
    let declared = STRATEGIES.iter().flat_map(Entry::params);
    declared
        .chain(COMMON_PARAMS)
        .any(|param| param.name == name)
}

fn refuse(what: impl Into<String>) -> Checked {
    Err(Refused::Field(what.into()))
}

/// A voice that is an object names one that is stored.
fn voice(name: &str, value: &str) -> Checked {
    if name == "voice" && value.starts_with(['{', '[']) {
        refuse(name)
    } else {
        Ok(())
    }
}

fn message(json: &str) -> Checked {
    each_member(json, |name, value| {
        one_of(MESSAGE, "messages", name)?;
        if name == "content" {
            parts("content", value)?;
        }
        Ok(())
    })
}

fn item(json: &str) -> Checked {
    let (mut carries, mut is_encrypted, mut needs_encrypted) = (false, false, false);
    each_member(json, |name, value| {
        one_of(ITEM, "input", name)?;
        carries |= CARRIES_ITSELF.contains(&name);
        match name {
            "type" => {
                let kind = word(ITEM_TYPES, "input", value)?;
                needs_encrypted |= ["reasoning", "compaction"].contains(&kind.as_str());
                Ok(())
            }
            "content" | "output" => {
                is_encrypted |= name == "content" && value.starts_with('[') && value.len() > 2;
                parts(name, value)
            }
            "encrypted_content" => {
                is_encrypted = true;
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    if !carries {
        return refuse("input: an item without its content");
    }
    if needs_encrypted && !is_encrypted {
        return refuse("input: reasoning without `encrypted_content`");
    }
    Ok(())
}

fn parts(place: &str, json: &str) -> Checked {
    each_object(place, json, |part| {
        each_member(part, |name, value| {
            one_of(PART, place, name)?;
            if name == "type" {
                word(PART_TYPES, place, value)?;
            }
            if IN_AN_OBJECT.contains(&name) && value.starts_with('{') {
                each_member(value, |inner, _| one_of(CONTENT, name, inner))?;
            }
            Ok(())
        })
    })
}

fn tool(json: &str) -> Checked {
    let mut is_typed = false;
    each_member(json, |name, value| {
        one_of(TOOL, "tools", name)?;
        match name {
            "type" => {
                is_typed = true;
                word(TOOL_TYPES, "tools", value).map(drop)
            }
            "environment" if value.starts_with(['{', '[']) => refuse("tools: `environment`"),
            _ => Ok(()),
        }
    })?;
    if is_typed {
        Ok(())
    } else {
        refuse("tools: a tool without its type")
    }
}

fn one_of(names: &[&str], place: &str, name: &str) -> Checked {
    if names.contains(&name) {
        Ok(())
    } else {
        refuse(format!("{place}: `{name}`"))
    }
}

/// The string that `json` is, if it is among `words`.
fn word(words: &[&str], place: &str, json: &str) -> Result<String, Refused> {
    let word: Option<String> = serde_json::from_str(json).ok();
    word.filter(|word| words.contains(&word.as_str()))
        .ok_or_else(|| Refused::Field(format!("{place}: type {json}")))
}

/// Each object of the list that `json` is; what is no list is looked at as its only element.
/// Strings are content.
fn each_object(place: &str, json: &str, mut look: impl FnMut(&str) -> Checked) -> Checked {
    let mut each = |value: &str| match value.as_bytes().first() {
        Some(b'{') => look(value),
        Some(b'[') => refuse(format!("{place}: a list in a list")),
        _ => Ok(()),
    };
    if !json.starts_with('[') {
        return each(json);
    }
    visit(|stop| elements(json, |value| stop(each(value))))
}

/// Each member of the object that `json` is, unless it is `null`.
fn each_member(json: &str, mut look: impl FnMut(&str, &str) -> Checked) -> Checked {
    visit(|stop| {
        members(json, |member| {
            stop(if member.value == "null" {
                Ok(())
            } else {
                look(&member.name(), member.value)
            })
        })
    })
}

/// Ends a scan with the first refusal.
type Stop<'a> = &'a mut dyn FnMut(Checked) -> Result<(), EnvelopeError>;

/// What a scan refuses.
fn visit(scan: impl FnOnce(Stop<'_>) -> Result<(), EnvelopeError>) -> Checked {
    let mut refused = Ok(());
    let ended = scan(&mut |checked| match checked {
        Ok(()) => Ok(()),
        Err(why) => {
            refused = Err(why);
            Err(EnvelopeError::NotAnObject)
        }
    });
    refused?;
    ended.map_err(Refused::Envelope)
}

#[cfg(test)]
mod tests;
