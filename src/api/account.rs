//! Errors of a provider where the operator's key paid: of the account they tell nothing.
//!
//! A caller needs the reason of a refusal to correct its request. So of an error the four fields of
//! OpenAI's shape go on and nothing else, without the names of organisations, projects and keys;
//! what is about the account itself is not told.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};

use crate::sse::begins_stream;

/// Bytes of an error that are read. What is larger is none that a program would read.
pub(crate) const LONGEST_ERROR: usize = 64 * 1024;

const FIELDS: [&str; 4] = ["message", "type", "param", "code"];
/// What the names of an account's parts begin with.
const NAMES: [&str; 15] = [
    "AIza", "acct-", "acct_", "key-", "key_", "org-", "org_", "proj-", "proj_", "sk-", "team-",
    "team_", "user-", "user_", "wrkspc_",
];
/// Some servers write a byte order mark before their JSON.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// The shortest such name, without its beginning.
const SHORTEST: usize = 6;
/// What only an error about the account says.
const ACCOUNT: [&str; 11] = [
    "api key",
    "api_key",
    "billing",
    "credit",
    "in organization",
    "quota",
    "rate limit reached",
    "rate_limit_exceeded",
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

/// An answer or an event that is no error by its status, without what its errors tell of the
/// account. `None` if it tells of no error. `is_error` says that all of it is one.
pub(crate) fn hide(json: &[u8], is_error: bool) -> Option<Bytes> {
    if !is_error && !may_tell(json) {
        return None;
    }
    let mut answer = serde_json::from_slice(json.strip_prefix(BOM).unwrap_or(json));
    let answers = match &mut answer {
        Ok(Value::Array(answers)) => answers.as_mut_slice(),
        Ok(answer @ Value::Object(_)) => std::slice::from_mut(answer),
        Ok(_) | Err(_) => return is_error.then(|| without_account(json)),
    };
    if is_error && (answers.is_empty() || !answers.iter().all(Value::is_object)) {
        return Some(without_account(json));
    }
    let mut has_changed = false;
    for answer in answers.iter_mut().filter_map(Value::as_object_mut) {
        has_changed |= hide_in(answer, is_error);
        if let Some(Value::Object(response)) = answer.get_mut("response") {
            has_changed |= hide_in(response, false);
        }
    }
    has_changed.then(|| {
        answer
            .map(|answer| answer.to_string())
            .unwrap_or_default()
            .into()
    })
}

/// What the body of an answer is, whatever its type is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It may be JSON with members.
    Json,
    /// A stream of events.
    Events,
    /// Anything else: a sound, a picture, plain text.
    Other,
}

/// Tells the form of a body from its beginning.
#[derive(Debug, Default)]
pub(crate) struct ShapeReader {
    /// Bytes before the first that tells something.
    blank: usize,
}

impl ShapeReader {
    /// The form of a body that begins with `beginning`, which is longer each time. `None` as long
    /// as that cannot be told.
    pub(crate) fn read(&mut self, beginning: &[u8]) -> Option<Shape> {
        if self.blank == 0 {
            if beginning.len() < BOM.len() && BOM.starts_with(beginning) {
                return None;
            }
            if beginning.starts_with(BOM) {
                self.blank = BOM.len();
            }
        }
        let rest = beginning.get(self.blank..).unwrap_or_default();
        let text = rest.trim_ascii_start();
        self.blank += rest.len() - text.len();
        if matches!(text.first(), Some(b'{' | b'[')) {
            return Some(Shape::Json);
        }
        begins_stream(text).map(|begins| if begins { Shape::Events } else { Shape::Other })
    }
}

/// Whether there may be an error in an answer: most say `"error": null`.
pub(crate) fn may_tell(json: &[u8]) -> bool {
    const NAME: &[u8] = b"\"error\"";
    memchr::memmem::find_iter(json, NAME).any(|at| {
        let rest = json.get(at + NAME.len()..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":");
        value.is_none_or(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

/// Hides the account in the error that `object` has as a member, or is.
fn hide_in(object: &mut Map<String, Value>, is_error: bool) -> bool {
    if let Some(error) = object.get_mut("error").filter(|error| !error.is_null()) {
        *error = hidden(error);
        return true;
    }
    let is_error = is_error || object.get("type").is_some_and(|kind| kind == "error");
    if is_error {
        let told = Value::Object(std::mem::take(object));
        let number = told.get("sequence_number").cloned();
        let kind = told.get("type").cloned();
        if let Value::Object(fields) = hidden(&told) {
            *object = fields;
        }
        let kept = [("type", kind), ("sequence_number", number)];
        object.extend(
            kept.into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
    }
    is_error
}

/// What goes on of an error within an answer.
fn hidden(error: &Value) -> Value {
    let told = told(error);
    match told {
        Some(fields) if !is_about_the_account(&fields) => fields.into(),
        Some(_) => nothing_but(UNTOLD),
        None => nothing_but(UNREAD),
    }
}

fn nothing_but(text: &str) -> Value {
    json!({"message": text, "type": "server_error", "param": null, "code": "server_error"})
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
    told(error)
}

/// The fields of an error, if it has a message.
fn told(error: &Value) -> Option<Map<String, Value>> {
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
    let is_no_word = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    rests.any(|rest| rest.len() >= SHORTEST && rest.bytes().any(is_no_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on of an answer or an event whose status is none of an error's.
    fn passed(json: &str) -> String {
        let hidden = hide(json.as_bytes(), false);
        hidden.map_or_else(
            || json.to_owned(),
            |json| String::from_utf8(json.to_vec()).unwrap(),
        )
    }

    #[test]
    fn an_error_within_an_answer_tells_nothing_of_the_account() {
        let limited = "Rate limit reached in organization org-OPERATOR1 (billing a@b.example)";
        for json in [
            json!({"type": "error", "error": {"code": "x", "message": limited}}),
            json!({"type": "error", "code": "x", "message": limited, "sequence_number": 3}),
            json!({"type": "response.failed", "response": {"id": "r", "status": "failed",
                "error": {"code": "rate_limit_exceeded", "message": limited}}}),
            json!({"id": "r", "status": "failed", "output": [], "error": {"message": limited}}),
            json!({"error": limited}),
            json!({"error": [limited]}),
            json!({"error": {"detail": limited}}),
            json!([{"error": {"message": limited}}, {"error": {"message": limited}}]),
        ] {
            let passed = passed(&json.to_string());
            let told: Value = serde_json::from_str(&passed).unwrap();
            assert!(
                !passed.contains("OPERATOR1") && !passed.contains("a@b"),
                "{passed}"
            );
            for kept in ["type", "sequence_number", "status"] {
                let was = json.get(kept);
                assert_eq!(told.get(kept), was, "{passed}");
            }
        }
        let reason = r#"{"error":{"message":"No `x` in proj_OPERATOR","code":"c"},"id":7}"#;
        let told = r#"{"error":{"message":"No `x` in […]","code":"c"},"id":7}"#;
        assert_eq!(passed(reason), told);
        for plain in [
            r#"{"type":"response.created","response":{"error":null,"id":"org-OPERATOR1"}}"#,
            r#"{"choices":[{"delta":{"content":"an \"error\": org-OPERATOR1"}}]}"#,
            r#"{"error" : null}"#,
            "[DONE]",
            "",
        ] {
            assert_eq!(passed(plain), plain);
        }
        let text = hide(b"billing of org-OPERATOR1", true).unwrap();
        assert!(String::from_utf8_lossy(&text).contains(UNREAD));
    }

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
