//! The contents: whose turn it is, and what may be in it.

use serde_json::Value;

use super::check::{only, refused};
use super::write::is_signature;
use super::{Asked, member, members};
use crate::endpoints::fields::text;
use crate::refusal::Refusal;

/// What a part can be.
const DATA: [&str; 7] = [
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "text",
];

pub(super) fn check(contents: &[Value], asked: &Asked<'_>) -> Result<(), Refusal> {
    for (index, content) in contents.iter().enumerate() {
        let place = format!("contents[{index}]");
        only(content, &["parts", "role"], &place)?;
        if !matches!(text(content, "role"), None | Some("" | "user" | "model")) {
            return refused("Please use a valid role: user, model.");
        }
        if members(content, "parts").is_empty() {
            return refused(format!(
                "* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"
            ));
        }
        for (at, one) in members(content, "parts").iter().enumerate() {
            part(&format!("{place}.parts[{at}]"), one, asked)?;
        }
    }
    let turns = turns(contents);
    for (index, turn) in turns.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| turns.get(before));
        order(before, turn)?;
        answered(turn, turns.get(index + 1))?;
    }
    if asked.is_third() {
        return signed(&turns);
    }
    Ok(())
}

/// The contents, where what the model said in several is one turn: Google's own clients send each
/// chunk of a stream back as it came.
fn turns(contents: &[Value]) -> Vec<Value> {
    let mut turns: Vec<Value> = Vec::new();
    for content in contents {
        let last = turns.last_mut().filter(|last| is_model(last));
        let parts = last.and_then(|last| last.get_mut("parts")?.as_array_mut());
        match parts.filter(|_| is_model(content)) {
            Some(parts) => parts.extend_from_slice(members(content, "parts")),
            None => turns.push(content.clone()),
        }
    }
    turns
}

fn is_model(content: &Value) -> bool {
    text(content, "role") == Some("model")
}

/// How many parts of this kind there are.
fn count(content: &Value, kind: &str) -> usize {
    let parts = members(content, "parts").iter();
    parts.filter(|part| member(part, kind).is_some()).count()
}

fn part(place: &str, part: &Value, asked: &Asked<'_>) -> Result<(), Refusal> {
    let beside = [
        "mediaResolution",
        "partMetadata",
        "thought",
        "thoughtSignature",
        "videoMetadata",
    ];
    let known: Vec<&str> = DATA.iter().chain(&beside).copied().collect();
    only(part, &known, place)?;
    let data: Vec<&&str> = DATA
        .iter()
        .filter(|kind| member(part, kind).is_some())
        .collect();
    if data.len() > 1 {
        return refused(format!(
            "Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set \
             '{}'",
            data.last().map_or("", |kind| kind)
        ));
    }
    if data.is_empty() {
        return refused(format!(
            "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one \
             initialized field\n"
        ));
    }
    if let Some(signature) = member(part, "thoughtSignature").and_then(Value::as_str) {
        match is_signature(signature, asked.model) {
            None => {
                return refused(format!(
                    "Invalid value at '{place}.thought_signature' (TYPE_BYTES), Base64 decoding \
                     failed for \"{signature}\""
                ));
            }
            Some(false) => return refused("Corrupted thought signature."),
            Some(true) => {}
        }
    }
    function(place, part)
}

fn function(place: &str, part: &Value) -> Result<(), Refusal> {
    let call = member(part, "functionCall").map(|call| ("function_call", call, "args"));
    let response = member(part, "functionResponse");
    let response = response.map(|response| ("function_response", response, "response"));
    let Some((kind, value, data)) = call.or(response) else {
        return Ok(());
    };
    let known: &[&str] = if kind == "function_call" {
        &["id", "name", "args"]
    } else {
        &[
            "id",
            "name",
            "response",
            "parts",
            "scheduling",
            "willContinue",
        ]
    };
    only(value, known, &format!("{place}.{kind}"))?;
    if text(value, "name").is_none_or(str::is_empty) {
        return refused(format!(
            "* GenerateContentRequest.{place}.{kind}.name: Name cannot be empty.\n"
        ));
    }
    match member(value, data) {
        Some(Value::Object(_)) => Ok(()),
        None if kind == "function_call" => Ok(()),
        None => refused(format!(
            "* GenerateContentRequest.{place}.{kind}.{data}: required field is not set\n"
        )),
        Some(_) => refused(format!(
            "Invalid value at '{place}.{kind}.{data}' (type.googleapis.com/google.protobuf.Struct)"
        )),
    }
}

/// Calls stand behind a user's turn or results, and results behind calls.
fn order(before: Option<&Value>, content: &Value) -> Result<(), Refusal> {
    if is_model(content) && count(content, "functionCall") > 0 && before.is_none_or(is_model) {
        return refused(
            "Please ensure that function call turn comes immediately after a user turn or after a \
             function response turn.",
        );
    }
    let calls = before.filter(|before| is_model(before));
    let calls = calls.map_or(0, |before| count(before, "functionCall"));
    if count(content, "functionResponse") > 0 && calls == 0 {
        return refused(
            "Please ensure that function response turn comes immediately after a function call \
             turn.",
        );
    }
    Ok(())
}

/// The turn behind calls has as many results, and nothing else.
fn answered(content: &Value, next: Option<&Value>) -> Result<(), Refusal> {
    let calls = if is_model(content) {
        count(content, "functionCall")
    } else {
        0
    };
    if calls == 0 {
        return Ok(());
    }
    let results = next.map_or(0, |next| count(next, "functionResponse"));
    let is_mixed = next.is_some_and(|next| members(next, "parts").len() != results);
    if results == calls && !is_mixed {
        return Ok(());
    }
    refused(
        "Please ensure that the number of function response parts is equal to the number of \
         function call parts of the function call turn.",
    )
}

/// In the current turn, the first call of every step is signed.
fn signed(contents: &[Value]) -> Result<(), Refusal> {
    let is_question =
        |content: &Value| !is_model(content) && count(content, "functionResponse") == 0;
    let start = contents.iter().rposition(is_question).unwrap_or(0);
    for (index, content) in contents.iter().enumerate().skip(start) {
        let parts = members(content, "parts");
        let first = parts
            .iter()
            .find_map(|part| Some((part, member(part, "functionCall")?)));
        let Some((part, call)) = first.filter(|_| is_model(content)) else {
            continue;
        };
        if member(part, "thoughtSignature").is_none() {
            let name = text(call, "name").unwrap_or_default();
            return refused(format!(
                "Function call is missing a thought_signature in functionCall parts. This is \
                 required for tools to work correctly, and missing thought_signature may lead to \
                 degraded model performance. Additional data, function call `default_api:{name}` , \
                 position {}. Please refer to \
                 https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                index + 1
            ));
        }
    }
    Ok(())
}
