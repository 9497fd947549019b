//! Errors of a provider where the operator's key paid: of the account they tell nothing.
//!
//! A caller needs the reason of a refusal to correct its request. So of an error the four fields of
//! OpenAI's shape go on and nothing else, without the names of organisations, projects and keys;
//! what is about the account itself is not told.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};

/// Bytes of an error that are read. What is larger is none that a program would read.
pub(crate) const LONGEST_ERROR: usize = 64 * 1024;

const FIELDS: [&str; 4] = ["message", "type", "param", "code"];
/// What the names of an account's parts begin with.
const NAMES: [&str; 14] = [
    "acct-", "acct_", "key-", "key_", "org-", "org_", "proj-", "proj_", "sk-", "team-", "team_",
    "user-", "user_", "wrkspc_",
];
/// The shortest such name, without its beginning.
const SHORTEST: usize = 6;
/// What only an error about the account says.
const ACCOUNT: [&str; 8] = [
    "api key",
    "api_key",
    "billing",
    "credit",
    "insufficient_quota",
    "subscription",
    "your account",
    "your organization",
];
const UNTOLD: &str = "The provider refused this request for a reason that is its operator's to \
                      know.";
const UNREAD: &str = "The provider refused this request and gave no reason that can be passed on.";

/// What a caller is told of the error `body`, whose `headers` change with it.
pub(crate) fn rewrite(headers: &mut HeaderMap, body: &[u8]) -> Bytes {
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    without_account(body)
}

/// The error `body` in OpenAI's shape, and no more of it than a caller needs.
fn without_account(body: &[u8]) -> Bytes {
    let error = body.get(..LONGEST_ERROR).map_or(body, |_longer| &[]);
    let told = match read(error) {
        Some(fields) if is_about_the_account(&fields) => message(UNTOLD),
        Some(fields) => fields,
        None => message(UNREAD),
    };
    let fields = FIELDS.map(|name| {
        let value = told.get(name).cloned().unwrap_or_default();
        (name.to_owned(), value)
    });
    let error: Map<String, Value> = fields.into_iter().collect();
    json!({"error": error}).to_string().into()
}

fn message(text: &str) -> Map<String, Value> {
    Map::from_iter([("message".to_owned(), text.into())])
}

/// The fields of an error in one of the shapes that providers have for it.
fn read(body: &[u8]) -> Option<Map<String, Value>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let answer = match answer {
        Value::Array(mut answers) if !answers.is_empty() => answers.swap_remove(0),
        answer => answer,
    };
    let found = ["error", "detail", "message"].map(|name| answer.get(name));
    let error = found.into_iter().flatten().find(|found| !found.is_null())?;
    let told = match error {
        Value::String(text) => message(&unnamed(text)),
        Value::Object(fields) => FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), scalar(fields.get(*name)?)?)))
            .collect(),
        _ => Map::new(),
    };
    told.contains_key("message").then_some(told)
}

fn scalar(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(unnamed(text).into()),
        Value::Number(number) => Some(number.clone().into()),
        _ => None,
    }
}

fn is_about_the_account(fields: &Map<String, Value>) -> bool {
    let texts = fields.values().filter_map(Value::as_str);
    let mut texts = texts.map(str::to_ascii_lowercase);
    texts.any(|text| ACCOUNT.iter().any(|word| text.contains(word)))
}

/// A text without the names of the account's parts.
fn unnamed(text: &str) -> String {
    let ends = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_');
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends) {
        let word = piece.trim_end_matches(ends);
        let rest = piece.get(word.len()..).unwrap_or_default();
        out.push_str(if is_name(word) { "[…]" } else { word });
        out.push_str(rest);
    }
    out
}

fn is_name(word: &str) -> bool {
    let mut rests = NAMES.iter().filter_map(|start| word.strip_prefix(start));
    rests.any(|rest| rest.len() >= SHORTEST && rest.bytes().any(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Value {
        let told: Value = serde_json::from_slice(&without_account(body.as_bytes())).unwrap();
        told["error"].clone()
    }

    #[test]
    fn a_reason_goes_on_without_what_stands_around_it() {
        let error = told(
            r#"{"error": {"message": "No model `x` in org-A1b2C3d4E5, project proj_0a1b2c3d.",
                "type": "invalid_request_error", "param": "model", "code": "model_not_found",
                "metadata": {"provider": "p"}}, "user_id": "user_2abcdef01"}"#,
        );
        assert_eq!(
            error,
            json!({"message": "No model `x` in […], project […].",
                "type": "invalid_request_error", "param": "model", "code": "model_not_found"})
        );
        for (body, message) in [
            (r#"{"error": "too long"}"#, "too long"),
            (r#"{"detail": "too long"}"#, "too long"),
            (r#"{"message": "too long", "request_id": 1}"#, "too long"),
            (
                r#"[{"error": {"message": "too long", "status": "X"}}]"#,
                "too long",
            ),
            (
                r#"{"error": {"message": "the org-chart of user-made keys"}}"#,
                "the org-chart of user-made keys",
            ),
        ] {
            assert_eq!(told(body)["message"], message, "{body}");
        }
    }

    #[test]
    fn what_is_about_the_account_is_not_told() {
        for body in [
            r#"{"error": {"message": "Your credit balance is too low"}}"#,
            r#"{"error": {"message": "no", "code": "billing_not_active"}}"#,
            r#"{"error": {"message": "no", "type": "insufficient_quota"}}"#,
            r#"{"error": {"message": "Your organization must be verified"}}"#,
        ] {
            let error = told(body);
            assert_eq!(error["message"], UNTOLD, "{body}");
            assert_eq!(
                (&error["type"], &error["code"]),
                (&Value::Null, &Value::Null)
            );
        }
        for body in [
            "",
            "<html>org-A1b2C3d4E5",
            "{}",
            "[]",
            r#"{"error": {"metadata": 1}}"#,
            "7",
        ] {
            assert_eq!(told(body)["message"], UNREAD, "{body}");
        }
        let long = format!(r#"{{"error": "{}"}}"#, "x".repeat(LONGEST_ERROR));
        assert_eq!(told(&long)["message"], UNREAD);
    }
}
