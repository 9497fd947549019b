//! The shapes of the fields of Anthropic's Messages that the operator's key serves. No block names
//! a stored file, and no tool keeps anything in the account.

use super::shape::Shape::{self, Any, By, Either, List, Object, Scalar, Text, Url, Word};
use super::shape::text;
use super::shapes::{CACHE_CONTROL, USER_LOCATION};
use super::{Checked, refuse};

/// The shape of the field `name`, if it has one of its own here.
pub(super) fn of(name: &str) -> Option<Shape> {
    Some(match name {
        "cache_control" => CACHE_CONTROL,
        "context_management" => Object(&[("edits", List(&EDIT))]),
        "messages" => List(&Object(&[("content", CONTENT), ("role", Text)])),
        "output_config" => Object(&[
            ("effort", Text),
            ("format", Object(&[("schema", Any), ("type", Text)])),
        ]),
        "stop_sequences" => List(&Text),
        "system" => CONTENT,
        "tool_choice" => Object(&[
            ("disable_parallel_tool_use", Scalar),
            ("name", Text),
            ("type", Text),
        ]),
        "tools" => List(&TOOL),
        _ => return None,
    })
}

const COUNT: Shape = Object(&[("type", Text), ("value", Scalar)]);

/// What is taken out of a long conversation.
const EDIT: Shape = Object(&[
    ("clear_at_least", COUNT),
    ("clear_tool_inputs", Either(&[Scalar, List(&Text)])),
    ("exclude_tools", List(&Text)),
    ("instructions", Text),
    ("keep", Either(&[Text, COUNT])),
    ("pause_after_compaction", Scalar),
    ("trigger", COUNT),
    ("type", Text),
]);

const CITATION: Shape = Object(&[
    ("cited_text", Text),
    ("document_index", Scalar),
    ("document_title", Text),
    ("encrypted_index", Text),
    ("end_block_index", Scalar),
    ("end_char_index", Scalar),
    ("end_page_number", Scalar),
    ("search_result_index", Scalar),
    ("source", Text),
    ("start_block_index", Scalar),
    ("start_char_index", Scalar),
    ("start_page_number", Scalar),
    ("title", Text),
    ("type", Text),
    ("url", Text),
]);

const CITATIONS: Shape = Either(&[List(&CITATION), Object(&[("enabled", Scalar)])]);

const PLAIN: Shape = Object(&[
    ("cache_control", CACHE_CONTROL),
    ("citations", CITATIONS),
    ("text", Text),
    ("type", Word(&["text"])),
]);

/// What an image or a document is: data or an address, but no file that is stored.
const SOURCE: Shape = Either(&[
    Url,
    Object(&[
        ("content", Either(&[Text, List(&Either(&[PLAIN, SHOWN]))])),
        ("data", Text),
        ("media_type", Text),
        ("type", Word(&["base64", "content", "text", "url"])),
        ("url", Url),
    ]),
]);

/// A text or an image in a document.
const SHOWN: Shape = Object(&[
    ("cache_control", CACHE_CONTROL),
    (
        "source",
        Object(&[
            ("data", Text),
            ("media_type", Text),
            ("type", Word(&["base64", "url"])),
            ("url", Url),
        ]),
    ),
    ("text", Text),
    ("type", Word(&["image", "text"])),
]);

/// What a search has found, or how it failed.
const FOUND: Shape = Object(&[
    ("encrypted_content", Text),
    ("error_code", Text),
    ("page_age", Text),
    ("title", Text),
    ("tool_name", Text),
    (
        "tool_references",
        List(&Object(&[("tool_name", Text), ("type", Text)])),
    ),
    ("type", Word(FOUND_TYPES)),
    ("url", Text),
]);

const FOUND_TYPES: &[&str] = &[
    "tool_reference",
    "tool_search_tool_result_error",
    "tool_search_tool_search_result",
    "web_search_result",
    "web_search_tool_result_error",
];

/// What a tool has given back.
const GIVEN: Shape = Object(&[
    ("cache_control", CACHE_CONTROL),
    ("citations", CITATIONS),
    ("content", List(&PLAIN)),
    ("context", Text),
    ("source", SOURCE),
    ("text", Text),
    ("title", Text),
    ("tool_name", Text),
    (
        "type",
        Word(&[
            "document",
            "image",
            "search_result",
            "text",
            "tool_reference",
        ]),
    ),
]);

const BLOCK: Shape = Object(&[
    ("cache_control", CACHE_CONTROL),
    ("caller", Object(&[("type", Text)])),
    ("citations", CITATIONS),
    ("content", By(result)),
    ("context", Text),
    ("data", Text),
    ("id", Text),
    ("input", Any),
    ("is_error", Scalar),
    ("name", Text),
    ("signature", Text),
    ("source", SOURCE),
    ("text", Text),
    ("thinking", Text),
    ("title", Text),
    ("tool_name", Text),
    ("tool_use_id", Text),
    ("type", Word(BLOCK_TYPES)),
]);

const BLOCK_TYPES: &[&str] = &[
    "compaction",
    "document",
    "image",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
    "text",
    "thinking",
    "tool_reference",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "web_search_tool_result",
];

/// A text, or blocks.
const CONTENT: Shape = Either(&[Text, List(&BLOCK)]);

/// The content of a result: what a tool has given back, or what a search has found.
fn result(place: &str, json: &str) -> Checked {
    const GIVEN_BACK: Shape = Either(&[Text, List(&GIVEN), FOUND]);
    const FINDINGS: Shape = Either(&[Text, List(&FOUND), FOUND]);
    GIVEN_BACK
        .check(place, json)
        .or_else(|refused| FINDINGS.check(place, json).map_err(|_other| refused))
}

const TOOL: Shape = Object(&[
    ("allowed_callers", List(&Text)),
    ("allowed_domains", List(&Text)),
    ("blocked_domains", List(&Text)),
    ("cache_control", CACHE_CONTROL),
    ("defer_loading", Scalar),
    ("description", Text),
    ("display_height_px", Scalar),
    ("display_number", Scalar),
    ("display_width_px", Scalar),
    ("eager_input_streaming", Scalar),
    ("enable_zoom", Scalar),
    ("input_examples", Any),
    ("input_schema", Any),
    ("max_characters", Scalar),
    ("max_uses", Scalar),
    ("name", Text),
    ("strict", Scalar),
    ("type", By(kind)),
    ("user_location", USER_LOCATION),
]);

/// What the types of tools begin with that keep nothing in the account.
const TOOLS: [&str; 6] = [
    "bash_",
    "computer_",
    "memory_",
    "text_editor_",
    "tool_search_tool_",
    "web_search_",
];

fn kind(place: &str, json: &str) -> Checked {
    let is_served = text(json).is_some_and(|kind| {
        kind == "custom" || TOOLS.iter().any(|beginning| kind.starts_with(beginning))
    });
    if is_served {
        Ok(())
    } else {
        refuse(format!("{place}: type {json}"))
    }
}
