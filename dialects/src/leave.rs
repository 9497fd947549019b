//! A request that leaves its dialect: what all writers of requests do first.

use std::borrow::Cow;

use hone_strategies::chat::{ChatRequest, Dialect, Message, Origin};
use serde_json::{Value, json};

use crate::marks::Names;
use crate::shape::{Losses, Refusal};
use crate::wire::json::wanted;
use crate::{functions, steps, stops};

/// What all of them have, or what hone says in another place.
const COMMON: [&str; 15] = [
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "reasoning_effort",
    "response_format",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];
/// What none of them has, and what cannot be left out.
const REFUSED: [&str; 3] = ["audio", "function_call", "functions"];

/// What an API takes of chat's fields.
pub(crate) struct Api {
    pub(crate) dialect: Dialect,
    /// Whose it is, as a sentence begins with it.
    pub(crate) name: &'static str,
    /// What chat has and it has not.
    pub(crate) lost: &'static [&'static str],
    /// What it has beside what all of them have.
    pub(crate) said: &'static [&'static str],
}

/// A request that is being written.
pub(crate) struct Leaving<'a> {
    /// The request, whose tools the API can be told of.
    pub(crate) request: Cow<'a, ChatRequest>,
    /// What it says beside its chat form, if its client speaks the API's dialect.
    pub(crate) own: Option<&'a Origin>,
    pub(crate) names: Names,
    pub(crate) losses: Losses,
    /// The stop sequences that the API is told; hone watches for others.
    pub(crate) stops: Vec<String>,
}

impl Api {
    /// Does what is due where `request` goes to this API.
    ///
    /// # Errors
    ///
    /// What cannot be left out, and a step of the conversation whose calls and results do not
    /// agree.
    pub(crate) fn leave<'a>(&self, request: &'a ChatRequest) -> Result<Leaving<'a>, Refusal> {
        let mut losses = Losses::default();
        let own = own(request, self.dialect);
        let mut request = Cow::Borrowed(request);
        let mut names = Names::kept();
        if own.is_none() {
            if let Some(origin) = request.origin() {
                losses.leave(&origin.fates)?;
            }
            if let Some((name, 0)) = request.token_limit() {
                return Err(wanted(name, "at least 1"));
            }
            request = heard(request, self.dialect);
            steps::check(request.messages())?;
            request = functions::plain(request, self.dialect, &mut losses)?;
            names = Names::of(functions::names(&request));
        }
        self.lost(&request, &mut losses)?;
        let stops = stops::part(&request, self.dialect)?.told;
        Ok(Leaving {
            request,
            own,
            names,
            losses,
            stops,
        })
    }

    /// Names the fields that the API has not.
    fn lost(&self, request: &ChatRequest, losses: &mut Losses) -> Result<(), Refusal> {
        for name in REFUSED {
            if request.get(name).is_some() {
                let why = format!("{} has nothing like `{name}`.", self.name);
                return Err(Refusal::untranslatable(name, why));
            }
        }
        let kinds = request.get("modalities").and_then(Value::as_array);
        if kinds.into_iter().flatten().any(|kind| kind != "text") {
            let why = format!("{} is asked for text only.", self.name);
            return Err(Refusal::untranslatable("modalities", why));
        }
        for name in request.names() {
            let value = request.get(name).unwrap_or(&Value::Null);
            let is_said = COMMON.contains(&name) || self.said.contains(&name);
            match self.lost.contains(&name) {
                _ if is_said || says_nothing(name, value) => {}
                true => losses.degrade(name),
                false => losses.quiet(name),
            }
        }
        if request.get("store") == Some(&Value::Bool(true)) {
            losses.degrade("store");
        }
        Ok(())
    }
}

/// The request without messages that say something in another dialect only.
pub(crate) fn heard(request: Cow<'_, ChatRequest>, dialect: Dialect) -> Cow<'_, ChatRequest> {
    let is_silent = |message: &Message| {
        let native = message.native();
        native.is_some_and(|native| native.dialect != dialect)
            && matches!(message.role(), "developer" | "system")
            && message.get("content").and_then(Value::as_str) == Some("")
    };
    if !request.messages().iter().any(is_silent) {
        return request;
    }
    let messages = request.messages().iter();
    let messages = messages.filter(|message| !is_silent(message)).cloned();
    Cow::Owned(request.with_messages(messages.collect::<Vec<_>>()))
}

/// What a request says beside its chat form, if its client speaks `dialect`.
pub(crate) fn own(request: &ChatRequest, dialect: Dialect) -> Option<&Origin> {
    let origin = request.origin()?;
    (origin.dialect == dialect).then_some(origin)
}

/// Whether a field asks for nothing but what happens without it.
fn says_nothing(name: &str, value: &Value) -> bool {
    match name {
        "n" => *value == json!(1),
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        // An empty object turns it on.
        "web_search_options" => value.is_null(),
        _ => [json!(null), json!(false), json!({}), json!([])].contains(value),
    }
}
