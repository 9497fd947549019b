//! The dialect of an upstream, and what else is to be known to write requests in it.

use hone_dialects::{Dialect, Settings};
use http::HeaderValue;

use crate::config::UpstreamConfig;
use crate::config::error::{Wrong, wrong};
use crate::config::file::Section;
use crate::config::resolve::values;

/// Keys that say something of some dialects only.
const OF_DIALECTS: [(&str, &[Dialect]); 7] = [
    ("anthropic_version", &[Dialect::Anthropic]),
    ("file_uris", &[Dialect::Gemini]),
    ("max_tokens_default", &[Dialect::Anthropic]),
    ("max_tokens_field", &[Dialect::OpenAiChat]),
    ("reasoning_field", &[Dialect::OpenAiChat]),
    (
        "system_messages",
        &[Dialect::OpenAiChat, Dialect::Anthropic],
    ),
    ("thinking", &[Dialect::Anthropic]),
];

/// Tokens that no answer has.
const MOST_TOKENS: u64 = 10_000_000;

/// Reads the dialect, if it is named, and its settings.
pub(super) fn dialect(section: &mut Section<'_>) -> (Option<Dialect>, Settings) {
    let named = section.parsed("dialect", values::choice);
    let dialect = named.unwrap_or(Dialect::OpenAiChat);
    refuse_others(section, dialect);
    let defaults = Settings::default();
    let settings = Settings {
        max_tokens_default: section
            .integer("max_tokens_default", 1..=MOST_TOKENS)
            .unwrap_or(defaults.max_tokens_default),
        max_tokens_field: section
            .parsed("max_tokens_field", max_tokens_field)
            .unwrap_or(defaults.max_tokens_field),
        thinking: section
            .parsed("thinking", values::choice)
            .unwrap_or(defaults.thinking),
        system: section
            .parsed("system_messages", values::choice)
            .unwrap_or(defaults.system),
        reasoning_field: section
            .parsed("reasoning_field", values::choice)
            .unwrap_or(defaults.reasoning_field),
        passes_file_uris: section
            .parsed("file_uris", file_uris)
            .unwrap_or(defaults.passes_file_uris),
        anthropic_version: section
            .parsed("anthropic_version", anthropic_version)
            .unwrap_or(defaults.anthropic_version),
        ..defaults
    };
    (named, settings)
}

/// Refuses keys that would do nothing.
fn refuse_others(section: &mut Section<'_>, dialect: Dialect) {
    for (key, dialects) in OF_DIALECTS {
        if section.has(key) && !dialects.contains(&dialect) {
            let names: Vec<_> = dialects
                .iter()
                .map(|dialect| format!("\"{}\"", dialect.name()))
                .collect();
            let names = names.join(" or ");
            section.wrong(
                key,
                wrong(
                    "says nothing to an upstream of this dialect",
                    format!("leave it out, or set dialect = {names}"),
                ),
            );
        }
    }
}

/// Refuses a path of `base_url` that contradicts the dialect: Google's clients name the version
/// themselves, and all others leave it to the base URL.
pub(super) fn check_base_url(section: &mut Section<'_>, upstream: &UpstreamConfig) {
    let last = upstream.base_url.path().trim_end_matches('/');
    let last = last.rsplit('/').next().unwrap_or_default();
    if upstream.dialect == Dialect::Gemini && matches!(last, "v1" | "v1beta" | "v1alpha") {
        section.wrong(
            "base_url",
            wrong(
                format!("ends with /{last}, which Google's clients write themselves"),
                "leave it out, as in \"https://generativelanguage.googleapis.com\"",
            ),
        );
    }
}

fn max_tokens_field(text: &str) -> Result<String, Wrong> {
    match text {
        "max_tokens" | "max_completion_tokens" => Ok(text.to_owned()),
        _ => Err(wrong(
            "is not one of the choices",
            "write \"max_tokens\" or \"max_completion_tokens\"",
        )),
    }
}

fn file_uris(text: &str) -> Result<bool, Wrong> {
    match text {
        "refuse" => Ok(false),
        "pass" => Ok(true),
        _ => Err(wrong(
            "is not one of the choices",
            "write \"refuse\" or \"pass\"",
        )),
    }
}

fn anthropic_version(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || HeaderValue::try_from(text).is_err() {
        return Err(wrong(
            "is not a version of the API",
            "write it like \"2023-06-01\"",
        ));
    }
    Ok(text.to_owned())
}
