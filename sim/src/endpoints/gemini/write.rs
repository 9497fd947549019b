//! An answer as an object, as events, or as the elements of an array.

use serde_json::{Value, json};

use super::{Asked, MAKER, config, member};
use crate::ask::Ask;
use crate::endpoints::base64;
use crate::endpoints::reply::{Call, Reply, Stop};
use crate::endpoints::signature;
use crate::endpoints::steps::{Steps, count};
use crate::fault::Fault;
use crate::knobs::Ending;
use crate::routes::Verb;
use crate::script::Script;

/// Answers, and how they were asked for.
struct Answer<'a> {
    ask: &'a Ask,
    asked: &'a Asked<'a>,
    replies: &'a [Reply],
    first: &'a Reply,
}

pub(super) fn script(ask: &Ask, asked: &Asked<'_>, replies: &[Reply]) -> Script {
    let Some(first) = replies.first() else {
        return Script::json(&json!({}));
    };
    let answer = Answer {
        ask,
        asked,
        replies,
        first,
    };
    if asked.verb == Verb::Stream {
        return answer.stream();
    }
    first.whole(&ask.knobs, &answer.whole())
}

impl Answer<'_> {
    fn is_blocked(&self) -> bool {
        self.first.stop == Stop::Told(Ending::Blocked)
    }

    fn has_no_candidates(&self) -> bool {
        self.is_blocked() || self.ask.fault == Some(Fault::NoChoices)
    }

    /// Whether reasoning is shown.
    fn is_shown(&self) -> bool {
        let thinking = member(config(self.ask), "thinkingConfig");
        let include = thinking.and_then(|thinking| member(thinking, "includeThoughts"));
        include.and_then(Value::as_bool) == Some(true)
    }

    /// Counters that are nothing are left out, and reasoning stands beside the candidates.
    fn usage(&self, made: u32, thought: u32) -> Value {
        let prompt = self.first.prompt_tokens;
        let mut usage = json!({"promptTokenCount": prompt,
            "totalTokenCount": prompt.saturating_add(made).saturating_add(thought),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]});
        let counted = [
            ("candidatesTokenCount", made),
            ("thoughtsTokenCount", thought),
            ("cachedContentTokenCount", self.first.cached),
        ];
        if let Some(usage) = usage.as_object_mut() {
            let some = counted.into_iter().filter(|(_, tokens)| *tokens > 0);
            usage.extend(some.map(|(name, tokens)| (name.to_owned(), json!(tokens))));
        }
        usage
    }

    /// What stands around candidates.
    fn response(&self, candidates: &[Value], made: u32, thought: u32) -> Value {
        let mut response = json!({"modelVersion": self.asked.model,
            "responseId": self.first.id("")});
        if let Some(response) = response.as_object_mut() {
            if !candidates.is_empty() {
                response.insert("candidates".to_owned(), json!(candidates));
            }
            if self.is_blocked() {
                let feedback = json!({"blockReason": "PROHIBITED_CONTENT"});
                response.insert("promptFeedback".to_owned(), feedback);
            }
            if self.ask.knobs.usage.is_told() {
                response.insert("usageMetadata".to_owned(), self.usage(made, thought));
            }
        }
        response
    }

    fn candidate(reply: &Reply, index: usize, parts: &[Value], ends: bool) -> Value {
        let mut candidate = json!({"index": index});
        let Some(members) = candidate.as_object_mut() else {
            return candidate;
        };
        let mut content = json!({"role": "model"});
        if !parts.is_empty()
            && let Some(content) = content.as_object_mut()
        {
            content.insert("parts".to_owned(), json!(parts));
        }
        members.insert("content".to_owned(), content);
        if ends {
            let (reason, message) = reason(&reply.stop);
            members.insert("finishReason".to_owned(), json!(reason));
            let message = message.map(|text| ("finishMessage".to_owned(), json!(text)));
            members.extend(message);
        }
        candidate
    }

    fn signature(&self, reply: &Reply) -> String {
        signature::sign(MAKER, self.asked.model, "", reply.number)
    }

    /// The first of several calls is signed where the model reasons.
    fn call(&self, reply: &Reply, index: usize, call: &Call) -> Value {
        let mut function = json!({"name": call.name, "args": call.input()});
        if let Some(function) = function.as_object_mut().filter(|_| self.asked.is_third()) {
            function.insert("id".to_owned(), json!(reply.numbered("", index)));
        }
        let mut part = json!({"functionCall": function});
        let is_signed = index == 0 && !reply.thoughts.is_empty();
        if let Some(part) = part.as_object_mut().filter(|_| is_signed) {
            part.insert("thoughtSignature".to_owned(), json!(self.signature(reply)));
        }
        part
    }

    /// The calls, as parts.
    fn calls(&self, reply: &Reply) -> Vec<(Value, u32)> {
        let calls = reply.calls.iter().enumerate();
        let calls = calls.filter(|(_, call)| call.is_whole);
        calls
            .map(|(index, call)| (self.call(reply, index, call), count(&call.pieces)))
            .collect()
    }

    fn whole(&self) -> Value {
        if self.has_no_candidates() {
            return self.response(&[], 0, 0);
        }
        let candidates = self.replies.iter().enumerate().map(|(index, reply)| {
            let mut parts = Vec::new();
            if self.is_shown() && !reply.thoughts.is_empty() {
                parts.push(json!({"text": reply.thoughts.concat(), "thought": true}));
            }
            if !reply.text.is_empty() {
                let mut part = json!({"text": reply.text.concat()});
                if let Some(part) = part.as_object_mut().filter(|_| !reply.thoughts.is_empty()) {
                    part.insert("thoughtSignature".to_owned(), json!(self.signature(reply)));
                }
                parts.push(part);
            }
            parts.extend(self.calls(reply).into_iter().map(|(part, _)| part));
            Self::candidate(reply, index, &parts, true)
        });
        let thought = self.replies.iter().map(Reply::thinking).sum();
        let all: u32 = self.replies.iter().map(Reply::tokens).sum();
        self.response(&candidates.collect::<Vec<_>>(), all - thought, thought)
    }

    fn stream(&self) -> Script {
        let mut chunks = Chunks {
            answer: self,
            steps: Steps::new(&self.ask.knobs),
            made: 0,
            thought: 0,
            is_first: true,
        };
        if self.has_no_candidates() {
            chunks.push(&[], 0);
        } else {
            for (index, reply) in self.replies.iter().enumerate() {
                chunks.reply(reply, index);
            }
        }
        if self.asked.is_sse {
            return Script::events(chunks.steps.done());
        }
        chunks.steps.push("]".to_owned(), 0);
        Script::stream("application/json; charset=UTF-8", chunks.steps.done())
    }
}

/// Why an answer ended, and what is said of it.
fn reason(stop: &Stop) -> (&'static str, Option<&'static str>) {
    match stop {
        Stop::Length => ("MAX_TOKENS", None),
        Stop::Told(Ending::Refusal | Ending::Blocked) => ("SAFETY", None),
        Stop::Told(Ending::Filter) => ("RECITATION", None),
        Stop::Told(Ending::MalformedCall) => (
            "MALFORMED_FUNCTION_CALL",
            Some("Malformed function call: print(default_api.simulated("),
        ),
        Stop::Told(Ending::Failed) => ("OTHER", None),
        Stop::End | Stop::Calls | Stop::Sequence(_) | Stop::Told(Ending::Pause) => ("STOP", None),
    }
}

/// Parts of a stream, each a response of its own.
struct Chunks<'a> {
    answer: &'a Answer<'a>,
    steps: Steps<'a>,
    made: u32,
    thought: u32,
    is_first: bool,
}

impl Chunks<'_> {
    fn push(&mut self, candidates: &[Value], tokens: u32) {
        let response = self.answer.response(candidates, self.made, self.thought);
        let text = match (self.answer.asked.is_sse, self.is_first) {
            (true, _) => format!("data: {response}\r\n\r\n"),
            (false, true) => format!("[{response}"),
            (false, false) => format!(",\r\n{response}"),
        };
        self.is_first = false;
        self.steps.push(text, tokens);
    }

    /// One part of a candidate.
    fn part(&mut self, reply: &Reply, index: usize, part: Value, tokens: u32) {
        let candidate = Answer::candidate(reply, index, &[part], false);
        self.push(&[candidate], tokens);
    }

    fn reply(&mut self, reply: &Reply, index: usize) {
        let thoughts = self.steps.chunks(&reply.thoughts);
        for (text, tokens) in thoughts {
            self.thought += tokens;
            if self.answer.is_shown() {
                self.part(reply, index, json!({"text": text, "thought": true}), tokens);
            }
        }
        let text = self.steps.chunks(&reply.text);
        for (text, tokens) in text {
            self.made += tokens;
            self.part(reply, index, json!({"text": text}), tokens);
        }
        for (part, tokens) in self.answer.calls(reply) {
            self.made += tokens;
            self.part(reply, index, part, tokens);
        }
        let mut parts = Vec::new();
        let is_signed = !reply.thoughts.is_empty() && reply.calls.is_empty();
        if is_signed && !reply.text.is_empty() {
            let signature = self.answer.signature(reply);
            parts.push(json!({"text": "", "thoughtSignature": signature}));
        } else if self.answer.asked.is_third() && reply.tokens() > reply.thinking() {
            // Newer models end what they have said with a part that says nothing.
            parts.push(json!({"text": ""}));
        }
        let last = Answer::candidate(reply, index, &parts, true);
        let hidden = if self.answer.is_shown() {
            0
        } else {
            reply.thinking()
        };
        self.push(&[last], hidden);
    }
}

/// Whether a signature is base64, and one of this model's or the word that stands for none.
pub(super) fn is_signature(signature: &str, model: &str) -> Option<bool> {
    const WORDS: [&str; 2] = [
        "skip_thought_signature_validator",
        "context_engineering_is_the_way_to_go",
    ];
    let bytes = base64::decode(signature)?;
    let is_word = WORDS
        .iter()
        .any(|word| *word == signature || word.as_bytes() == bytes);
    Some(is_word || signature::is_own(signature, MAKER, model, ""))
}
