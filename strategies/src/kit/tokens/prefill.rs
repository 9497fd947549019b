//! Continuing an answer that hone began.
//!
//! A conversation that ends with the assistant's words asks some servers for their continuation,
//! others for a new answer, and is refused by the rest. Only the answer to a beginning that no new
//! answer would have tells them apart: one short call, made where a strategy first needs to know,
//! and remembered.

use crate::chat::{ChatRequest, Message};
use crate::contract::{BEGUN, NEXT};
use crate::error::StrategyError;
use crate::model::{Fact, ModelError, Purpose};
use crate::run::{Run, SubCall};

const PROBE: &str = include_str!("prefill/probe.txt");
/// Tokens that a probe may generate.
const PROBE_TOKENS: u64 = 16;

/// How an upstream is asked to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A last message of the assistant's, and vLLM's switches where they are not refused:
    /// llama.cpp, vLLM, SGLang, Anthropic's shape.
    Last,
    /// The same with `prefix` on the message: Mistral, DeepSeek.
    Prefix,
}

impl Dialect {
    fn fact(self) -> Fact {
        match self {
            Self::Last => Fact::ContinuesLast,
            Self::Prefix => Fact::ContinuesPrefix,
        }
    }
}

/// An upstream that continues answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefill {
    dialect: Dialect,
    /// Whether its answers begin with what they continue.
    echoes: bool,
}

/// A call that continues `begun`.
#[derive(Debug, Clone)]
pub(crate) struct Continuation {
    pub(crate) call: SubCall,
    /// What the assistant has said so far, and an echo would repeat.
    echo: Option<String>,
}

impl Prefill {
    /// How the upstream continues answers of the request's model; `None` if it does not.
    ///
    /// # Errors
    ///
    /// If that is not known and could not be found out.
    pub(crate) async fn of(
        run: &Run,
        request: &ChatRequest,
    ) -> Result<Option<Self>, StrategyError> {
        let model = request.model();
        for dialect in [Dialect::Last, Dialect::Prefix] {
            let does = match run.knows(model, dialect.fact()) {
                Some(does) => does,
                None => Self::probe(run, request, dialect).await?,
            };
            if does {
                return Ok(Some(Self {
                    dialect,
                    echoes: run.knows(model, Fact::Echoes) == Some(true),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the request's model is known not to be continued.
    pub(crate) fn is_lacking(run: &Run, request: &ChatRequest) -> bool {
        [Dialect::Last, Dialect::Prefix]
            .iter()
            .all(|dialect| run.knows(request.model(), dialect.fact()) == Some(false))
    }

    async fn probe(
        run: &Run,
        request: &ChatRequest,
        dialect: Dialect,
    ) -> Result<bool, StrategyError> {
        let call = SubCall::internal(
            request,
            Purpose::Probe,
            vec![Message::user(PROBE.trim())],
            PROBE_TOKENS,
        )
        .set("temperature", 0.0);
        let this = Self {
            dialect,
            echoes: false,
        };
        let (does, echoes) = match run.complete_one(this.call(&call, BEGUN).call, 0).await {
            Ok(choice) => read(&choice.message.text()),
            Err(StrategyError::Model(ModelError::Rejected(rejection)))
                if matches!(rejection.status, 400 | 422) =>
            {
                (false, false)
            }
            Err(error) => return Err(error),
        };
        run.learn(request.model(), dialect.fact(), does);
        if does {
            run.learn(request.model(), Fact::Echoes, echoes);
        }
        Ok(does)
    }

    /// The call, its answer begun with `begun`.
    pub(crate) fn call(self, call: &SubCall, begun: &str) -> Continuation {
        let mut messages = call.request.messages().to_vec();
        let said = messages
            .pop_if(|last| last.role() == "assistant")
            .map(|last| last.text().into_owned())
            .unwrap_or_default();
        let whole = format!("{said}{begun}");
        let message = Message::assistant(whole.clone());
        messages.push(if self.dialect == Dialect::Prefix {
            message.with("prefix", true)
        } else {
            message
        });
        let call = call.with_messages(messages);
        let call = match self.dialect {
            Dialect::Last => call
                .set("continue_final_message", true)
                .set("add_generation_prompt", false),
            Dialect::Prefix => call,
        };
        Continuation {
            call,
            echo: self.echoes.then_some(whole),
        }
    }
}

impl Continuation {
    /// What `text` adds to what was begun.
    pub(crate) fn added<'a>(&self, text: &'a str) -> &'a str {
        match &self.echo {
            None => text,
            Some(echo) => text
                .strip_prefix(echo.as_str())
                .or_else(|| text.strip_prefix(echo.trim_start()))
                .unwrap_or(text),
        }
    }
}

impl Continuation {
    /// The echo that is to be taken out of the answer.
    pub(crate) fn echo(&self) -> Option<&str> {
        self.echo.as_deref()
    }
}

/// Whether a reply continues [`BEGUN`], and whether it repeats it first.
fn read(reply: &str) -> (bool, bool) {
    let reply = reply.trim_start();
    let behind = reply.strip_prefix(BEGUN);
    let added = behind
        .unwrap_or(reply)
        .trim_start_matches(|c: char| !c.is_alphanumeric());
    let does = added
        .get(..NEXT.len())
        .is_some_and(|word| word.eq_ignore_ascii_case(NEXT));
    (does, behind.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_is_told_from_a_new_answer() {
        assert_eq!(read(" seven eight nine ten"), (true, false));
        assert_eq!(read("three four five six seven eight"), (true, true));
        assert_eq!(read("Seven, eight"), (true, false));
        for new in [
            "one two three four five six seven",
            "Sure! one two",
            "",
            "three four five six",
            "three four five six\none two",
        ] {
            assert!(!read(new).0, "{new}");
        }
    }

    #[test]
    fn what_was_begun_is_continued_even_where_the_client_had_begun() {
        let request = ChatRequest::new("m", [Message::user("count"), Message::assistant("one")]);
        let call = SubCall::answer(&request, Purpose::Candidate);
        let prefill = Prefill {
            dialect: Dialect::Prefix,
            echoes: true,
        };
        let continuation = prefill.call(&call, " two");
        let last = continuation.call.request.messages().last().unwrap();
        assert_eq!(
            (
                last.text().as_ref(),
                last.get("prefix"),
                continuation.call.request.messages().len()
            ),
            ("one two", Some(&true.into()), 2)
        );
        assert_eq!(
            (
                continuation.added("one two three"),
                continuation.added("three")
            ),
            (" three", "three")
        );
        let silent = Prefill {
            dialect: Dialect::Last,
            echoes: false,
        }
        .call(&call, " two");
        assert_eq!(
            silent.added("one two three"),
            "one two three",
            "it may say so again"
        );
        assert_eq!(
            silent.call.request.get("continue_final_message"),
            Some(&true.into())
        );
    }
}
