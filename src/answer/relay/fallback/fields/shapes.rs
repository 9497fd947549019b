//! The shapes of the fields that the operator's key serves.

use super::shape::Shape::{self, Any, By, Either, List, Map, Object, Scalar, Text, Url, Word};
use super::{google, item, messages};
use crate::api::endpoint::Kind;

/// The shape of the field `name` of a body for an endpoint of this `kind`.
pub(super) fn of(kind: Kind, name: &str) -> Shape {
    let own = match kind {
        Kind::Messages => messages::of(name),
        kind if kind.is_google() => google::of(name),
        _ => None,
    };
    own.unwrap_or_else(|| common(kind, name))
}

fn common(kind: Kind, name: &str) -> Shape {
    match (kind, name) {
        (Kind::Chat, "messages") => List(&MESSAGE),
        (Kind::Responses, "input") => Either(&[Text, List(&By(item::check))]),
        (_, "input" | "prompt") => Either(&[Scalar, List(&PROMPT)]),
        (Kind::Chat | Kind::Responses, "tools") => List(&By(item::tool)),
        (_, "tool_choice") => TOOL_CHOICE,
        (_, "functions") => List(&FUNCTION),
        (_, "function_call") => Either(&[Text, NAMED]),
        (_, "audio") => Object(&[("format", Text), ("voice", Text)]),
        (_, "chat_template_kwargs") => Map(&Either(&[Scalar, List(&Scalar), Map(&Scalar)])),
        (_, "guided_choice" | "include" | "modalities" | "stop") => Either(&[Scalar, List(&Text)]),
        (_, "guided_json") => Any,
        (_, "logit_bias" | "metadata") => Map(&Scalar),
        (_, "prediction") => Object(&[("content", CONTENT), ("type", Text)]),
        (_, "reasoning") => Either(&[Scalar, REASONING]),
        (_, "response_format") => Either(&[Text, FORMAT]),
        (_, "stream_options") => STREAM_OPTIONS,
        (_, "text") => Object(&[("format", FORMAT), ("verbosity", Text)]),
        (_, "thinking") => Either(&[Scalar, THINKING]),
        (_, "web_search_options") => Object(&[
            ("search_context_size", Text),
            ("user_location", USER_LOCATION),
        ]),
        _ => Scalar,
    }
}

/// A text, tokens, or a part.
const PROMPT: Shape = Either(&[Scalar, List(&Scalar), PART]);

const NAMED: Shape = Object(&[("name", Text)]);
const CALLED: Shape = Object(&[("arguments", Text), ("input", Text), ("name", Text)]);
pub(super) const CACHE_CONTROL: Shape = Object(&[("ttl", Text), ("type", Text)]);

/// Marks of a provider that it wants to see again.
const MARKS: Shape = Object(&[
    ("citations", List(&Scalar)),
    ("google", Object(&[("thought_signature", Text)])),
    ("reasoning_content", Text),
    ("refusal", Text),
    ("thought_signature", Text),
    ("thought_signatures", List(&Text)),
]);

const FUNCTION: Shape = Object(&[
    ("description", Text),
    ("name", Text),
    ("parameters", Any),
    ("strict", Scalar),
]);

const FORMAT: Shape = Object(&[
    ("description", Text),
    ("grammar", Text),
    (
        "json_schema",
        Object(&[
            ("description", Text),
            ("name", Text),
            ("schema", Any),
            ("strict", Scalar),
        ]),
    ),
    ("name", Text),
    ("regex", Text),
    ("schema", Any),
    ("strict", Scalar),
    ("type", Text),
    ("value", Any),
]);

const REASONING: Shape = Object(&[
    ("effort", Text),
    ("enabled", Scalar),
    ("exclude", Scalar),
    ("generate_summary", Text),
    ("max_tokens", Scalar),
    ("summary", Text),
]);

const STREAM_OPTIONS: Shape = Object(&[
    ("continuous_usage_stats", Scalar),
    ("include_obfuscation", Scalar),
    ("include_usage", Scalar),
]);

const THINKING: Shape = Object(&[
    ("budget_tokens", Scalar),
    ("display", Text),
    ("include_thoughts", Scalar),
    ("thinking_budget", Scalar),
    ("type", Text),
]);

const PLACE: [(&str, Shape); 4] = [
    ("city", Text),
    ("country", Text),
    ("region", Text),
    ("timezone", Text),
];

pub(super) const USER_LOCATION: Shape = Object(&[
    ("approximate", Object(&PLACE)),
    PLACE[0],
    PLACE[1],
    PLACE[2],
    PLACE[3],
    ("type", Text),
]);

const TOOL_NAMES: &[&str] = &[
    "allowed_tools",
    "any",
    "apply_patch",
    "auto",
    "computer_use_preview",
    "custom",
    "function",
    "local_shell",
    "none",
    "required",
    "tool",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
];

const CHOSEN: Shape = Object(&[
    ("custom", NAMED),
    ("function", NAMED),
    ("name", Text),
    ("type", Word(TOOL_NAMES)),
]);

const TOOL_CHOICE: Shape = Either(&[
    Text,
    Object(&[
        (
            "allowed_tools",
            Object(&[("mode", Text), ("tools", List(&CHOSEN))]),
        ),
        ("custom", NAMED),
        ("function", NAMED),
        ("mode", Text),
        ("name", Text),
        ("tools", List(&CHOSEN)),
        ("type", Word(TOOL_NAMES)),
    ]),
]);

const ANNOTATION: Shape = Object(&[
    ("end_index", Scalar),
    ("start_index", Scalar),
    ("title", Text),
    ("type", Word(&["url_citation"])),
    ("url", Text),
    (
        "url_citation",
        Object(&[
            ("content", Text),
            ("end_index", Scalar),
            ("start_index", Scalar),
            ("title", Text),
            ("url", Text),
        ]),
    ),
]);

const LIKELY: [(&str, Shape); 3] = [
    ("bytes", List(&Scalar)),
    ("logprob", Scalar),
    ("token", Text),
];

const LOGPROB: Shape = Object(&[
    LIKELY[0],
    LIKELY[1],
    LIKELY[2],
    ("top_logprobs", List(&Object(&LIKELY))),
]);

/// The object in which a part has its content.
const HOLDER: Shape = Object(&[
    ("data", Text),
    ("detail", Text),
    ("file_data", Text),
    ("filename", Text),
    ("format", Text),
    ("url", Url),
]);

const LINKED: Shape = Either(&[Url, HOLDER]);

/// A part of a content, which carries what it shows.
pub(super) const PART: Shape = Object(&[
    ("annotations", List(&ANNOTATION)),
    ("audio_url", LINKED),
    ("cache_control", CACHE_CONTROL),
    ("detail", Text),
    ("file", HOLDER),
    ("file_data", Text),
    ("file_url", Url),
    ("filename", Text),
    ("image_url", LINKED),
    ("input_audio", HOLDER),
    ("logprobs", List(&LOGPROB)),
    ("refusal", Text),
    ("signature", Text),
    ("text", Text),
    ("thinking", Text),
    ("type", Word(PART_TYPES)),
    ("video_url", LINKED),
]);

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

/// A text, or parts.
pub(super) const CONTENT: Shape = Either(&[Text, List(&Either(&[Text, PART]))]);

const TOOL_CALL: Shape = Object(&[
    ("custom", CALLED),
    ("extra_content", MARKS),
    ("function", CALLED),
    ("id", Text),
    ("index", Scalar),
    ("type", Word(&["custom", "function"])),
]);

const THINKING_BLOCK: Shape = Object(&[
    ("cache_control", CACHE_CONTROL),
    ("data", Text),
    ("signature", Text),
    ("thinking", Text),
    ("type", Text),
]);

const MESSAGE: Shape = Object(&[
    ("annotations", List(&ANNOTATION)),
    ("cache_control", CACHE_CONTROL),
    ("content", CONTENT),
    ("extra_content", MARKS),
    ("function_call", CALLED),
    ("name", Text),
    ("prefix", Scalar),
    ("provider_specific_fields", MARKS),
    ("reasoning", Text),
    ("reasoning_content", Text),
    ("reasoning_details", List(&By(item::reasoning_detail))),
    ("refusal", Text),
    ("role", Text),
    ("thinking", Text),
    ("thinking_blocks", List(&THINKING_BLOCK)),
    ("tool_call_id", Text),
    ("tool_calls", List(&TOOL_CALL)),
]);
