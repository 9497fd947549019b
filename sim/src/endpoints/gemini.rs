//! `POST /{v1,v1beta}/models/{model}:{generateContent,streamGenerateContent,countTokens}`.
//!
//! With the profile `gemini`, requests are refused as Google refuses them; without it, only what
//! cannot be answered is.

use serde_json::{Value, json};

use super::fields::{list, text};
use super::reply::{Choice, Format, Reply, Tool, Wants};
use crate::ask::Ask;
use crate::chance::Dice;
use crate::profile::Profile;
use crate::refusal::Refusal;
use crate::routes::Verb;
use crate::script::Script;
use crate::text::{input_tokens, prompt_tokens};

mod check;
mod config;
mod tools;
mod turns;
mod write;

/// Signatures of this dialect.
const MAKER: &str = "gemini";

/// What the address asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    model: &'a str,
    verb: Verb,
    /// Whether a stream comes as server-sent events.
    is_sse: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(model: &'a str, verb: Verb, query: Option<&str>) -> Self {
        let mut pairs = query.unwrap_or_default().split('&');
        Self {
            model,
            verb,
            is_sse: pairs.any(|pair| pair == "alt=sse"),
        }
    }

    /// Whether the model wants the signatures of calls back.
    fn is_third(&self) -> bool {
        self.model.contains("gemini-3")
    }
}

/// Answers contents.
pub(crate) fn answer(ask: &Ask, asked: &Asked<'_>, dice: &mut Dice) -> Result<Script, Refusal> {
    let is_strict = ask.knobs.profile == Some(Profile::Gemini);
    if asked.verb == Verb::Count {
        return count(ask, asked, is_strict);
    }
    if is_strict {
        check::check(ask, asked)?;
    }
    let contents = contents(ask)?;
    let config = config(ask);
    let mut wants = wants(ask, asked, contents, config);
    wants.limit = member(config, "maxOutputTokens")
        .and_then(Value::as_u64)
        .and_then(|limit| u32::try_from(limit).ok());
    if let Some(window) = ask.knobs.window.filter(|most| wants.prompt_tokens > *most) {
        return Err(Refusal::invalid(format!(
            "The input token count ({}) exceeds the maximum number of tokens allowed ({window}).",
            wants.prompt_tokens
        )));
    }
    let count = member(config, "candidateCount").and_then(Value::as_u64);
    let replies: Vec<Reply> = (0..count.unwrap_or(1).clamp(1, 8))
        .map(|_| Reply::draw(ask, &wants, dice))
        .collect();
    let script = write::script(ask, asked, &replies);
    Ok(script.answering(wants.prompt_tokens))
}

/// Counts the tokens of contents, which may stand in a whole request.
fn count(ask: &Ask, asked: &Asked<'_>, is_strict: bool) -> Result<Script, Refusal> {
    let inner = ask.get("generateContentRequest");
    let inner = inner.map(|inner| Ask::inner(inner, &ask.knobs));
    let ask = inner.as_ref().unwrap_or(ask);
    if is_strict {
        check::check(ask, asked)?;
    }
    let tokens = wants(ask, asked, contents(ask)?, config(ask)).prompt_tokens;
    let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
    Ok(Script::json(
        &json!({"totalTokens": tokens, "promptTokensDetails": details}),
    ))
}

fn contents(ask: &Ask) -> Result<&[Value], Refusal> {
    match ask.get("contents") {
        Some(Value::Array(contents)) if !contents.is_empty() => Ok(contents),
        _ => Err(Refusal::invalid(
            "* GenerateContentRequest.contents: contents is not specified\n",
        )),
    }
}

fn config(ask: &Ask) -> &Value {
    field(ask, "generationConfig").unwrap_or(&Value::Null)
}

/// A field, which may be written in either case.
fn field<'a>(ask: &'a Ask, name: &str) -> Option<&'a Value> {
    ask.get(name).or_else(|| ask.get(&snake(name)))
}

/// A member, which may be written in either case.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let found = object.get(name).or_else(|| object.get(snake(name)));
    found.filter(|value| !value.is_null())
}

/// A member's elements; none if it is no list.
fn members<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    member(object, name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// `camelCase` as `snake_case`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn wants<'a>(
    ask: &'a Ask,
    asked: &Asked<'_>,
    contents: &'a [Value],
    config: &'a Value,
) -> Wants<'a> {
    let tools: Vec<Tool<'_>> = declared(ask)
        .filter_map(|function| {
            Some(Tool {
                name: text(function, "name")?,
                namespace: None,
                schema: Some(
                    member(function, "parametersJsonSchema")
                        .or_else(|| member(function, "parameters"))
                        .unwrap_or(&Value::Null),
                ),
            })
        })
        .collect();
    let said: u32 = contents
        .iter()
        .map(|content| input_tokens(&json!(list(content, "parts"))))
        .sum();
    let told: u32 = tools.iter().filter_map(|tool| tool.schema).map(size).sum();
    let system = field(ask, "systemInstruction").and_then(|system| system.get("parts"));
    let last = contents.last().map_or(&[][..], |last| list(last, "parts"));
    let is_json = member(config, "responseMimeType").is_some_and(|kind| kind == "application/json");
    let schema = ["responseJsonSchema", "responseSchema"];
    let format = schema.iter().find_map(|name| member(config, name));
    Wants {
        prompt_tokens: prompt_tokens(contents)
            .saturating_add(said)
            .saturating_add(told)
            .saturating_add(system.map_or(0, input_tokens)),
        limit: None,
        thinks: thinks(config, asked),
        tools,
        choice: choice(ask),
        is_answered: last
            .iter()
            .any(|part| member(part, "functionResponse").is_some()),
        format: match format {
            Some(schema) => Format::Schema(schema),
            None if is_json => Format::Object,
            None => Format::Text,
        },
        stops: members(config, "stopSequences")
            .iter()
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// Every function that is declared.
fn declared(ask: &Ask) -> impl Iterator<Item = &Value> {
    let tools = ask.get("tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .flat_map(|tool| members(tool, "functionDeclarations"))
}

fn choice(ask: &Ask) -> Choice<'_> {
    let calling = field(ask, "toolConfig").and_then(|all| member(all, "functionCallingConfig"));
    let Some(calling) = calling else {
        return Choice::Auto;
    };
    let only = members(calling, "allowedFunctionNames").first();
    match (text(calling, "mode"), only.and_then(Value::as_str)) {
        (Some("NONE"), _) => Choice::Never,
        (Some("ANY"), Some(name)) => Choice::Named(name),
        (Some("ANY"), None) => Choice::Some,
        _ => Choice::Auto,
    }
}

/// Gemini 3 always reasons, and others when they are told of it.
fn thinks(config: &Value, asked: &Asked<'_>) -> bool {
    let Some(thinking) = member(config, "thinkingConfig") else {
        return asked.is_third();
    };
    member(thinking, "thinkingBudget").and_then(Value::as_i64) != Some(0)
}

/// The tokens of a schema.
fn size(schema: &Value) -> u32 {
    u32::try_from(schema.to_string().len().div_ceil(4)).unwrap_or(u32::MAX)
}
