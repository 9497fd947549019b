//! The log probabilities of an answer's tokens, kept as text.
//!
//! As a tree they take forty times their bytes, and an answer has more of them than of anything
//! else: 1.1 MB for 7,000 characters with 20 alternatives a token. So what a chunk has is a tree
//! for as long as the chunk is looked at, and what is kept of it are the entries of its lists as
//! JSON, a line each, until somebody reads one.

use std::collections::BTreeMap;

use serde::Serializer;
use serde::ser::{Error, Serialize, SerializeSeq};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::merge::merge;
use super::request::ChatRequest;
use super::weight::{MEMBER, tree_bytes, weight};

/// Log probabilities, in whatever form their server gives them.
#[derive(Debug, Clone)]
pub struct Logprobs(Form);

/// What a client wants to see of log probabilities. hone may ask for more, for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    is_asked: bool,
    /// Alternatives to each token.
    most: usize,
}

impl Shown {
    /// What `request` asks for.
    pub(crate) fn of(request: &ChatRequest) -> Self {
        let most = request.get("top_logprobs").and_then(Value::as_u64);
        Self {
            is_asked: request.get("logprobs").and_then(Value::as_bool) == Some(true),
            most: most
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(0),
        }
    }

    /// As much of `told`.
    pub(crate) fn part(self, told: Option<Logprobs>) -> Option<Logprobs> {
        let told = told.filter(|_| self.is_asked);
        told.map(|told| self.shortened(told))
    }

    /// With no more alternatives than the client wants; what has no more stays as it came.
    fn shortened(self, told: Logprobs) -> Logprobs {
        let top = |entry: &Value| entry.get("top_logprobs")?.as_array().map(Vec::len);
        let is_long = |entry: Value| top(&entry).is_some_and(|top| top > self.most);
        if !told.entries("content").any(is_long) {
            return told;
        }
        told.with_content(|entry| {
            let top = entry.get_mut("top_logprobs").and_then(Value::as_array_mut);
            if let Some(top) = top {
                top.truncate(self.most);
            }
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// As they came.
    Tree(Value),
    /// As OpenAI's: `content`, `refusal`; or the lists of others.
    Members(BTreeMap<String, Part>),
    Whole(Part),
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    List(List),
    Other(Value),
}

/// Entries as JSON, a line each: JSON of one value has no line break in it.
#[derive(Debug, Clone, Default, PartialEq)]
struct List {
    lines: String,
    count: usize,
}

impl From<Value> for Logprobs {
    fn from(value: Value) -> Self {
        Self(Form::Tree(value))
    }
}

impl PartialEq for Logprobs {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.to_value() == other.to_value()
    }
}

impl From<Value> for Part {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(entries) => {
                let mut list = List::default();
                for entry in &entries {
                    list.push(entry);
                }
                Self::List(list)
            }
            value => Self::Other(value),
        }
    }
}

impl Logprobs {
    /// Those of a `content` of these entries.
    pub(crate) fn of_content(entries: impl IntoIterator<Item = Value>) -> Self {
        let mut list = List::default();
        for entry in entries {
            list.push(&entry);
        }
        let content = ("content".to_owned(), Part::List(list));
        Self(Form::Members(BTreeMap::from([content])))
    }

    /// What a server's member says, if it says anything.
    pub(super) fn told(value: Option<Value>) -> Option<Self> {
        value.filter(|value| !value.is_null()).map(Self::from)
    }

    /// The same as text.
    pub(super) fn packed(self) -> Self {
        Self(match self.0 {
            Form::Tree(Value::Object(members)) => {
                let part = |(name, value)| (name, Part::from(value));
                Form::Members(members.into_iter().map(part).collect())
            }
            Form::Tree(value) => Form::Whole(Part::from(value)),
            packed => packed,
        })
    }

    /// The tree that it is still, if it is one.
    pub(crate) fn as_tree(&self) -> Option<&Value> {
        match &self.0 {
            Form::Tree(value) => Some(value),
            Form::Members(_) | Form::Whole(_) => None,
        }
    }

    /// Adds those of what came next to these, which are text: lists are appended.
    pub fn append(&mut self, more: Self) {
        match (&mut self.0, more.packed().0) {
            (Form::Members(whole), Form::Members(more)) => {
                for (name, more) in more {
                    let part = whole.entry(name);
                    part.or_insert(Part::Other(Value::Null)).append(more);
                }
            }
            (Form::Whole(whole), Form::Whole(more)) => whole.append(more),
            (whole, more) => *whole = more,
        }
    }

    fn list(&self, name: &str) -> Option<&List> {
        let Form::Members(members) = &self.0 else {
            return None;
        };
        match members.get(name)? {
            Part::List(list) => Some(list),
            Part::Other(_) => None,
        }
    }

    /// How many entries the list `name` has.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.as_tree().map_or_else(
            || self.list(name).map_or(0, |list| list.count),
            |tree| tree.get(name).and_then(Value::as_array).map_or(0, Vec::len),
        )
    }

    /// The entries of the list `name`, each read when it is its turn.
    pub fn entries(&self, name: &str) -> impl Iterator<Item = Value> {
        let tree = self.as_tree().and_then(|tree| tree.get(name)?.as_array());
        let lines = self.list(name).map_or("", |list| &list.lines);
        let read = lines.lines().map(serde_json::from_str);
        tree.into_iter()
            .flatten()
            .cloned()
            .chain(read.filter_map(Result::ok))
    }

    /// The same with each entry of `content` changed.
    #[must_use]
    pub(crate) fn with_content(self, mut change: impl FnMut(&mut Value)) -> Self {
        let mut list = List::default();
        for mut entry in self.entries("content") {
            change(&mut entry);
            list.push(&entry);
        }
        let mut changed = self.packed();
        if let Form::Members(members) = &mut changed.0
            && let Some(Part::List(content)) = members.get_mut("content")
        {
            *content = list;
        }
        changed
    }

    /// All of it as a tree.
    pub fn to_value(&self) -> Value {
        match &self.0 {
            Form::Tree(value) => value.clone(),
            Form::Members(members) => {
                let member = |(name, part): (&String, &Part)| (name.clone(), part.to_value());
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
            Form::Whole(part) => part.to_value(),
        }
    }

    /// Bytes that this adds to an answer. The names that each chunk repeats count for nothing.
    pub(super) fn bytes(&self) -> usize {
        match &self.0 {
            Form::Tree(Value::Object(members)) => {
                let member = |(name, value): (&String, &Value)| match (&**name, value) {
                    ("content" | "refusal", Value::Null) => 0,
                    ("content" | "refusal", value) => json_length(value),
                    (name, value) => name.len() + MEMBER + json_length(value),
                };
                members.iter().map(member).sum()
            }
            Form::Tree(value) => json_length(value),
            Form::Members(members) => {
                let member = |(name, part): (&String, &Part)| {
                    let is_usual = matches!(&**name, "content" | "refusal");
                    match part {
                        Part::Other(Value::Null) if is_usual => 0,
                        part if is_usual => part.bytes(),
                        part => name.len() + MEMBER + part.bytes(),
                    }
                };
                members.iter().map(member).sum()
            }
            Form::Whole(part) => part.bytes(),
        }
    }

    /// Bytes that it takes less than as a tree, of which it may have been one: so much and more.
    pub fn saved(&self) -> usize {
        let list = |part: &Part| match part {
            Part::List(list) => weight(list.lines.as_bytes()).saturating_sub(2 * list.lines.len()),
            Part::Other(_) => 0,
        };
        match &self.0 {
            Form::Tree(_) => 0,
            Form::Members(members) => members.values().map(list).sum(),
            Form::Whole(part) => list(part),
        }
    }
}

impl Part {
    fn append(&mut self, more: Self) {
        match (self, more) {
            (_, Self::Other(Value::Null)) => {}
            (Self::List(whole), Self::List(more)) => {
                whole.lines.push_str(&more.lines);
                whole.count += more.count;
            }
            (Self::Other(whole), Self::Other(more)) => merge(whole, more, ""),
            (whole, more) => *whole = more,
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::List(list) => {
                let lines = list.lines.lines();
                lines
                    .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                    .collect()
            }
            Self::Other(value) => value.clone(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::List(list) => list.lines.len(),
            Self::Other(value) => tree_bytes(value),
        }
    }
}

impl List {
    fn push(&mut self, entry: &Value) {
        self.lines.push_str(&entry.to_string());
        self.lines.push('\n');
        self.count += 1;
    }
}

/// The length of `value` as JSON.
fn json_length(value: &Value) -> usize {
    value.to_string().len()
}

impl Serialize for Logprobs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Tree(value) => value.serialize(serializer),
            Form::Members(members) => serializer.collect_map(members),
            Form::Whole(part) => part.serialize(serializer),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::List(list) => {
                let mut entries = serializer.serialize_seq(Some(list.count))?;
                for line in list.lines.lines() {
                    let entry: &RawValue = serde_json::from_str(line).map_err(S::Error::custom)?;
                    entries.serialize_element(entry)?;
                }
                entries.end()
            }
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::Message;

    fn entry(text: &str) -> Value {
        let top = vec![json!({"token": text, "logprob": -0.5, "bytes": [97, 10]}); 20];
        json!({"token": text, "logprob": -0.5, "bytes": [97], "top_logprobs": top})
    }

    #[test]
    fn a_client_sees_as_much_as_it_asked_for() {
        let told = || Some(json!({"content": [entry("a")]}).into());
        let mut request = ChatRequest::new("m", [Message::user("hi")]);
        assert_eq!(Shown::of(&request).part(told()), None);
        request.set("logprobs", true);
        let top = |request: &ChatRequest| {
            let shown = Shown::of(request).part(told()).unwrap().to_value();
            shown["content"][0]["top_logprobs"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!(top(&request), 0);
        request.set("top_logprobs", 1);
        assert_eq!(top(&request), 1);
        request.set("top_logprobs", 20);
        assert_eq!(Shown::of(&request).part(told()), told());
    }

    #[test]
    fn every_form_is_what_it_was() {
        for value in [
            json!({"content": [entry("a\n"), entry("\u{2028}")], "refusal": null}),
            json!({"tokens": ["a", "b"], "token_logprobs": [-0.5, null], "top_logprobs": []}),
            json!([entry("a"), 1, "x\ny", [[]]]),
            json!("text"),
            json!({"7": {"logprob": -0.5}, "content": {"x": [1]}}),
        ] {
            let tree = Logprobs::from(value.clone());
            let logprobs = tree.clone().packed();
            assert_eq!((logprobs.to_value(), &logprobs), (value.clone(), &tree));
            assert!(logprobs.as_tree().is_none());
            assert_eq!(serde_json::to_value(&logprobs).unwrap(), value);
            assert_eq!(
                serde_json::from_str::<Value>(&serde_json::to_string(&logprobs).unwrap()).unwrap(),
                value
            );
        }
    }

    #[test]
    fn chunks_add_up_to_the_whole() {
        let first = json!({"content": [entry("a")], "refusal": null});
        let mut whole = Logprobs::from(first).packed();
        whole.append(Logprobs::from(
            json!({"content": null, "refusal": [entry("r")]}),
        ));
        whole.append(Logprobs::from(
            json!({"content": [entry("b"), entry("c")], "x": "1"}),
        ));
        whole.append(Logprobs::from(json!({"x": "2"})));
        let all = json!({"content": [entry("a"), entry("b"), entry("c")],
            "refusal": [entry("r")], "x": "12"});
        assert_eq!(whole.to_value(), all);
        assert_eq!((whole.count("content"), whole.count("none")), (3, 0));
        let short = whole.with_content(|entry| entry["top_logprobs"] = json!([]));
        let first = short.entries("content").next().unwrap();
        assert_eq!(
            (&first["token"], &first["top_logprobs"]),
            (&json!("a"), &json!([]))
        );
    }

    #[test]
    fn they_take_their_bytes_and_not_a_trees() {
        let tree = json!({"content": vec![entry("word"); 1000], "refusal": null});
        let (json, as_tree) = (tree.to_string().len(), tree_bytes(&tree));
        let logprobs = Logprobs::from(tree);
        assert!(logprobs.bytes() <= json, "{} {json}", logprobs.bytes());
        let logprobs = logprobs.packed();
        assert!(as_tree > 15 * json, "{as_tree} {json}");
        assert!(logprobs.bytes() <= json, "{} {json}", logprobs.bytes());
        let parsed = weight(serde_json::to_string(&logprobs).unwrap().as_bytes());
        let left = parsed - logprobs.saved();
        assert!(
            (json..4 * json).contains(&left),
            "{left} of {parsed}, {json}"
        );
    }
}
