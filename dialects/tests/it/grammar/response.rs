//! A response of OpenAI's and its items, whatever they came in.

use serde_json::Value;

/// Members that a response must have.
const RESPONSE: [&str; 10] = [
    "id",
    "object",
    "created_at",
    "status",
    "model",
    "output",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "error",
];

/// A whole response, whatever it came in.
pub(crate) fn check_response(response: &Value) -> Result<(), String> {
    let fields = response.as_object().ok_or("no response")?;
    if let Some(name) = RESPONSE.iter().find(|name| !fields.contains_key(**name)) {
        return Err(format!("no {name}"));
    }
    let is_right = response["object"] == "response"
        && response["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("resp_"))
        && response["created_at"].is_number()
        && response["output"].is_array()
        && response["tools"].is_array()
        && response["parallel_tool_calls"].is_boolean();
    is_right.then_some(()).ok_or("not a response".to_owned())?;
    let has = |name: &str| !response[name].is_null();
    let status = response["status"].as_str().ok_or("no status")?;
    let fits = match status {
        "in_progress" => !has("usage") && !has("error"),
        "completed" => !has("error") && !has("incomplete_details"),
        "incomplete" => response["incomplete_details"]["reason"].is_string(),
        "failed" => response["error"]["code"].is_string(),
        _ => false,
    };
    fits.then_some(()).ok_or(format!("not {status}"))?;
    if matches!(status, "completed" | "incomplete") {
        let usage = &response["usage"];
        let counts = [
            &usage["input_tokens"],
            &usage["output_tokens"],
            &usage["total_tokens"],
            &usage["input_tokens_details"]["cached_tokens"],
            &usage["output_tokens_details"]["reasoning_tokens"],
        ];
        let are_counts = counts.iter().all(|count| count.is_u64());
        are_counts.then_some(()).ok_or("no usage")?;
    }
    let items = response["output"].as_array();
    items.into_iter().flatten().try_for_each(check_item)
}

/// An item that is whole.
pub(crate) fn check_item(item: &Value) -> Result<(), String> {
    let kind = item["type"].as_str().ok_or("no type")?;
    let id = item["id"].as_str().ok_or("no id")?;
    let prefix = match kind {
        "message" => "msg_",
        "reasoning" => "rs_",
        "function_call" => "fc_",
        "custom_tool_call" => "ctc_",
        _ => "",
    };
    let fits = id.starts_with(prefix) && id.len() <= 64;
    fits.then_some(()).ok_or(format!("{id} of {kind}"))?;
    let is_right = match kind {
        "message" => {
            let parts = item["content"].as_array().ok_or("no content")?;
            let is_part = |part: &Value| match part["type"].as_str() {
                Some("output_text") => {
                    part["text"].is_string()
                        && part["annotations"].is_array()
                        && part["logprobs"].is_array()
                }
                Some("refusal") => part["refusal"].is_string(),
                _ => false,
            };
            item["role"] == "assistant" && item["status"].is_string() && parts.iter().all(is_part)
        }
        "reasoning" => item["summary"].is_array(),
        "function_call" | "custom_tool_call" => {
            let call_id = item["call_id"].as_str().unwrap_or_default();
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let is_id = (1..=64).contains(&call_id.len()) && call_id.chars().all(fits);
            let field = if kind == "function_call" {
                "arguments"
            } else {
                "input"
            };
            is_id && item["name"].is_string() && item[field].is_string()
        }
        _ => true,
    };
    is_right.then_some(()).ok_or(format!("not a {kind}"))
}
