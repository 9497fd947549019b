//! Fields of a request's objects.

use serde_json::Value;

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// A member's elements; none if it is no list.
pub(super) fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The first member that is not among `known`.
pub(super) fn unknown<'a>(object: &'a Value, known: &[&str]) -> Option<&'a str> {
    let mut names = object.as_object()?.keys().map(String::as_str);
    names.find(|name| !known.contains(name))
}

/// Whether `text` is a name as providers want them: letters, digits, `_` and `-`, and not too long.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.len() <= longest && text.bytes().all(fits)
}

/// The version in the name of a Claude, e.g. (4, 6): `None` for other names.
pub(super) fn claude(model: &str) -> Option<(u32, u32)> {
    let numbers: Vec<u32> = model
        .strip_prefix("claude-")?
        .split('-')
        .filter_map(|part| part.parse().ok())
        .collect();
    let major = numbers.first().copied()?;
    let minor = numbers.get(1).copied().filter(|minor| *minor < 100);
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::claude;

    #[test]
    fn a_claude_tells_its_version() {
        for (model, version) in [
            ("claude-sonnet-4-6", Some((4, 6))),
            ("claude-opus-4-20250514", Some((4, 0))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("sim-small", None),
        ] {
            assert_eq!(claude(model), version, "{model}");
        }
    }
}
