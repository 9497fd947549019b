//! Questions with known answers, one JSON object a line.

use std::fmt;

use hone_strategies::answer;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::grade::{Grader, Kind};

/// Most mistakes of one file that are told.
const TOLD: usize = 20;

/// A question, and how to tell whether an answer is right.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Its name in the journal: the dataset's own, else its line number.
    pub(crate) id: String,
    /// The conversation, as it is sent.
    pub(crate) messages: Value,
    /// What its text asks for, as far as that tells what an answer looks like.
    pub(crate) shape: answer::Question,
    /// What it asks, for a judge.
    pub(crate) text: String,
    /// Tells right answers from wrong ones.
    pub(crate) grader: Grader,
}

/// One line of a dataset.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetLine {
    id: Option<String>,
    prompt: Option<String>,
    system: Option<String>,
    messages: Option<Vec<Value>>,
    answer: Value,
    grader: Option<Kind>,
    /// For people; nothing depends on it.
    #[serde(rename = "category")]
    _category: Option<String>,
}

/// Everything that is wrong with a dataset, by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistakes(Vec<(usize, String)>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the dataset has {} mistake(s):", self.0.len())?;
        for (line, mistake) in self.0.iter().take(TOLD) {
            writeln!(f, "  line {line}: {mistake}")?;
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
pub(crate) fn read(text: &str, default: Option<Kind>) -> Result<Vec<Question>, Mistakes> {
    let mut questions: Vec<Question> = Vec::new();
    let mut mistakes = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        match parse(number, line, default) {
            Ok(question) if questions.iter().any(|known| known.id == question.id) => {
                mistakes.push((number, format!("the id `{}` was used before", question.id)));
            }
            Ok(question) => questions.push(question),
            Err(mistake) => mistakes.push((number, mistake)),
        }
    }
    if questions.is_empty() && mistakes.is_empty() {
        mistakes.push((1, "there is no question in it".to_owned()));
    }
    if mistakes.is_empty() {
        Ok(questions)
    } else {
        Err(Mistakes(mistakes))
    }
}

fn parse(number: usize, line: &str, default: Option<Kind>) -> Result<Question, String> {
    let line: DatasetLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let expected = expected(&line.answer)?;
    let messages = match (line.prompt, line.messages) {
        (Some(prompt), None) => conversation(line.system, &prompt),
        (None, Some(messages)) if line.system.is_none() => Value::Array(messages),
        (None, Some(_)) => {
            return Err("`system` goes with `prompt`; `messages` has its own".to_owned());
        }
        (Some(_), Some(_)) => return Err("give `prompt` or `messages`, not both".to_owned()),
        (None, None) => return Err("`prompt` or `messages` is missing".to_owned()),
    };
    let text = last_text(&messages).ok_or("the last message must be the user's and have text")?;
    let shape = answer::Question::of(&text);
    let kind = line
        .grader
        .or(default)
        .unwrap_or_else(|| Kind::fitting(&expected, &shape));
    let grader = Grader::new(kind, expected)?;
    Ok(Question {
        id: line.id.unwrap_or_else(|| number.to_string()),
        messages,
        shape,
        text,
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

/// One answer, or several of which each is right.
fn expected(answer: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        _ => Err(
            "`answer` must be a text, a number, true or false, or a list of these, each of \
            which is right"
                .to_owned(),
        ),
    };
    match answer {
        Value::Array(answers) if !answers.is_empty() => answers.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

/// The text of the last message, if that is the user's.
fn last_text(messages: &Value) -> Option<String> {
    let last = messages.as_array()?.last()?;
    if last.get("role")? != "user" {
        return None;
    }
    match last.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(
            parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect::<Vec<_>>()
                .join("\n"),
        )
        .filter(|text| !text.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_and_conversations_are_questions() {
        let text = concat!(
            r#"{"prompt":"2+2?","answer":4}"#,
            "\n\n",
            r#"{"id":"b","answer":["yes","true"],"messages":[{"role":"user","#,
            r#""content":[{"type":"text","text":"Is it?"}]}]}"#,
            "\n",
        );
        let questions = read(text, None).unwrap();
        assert_eq!(
            questions
                .iter()
                .map(|question| question.id.as_str())
                .collect::<Vec<_>>(),
            ["1", "b"]
        );
        assert_eq!(
            questions[0].messages,
            json!([{"role": "user", "content": "2+2?"}])
        );
        assert_eq!(questions[1].text, "Is it?");
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = [
            "not json",
            r#"{"prompt":"q","answer":1}"#,
            r#"{"prompt":"q"}"#,
            r#"{"prompt":"q","messages":[],"answer":1}"#,
            r#"{"prompt":"q","answer":{},"grader":"exact"}"#,
            r#"{"prompt":"q","answer":"(","grader":"regex"}"#,
            r#"{"prompt":"q","answer":"many","grader":"numeric"}"#,
            r#"{"prompt":"q","answer":"1","grader":"guess"}"#,
            r#"{"prompt":"q","answer":"1","promt":"q"}"#,
            r#"{"messages":[{"role":"assistant","content":"q"}],"answer":1}"#,
            r#"{"id":"2","prompt":"q","answer":1}"#,
        ];
        let Mistakes(mistakes) = read(&text.join("\n"), None).unwrap_err();
        assert_eq!(
            mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        );
        assert!(read("\n", None).is_err());
    }
}
