//! Lists of models in the forms that upstreams give them.

use hone_dialects::Model;
use serde_json::{Map, Value, json};

use super::form::Form;

/// Models with their names, each as a list has it.
pub(super) type Models = Vec<(String, Value)>;

/// A list of models: OpenAI's, a bare one, one of names, or one whose models have other fields for
/// them.
#[derive(Debug, Default)]
pub(super) struct List {
    /// What stands around the models.
    frame: Map<String, Value>,
    /// Each an object with an `id`.
    pub(super) models: Vec<Value>,
}

impl List {
    /// Reads a document, if it is such a list.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let (frame, models) = match serde_json::from_slice(document).ok()? {
            Value::Array(models) => (Map::new(), models),
            Value::Object(mut fields) => {
                let is_list = |name: &&str| fields.get(*name).is_some_and(Value::is_array);
                let name = ["data", "models"].into_iter().find(is_list)?;
                let Value::Array(models) = fields.shift_remove(name)? else {
                    return None;
                };
                (fields, models)
            }
            _ => return None,
        };
        let models = models.into_iter().filter_map(named).collect();
        Some(Self { frame, models })
    }

    /// Whether more models follow in another answer.
    pub(super) fn has_more(&self) -> bool {
        self.frame.get("has_more") == Some(&Value::Bool(true))
            || self.frame.contains_key("nextPageToken")
    }

    /// The document, in the form in which it was read.
    pub(super) fn into_json(self, form: Form) -> String {
        let Self { frame, mut models } = self;
        let mut fields = frame;
        match form {
            Form::OpenAi => {
                fields.insert("object".to_owned(), "list".into());
            }
            Form::Anthropic => {
                let id = |model: Option<&Value>| model.and_then(|model| model.get("id")).cloned();
                let ends = [("first_id", models.first()), ("last_id", models.last())];
                for (name, model) in ends {
                    fields.insert(name.to_owned(), id(model).unwrap_or_default());
                }
            }
            Form::Google => models.iter_mut().for_each(without_id),
        }
        fields.insert(form.field().to_owned(), models.into());
        Value::Object(fields).to_string()
    }
}

/// The models of `document`, which is written in the form `told`, as a list in `form` has them.
pub(super) fn models(document: &[u8], (told, form): (Form, Form)) -> Option<Models> {
    let same = told == form;
    if same || told == Form::OpenAi {
        let models = of_google(document, told)
            .or_else(|| List::read(document))?
            .models;
        let named = models.into_iter().filter_map(|mut model| {
            if told == Form::Google {
                without_id(&mut model);
            }
            let name = told.name(&model)?.to_owned();
            let created = model.get("created").and_then(Value::as_u64);
            let document = || form.document(&name, created.unwrap_or_default());
            let model = if same { model } else { document() };
            Some((name, model))
        });
        return Some(named.collect());
    }
    let named = told.codec().decode_models(document)?.into_iter();
    let document = |(name, created): (String, u64)| {
        let model = form.document(&name, created);
        (name, model)
    };
    Some(named.map(document).collect())
}

/// A whole list of `models` in `form`.
pub(super) fn write(form: Form, models: Models) -> String {
    let named = models.iter().map(|(id, _)| Model { id, created: 0 });
    let frame = form.codec().encode_models(&named.collect::<Vec<_>>());
    let mut frame: Value = serde_json::from_str(&frame).unwrap_or_default();
    if let Some(fields) = frame.as_object_mut() {
        let models: Vec<Value> = models.into_iter().map(|(_, model)| model).collect();
        fields.insert(form.field().to_owned(), models.into());
    }
    frame.to_string()
}

/// Google leaves out what is empty.
fn of_google(document: &[u8], told: Form) -> Option<List> {
    (told == Form::Google && document.trim_ascii() == b"{}").then(List::default)
}

/// Takes out what [`named`] has put in.
fn without_id(model: &mut Value) {
    if let Some(fields) = model.as_object_mut() {
        fields.shift_remove("id");
    }
}

/// The names of the models in a document; none if it is no list of them.
pub(crate) fn names(document: &[u8]) -> Vec<String> {
    let models = List::read(document).unwrap_or_default().models;
    let names = models.iter().filter_map(|model| model.get("id")?.as_str());
    names.map(str::to_owned).collect()
}

/// A model with an `id`.
fn named(mut model: Value) -> Option<Value> {
    if let Value::String(id) = model {
        return Some(json!({"id": id, "object": "model"}));
    }
    let fields = model.as_object_mut()?;
    if !fields.get("id").is_some_and(Value::is_string) {
        let mut names = ["name", "model"].iter();
        let name = names.find_map(|name| fields.get(*name)?.as_str());
        let id = Value::from(name?);
        fields.shift_insert(0, "id".to_owned(), id);
    }
    Some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(document: &str) -> Option<Vec<String>> {
        let list = List::read(document.as_bytes())?;
        let ids = list.models.iter().map(|model| model["id"].as_str());
        ids.map(|id| id.map(str::to_owned)).collect()
    }

    #[test]
    fn lists_are_read_in_the_forms_that_there_are() {
        for document in [
            r#"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#,
            r#"[{"id":"a"},{"id":"b"}]"#,
            r#"{"models":[{"name":"a"},{"model":"b"},{"size":1}]}"#,
            r#"["a","b"]"#,
        ] {
            assert_eq!(
                ids(document),
                Some(vec!["a".to_owned(), "b".to_owned()]),
                "{document}"
            );
        }
        for document in ["{}", "7", "<html>", r#"{"data":{}}"#] {
            assert_eq!(ids(document), None, "{document}");
        }
    }
}
