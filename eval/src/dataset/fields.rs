//! The fields of a record, whatever the spelling of their names.

use serde_json::{Map, Value};

/// Names of the question, as [`plain`] writes them.
pub(super) const PROMPTS: &[&str] = &[
    "prompt",
    "question",
    "problem",
    "input",
    "instruction",
    "query",
    "inputs",
];
/// Names of the answer.
pub(super) const ANSWERS: &[&str] = &[
    "answer",
    "answerkey",
    "target",
    "targets",
    "expected",
    "expectedanswer",
    "finalanswer",
    "correctanswer",
    "groundtruth",
    "gold",
    "output",
    "reference",
    "label",
    "solution",
    "answerindex",
    "answeridx",
];
pub(super) const IDS: &[&str] = &["id", "questionid", "uniqueid", "taskid"];
/// A field's name in one spelling: `Answer Key`, `answer_key` and `answerKey` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Fields by their plain names. What is empty is not there.
pub(super) struct Fields<'a>(Vec<(String, &'a Value)>);

impl<'a> Fields<'a> {
    pub(super) fn of(record: &'a Map<String, Value>) -> Self {
        let is_there = |value: &&Value| {
            !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty())
        };
        let fields = record
            .iter()
            .map(|(name, value)| (plain(name), value))
            .filter(|(_, value)| is_there(value));
        Self(fields.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| *value)
    }

    pub(super) fn first(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(super) fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.get(name)?.as_str())
    }
}

/// A text, a number, or true or false, as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
