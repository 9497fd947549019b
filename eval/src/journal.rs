//! What has been asked and answered, a line each, so that an interrupted run goes on where it
//! stopped.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::hash::Hash;
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::{ModelUse, Tokens, is_none};

/// One question to ask once: what a line of the journal answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The model.
    pub(crate) model: String,
    /// The approach's title, or [`SAMPLE`].
    pub(crate) approach: String,
    /// The question's id.
    pub(crate) question: String,
    /// The number of the repetition, or of the sample.
    pub(crate) repeat: u32,
}

/// The approach of plain samples for the baseline.
pub(crate) const SAMPLE: &str = "(sample)";

/// What came of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Whether it was right; nothing if it failed.
    pub(crate) right: Option<bool>,
    /// The answer that was found in the reply.
    pub(crate) answer: Option<String>,
    /// Whether there was nothing in the reply that could be graded; it is wrong then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unread: bool,
    /// The reply.
    pub(crate) reply: String,
    /// Why there is no reply, or no verdict on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Tokens of all its calls that were read.
    pub(crate) input_tokens: u64,
    /// Of those, the ones that the provider had read before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) cached_tokens: u64,
    /// Tokens of all its calls that were generated.
    pub(crate) output_tokens: u64,
    /// Calls to the model.
    pub(crate) calls: u64,
    /// From request to answer, in milliseconds.
    pub(crate) wall_ms: u64,
    /// What each model used, where more than one was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) uses: Vec<ModelUse>,
    /// What a judge used to grade it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judge: Option<ModelUse>,
    /// What the answer had to do without.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) degraded: String,
}

impl Answered {
    /// Tokens of all its calls.
    pub(crate) fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The same by what they cost.
    pub(crate) fn by_price(&self) -> Tokens {
        Tokens::new(self.input_tokens, self.cached_tokens, self.output_tokens)
    }
}

/// What a journal keeps of a task.
pub(crate) trait Outcome {
    /// What to do about a file that was kept under other settings.
    const CURE: &str;

    /// Whether there is nothing to keep, so that the task is asked again.
    fn has_failed(&self) -> bool;
}

impl Outcome for Answered {
    const CURE: &str = "choose another directory with --out, or remove this one";

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }
}

/// A line of a journal behind the first.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line<K, V> {
    #[serde(flatten)]
    pub(crate) task: K,
    #[serde(flatten)]
    pub(crate) answered: V,
}

/// The answers so far.
pub(crate) type Journal = Kept<Task, Answered>;

/// What came of tasks so far, and the file that more is added to.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    file: File,
    answers: HashMap<K, V>,
}

impl<K, V> Kept<K, V>
where
    K: Clone + Eq + Hash + Serialize + DeserializeOwned,
    V: Clone + Outcome + Serialize + DeserializeOwned,
{
    /// Opens the journal at `path`, or begins one. `settings` are what answers depend on beside
    /// their task.
    ///
    /// A last line that was cut off by an interruption is dropped.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, is no journal, or was kept under other settings.
    pub(crate) fn open(path: &Path, settings: &Value) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let answers = read(&text, settings)
            .map_err(|why| io::Error::other(format!("{}: {why}", path.display())))?;
        let mut journal = Self {
            file: OpenOptions::new().create(true).append(true).open(path)?,
            answers,
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        journal.file.set_len(whole as u64)?;
        if whole == 0 {
            journal.write(settings)?;
        }
        Ok(journal)
    }

    /// The answers of the journal at `path`, to look at: none if it is not there, or no journal of
    /// these settings.
    pub(crate) fn peek(path: &Path, settings: &Value) -> HashMap<K, V> {
        let text = fs::read_to_string(path).unwrap_or_default();
        read(&text, settings).unwrap_or_default()
    }

    /// Whether `task` needs not be asked: it has been, and has not failed.
    pub(crate) fn is_done(&self, task: &K) -> bool {
        self.get(task)
            .is_some_and(|answered| !answered.has_failed())
    }

    /// What came of `task` when it was asked last.
    pub(crate) fn get(&self, task: &K) -> Option<&V> {
        self.answers.get(task)
    }

    /// Keeps what came of `task`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn add(&mut self, task: K, answered: V) -> io::Result<()> {
        self.write(&Line {
            task: task.clone(),
            answered: answered.clone(),
        })?;
        self.answers.insert(task, answered);
        Ok(())
    }

    /// Every answer.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&K, &V)> {
        self.answers.iter()
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        // In one piece, so that an interruption cuts off at most one line.
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }
}

/// The answers in the text of a journal that was kept under `settings`.
pub(crate) fn read<K, V>(text: &str, settings: &Value) -> Result<HashMap<K, V>, String>
where
    K: Eq + Hash + DeserializeOwned,
    V: Outcome + DeserializeOwned,
{
    let whole = text
        .rfind('\n')
        .map_or("", |end| text.get(..end).unwrap_or_default());
    let mut lines = whole.lines();
    if let Some(first) = lines.next() {
        let kept: Value =
            serde_json::from_str(first).map_err(|error| format!("not a journal: {error}"))?;
        if let Some(name) = differing(&kept, settings) {
            return Err(format!("kept with another `{name}`; {}", V::CURE));
        }
    }
    let mut answers = HashMap::new();
    for (number, line) in (2..).zip(lines) {
        let Line { task, answered } =
            serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        answers.insert(task, answered);
    }
    Ok(answers)
}

/// The first setting that is not the same.
fn differing(kept: &Value, settings: &Value) -> Option<String> {
    let names = settings.as_object()?.keys();
    names
        .into_iter()
        .find(|name| kept.get(name) != settings.get(name))
        .cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(question: &str) -> Task {
        Task {
            model: "m".to_owned(),
            approach: "none".to_owned(),
            question: question.to_owned(),
            repeat: 0,
        }
    }

    fn right() -> Answered {
        Answered {
            right: Some(true),
            reply: "4".to_owned(),
            input_tokens: 5,
            output_tokens: 1,
            calls: 1,
            ..Answered::default()
        }
    }

    #[test]
    fn a_journal_is_taken_up_where_it_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("answers.jsonl");
        let settings = json!({"seed": 1});
        let mut journal = Journal::open(&path, &settings).unwrap();
        journal.add(task("a"), right()).unwrap();
        journal
            .add(
                task("b"),
                Answered {
                    error: Some("timed out".to_owned()),
                    ..Answered::default()
                },
            )
            .unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(r#"{"model":"m","approach":"no"#);
        fs::write(&path, text).unwrap();
        let mut journal = Journal::open(&path, &settings).unwrap();
        assert_eq!(journal.get(&task("a")), Some(&right()));
        assert!(journal.is_done(&task("a")));
        assert!(!journal.is_done(&task("b")), "what failed is asked again");
        assert!(journal.get(&task("b")).is_some(), "and told");
        journal.add(task("b"), right()).unwrap();
        let journal = Journal::open(&path, &settings).unwrap();
        assert_eq!(journal.answers().count(), 2);
    }

    #[test]
    fn a_journal_of_other_settings_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("answers.jsonl");
        drop(Journal::open(&path, &json!({"seed": 1, "dataset": "a"})).unwrap());
        let error = Journal::open(&path, &json!({"seed": 1, "dataset": "b"})).unwrap_err();
        assert!(error.to_string().contains("another `dataset`"), "{error}");
        fs::write(&path, "a poem\n").unwrap();
        assert!(Journal::open(&path, &json!({})).is_err());
    }
}
