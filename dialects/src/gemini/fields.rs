//! Fields that may be written in camelCase or in `snake_case`: the API takes both.

use serde_json::{Map, Value};

use crate::shape::Refusal;
use crate::wire::json::wanted;

/// Whether `name` is `camel`, or the same in `snake_case`.
fn is_same(name: &str, camel: &str) -> bool {
    let mut found = name.bytes();
    for byte in camel.bytes() {
        if byte.is_ascii_uppercase() && found.clone().next() == Some(b'_') {
            found.next();
            if found.next() != Some(byte.to_ascii_lowercase()) {
                return false;
            }
        } else if found.next() != Some(byte) {
            return false;
        }
    }
    found.next().is_none()
}

/// The field `camel` of `fields` with the name that it has there, unless it is null.
pub(super) fn find<'a>(
    fields: &'a Map<String, Value>,
    camel: &str,
) -> Option<(&'a str, &'a Value)> {
    let found = fields.get_key_value(camel);
    let mut both = fields.iter();
    let found = found.or_else(|| both.find(|(name, _)| is_same(name, camel)))?;
    (!found.1.is_null()).then_some((found.0.as_str(), found.1))
}

/// The field `camel` of `value`.
pub(super) fn get<'a>(value: &'a Value, camel: &str) -> Option<&'a Value> {
    Some(find(value.as_object()?, camel)?.1)
}

/// The text of a field of `value`, or an empty one.
pub(super) fn text<'a>(value: &'a Value, camel: &str) -> &'a str {
    get(value, camel)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Takes the field `camel` out of `fields`, with its path below `above`, unless it is null.
pub(super) fn take(
    fields: &mut Map<String, Value>,
    camel: &str,
    above: &str,
) -> Option<(Value, String)> {
    let (name, _) = find(fields, camel)?;
    let name = name.to_owned();
    let value = fields.shift_remove(&name)?;
    Some((value, join(above, &name)))
}

/// The path of `name` below `above`.
pub(super) fn join(above: &str, name: &str) -> String {
    if above.is_empty() {
        return name.to_owned();
    }
    format!("{above}.{name}")
}

/// Whether `value` has no members but these.
pub(super) fn has_only(value: &Value, camels: &[&str]) -> bool {
    let Some(fields) = value.as_object() else {
        return false;
    };
    let mut names = fields.iter().filter(|(_, value)| !value.is_null());
    names.all(|(name, _)| camels.iter().any(|camel| is_same(name, camel)))
}

/// What `fields` say of `camel` that must be a number, if they do.
pub(super) fn number(fields: &Map<String, Value>, camel: &str, above: &str) -> Result<(), Refusal> {
    match find(fields, camel) {
        None | Some((_, Value::Number(_))) => Ok(()),
        Some((name, _)) => Err(wanted(&join(above, name), "a number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_a_field_are_one() {
        let value = json!({"function_call": 1, "mimeType": null, "fileuri": 2, "a_b": 3});
        assert_eq!(get(&value, "functionCall"), Some(&json!(1)));
        assert_eq!(get(&value, "mimeType"), None);
        assert_eq!(get(&value, "fileUri"), None);
        assert_eq!(get(&value, "a_b"), Some(&json!(3)));
        let mut fields = value.as_object().unwrap().clone();
        let found = take(&mut fields, "functionCall", "a.0");
        assert_eq!(found, Some((json!(1), "a.0.function_call".to_owned())));
        assert!(has_only(
            &json!({"a_b": 1, "mimeType": null}),
            &["aB", "text"]
        ));
    }
}
