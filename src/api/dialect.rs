//! In which dialect a client speaks: its path says it, and where dialects share a path, a header
//! that only one of them has.

use hone_dialects::Dialect;
use hone_dialects::wire::verb;
use http::HeaderMap;
use http::request::Parts;

/// The dialect of a request, whatever becomes of it. What nobody knows is taken for OpenAI's.
pub(crate) fn of(parts: &Parts) -> Dialect {
    let path = parts.uri.path();
    let Some(rest) = path.strip_prefix("/v1") else {
        return if path.starts_with("/upload/v1") {
            Dialect::Gemini
        } else {
            Dialect::OpenAiChat
        };
    };
    if rest.starts_with("/chat/") {
        return Dialect::OpenAiChat;
    }
    if is_below(rest, "/messages") {
        Dialect::Anthropic
    } else if is_below(rest, "/responses") {
        Dialect::OpenAiResponses
    } else if is_below(rest, "/models") {
        of_shared(path, &parts.headers)
    } else if is_below(rest, "/files") && parts.headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else if is_below(rest, "beta") {
        Dialect::Gemini
    } else {
        Dialect::OpenAiChat
    }
}

/// The dialect of a client that asks for what is at the same path in several, or calls a model by
/// its path.
fn of_shared(path: &str, headers: &HeaderMap) -> Dialect {
    let is_googles = |name| headers.contains_key(name);
    if call(path).is_some() {
        Dialect::Gemini
    } else if headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else if ["x-goog-api-key", "x-goog-api-client"]
        .into_iter()
        .any(is_googles)
    {
        Dialect::Gemini
    } else {
        Dialect::OpenAiChat
    }
}

/// The call of a model in Google's way that `path` makes. A slash at its end means nothing.
pub(crate) fn call(path: &str) -> Option<verb::ModelPath<'_>> {
    verb::model_path(path.strip_suffix('/').unwrap_or(path))
}

fn is_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn dialect(path: &str, header: Option<&str>) -> Dialect {
        let mut request = Request::get(path);
        if let Some(name) = header {
            request = request.header(name, "x");
        }
        of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_path_tells_the_dialect_and_where_it_is_shared_a_header() {
        for (path, header, told) in [
            ("/v1/chat/completions", None, Dialect::OpenAiChat),
            (
                "/v1/chat/completions",
                Some("anthropic-version"),
                Dialect::OpenAiChat,
            ),
            ("/v1/messages", None, Dialect::Anthropic),
            ("/v1/messages?beta=true", None, Dialect::Anthropic),
            ("/v1/messages/count_tokens", None, Dialect::Anthropic),
            ("/v1/messagesx", None, Dialect::OpenAiChat),
            (
                "/v1/responses/resp_1/cancel",
                None,
                Dialect::OpenAiResponses,
            ),
            ("/v1/models", None, Dialect::OpenAiChat),
            (
                "/v1/models/m",
                Some("anthropic-version"),
                Dialect::Anthropic,
            ),
            ("/v1/models", Some("x-goog-api-key"), Dialect::Gemini),
            ("/v1/models/m", Some("x-goog-api-client"), Dialect::Gemini),
            ("/v1/models/m:generateContent", None, Dialect::Gemini),
            ("/v1/models/a/b%3AcountTokens/", None, Dialect::Gemini),
            (
                "/v1/models/m:streamGenerateContent",
                Some("anthropic-version"),
                Dialect::Gemini,
            ),
            ("/v1/models/llama3:8b", None, Dialect::OpenAiChat),
            ("/v1/files", None, Dialect::OpenAiChat),
            ("/v1/files/f", Some("anthropic-version"), Dialect::Anthropic),
            ("/v1beta/files?key=k", None, Dialect::Gemini),
            ("/v1beta", None, Dialect::Gemini),
            ("/v1betax/files", None, Dialect::OpenAiChat),
            ("/upload/v1beta/files", None, Dialect::Gemini),
            ("/livez", None, Dialect::OpenAiChat),
        ] {
            assert_eq!(dialect(path, header), told, "{path} {header:?}");
        }
    }
}
