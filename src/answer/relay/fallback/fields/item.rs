//! Items of a response's input and tools: what each type must carry itself.

use super::shape::Shape::{self, Any, Either, List, Map, Object, Scalar, Text, Url, Word};
use super::shape::{is_something, text};
use super::shapes::{CONTENT, PART, USER_LOCATION};
use super::{Checked, each_member, refuse};
use crate::request::envelope::elements;

/// What a computer, a shell or a search is told to do.
const ACTION: Shape = Object(&[
    ("button", Text),
    ("command", Either(&[Text, List(&Text)])),
    ("env", Map(&Scalar)),
    ("keys", List(&Text)),
    ("path", List(&Object(&[("x", Scalar), ("y", Scalar)]))),
    ("pattern", Text),
    ("queries", List(&Text)),
    ("query", Text),
    ("scroll_x", Scalar),
    ("scroll_y", Scalar),
    (
        "sources",
        List(&Object(&[("type", Word(&["url"])), ("url", Url)])),
    ),
    ("text", Text),
    ("timeout_ms", Scalar),
    ("type", Text),
    ("url", Text),
    ("user", Text),
    ("working_directory", Text),
    ("x", Scalar),
    ("y", Scalar),
]);

const SAFETY_CHECKS: Shape = List(&Object(&[("code", Text), ("id", Text), ("message", Text)]));

const ITEM: Shape = Object(&[
    ("acknowledged_safety_checks", SAFETY_CHECKS),
    ("action", ACTION),
    ("arguments", Text),
    ("call_id", Text),
    ("content", CONTENT),
    ("encrypted_content", Text),
    ("id", Text),
    ("input", Text),
    ("name", Text),
    ("namespace", Text),
    (
        "operation",
        Object(&[("diff", Text), ("path", Text), ("type", Text)]),
    ),
    ("output", Either(&[CONTENT, PART])),
    ("pending_safety_checks", SAFETY_CHECKS),
    ("phase", Text),
    ("role", Text),
    ("status", Text),
    ("summary", CONTENT),
    ("type", Text),
]);

/// What an item must have that it is not looked up by its id, by type: one member of each list, and
/// not an empty one.
const CARRIED: [(&str, &[&[&str]]); 15] = [
    ("", &[&["role"], &["content"]]),
    ("apply_patch_call", &[&["call_id"], &["operation"]]),
    (
        "apply_patch_call_output",
        &[&["call_id"], &["output", "status"]],
    ),
    ("compaction", &[&["encrypted_content"]]),
    ("computer_call", &[&["call_id"], &["action"]]),
    ("computer_call_output", &[&["call_id"], &["output"]]),
    ("custom_tool_call", &[&["call_id"], &["name"]]),
    ("custom_tool_call_output", &[&["call_id"], &[OUTPUT]]),
    ("function_call", &[&["call_id"], &["name"]]),
    ("function_call_output", &[&["call_id"], &[OUTPUT]]),
    ("local_shell_call", &[&["call_id"], &["action"]]),
    ("local_shell_call_output", &[&["call_id", "id"], &[OUTPUT]]),
    ("message", &[&["content"]]),
    ("reasoning", &[&["encrypted_content", "content"]]),
    ("web_search_call", &[&["action"]]),
];
/// What a tool has given back, which may be nothing.
const OUTPUT: &str = "output";

/// An item of a response's input.
pub(super) fn check(place: &str, json: &str) -> Checked {
    if json.starts_with('"') {
        return Ok(());
    }
    if !json.starts_with('{') {
        return refuse(format!("{place}: a value of this type"));
    }
    ITEM.check(place, json)?;
    let (mut kind, mut given, mut has) = (String::new(), Vec::new(), Vec::new());
    each_member(json, |name, value| {
        if given.iter().any(|other| other == name) {
            // Which of the two a server takes is not known.
            return refuse(format!("{place}: `{name}` given twice"));
        }
        given.push(name.to_owned());
        if name == "type" {
            kind = text(value).unwrap_or_default().into_owned();
        }
        if name == OUTPUT && value.starts_with('"') || carries(name, value) {
            has.push(name.to_owned());
        }
        Ok(())
    })?;
    let known = CARRIED.iter().find(|(known, _)| *known == kind);
    let Some((_, lists)) = known else {
        return refuse(format!("{place}: type \"{kind}\""));
    };
    // An empty message without an id is one all the same.
    let is_given = |name: &str| given.iter().any(|other| other == name);
    let is_message = ["", "message"].contains(&kind.as_str());
    let may_be_empty = is_message && !is_given("id") && is_given("role") && is_given("content");
    let is_there = |names: &&[&str]| names.iter().any(|name| has.iter().any(|had| had == name));
    if may_be_empty || lists.iter().all(is_there) {
        Ok(())
    } else if kind == "reasoning" {
        refuse("input: reasoning without `encrypted_content`")
    } else {
        refuse("input: an item without its content")
    }
}

/// Whether this member of an item has something in it that is not empty.
fn carries(name: &str, value: &str) -> bool {
    match name {
        "action" | "operation" => names_something(value, &["type"]),
        "content" | OUTPUT if value.starts_with('[') => {
            let mut found = false;
            let read = elements(value, |part| {
                found |= part_carries(part);
                Ok(())
            });
            read.is_ok() && found
        }
        OUTPUT => part_carries(value),
        _ => is_something(value),
    }
}

fn part_carries(part: &str) -> bool {
    if part.starts_with('{') {
        names_something(
            part,
            &["annotations", "detail", "filename", "logprobs", "type"],
        )
    } else {
        is_something(part)
    }
}

/// Whether the object has a member that is not empty, beside those that only describe.
fn names_something(object: &str, describe: &[&str]) -> bool {
    let mut found = false;
    let read = each_member(object, |name, value| {
        found |= !describe.contains(&name) && is_something(value);
        Ok(())
    });
    read.is_ok() && found
}

/// A piece of reasoning, as `OpenRouter` gives it.
pub(super) fn reasoning_detail(place: &str, json: &str) -> Checked {
    Object(&[
        ("data", Text),
        ("format", Text),
        ("id", Text),
        ("index", Scalar),
        ("signature", Text),
        ("summary", Text),
        ("text", Text),
        ("type", Text),
    ])
    .check(place, json)?;
    if names_something(json, &["format", "id", "index", "type"]) {
        Ok(())
    } else {
        refuse(format!("{place}: reasoning without its content"))
    }
}

const GRAMMAR: Shape = Object(&[
    ("definition", Text),
    ("grammar", Object(&[("definition", Text), ("syntax", Text)])),
    ("syntax", Text),
    ("type", Text),
]);

const TOOL: Shape = Object(&[
    ("cache_control", Object(&[("ttl", Text), ("type", Text)])),
    (
        "custom",
        Object(&[("description", Text), ("format", GRAMMAR), ("name", Text)]),
    ),
    ("description", Text),
    ("display_height", Scalar),
    ("display_width", Scalar),
    ("environment", Text),
    ("external_web_access", Scalar),
    (
        "filters",
        Object(&[
            ("allowed_domains", List(&Text)),
            ("blocked_domains", List(&Text)),
        ]),
    ),
    ("format", GRAMMAR),
    (
        "function",
        Object(&[
            ("cache_control", Object(&[("ttl", Text), ("type", Text)])),
            ("description", Text),
            ("name", Text),
            ("parameters", Any),
            ("strict", Scalar),
        ]),
    ),
    ("name", Text),
    ("parameters", Any),
    ("search_context_size", Text),
    ("strict", Scalar),
    ("type", Word(TOOL_TYPES)),
    ("user_location", USER_LOCATION),
]);

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

/// A tool, which says its type.
pub(super) fn tool(place: &str, json: &str) -> Checked {
    if !json.starts_with('{') {
        return refuse(format!("{place}: a value of this type"));
    }
    TOOL.check(place, json)?;
    let mut is_typed = false;
    each_member(json, |name, _value| {
        is_typed |= name == "type";
        Ok(())
    })?;
    if is_typed {
        Ok(())
    } else {
        refuse("tools: a tool without its type")
    }
}
