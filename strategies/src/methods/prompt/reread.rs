//! `re2`: the question is asked twice in one message.
//!
//! Paper: Xu et al., *Re-Reading Improves Reasoning in Large Language Models* (2023, arXiv
//! 2309.06275).
//!
//! It transforms the request and makes no call: the text of the last user message becomes text,
//! cue, text. Images and every other message stay as they are. Departures: none of the paper's
//! "let's think step by step" is added, since that is the client's to say; a text longer than
//! `re2_max_chars` is not repeated, since that would double a pasted document; a text that already
//! is repeated stays.
//!
//! Calls 0 (the call after it is counted by whatever makes it; alone, 1), depth 0. Streams.

use crate::chat::{ChatRequest, Message};
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::params::Params;
use crate::run::Run;
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const CUE: &str = include_str!("reread/cue.txt");

const MAX_CHARS: ParamSpec = ParamSpec {
    name: "re2_max_chars",
    kind: ParamKind::Integer {
        default: 20_000,
        min: 1,
        max: 1_000_000,
    },
    help: "longer questions are not repeated",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "re2",
    name: "re-reading",
    summary: "states the question twice, so that the second reading knows the whole of the first",
    paper: "Re-Reading Improves Reasoning in Large Language Models, arXiv 2309.06275",
    params: &[&[MAX_CHARS]],
    cost: "1 call, depth 1; as a stage before another strategy 0 calls",
    makes: Makes::Request,
    tools: Support::Honours,
    audio: Support::Honours,
    build: |params| Ok(DynStrategy::new(ReRead::new(params)?)),
};

struct ReRead {
    max_chars: u32,
}

impl ReRead {
    fn new(params: &Params) -> Result<Self, crate::error::SpecError> {
        Ok(Self {
            max_chars: MAX_CHARS.integer(params)?,
        })
    }

    fn transform(&self, request: &ChatRequest) -> ChatRequest {
        let mut messages = request.messages().to_vec();
        if let Some(task) = messages
            .iter_mut()
            .rfind(|message| message.role() == "user")
        {
            *task = self.repeat(task);
        }
        request.with_messages(messages)
    }

    fn repeat(&self, task: &Message) -> Message {
        let text = task.text();
        let joint = format!("\n\n{}\n\n", CUE.trim());
        let is_too_long = text.chars().count() > self.max_chars as usize;
        if text.trim().is_empty() || is_too_long || text.contains(&joint) {
            return task.clone();
        }
        task.with_text(&format!("{text}{joint}{text}"))
    }
}

impl Strategy for ReRead {
    fn demand(&self, _request: &ChatRequest) -> Demand {
        Demand::default()
    }

    async fn execute(&self, _run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        Ok(Output::Request(self.transform(request)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn re2() -> ReRead {
        ReRead::new(&Params::new()).unwrap()
    }

    #[test]
    fn only_the_last_question_is_repeated_and_its_image_is_not() {
        let image = json!({"type": "image_url", "image_url": {"url": "u"}});
        let question = Message::user(vec![
            json!({"type": "text", "text": "what is this?"}),
            image.clone(),
        ]);
        let conversation = [
            Message::system("s"),
            Message::user("first"),
            Message::assistant("a"),
            question,
            Message::assistant("prefill"),
        ];
        let request = ChatRequest::new("m", conversation.clone());
        let changed = re2().transform(&request);
        assert_eq!(changed.messages()[..3], conversation[..3]);
        assert_eq!(changed.messages()[4], conversation[4]);
        assert_eq!(
            changed.messages()[3]
                .text()
                .matches("what is this?")
                .count(),
            2
        );
        assert_eq!(changed.messages()[3].attachments(), [image]);
    }

    #[test]
    fn repeating_twice_is_repeating_once() {
        let once = re2().transform(&ChatRequest::new("m", [Message::user("q")]));
        assert_eq!(re2().transform(&once), once);
    }

    #[test]
    fn a_pasted_document_is_not_doubled() {
        let request = ChatRequest::new("m", [Message::user("x".repeat(20_001))]);
        assert_eq!(re2().transform(&request), request);
    }
}
