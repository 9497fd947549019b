//! A request of another dialect as chat upstreams take it.
//!
//! The middle form can hold more than chat: parts that are no text in the results of tools, results
//! that say of themselves that they failed, what a model thought, instructions anywhere.

use std::borrow::Cow;

use hone_strategies::chat::{ChatRequest, Dialect, Message};
use serde_json::{Value, json};

use super::function;
use crate::leave::heard;
use crate::marks::{Names, clean};
use crate::shape::{Losses, ReasoningField, Refusal, SystemForm, Target};
use crate::stops;
use crate::wire::json::str_of;

/// The request, and what its tools are called there. One that a chat client sent stays as it is.
pub(super) fn lower(
    request: &ChatRequest,
    target: &Target,
    losses: &mut Losses,
) -> Result<(ChatRequest, Names), Refusal> {
    let request = &*heard(Cow::Borrowed(request), Dialect::OpenAiChat);
    let Some(origin) = request.origin() else {
        return Ok((request.clone(), Names::default()));
    };
    losses.leave(&origin.fates)?;
    let names = Names::of(tools(request).iter().filter_map(|tool| name(tool)));
    let messages = messages(request.messages(), target, &names);
    let mut lowered = request.with_messages(messages).with_origin(None);
    if lowered.is_lost() {
        return Err(Refusal::body("There is no memory for the conversation."));
    }
    if !names.is_empty() {
        rename_tools(&mut lowered, &names);
    }
    if request.get("stop").is_some() {
        match stops::part(request, Dialect::OpenAiChat)?.told {
            none if none.is_empty() => lowered.remove("stop"),
            told => lowered.set("stop", told),
        }
    }
    let field = &target.settings.max_tokens_field;
    if field != "max_tokens"
        && let Some(limit) = lowered.take("max_tokens")
    {
        lowered.set(field, limit);
    }
    Ok((lowered, names))
}

fn tools(request: &ChatRequest) -> &[Value] {
    let tools = request.get("tools").and_then(Value::as_array);
    tools.map_or(&[], Vec::as_slice)
}

fn name(tool: &Value) -> Option<&str> {
    tool.get("function")?.get("name")?.as_str()
}

fn rename_tools(request: &mut ChatRequest, names: &Names) {
    let there = |tool: &mut Value| {
        if let Some(Value::String(name)) = function(tool).and_then(|fields| fields.get_mut("name"))
        {
            *name = names.there(name).into_owned();
        }
    };
    let mut tools = tools(request).to_vec();
    tools.iter_mut().for_each(there);
    request.set("tools", tools);
    if let Some(mut choice) = request.get("tool_choice").cloned() {
        there(&mut choice);
        request.set("tool_choice", choice);
    }
}

/// The conversation, with the parts of results that are no text behind the results.
fn messages(messages: &[Message], target: &Target, names: &Names) -> Vec<Message> {
    let mut lowered = Vec::with_capacity(messages.len());
    let mut shown: Vec<Value> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if is_system(message) && says_nothing(message) {
            continue;
        }
        if message.role() == "tool" {
            lowered.push(result(message, &mut shown));
            continue;
        }
        let is_user = message.role() == "user";
        if !shown.is_empty() && !is_user {
            lowered.push(Message::user(std::mem::take(&mut shown)));
        }
        let is_later = index > 0 && lowered.iter().any(|message: &Message| !is_system(message));
        let message = match target.settings.system {
            SystemForm::User if is_later && is_system(message) => in_users_turn(message),
            SystemForm::Leading if is_later && is_system(message) => {
                let front = lowered
                    .iter()
                    .take_while(|message| is_system(message))
                    .count();
                lowered.insert(front, message.clone());
                continue;
            }
            _ => one(message, target, names),
        };
        lowered.push(behind(std::mem::take(&mut shown), message));
    }
    if !shown.is_empty() {
        lowered.push(Message::user(shown));
    }
    lowered
}

fn is_system(message: &Message) -> bool {
    matches!(message.role(), "developer" | "system")
}

/// Whether it has nothing that chat could say.
fn says_nothing(message: &Message) -> bool {
    let parts = message.get("content").and_then(Value::as_array);
    parts.is_some_and(Vec::is_empty)
}

fn in_users_turn(message: &Message) -> Message {
    Message::user(format!("<system>\n{}\n</system>", message.text()))
}

/// A user's message with `shown` in front of what it says.
fn behind(mut shown: Vec<Value>, message: Message) -> Message {
    if shown.is_empty() {
        return message;
    }
    match message.get("content") {
        Some(Value::Array(parts)) => shown.extend(parts.iter().cloned()),
        Some(Value::String(text)) => shown.push(json!({"type": "text", "text": text})),
        _ => {}
    }
    message.with("content", shown)
}

/// A tool's result as text. Its other parts go to `shown`, each with a mark in its place.
fn result(message: &Message, shown: &mut Vec<Value>) -> Message {
    let mut texts = Vec::new();
    match message.get("content") {
        Some(Value::Array(parts)) => {
            for part in parts {
                if str_of(part, "type") == "text" {
                    texts.push(str_of(part, "text").to_owned());
                } else {
                    shown.push(part.clone());
                    let kind = if str_of(part, "type") == "image_url" {
                        "image"
                    } else {
                        "file"
                    };
                    texts.push(format!("[{kind} {}]", shown.len()));
                }
            }
        }
        _ => texts.push(message.text().into_owned()),
    }
    let mut text = texts.join("\n");
    if message.has_failed() && !text.starts_with("Error: ") {
        text = format!("Error: {text}");
    }
    message.with("content", text)
}

/// Any other message.
fn one(message: &Message, target: &Target, names: &Names) -> Message {
    let mut lowered = message.clone();
    if message.role() == "developer" {
        // OpenAI takes both, and most others only this one.
        lowered = lowered.with("role", "system");
    }
    if let Some(Value::Array(calls)) = message.tool_calls() {
        let mut calls = calls.clone();
        for call in &mut calls {
            if let Some(Value::String(id)) = call.get_mut("id") {
                *id = clean(id).into_owned();
            }
            if let Some(Value::String(name)) =
                function(call).and_then(|fields| fields.get_mut("name"))
            {
                *name = names.there(name).into_owned();
            }
        }
        lowered = lowered.with("tool_calls", calls);
    }
    let Some(thought) = message.get("reasoning_content").cloned() else {
        return lowered;
    };
    let mut fields = lowered.fields().clone();
    fields.shift_remove("reasoning_content");
    match target.settings.reasoning_field {
        ReasoningField::None => {}
        ReasoningField::Reasoning => drop(fields.insert("reasoning".to_owned(), thought)),
        ReasoningField::ReasoningContent => {
            drop(fields.insert("reasoning_content".to_owned(), thought));
        }
    }
    Message::from_fields(fields)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hone_strategies::chat::Origin;

    use super::*;
    use crate::shape::Settings;

    fn target(settings: Settings) -> Target {
        Target {
            upstream: "u".to_owned(),
            model: "m".to_owned(),
            is_asked: true,
            stream: false,
            settings,
        }
    }

    fn lowered(messages: Vec<Message>, settings: Settings) -> Vec<Value> {
        let origin = Some(Arc::new(Origin::new(Dialect::Anthropic)));
        let request = ChatRequest::new("m", messages).with_origin(origin);
        let (request, _) = lower(&request, &target(settings), &mut Losses::default()).unwrap();
        let messages = request.messages().iter();
        messages
            .map(|message| Value::Object(message.fields().clone()))
            .collect()
    }

    #[test]
    fn images_in_results_become_images_of_the_next_users_turn() {
        let image = json!({"type": "image_url", "image_url": {"url": "data:,x"}});
        let result = Message::new(
            "tool",
            vec![json!({"type": "text", "text": "a"}), image.clone()],
        );
        let found = lowered(
            vec![result.clone(), Message::user("go")],
            Settings::default(),
        );
        assert_eq!(found[0]["content"], "a\n[image 1]");
        assert_eq!(
            found[1]["content"],
            json!([image, {"type": "text", "text": "go"}])
        );
        let found = lowered(vec![result, Message::assistant("ok")], Settings::default());
        assert_eq!(found[1], json!({"role": "user", "content": [image]}));
    }

    #[test]
    fn a_failed_result_says_so_once() {
        let failed = |text: &str| Message::new("tool", text).as_failure();
        let found = lowered(vec![failed("no"), failed("Error: no")], Settings::default());
        assert_eq!(found[0]["content"], "Error: no");
        assert_eq!(found[1]["content"], "Error: no");
    }

    #[test]
    fn later_instructions_stay_go_in_front_or_become_a_part_of_the_users_turn() {
        let form = |system| {
            let messages = vec![
                Message::system("a"),
                Message::user("b"),
                Message::system("c"),
            ];
            let settings = Settings {
                system,
                ..Settings::default()
            };
            let found = lowered(messages, settings);
            found
                .iter()
                .map(|message| {
                    format!(
                        "{} {}",
                        message["role"].as_str().unwrap(),
                        message["content"]
                    )
                })
                .collect::<Vec<_>>()
        };
        let inline = form(SystemForm::Inline);
        assert_eq!(inline, ["system \"a\"", "user \"b\"", "system \"c\""]);
        let leading = form(SystemForm::Leading);
        assert_eq!(leading, ["system \"a\"", "system \"c\"", "user \"b\""]);
        let user = form(SystemForm::User);
        assert_eq!(user[2], "user \"<system>\\nc\\n</system>\"");
    }

    #[test]
    fn a_developers_instructions_are_the_systems_everywhere_else() {
        let messages = vec![Message::new("developer", "a"), Message::user("b")];
        let found = lowered(messages, Settings::default());
        assert_eq!(found[0], json!({"role": "system", "content": "a"}));
    }

    #[test]
    fn what_was_thought_goes_back_only_where_the_upstream_takes_it() {
        let message = Message::assistant("a").with("reasoning_content", "hm");
        for (reasoning_field, name) in [
            (ReasoningField::None, ""),
            (ReasoningField::Reasoning, "reasoning"),
            (ReasoningField::ReasoningContent, "reasoning_content"),
        ] {
            let settings = Settings {
                reasoning_field,
                ..Settings::default()
            };
            let found = &lowered(vec![message.clone()], settings)[0];
            for field in ["reasoning", "reasoning_content"] {
                assert_eq!(found.get(field).is_some(), field == name);
            }
        }
    }

    #[test]
    fn a_chat_clients_request_is_not_touched() {
        let message = Message::assistant("a").with("reasoning_content", "hm");
        let request = ChatRequest::new("m", [message]);
        let target = target(Settings::default());
        let (same, _) = lower(&request, &target, &mut Losses::default()).unwrap();
        assert_eq!(same, request);
    }
}
