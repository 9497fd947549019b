//! What is answered, before any dialect puts it into its form.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::content;
use super::example::example;
use super::steps::count;
use crate::ask::Ask;
use crate::chance::Dice;
use crate::fault::Fault;
use crate::knobs::{Ending, Knobs};
use crate::script::{Before, Script};
use crate::text;

/// Tokens of an answer's reasoning.
const THOUGHTS: u32 = 8;

/// What a request asks for, whatever its dialect.
#[derive(Debug, Default)]
pub(super) struct Wants<'a> {
    pub(super) prompt_tokens: u32,
    pub(super) limit: Option<u32>,
    /// Whether the model reasons.
    pub(super) thinks: bool,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Choice<'a>,
    /// Whether the last turn is what tools have returned.
    pub(super) is_answered: bool,
    pub(super) format: Format<'a>,
    pub(super) stops: Vec<&'a str>,
}

/// A tool that can be called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    /// `None`: it takes text.
    pub(super) schema: Option<&'a Value>,
}

/// Whether a tool is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// As the knobs say.
    #[default]
    Auto,
    Never,
    Some,
    Named(&'a str),
}

/// What the text has to be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Format<'a> {
    #[default]
    Text,
    Object,
    Schema(&'a Value),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// Ids are made of it.
    pub(super) number: u64,
    /// Tokens of reasoning.
    pub(super) thoughts: Vec<String>,
    /// Tokens of the text.
    pub(super) text: Vec<String>,
    pub(super) calls: Vec<Call>,
    pub(super) stop: Stop,
    pub(super) prompt_tokens: u32,
    /// Tokens of the prompt that were read from the cache, and that were written to it.
    pub(super) cached: u32,
    pub(super) written: u32,
}

/// A call to a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// JSON, or the text of a tool that takes text, and whether it does.
    pub(super) pieces: Vec<String>,
    pub(super) is_text: bool,
    /// Whether nothing was cut off.
    pub(super) is_whole: bool,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    End,
    Calls,
    Length,
    Sequence(String),
    Told(Ending),
}

impl Reply {
    pub(super) fn draw(ask: &Ask, wants: &Wants<'_>, dice: &mut Dice) -> Self {
        let knobs = &ask.knobs;
        let mut calls = called(ask, wants);
        let mut stop = match (knobs.ending, calls.is_empty()) {
            (Some(ending), _) => Stop::Told(ending),
            (None, true) => Stop::End,
            (None, false) => Stop::Calls,
        };
        let (mut thoughts, mut text) = (Vec::new(), String::new());
        if matches!(stop, Stop::Told(ending) if ending.is_empty()) {
            calls.clear();
        } else if calls.is_empty() {
            let said = said(ask, wants.format, dice);
            (thoughts, text) = knobs.reasoning.prepend(said, dice);
        }
        if thoughts.is_empty() && wants.thinks {
            thoughts = text::tokens(&text::filler(dice, THOUGHTS));
        }
        if let Some((place, sequence)) = matched(&text, &wants.stops) {
            text.truncate(place);
            stop = Stop::Sequence(sequence.to_owned());
        }
        let is_silent = matches!(
            ask.fault,
            Some(Fault::NullContent | Fault::EmptyContent | Fault::NoChoices)
        );
        let cached = knobs.cached_tokens.min(wants.prompt_tokens);
        let mut reply = Self {
            number: dice.number(),
            thoughts,
            text: text::tokens(if is_silent { "" } else { &text }),
            calls,
            stop,
            prompt_tokens: wants.prompt_tokens,
            cached,
            written: knobs.cache_write_tokens.min(wants.prompt_tokens - cached),
        };
        reply.cut(wants.limit);
        reply
    }

    /// Ends the answer after so many tokens.
    fn cut(&mut self, limit: Option<u32>) {
        let Some(limit) = limit.filter(|limit| *limit < self.tokens()) else {
            return;
        };
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        for pieces in [&mut self.thoughts, &mut self.text] {
            pieces.truncate(left);
            left -= pieces.len();
        }
        for call in &mut self.calls {
            call.is_whole = call.pieces.len() <= left;
            call.pieces.truncate(left);
            left -= call.pieces.len();
        }
        self.calls
            .retain(|call| call.is_whole || !call.pieces.is_empty());
        self.stop = Stop::Length;
    }

    /// All tokens.
    pub(super) fn tokens(&self) -> u32 {
        let calls = self.calls.iter().map(|call| count(&call.pieces));
        calls.sum::<u32>() + count(&self.text) + self.thinking()
    }

    /// All of it at once, once its tokens are made.
    pub(super) fn whole(&self, knobs: &Knobs, body: &Value) -> Script {
        let tokens = self.tokens();
        let body = Bytes::from(body.to_string());
        let mut script = Script::whole(StatusCode::OK, "application/json", body, tokens);
        script.before.push(Before::Generate {
            tokens,
            takes: knobs.pace(tokens),
        });
        script
    }

    /// Tokens of reasoning.
    pub(super) fn thinking(&self) -> u32 {
        count(&self.thoughts)
    }

    /// An id with this prefix.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}sim{:016x}", self.number)
    }

    /// The id of a call, or of its item.
    pub(super) fn numbered(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}sim{:016x}x{index}", self.number)
    }
}

impl Call {
    /// The arguments, as they were written.
    pub(super) fn arguments(&self) -> String {
        self.pieces.concat()
    }

    /// The arguments as a value; empty if they are not whole.
    pub(super) fn input(&self) -> Value {
        serde_json::from_str(&self.arguments()).unwrap_or_else(|_| json!({}))
    }
}

/// The calls that the answer makes. What tools have returned is answered in words, so that an agent
/// comes to an end.
fn called(ask: &Ask, wants: &Wants<'_>) -> Vec<Call> {
    let tools: Vec<&Tool<'_>> = match wants.choice {
        Choice::Never => Vec::new(),
        Choice::Auto if !ask.knobs.tool_calls || wants.is_answered => Vec::new(),
        Choice::Named(name) => wants
            .tools
            .iter()
            .filter(|tool| tool.name == name)
            .collect(),
        Choice::Auto | Choice::Some => wants.tools.iter().collect(),
    };
    let calls = usize::try_from(ask.knobs.calls.get()).unwrap_or(usize::MAX);
    tools
        .iter()
        .cycle()
        .take(if tools.is_empty() { 0 } else { calls })
        .map(|tool| call(tool))
        .collect()
}

fn call(tool: &Tool<'_>) -> Call {
    let arguments = tool.schema.map_or_else(
        || "simulated input".to_owned(),
        |schema| example(schema).to_string(),
    );
    Call {
        name: tool.name.to_owned(),
        namespace: tool.namespace.map(str::to_owned),
        pieces: text::tokens(&arguments),
        is_text: tool.schema.is_none(),
        is_whole: true,
    }
}

/// The text of the answer, as JSON where JSON was asked for.
fn said(ask: &Ask, format: Format<'_>, dice: &mut Dice) -> String {
    match format {
        Format::Text => content::content(ask, dice),
        Format::Object => json!({"answer": content::content(ask, dice)}).to_string(),
        Format::Schema(schema) => example(schema).to_string(),
    }
}

/// Where the first of these sequences is.
fn matched<'a>(text: &str, stops: &[&'a str]) -> Option<(usize, &'a str)> {
    let found = stops.iter().filter(|stop| !stop.is_empty());
    found
        .filter_map(|stop| Some((text.find(stop)?, *stop)))
        .min_by_key(|(place, _)| *place)
}
