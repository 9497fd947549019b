//! Lists of models in the forms that upstreams give them.

use serde_json::{Map, Value, json};

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

    /// OpenAI's document.
    pub(super) fn into_json(self) -> String {
        let mut fields = self.frame;
        fields.insert("object".to_owned(), "list".into());
        fields.insert("data".to_owned(), self.models.into());
        Value::Object(fields).to_string()
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
