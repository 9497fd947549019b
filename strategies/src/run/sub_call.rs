//! A request that a strategy makes from the client's, and what hone changed in it.

use serde_json::{Value, json};

use crate::chat::{ChatRequest, Message};
use crate::model::{Fact, Model, Purpose, Rejection};

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

const NEW_LIMIT: &str = "max_completion_tokens";
const OLD_LIMIT: &str = "max_tokens";

/// A call that a strategy wants made.
#[derive(Debug, Clone)]
pub(crate) struct SubCall {
    pub(crate) request: ChatRequest,
    pub(crate) purpose: Purpose,
    changes: Vec<Change>,
}

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
        Self {
            request,
            purpose,
            changes: Vec::new(),
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

    /// Sets the temperature where different answers are wanted: the client's own if it is above
    /// zero, else `default`.
    pub(crate) fn diverse(self, default: f64) -> Self {
        let own = self.request.get("temperature").and_then(Value::as_f64);
        if own.is_some_and(|own| own > 0.0) {
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
        let refused =
            |change: &&Change| model.knows(&asked, Fact::Accepts(change.name)) == Some(false);
        while let Some(name) = self.changes.iter().find(refused).map(|change| change.name) {
            self.undo(name);
        }
    }

    /// If the upstream refuses a field that hone set: undoes it and says which. Each is undone at
    /// most once.
    pub(crate) fn adapt(&mut self, rejection: &Rejection) -> Option<&'static str> {
        let blamed = self
            .changes
            .iter()
            .find(|change| rejection.blames(change.name))?
            .name;
        self.undo(blamed);
        Some(blamed)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ChatRequest {
        let body = json!({
            "model": "m", "messages": [{"role": "user", "content": "q"}], "stream": true,
                "stream_options": {"include_usage": true}, "n": 4,
            "store": true, "metadata": {"a": "b"}, "tools": [{}],
                "response_format": {"type": "json_object"}, "stop": ["x"],
            "temperature": 0, "seed": 5, "top_k": 3,
        });
        ChatRequest::parse(body.to_string().as_bytes()).unwrap()
    }

    fn names(call: &SubCall) -> Vec<String> {
        let value: Value = serde_json::from_slice(&call.request.to_bytes()).unwrap();
        value.as_object().unwrap().keys().cloned().collect()
    }

    fn refusal(param: &str) -> Rejection {
        Rejection {
            status: 400,
            param: Some(param.to_owned()),
            ..Rejection::default()
        }
    }

    #[test]
    fn a_candidate_keeps_what_shapes_the_answer_and_a_judge_does_not() {
        let candidate = SubCall::answer(&request(), Purpose::Candidate);
        assert_eq!(
            names(&candidate),
            [
                "model",
                "messages",
                "tools",
                "response_format",
                "stop",
                "temperature",
                "seed",
                "top_k"
            ]
        );
        let judge = SubCall::internal(&request(), Purpose::Judge, vec![Message::user("rate")], 99);
        assert_eq!(
            names(&judge),
            [
                "model",
                "messages",
                "temperature",
                "seed",
                "top_k",
                "max_completion_tokens"
            ]
        );
    }

    #[test]
    fn an_internal_ceiling_uses_the_clients_own_field() {
        let mut request = request();
        request.set("max_tokens", 3);
        let judge = SubCall::internal(&request, Purpose::Judge, Vec::new(), 99);
        assert_eq!(
            (
                judge.request.get("max_tokens"),
                judge.request.get(NEW_LIMIT)
            ),
            (Some(&json!(99)), None)
        );
    }

    #[test]
    fn a_refused_ceiling_is_renamed_once_and_then_left_out() {
        let mut call = SubCall::internal(&request(), Purpose::Judge, Vec::new(), 99);
        assert_eq!(call.adapt(&refusal(NEW_LIMIT)), Some(NEW_LIMIT));
        assert_eq!(
            (call.request.get(NEW_LIMIT), call.request.get(OLD_LIMIT)),
            (None, Some(&json!(99)))
        );
        assert_eq!(call.adapt(&refusal(OLD_LIMIT)), Some(OLD_LIMIT));
        assert_eq!(call.request.get(OLD_LIMIT), None);
        assert_eq!(call.adapt(&refusal(NEW_LIMIT)), None);
    }

    #[test]
    fn a_refused_change_gives_the_client_its_own_value_back() {
        let mut call = SubCall::answer(&request(), Purpose::Candidate).diverse(1.0);
        assert_eq!(call.request.get("temperature"), Some(&json!(1.0)));
        assert_eq!(call.adapt(&refusal("temperature")), Some("temperature"));
        assert_eq!(call.request.get("temperature"), Some(&json!(0)));
        assert_eq!(
            call.adapt(&refusal("top_k")),
            None,
            "what the client sent is the client's mistake"
        );
    }

    #[test]
    fn candidates_get_different_seeds_only_from_a_client_that_sent_one() {
        let call = SubCall::answer(&request(), Purpose::Candidate);
        assert_eq!(call.numbered(2).request.get("seed"), Some(&json!(7)));
        let mut unseeded = request();
        unseeded.take("seed");
        assert_eq!(
            SubCall::answer(&unseeded, Purpose::Candidate)
                .numbered(2)
                .request
                .get("seed"),
            None
        );
    }
}
