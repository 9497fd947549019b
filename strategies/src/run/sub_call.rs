//! A request that a strategy makes from the client's, and what hone changed in it.

use serde_json::{Value, json};

use crate::chat::{ChatRequest, Message};
use crate::model::{Fact, Model, Purpose, Rejection};

mod window;

/// What concerns only the exchange between client and hone.
const OURS: [&str; 5] = ["metadata", "n", "store", "stream", "stream_options"];

/// What shapes the client's answer and would deform a verdict, a critique or a plan.
const ANSWER_ONLY: [&str; 13] = [
    "audio",
    "function_call",
    "functions",
    "logprobs",
    "modalities",
    "parallel_tool_calls",
    "prediction",
    "response_format",
    "stop",
    "tool_choice",
    "tools",
    "top_logprobs",
    "verbosity",
];

const LOGPROBS: &str = "logprobs";
const NEW_LIMIT: &str = "max_completion_tokens";
const OLD_LIMIT: &str = "max_tokens";

/// A call that a strategy wants made.
#[derive(Debug, Clone)]
pub(crate) struct SubCall {
    pub(crate) request: ChatRequest,
    pub(crate) purpose: Purpose,
    changes: Vec<Change>,
    instructions: Instructions,
    /// Whether somebody has said how long a verdict may be.
    pub(crate) has_own_bound: bool,
    /// Whether its reply begins with a verdict, of which no more is wanted.
    pub(crate) is_brief: bool,
}

/// Whose the system messages of a call are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instructions {
    /// The client's, or there are none: a model that refuses them refuses the client's own call.
    Clients,
    /// Already in a user's turn.
    Folded,
    /// hone's, if there are any.
    Ours,
}

/// The name under which a refusal of system messages is learnt.
const SYSTEM: &str = "messages.system";

/// A field that hone set, and what the client had there.
#[derive(Debug, Clone)]
struct Change {
    name: &'static str,
    original: Option<Value>,
}

impl SubCall {
    /// A call whose answer may become the client's: everything the client asked for, except what
    /// concerns only its exchange with hone.
    pub(crate) fn answer(request: &ChatRequest, purpose: Purpose) -> Self {
        let mut request = request.clone();
        for name in OURS {
            request.remove(name);
        }
        let instructions = if request.has_instructions() {
            Instructions::Clients
        } else {
            Instructions::Ours
        };
        Self {
            request,
            purpose,
            changes: Vec::new(),
            instructions,
            has_own_bound: false,
            is_brief: false,
        }
    }

    /// A call whose answer stays inside: a conversation of its own, at most `ceiling` generated
    /// tokens.
    pub(crate) fn internal(
        request: &ChatRequest,
        purpose: Purpose,
        messages: Vec<Message>,
        ceiling: u64,
    ) -> Self {
        let mut call = Self::answer(request, purpose);
        // What the client asked for in its own dialect concerns its answer alone.
        call.request = call.request.with_origin(None);
        call.instructions = Instructions::Ours;
        let tools = call.request.get("tools").cloned();
        let uses_tools = messages.iter().any(is_of_tools);
        for name in ANSWER_ONLY {
            call.request.remove(name);
        }
        let name = match request.token_limit() {
            Some((OLD_LIMIT, _)) => OLD_LIMIT,
            _ => NEW_LIMIT,
        };
        call.request.remove(if name == NEW_LIMIT {
            OLD_LIMIT
        } else {
            NEW_LIMIT
        });
        call.request = call.request.with_messages(messages);
        // Some providers refuse a conversation with tool calls that comes without its tools.
        if let Some(tools) = tools.filter(|_| uses_tools) {
            call.request.set("tools", tools);
            call = call.set("tool_choice", "none");
        }
        call.set(name, ceiling)
    }

    /// The same call with another conversation.
    pub(crate) fn with_messages(&self, messages: Vec<Message>) -> Self {
        Self {
            request: self.request.with_messages(messages),
            ..self.clone()
        }
    }

    /// The same call to another model, one of those that the plan names.
    pub(crate) fn asking(mut self, model: &str) -> Self {
        self.request.set_model(model);
        self
    }

    /// Sets a field that the client did not ask for, to be undone if the upstream refuses it.
    pub(crate) fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let original = self.request.get(name).cloned();
        if original.as_ref() != Some(&value) {
            self.request.set(name, value);
            // What the client had is remembered, not what hone set before.
            if !self.changes.iter().any(|change| change.name == name) {
                self.changes.push(Change { name, original });
            }
        }
        self
    }

    /// At most `ceiling` generated tokens, said in the field that the call uses for that.
    pub(crate) fn with_ceiling(self, ceiling: u64) -> Self {
        let name = self
            .request
            .token_limit()
            .map_or(NEW_LIMIT, |(name, _)| name);
        self.set(name, ceiling)
    }

    /// The same ceiling, where a parameter of the request asks for it.
    pub(crate) fn with_own_bound(self, ceiling: u64) -> Self {
        Self {
            has_own_bound: true,
            ..self.with_ceiling(ceiling)
        }
    }

    /// The same call, whose reply begins with a verdict.
    pub(crate) fn brief(self) -> Self {
        Self {
            is_brief: true,
            ..self
        }
    }

    /// The most tokens that the client allows an answer, if hone has put its own ceiling there.
    pub(crate) fn clients_limit(&self) -> Option<u64> {
        self.ceiling()
            .and_then(|change| change.original.as_ref()?.as_u64())
    }

    /// The field of hone's ceiling, if the upstream has not kept to it: an answer of `tokens` is
    /// longer than all that it allowed.
    pub(crate) fn ignored_ceiling(&self, tokens: u64) -> Option<&'static str> {
        let name = self.ceiling()?.name;
        let most = self.request.get(name)?.as_u64()?;
        let most = most.saturating_mul(self.request.n().into());
        (tokens > most).then_some(name)
    }

    fn ceiling(&self) -> Option<&Change> {
        let is_ceiling = |change: &&Change| matches!(change.name, NEW_LIMIT | OLD_LIMIT);
        self.changes.iter().find(is_ceiling)
    }

    /// At most `tokens` generated tokens; a lower limit of the client's stays.
    pub(crate) fn at_most(self, tokens: u64) -> Self {
        if self
            .request
            .token_limit()
            .is_some_and(|(_, own)| own <= tokens)
        {
            self
        } else {
            self.with_ceiling(tokens)
        }
    }

    /// Sets the temperature where different answers are wanted: `default` unless the client says
    /// something else than 0. Whether that makes sense is for the provider to say.
    pub(crate) fn diverse(self, default: f64) -> Self {
        let own = self.request.get("temperature");
        if own.is_some_and(|own| own.as_f64() != Some(0.0)) {
            self
        } else {
            self.set("temperature", default)
        }
    }

    /// Sets the temperature unless the client did.
    pub(crate) fn default_temperature(self, default: f64) -> Self {
        if self.request.get("temperature").is_some() {
            self
        } else {
            self.set("temperature", default)
        }
    }

    /// The call number `offset` of several alike: a seed of the client's is made different for
    /// each.
    pub(crate) fn numbered(&self, offset: i64) -> Self {
        let mut call = self.clone();
        call.request.raise_seed(offset);
        call
    }

    /// The call as a stream that ends with its usage.
    pub(crate) fn streamed(mut self) -> Self {
        self.request.set("stream", true);
        self.set("stream_options", json!({"include_usage": true}))
    }

    /// Undoes what the upstream is known to refuse.
    pub(crate) fn heed(&mut self, model: &dyn Model) {
        let asked = self.request.model().to_owned();
        let refuses = |name| model.knows(&asked, Fact::Accepts(name)) == Some(false);
        let refused = |change: &&Change| refuses(change.name);
        while let Some(name) = self.changes.iter().find(refused).map(|change| change.name) {
            self.undo(name);
        }
        if self.may_fold() && refuses(SYSTEM) {
            self.fold();
        }
    }

    /// If the upstream refuses something that hone added: undoes it and says which. Each is undone
    /// at most once.
    pub(crate) fn adapt(&mut self, rejection: &Rejection) -> Option<Adapted> {
        if let Some(adapted) = self.fit(&rejection.words()) {
            return Some(adapted);
        }
        if let Some(name) = self.blamed(rejection) {
            self.undo(name);
            return Some(Adapted::Without(name));
        }
        if self.may_fold() && refuses_instructions(&rejection.words()) {
            self.fold();
            return Some(Adapted::Without(SYSTEM));
        }
        None
    }

    /// What of hone's own a refusal names.
    fn blamed(&self, rejection: &Rejection) -> Option<&'static str> {
        let mut changes = self.changes.iter();
        let blamed = changes.find(|change| rejection.blames(change.name));
        let denied = || self.is_denied_logprobs(rejection).then_some(LOGPROBS);
        blamed.map(|change| change.name).or_else(denied)
    }

    /// Whether hone asked for log probabilities, and a refusal speaks of them in any form.
    pub(crate) fn is_denied_logprobs(&self, rejection: &Rejection) -> bool {
        let is_asked = self.changes.iter().any(|change| change.name == LOGPROBS);
        is_asked && rejection.words().to_ascii_lowercase().contains(LOGPROBS)
    }

    /// If there is no room in the window for the ceiling that hone set: lowers it to the room that
    /// there is, or leaves it out where the refusal does not say.
    fn fit(&mut self, words: &str) -> Option<Adapted> {
        let name = self.ceiling()?.name;
        let ceiling = self.request.get(name)?.as_u64()?;
        if !window::is_refusal(words) {
            return None;
        }
        if let Some(room) = window::room(words, ceiling) {
            self.request.set(name, room);
        } else {
            let at = self.changes.iter().position(|change| change.name == name)?;
            let original = self.changes.remove(at).original;
            self.request.remove(name);
            if let Some(original) = original {
                self.request.set(name, original);
            }
        }
        Some(Adapted::ToTheWindow)
    }

    fn may_fold(&self) -> bool {
        self.instructions == Instructions::Ours
            && self.request.messages().iter().any(Message::is_instruction)
    }

    /// Puts what system messages say in front of the first text of a user's.
    fn fold(&mut self) {
        self.instructions = Instructions::Folded;
        let (system, mut others): (Vec<_>, Vec<_>) = self
            .request
            .messages()
            .iter()
            .cloned()
            .partition(Message::is_instruction);
        let texts: Vec<_> = system.iter().map(Message::text).collect();
        let said = texts.join("\n\n");
        match others.iter_mut().find(|message| message.role() == "user") {
            Some(user) => *user = user.with_text(&format!("{said}\n\n{}", user.text())),
            None => others.insert(0, Message::user(said)),
        }
        self.request = self.request.with_messages(others);
    }

    fn undo(&mut self, name: &'static str) {
        let Some(at) = self.changes.iter().position(|change| change.name == name) else {
            return;
        };
        let original = self.changes.remove(at).original;
        let refused = self.request.take(name);
        match (original, refused) {
            (Some(original), _) => self.request.set(name, original),
            (None, Some(limit)) if name == NEW_LIMIT => {
                self.request.set(OLD_LIMIT, limit);
                self.changes.push(Change {
                    name: OLD_LIMIT,
                    original: None,
                });
            }
            _ => {}
        }
    }
}

/// What a call has lost so that it may be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapted {
    /// A part of its ceiling, for this prompt.
    ToTheWindow,
    /// What the upstream does not take of hone under this name.
    Without(&'static str),
}

fn is_of_tools(message: &Message) -> bool {
    matches!(message.role(), "function" | "tool") || message.tool_calls().is_some()
}

/// Whether an upstream says that it takes no system messages. Some templates say only in which
/// order roles must come.
fn refuses_instructions(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let names = |word| words.contains(word);
    names("system") || names("developer") || names("roles must alternate")
}

#[cfg(test)]
mod tests;
