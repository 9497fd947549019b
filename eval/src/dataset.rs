//! Questions with known answers: hone's own form, and those of published datasets.
//!
//! [`file`] cuts a text into records, whatever it is written in; [`shape`] finds the question and
//! its answer in a record, whatever they are called there. Here they become what is asked and how
//! it is graded.

use std::fmt;

use hone_strategies::answer;
use serde_json::{Value, json};

use crate::grade::{Grader, Kind};
use file::{Place, Record};
use shape::Draft;

mod choices;
mod fields;
mod file;
mod shape;
#[cfg(test)]
mod tests;

/// Most mistakes of one file that are told.
const TOLD: usize = 20;

/// What a dataset is. Without one, each record is read as what its fields look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JSON objects, one a line or in one array, with any of the usual names for the question and
    /// its answer.
    Jsonl,
    /// A table with a head, or with tabs between its fields.
    Csv,
    /// GSM8K: `question`, and `answer` with a last line `#### 72`.
    Gsm8k,
    /// MMLU and MMLU-Pro: a question, its options, and a letter or the number of an option.
    Mmlu,
    /// MATH: `problem`, and `answer` or a `solution` with a box.
    Math,
    /// ARC: a question, `choices` with labels, and `answerKey`.
    Arc,
}

/// A question, and how to tell whether an answer is right.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Its name in the journal: the dataset's own, else its number.
    pub(crate) id: String,
    /// What it has in common with some others: its `category` or `template`.
    pub(crate) category: Option<String>,
    /// The conversation, as it is sent.
    pub(crate) messages: Value,
    /// What its text asks for, as far as that tells what an answer looks like.
    pub(crate) shape: answer::Question,
    /// What it asks, for a judge and for reports.
    pub(crate) text: String,
    /// What is right, as the dataset says it.
    pub(crate) expected: Vec<String>,
    /// Tells right answers from wrong ones.
    pub(crate) grader: Grader,
}

/// Everything that is wrong with a dataset, by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistakes(Vec<(Place, String)>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "the dataset has a mistake:")?,
            many => writeln!(f, "the dataset has {many} mistakes:")?,
        }
        for (place, mistake) in self.0.iter().take(TOLD) {
            writeln!(f, "  {place}: {mistake}")?;
        }
        if self.0.len() > TOLD {
            writeln!(f, "  and {} more", self.0.len() - TOLD)
        } else {
            Ok(())
        }
    }
}

impl std::error::Error for Mistakes {}

/// Reads a dataset. `default` grades questions that name no grader; without it the form of the
/// expected answer decides.
///
/// # Errors
///
/// Every mistake of the file.
pub(crate) fn read(
    text: &str,
    format: Option<Format>,
    default: Option<Kind>,
) -> Result<Vec<Question>, Mistakes> {
    let mut questions: Vec<Question> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    let mut mistakes = Vec::new();
    for record in file::records(text, format) {
        match record.and_then(|record| question(&record, format, default)) {
            Ok((place, question)) if !ids.insert(question.id.clone()) => {
                mistakes.push((place, format!("the id `{}` was used before", question.id)));
            }
            Ok((_, question)) => questions.push(question),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if questions.is_empty() && mistakes.is_empty() {
        mistakes.push((Place::line(1), "there is no question in it".to_owned()));
    }
    if mistakes.is_empty() {
        Ok(questions)
    } else {
        Err(Mistakes(mistakes))
    }
}

fn question(
    record: &Record,
    format: Option<Format>,
    default: Option<Kind>,
) -> Result<(Place, Question), (Place, String)> {
    let read = || {
        let draft = shape::draft(&record.fields, format)?;
        asked(draft, &record.number.to_string(), default)
    };
    match read() {
        Ok(question) => Ok((record.place, question)),
        Err(mistake) => Err((record.place, mistake)),
    }
}

fn asked(draft: Draft, number: &str, default: Option<Kind>) -> Result<Question, String> {
    let messages = match draft.messages {
        Some(messages) => messages,
        None => conversation(draft.system, &draft.prompt),
    };
    let text = last_text(&messages).ok_or("the last message must be the user's and have text")?;
    let shape = answer::Question::of(&text);
    let expected = draft.expected;
    let kind = draft
        .grader
        .or(default)
        .unwrap_or_else(|| Kind::fitting(&expected, &shape));
    let grader = Grader::new(kind, &expected, &shape)?;
    Ok(Question {
        id: draft.id.unwrap_or_else(|| number.to_owned()),
        category: draft.category,
        messages,
        shape,
        text,
        expected,
        grader,
    })
}

fn conversation(system: Option<String>, prompt: &str) -> Value {
    let system = system.map(|text| json!({"role": "system", "content": text}));
    system
        .into_iter()
        .chain([json!({"role": "user", "content": prompt})])
        .collect()
}

/// The text of the last message, if that is the user's.
fn last_text(messages: &Value) -> Option<String> {
    let last = messages.as_array()?.last()?;
    if last.get("role")? != "user" {
        return None;
    }
    let text = match last.get("content")? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}
