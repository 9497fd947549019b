//! The forms of a provider's answers.

use serde_json::{Map, Value};

/// The form of a provider's answers. Members of JSON objects are given as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Where a stream tells the use of tokens.
    pub(crate) usage: Told,
    /// How it departs from OpenAI's form.
    pub(crate) habits: &'static [Habit],
    /// The field of the reasoning.
    pub(crate) reasoning: &'static str,
    /// `system_fingerprint`, where there is one.
    pub(crate) fingerprint: Option<&'static str>,
    /// Members beside the choices.
    pub(crate) beside: &'static str,
    /// More members of a choice.
    pub(crate) choice: &'static str,
    /// More members of a whole message.
    pub(crate) message: &'static str,
    /// A chunk before the first of a stream.
    pub(crate) first: Option<&'static str>,
    /// A chunk behind the finish reasons of a stream.
    pub(crate) last: Option<&'static str>,
}

/// Where a stream tells the use of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// In a chunk of its own with an empty list of choices, if it was asked for.
    Chunk,
    /// The same, with null in place of the list.
    NullChoices,
    /// In the last choice's last chunk, whether it was asked for or not.
    WithTheEnd,
}

/// A departure from OpenAI's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// A stream has comments.
    Comments,
    /// A choice that goes on has the empty finish reason in place of null.
    EmptyReasons,
    /// A stream ends without `[DONE]`.
    NoLastWord,
    /// The first delta of a stream has no content, rather than an empty one.
    NullOpening,
    /// The finish reason comes with a choice's last words.
    ReasonWithLastWords,
    /// Every delta says its role.
    RoleInEveryDelta,
}

impl Shape {
    pub(crate) fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    /// OpenAI's, with nothing that it does not document.
    pub(crate) const OPENAI: Self = Self {
        usage: Told::Chunk,
        habits: &[],
        reasoning: "reasoning_content",
        fingerprint: Some("fp_sim"),
        beside: "{}",
        choice: "{}",
        message: "{}",
        first: None,
        last: None,
    };
}

/// Adds the members of an object, given as JSON, to another.
pub(crate) fn extend(object: &mut Value, members: &str) {
    if members == "{}" {
        return;
    }
    let members: Map<String, Value> = serde_json::from_str(members).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        object.extend(members);
    }
}
