//! Advice on upstreams whose URL, dialect and key slot do not fit each other.

use hone_dialects::Dialect;

use crate::config::choices::word;
use crate::config::{AuthSlot, UpstreamConfig};

const GOOGLES: &str = "generativelanguage.googleapis.com";

/// Providers that are known by their host, and the dialect of what is there.
const HOSTS: [(&str, &str, &[Dialect]); 3] = [
    ("api.anthropic.com", "Anthropic's", &[Dialect::Anthropic]),
    (GOOGLES, "Google's", &[Dialect::Gemini]),
    (
        "api.openai.com",
        "OpenAI's",
        &[Dialect::OpenAiChat, Dialect::OpenAiResponses],
    ),
];

/// One sentence for each key of `upstream` that contradicts another: the key, and what to do.
pub(super) fn about(upstream: &UpstreamConfig) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    told.extend(about_host(upstream).map(|why| ("dialect", why)));
    told.extend(about_path(upstream).map(|why| ("base_url", why)));
    told.extend(about_slot(upstream).map(|why| ("auth", why)));
    told
}

/// A slot that no provider of the dialect reads.
fn about_slot(upstream: &UpstreamConfig) -> Option<String> {
    let slot = upstream.auth?;
    let is_wrong = match upstream.dialect {
        Dialect::Anthropic => matches!(slot, AuthSlot::ApiKey | AuthSlot::XGoogApiKey),
        Dialect::Gemini => matches!(slot, AuthSlot::ApiKey | AuthSlot::XApiKey),
        // Google reads its own header at its path for chat completions, too.
        Dialect::OpenAiChat => slot == AuthSlot::XGoogApiKey && !is_compatible(upstream),
        Dialect::OpenAiResponses => slot == AuthSlot::XGoogApiKey,
    };
    is_wrong.then(|| {
        format!(
            "`{}` speaks \"{}\", whose providers read no key from {}; leave auth out",
            upstream.name,
            word(upstream.dialect),
            slot.as_str()
        )
    })
}

/// A glob over the models that providers of `dialect` have.
pub(super) fn example(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "claude-*",
        Dialect::Gemini => "gemini-*",
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "gpt-*",
    }
}

/// A provider that is asked in a dialect which is not its own.
fn about_host(upstream: &UpstreamConfig) -> Option<String> {
    let host = upstream.base_url.host()?.to_ascii_lowercase();
    let (host, whose, own) = HOSTS.iter().find(|(known, ..)| *known == host)?;
    let (name, dialect) = (&upstream.name, upstream.dialect);
    let is_compatible = dialect == Dialect::OpenAiChat && says_chat(upstream);
    if own.contains(&dialect) || is_compatible {
        return None;
    }
    let right = match own {
        [Dialect::Gemini] => "set dialect = \"gemini\" and end base_url at the host",
        [Dialect::Anthropic] => "set dialect = \"anthropic\"",
        _ => "set dialect = \"openai-chat\" or \"openai-responses\"",
    };
    let is_asked = if upstream.is_dialect_open {
        "hone asks in chat completions while no dialect is set".to_owned()
    } else {
        format!("does not speak \"{}\"", word(dialect))
    };
    Some(format!(
        "`{name}` is {whose} {host}, which {is_asked}; {right}"
    ))
}

/// Whether the operator asks a provider for chat completions that has an API of its own: by name,
/// or by the path at which Google has them.
fn says_chat(upstream: &UpstreamConfig) -> bool {
    let host = upstream.base_url.host().unwrap_or_default();
    if host.eq_ignore_ascii_case(GOOGLES) {
        return is_compatible(upstream);
    }
    !upstream.is_dialect_open
}

/// Whether the path is the one at which Google has chat completions.
fn is_compatible(upstream: &UpstreamConfig) -> bool {
    let path = upstream.base_url.path().trim_end_matches('/');
    path.ends_with("/openai")
}

/// A path that another dialect has, or that lacks what clients leave to it.
fn about_path(upstream: &UpstreamConfig) -> Option<String> {
    let (name, path) = (&upstream.name, upstream.base_url.path());
    match upstream.dialect {
        Dialect::Gemini if is_compatible(upstream) => Some(format!(
            "the URL of `{name}` ends with /openai, where Google speaks chat completions; leave \
             the path out, or set dialect = \"openai-chat\""
        )),
        Dialect::Anthropic | Dialect::OpenAiResponses if path != "/" && !has_version(path) => {
            Some(format!(
                "the URL of `{name}` names no version, which hone does not add; most end in /v1, \
                 as what clients write behind it does"
            ))
        }
        _ => None,
    }
}

/// Whether a segment of `path` is a version: `v1`, `v1beta`.
fn has_version(path: &str) -> bool {
    path.split('/').any(|segment| {
        let digits = segment.strip_prefix('v');
        digits.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    })
}
