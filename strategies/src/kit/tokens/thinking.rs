//! Thinking of a wanted length: forced by continuing it, or asked for as an effort.

use rand::Rng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use crate::chat::{ChatRequest, Choice, Delta};
use crate::error::{Missing, StrategyError};
use crate::kit::tokens::prefill::{Continuation, Prefill};
use crate::model::{Fact, ModelError, Purpose};
use crate::run::{Answer, Observer, Run, SubCall, TextFilter, Watch};
use crate::strategy::Output;

/// What shapes an answer and would deform thinking.
const ANSWER_ONLY: [&str; 8] = [
    "response_format",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "logprobs",
    "top_logprobs",
    "prediction",
];
/// Turns in a row that add nothing, after which the thinking is over.
const EMPTY_TURNS: u32 = 3;

/// How long to think, and in which words.
#[derive(Debug, Clone)]
pub(crate) struct Thinking {
    /// Tokens before which thinking does not end.
    pub(crate) min: u64,
    /// Tokens after which it does.
    pub(crate) max: u64,
    /// Changes of mind after which it ends: those that are put there, and those that the model has
    /// itself.
    pub(crate) thoughts: u32,
    /// What is put where thinking would end too early.
    pub(crate) switches: Vec<String>,
    pub(crate) start: String,
    pub(crate) end: String,
    /// How the thinking begins.
    pub(crate) prefill: String,
}

/// What has been thought so far.
struct Thought {
    text: String,
    tokens: u64,
    turns: u32,
    changes: u32,
    empty: u32,
}

impl Thinking {
    /// Thinks, then answers: thinking is told as `reasoning_content` while it comes, the answer as
    /// content.
    pub(crate) async fn force(
        &self,
        run: &Run,
        request: &ChatRequest,
        prefill: Prefill,
    ) -> Result<Output, StrategyError> {
        let mut rng = run.rng("switches");
        let mut thought = Thought {
            text: self.prefill.clone(),
            tokens: 0,
            turns: 0,
            changes: 0,
            empty: 0,
        };
        while !self
            .think(run, request, prefill, &mut thought)
            .await
            .map_err(|error| interrupted(run, &thought, error))?
        {
            self.change_mind(&mut thought, &mut rng);
        }
        run.note(
            "thinking",
            json!({"tokens": thought.tokens, "turns": thought.turns,
            "changes_of_mind": thought.changes}),
        );
        let begun = format!(
            "{}\n{}\n{}\n\n",
            self.start,
            thought.text.trim_end(),
            self.end
        );
        let mut call = SubCall::answer(request, Purpose::Final);
        if let Some((_, limit)) = request.token_limit() {
            call = call.with_ceiling(limit.saturating_sub(thought.tokens).max(1));
        }
        let continuation = prefill.call(&call, &begun);
        let mut shown = Unechoed::new(&continuation);
        let answer = run
            .respond_through(continuation.call, &mut shown)
            .await
            .map_err(|error| interrupted(run, &thought, error))?;
        let message = answer
            .choice
            .message
            .with("reasoning_content", thought.text.trim());
        Ok(Answer {
            choice: Choice {
                message,
                ..answer.choice
            },
            ..answer
        }
        .into())
    }

    /// One turn of thinking. Whether it was the last.
    async fn think(
        &self,
        run: &Run,
        request: &ChatRequest,
        prefill: Prefill,
        thought: &mut Thought,
    ) -> Result<bool, StrategyError> {
        let mut call = SubCall::answer(request, Purpose::Plan);
        for name in ANSWER_ONLY {
            call.request.remove(name);
        }
        call.request.set("stop", json!([self.end]));
        let call = call.with_ceiling(self.max.saturating_sub(thought.tokens).max(1));
        let continuation = prefill.call(&call, &format!("{}\n{}", self.start, thought.text));
        let mut listener = Listener::new(self, &continuation, thought.changes);
        let watched = run
            .watch(&continuation.call, thought.turns, &mut listener)
            .await?;
        let was_told = listener.text.trim().is_empty();
        thought.turns += 1;
        thought.tokens = thought.tokens.saturating_add(watched.usage.completion);
        // What the provider has counted as reasoning is counted already.
        let uncounted = watched
            .usage
            .completion
            .saturating_sub(watched.usage.reasoning);
        run.reasoned(uncounted);
        thought.empty = if was_told { thought.empty + 1 } else { 0 };
        thought.changes = listener.changes;
        thought.text.push_str(&listener.text);
        let is_full = watched.choice.is_truncated()
            || thought.tokens >= self.max
            || thought.changes >= self.thoughts;
        let is_done =
            thought.tokens >= self.min || thought.empty >= EMPTY_TURNS || run.calls_left() < 2;
        Ok(is_full || is_done)
    }

    fn change_mind(&self, thought: &mut Thought, rng: &mut SmallRng) {
        let at = rng.random_range(0..self.switches.len().max(1));
        let switch = self.switches.get(at).map_or("Wait,", String::as_str);
        thought.text = format!("{}\n{switch}", thought.text.trim_end());
        thought.changes += 1;
    }
}

/// What a client has seen a part of cannot fail as if nothing had been told.
fn interrupted(run: &Run, thought: &Thought, error: StrategyError) -> StrategyError {
    match error {
        StrategyError::Model(error) if run.is_watched() && thought.turns > 0 => {
            StrategyError::Interrupted(error)
        }
        error => error,
    }
}

/// Asks for reasoning of an effort, `low`, `medium` or `high`, and answers.
///
/// # Errors
///
/// [`StrategyError::Unsupported`] where the upstream refuses to be asked.
pub(crate) async fn with_effort(
    run: &Run,
    request: &ChatRequest,
    effort: &str,
) -> Result<Answer, StrategyError> {
    const FIELD: &str = "reasoning_effort";
    if run.knows(request.model(), Fact::Accepts(FIELD)) == Some(false) {
        return Err(StrategyError::Unsupported(Missing::Thinking));
    }
    let mut call = SubCall::answer(request, Purpose::Final);
    call.request.set(FIELD, effort);
    match run.respond(call).await {
        Err(StrategyError::Model(ModelError::Rejected(rejection)))
            if matches!(rejection.status, 400 | 422)
                && rejection.blames(FIELD)
                && request.get(FIELD).is_none() =>
        {
            run.learn(request.model(), Fact::Accepts(FIELD), false);
            Err(StrategyError::Unsupported(Missing::Thinking))
        }
        answer => {
            let answer = answer?;
            let has_reasoned = reasoned(&answer);
            run.learn(request.model(), Fact::Reasons, has_reasoned);
            if !has_reasoned {
                run.degrade("reasoning");
            }
            Ok(answer)
        }
    }
}

/// Whether an answer shows that it was reasoned about.
fn reasoned(answer: &Answer) -> bool {
    let message = &answer.choice.message;
    let said = |name: &str| {
        message
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    let counted = answer.usage.is_some_and(|usage| usage.reasoning > 0);
    counted || said("reasoning_content") || said("reasoning") || message.text().contains("</think>")
}

/// Takes out of a text what it repeats of what was begun, and the blank before what it adds.
struct Unechoed {
    /// What may still be an echo.
    held: Option<String>,
    echo: String,
    has_begun: bool,
}

impl Unechoed {
    fn new(continuation: &Continuation) -> Self {
        let echo = continuation.echo().unwrap_or_default().to_owned();
        Self {
            held: (!echo.is_empty()).then(String::new),
            echo,
            has_begun: false,
        }
    }

    fn add(&mut self, text: &str) -> String {
        let Some(held) = &mut self.held else {
            return text.to_owned();
        };
        held.push_str(text);
        if self.echo.starts_with(held.as_str()) && held.len() < self.echo.len() {
            return String::new();
        }
        let whole = self.held.take().unwrap_or_default();
        whole
            .strip_prefix(self.echo.as_str())
            .map(str::to_owned)
            .unwrap_or(whole)
    }
}

impl TextFilter for Unechoed {
    fn push(&mut self, text: &str) -> String {
        let added = self.add(text);
        if self.has_begun {
            return added;
        }
        let added = added.trim_start().to_owned();
        self.has_begun = !added.is_empty();
        added
    }

    fn finish(&mut self, _is_truncated: bool) -> String {
        self.held.take().unwrap_or_default()
    }
}

/// Hears the thinking of one turn, up to its end.
struct Listener<'a> {
    thinking: &'a Thinking,
    echo: Unechoed,
    /// What was thought, without what may yet become the closing tag.
    text: String,
    /// The end of what came that may be the beginning of the closing tag.
    held: String,
    /// What has not been told yet.
    untold: String,
    /// Of each phrase, how far `text` has been searched for it.
    read: Vec<usize>,
    changes: u32,
}

impl<'a> Listener<'a> {
    fn new(thinking: &'a Thinking, continuation: &Continuation, changes: u32) -> Self {
        let echo = Unechoed::new(continuation);
        let read = vec![0; thinking.switches.len()];
        Self {
            thinking,
            echo,
            text: String::new(),
            held: String::new(),
            untold: String::new(),
            read,
            changes,
        }
    }

    fn add(&mut self, text: &str) -> Watch {
        self.held.push_str(&self.echo.add(text));
        if let Some((before, _)) = self.held.split_once(self.thinking.end.as_str()) {
            let before = before.to_owned();
            self.accept(&before);
            self.held.clear();
            return Watch::Stop;
        }
        let keep = partial(&self.held, &self.thinking.end);
        let (sure, rest) = self
            .held
            .split_at_checked(self.held.len() - keep)
            .unwrap_or((&self.held, ""));
        let (sure, rest) = (sure.to_owned(), rest.to_owned());
        self.held = rest;
        self.accept(&sure);
        if self.changes >= self.thinking.thoughts {
            Watch::Stop
        } else {
            Watch::GoOn
        }
    }

    fn accept(&mut self, text: &str) {
        self.text.push_str(text);
        self.untold.push_str(text);
        for (switch, read) in self.thinking.switches.iter().zip(&mut self.read) {
            self.changes = self
                .changes
                .saturating_add(count_on(&self.text, switch, read));
        }
    }
}

impl Observer for Listener<'_> {
    fn see(&mut self, delta: &Delta) -> Watch {
        let go = match delta.fields.get("content").and_then(Value::as_str) {
            Some(text) => self.add(text),
            None => Watch::GoOn,
        };
        if delta.finish_reason.is_some() {
            let rest = std::mem::take(&mut self.held);
            self.accept(&rest);
        }
        go
    }

    fn tell(&mut self) -> Option<Delta> {
        let untold = std::mem::take(&mut self.untold);
        (!untold.is_empty()).then(|| Delta::field("reasoning_content", untold))
    }
}

/// How many bytes at the end of `text` may be the beginning of `tag`.
fn partial(text: &str, tag: &str) -> usize {
    let lengths = tag.char_indices().map(|(at, _)| at).skip(1);
    lengths
        .filter(|length| {
            tag.get(..*length)
                .is_some_and(|start| text.ends_with(start))
        })
        .max()
        .unwrap_or(0)
}

/// How often `phrase` stands in the part of a growing text that has not been searched for it yet.
/// `read` moves on to the earliest place where another may begin, so that the whole text is
/// searched once, however small the pieces are in which it comes.
fn count_on(text: &str, phrase: &str, read: &mut usize) -> u32 {
    if phrase.is_empty() {
        return 0;
    }
    let mut found = 0;
    while let Some(at) = text.get(*read..).and_then(|rest| rest.find(phrase)) {
        *read += at + phrase.len();
        found += 1;
    }
    *read = text
        .floor_char_boundary((text.len() + 1).saturating_sub(phrase.len()))
        .max(*read);
    found
}

#[cfg(test)]
mod tests;
