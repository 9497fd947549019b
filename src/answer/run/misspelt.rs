//! Parameters that a client has misspelt: the approach runs without them, and says so.

use hone_strategies::catalogue::{COMMON_PARAMS, STRATEGIES};
use hone_strategies::{ChatRequest, Entry};

use crate::api::endpoint::fields::{CHAT, SAMPLING};

/// Letters in which a misspelt name may differ.
const NEAR: usize = 2;
/// Letters of the shortest name that is looked for: others are near to anything.
const SHORTEST: usize = 5;
/// Fields that are looked at: no client has more.
const FIELDS: usize = 100;
/// Misspelt names that are told.
const TOLD: usize = 4;

/// The fields of `request` that nobody is known to have and that are nearly one of `names`, the
/// parameters of its approach. Each is told with the parameter.
pub(super) fn misspelt(request: &ChatRequest, names: &[&'static str]) -> Vec<String> {
    let fields = request.field_names().take(FIELDS);
    let near = fields.filter_map(|field| Some((field, nearest(field, names)?)));
    near.filter(|(field, _)| !is_known(field))
        .take(TOLD)
        .map(|(field, name)| format!("parameter {field} ({name}?)"))
        .collect()
}

fn nearest(field: &str, names: &[&'static str]) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let likely = |name: &str| name.len() >= SHORTEST && name.len().abs_diff(field.len()) <= NEAR;
    let mut names = names.iter().filter(|name| likely(name)).peekable();
    if names.peek().is_none() || !field.bytes().all(is_plain) {
        return None;
    }
    let plain = field.to_ascii_lowercase().replace('-', "_");
    let scored = names.map(|name| (strsim::damerau_levenshtein(&plain, name), *name));
    scored
        .filter(|(distance, _)| *distance <= NEAR)
        .min()
        .map(|(_, name)| name)
}

/// Whether it is a field of OpenAI's or of other providers, or some approach's parameter.
fn is_known(field: &str) -> bool {
    let declared = STRATEGIES.iter().flat_map(Entry::params);
    CHAT.contains(&field)
        || SAMPLING.contains(&field)
        || declared
            .chain(COMMON_PARAMS)
            .any(|param| param.name == field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nearly_a_parameter_is_told_and_nothing_else() {
        let names = ["best_of_n", "k", "mcts_depth"];
        let of = |field: &str| {
            let messages = json!([{"role": "user", "content": "x"}]);
            let body = json!({"model": "m", "messages": messages, field: 3}).to_string();
            let request = ChatRequest::parse(body.as_bytes()).unwrap();
            misspelt(&request, &names)
        };
        for (field, near) in [
            ("best_of", "best_of_n"),
            ("best-of-n", "best_of_n"),
            ("Best_of_N", "best_of_n"),
            ("best_of_m", "best_of_n"),
            ("mcts_detph", "mcts_depth"),
        ] {
            assert_eq!(of(field), [format!("parameter {field} ({near}?)")]);
        }
        for field in [
            "n",
            "kk",
            "stop",
            "top_k",
            "user",
            "moa_models",
            "deepest",
            "best_\u{f6}f_n",
            "x",
        ] {
            assert!(of(field).is_empty(), "{field}: {:?}", of(field));
        }
    }
}
