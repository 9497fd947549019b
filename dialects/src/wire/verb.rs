//! Google's paths, which name the model and what is to be done with it.

use super::query::percent_decoded;

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To count the tokens of a prompt.
    CountTokens,
    /// For a whole answer.
    Generate,
    /// For a stream.
    Stream,
}

/// A path that names a model and a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPath<'a> {
    /// The version of the API: `v1` or `v1beta`.
    pub version: &'a str,
    /// The model's name, which may hold slashes and colons.
    pub model: String,
    /// What is to be done.
    pub verb: Verb,
}

/// Reads `path`: `/{version}/models/{model}:{verb}`. Nothing for other paths.
///
/// The model is all between `models/` and the last colon, which some clients write as `%3A`.
///
/// ```
/// use hone_dialects::wire::verb::{Verb, model_path};
/// let path = model_path("/v1beta/models/google/gemini-3-pro:streamGenerateContent").unwrap();
/// assert_eq!((&*path.model, path.verb), ("google/gemini-3-pro", Verb::Stream));
/// ```
pub fn model_path(path: &str) -> Option<ModelPath<'_>> {
    let (version, rest) = path.strip_prefix('/')?.split_once("/models/")?;
    if !matches!(version, "v1" | "v1beta") {
        return None;
    }
    let (end, width) = ["%3A", "%3a", ":"]
        .into_iter()
        .filter_map(|colon| Some((rest.rfind(colon)?, colon.len())))
        .max()?;
    let verb = match rest.get(end + width..)? {
        "countTokens" => Verb::CountTokens,
        "generateContent" => Verb::Generate,
        "streamGenerateContent" => Verb::Stream,
        _ => return None,
    };
    let model = percent_decoded(rest.get(..end)?.as_bytes());
    let model = String::from_utf8(model).ok()?;
    let fits = !model.is_empty() && !model.chars().any(char::is_control);
    fits.then_some(ModelPath {
        version,
        model,
        verb,
    })
}

/// The path of `verb` for an upstream's `model`, behind a `base_url` without a version.
///
/// ```
/// use hone_dialects::wire::verb::{Verb, path_of};
/// let path = path_of("v1beta", "gemini-3-pro", Verb::Generate);
/// assert_eq!(path, "/v1beta/models/gemini-3-pro:generateContent");
/// ```
pub fn path_of(version: &str, model: &str, verb: Verb) -> String {
    let verb = match verb {
        Verb::CountTokens => "countTokens",
        Verb::Generate => "generateContent",
        Verb::Stream => "streamGenerateContent",
    };
    let (kind, model) = match model.split_once('/') {
        Some((kind @ ("models" | "tunedModels"), model)) => (kind, model),
        _ => ("models", model),
    };
    format!("/{version}/{kind}/{}:{verb}", escaped(model))
}

/// A segment of a path.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let bytes = text.bytes().map(|byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn model(path: &str) -> Option<String> {
        model_path(path).map(|path| path.model)
    }

    #[test]
    fn a_model_is_all_up_to_the_last_colon() {
        for (name, expected) in [
            ("gemini-3-pro", "gemini-3-pro"),
            ("bon-gemini-3-pro", "bon-gemini-3-pro"),
            ("google/gemini-3-pro", "google/gemini-3-pro"),
            ("google%2Fgemini", "google/gemini"),
            ("llama3:8b", "llama3:8b"),
            ("llama3%3A8b", "llama3:8b"),
            ("b%C3%A9", "bé"),
        ] {
            for colon in [":", "%3A", "%3a"] {
                for version in ["v1", "v1beta"] {
                    let path = format!("/{version}/models/{name}{colon}generateContent");
                    assert_eq!(model(&path).as_deref(), Some(expected), "{path}");
                }
            }
        }
    }

    #[test]
    fn other_paths_are_no_calls_of_models() {
        for path in [
            "/v1/models/m",
            "/v1/models/m:embedContent",
            "/v1/models/:generateContent",
            "/v1/models/m:generateContent/x",
            "/v2/models/m:generateContent",
            "/v1/x/models/m:generateContent",
            "v1/models/m:generateContent",
            "/v1/models/%FF:generateContent",
            "/v1/models/a%0Ab:generateContent",
        ] {
            assert_eq!(model(path), None, "{path}");
        }
    }

    #[test]
    fn a_model_cannot_leave_its_place_in_the_path() {
        let path = path_of("v1", "a/../b?c#d:e", Verb::Stream);
        let expected = "/v1/models/a%2F..%2Fb%3Fc%23d%3Ae:streamGenerateContent";
        assert_eq!(path, expected);
        let tuned = path_of("v1beta", "tunedModels/t", Verb::CountTokens);
        assert_eq!(tuned, "/v1beta/tunedModels/t:countTokens");
    }

    proptest! {
        #[test]
        fn every_model_is_found_again(name in "[a-zé/:%? .-]{1,20}") {
            let path = path_of("v1", &name, Verb::Generate);
            let kind = name.starts_with("models/") || name.starts_with("tunedModels/");
            prop_assert_eq!(model(&path), Some(name).filter(|_| !kind));
        }
    }
}
