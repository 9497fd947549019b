//! Reads a JSON array out of a reply in which a model may have said more than that.

use serde_json::{Deserializer, Value};

use crate::reasoning;

/// Bytes at the end of a reply that are looked at.
const REACH: usize = 64 << 10;
/// Brackets that are tried as the array's beginning.
const TRIES: usize = 64;

/// The items of the first array that is not empty and of which `item` accepts every member; an
/// empty one only where there is no other. Reasoning between tags is not looked at, what stands
/// before and behind the array, fences for instance, does not matter.
pub(crate) fn array<T>(reply: &str, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let reply = reasoning::strip(reply);
    let reply = reply.get(reply.ceil_char_boundary(reply.len().saturating_sub(REACH))..)?;
    let mut is_empty = false;
    for (at, _) in reply.match_indices('[').take(TRIES) {
        // What does not parse is prose that has a bracket in it.
        let Some(Ok(Value::Array(values))) = reply
            .get(at..)
            .map(|rest| Deserializer::from_str(rest).into_iter().next())
            .unwrap_or_default()
        else {
            continue;
        };
        match values.iter().map(&item).collect::<Option<Vec<T>>>() {
            Some(items) if !items.is_empty() => return Some(items),
            Some(_) => is_empty = true,
            None => {}
        }
    }
    is_empty.then(Vec::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn texts(reply: &str) -> Option<Vec<String>> {
        array(reply, |value| value.as_str().map(str::to_owned))
    }

    #[test]
    fn an_array_is_found_whatever_stands_around_it() {
        for reply in [
            r#"["a", "b [c]"]"#,
            "Here they are:\n```json\n[\n  \"a\",\n  \"b [c]\"\n]\n```\nI hope that helps [1].",
            r#"As [1] says [ ] and [x]: ["a", "b [c]"]"#,
            r#"<think>["no"]</think><output>["a", "b [c]"]</output>"#,
            r#"{"observations": ["a", "b [c]"]}"#,
        ] {
            assert_eq!(
                texts(reply),
                Some(vec!["a".to_owned(), "b [c]".to_owned()]),
                "{reply}"
            );
        }
    }

    #[test]
    fn what_is_no_such_array_is_none() {
        for reply in ["", "a\nb", "[\"a\", 1]", "[\"a\"", "['a']", "[[]"] {
            assert!(texts(reply).is_none_or(|found| found.is_empty()), "{reply}");
        }
        assert_eq!(texts("none: []"), Some(Vec::new()));
        assert_eq!(texts("- 1. one\n- 2. two"), None);
    }

    proptest! {
        #[test]
        fn texts_come_back_as_they_were_written(items in prop::collection::vec(".{0,20}", 1..6),
            before in "[^\\[<]{0,20}", behind in "[^\\[<]{0,20}") {
            let reply = format!("{before}{}{behind}", json!(items));
            prop_assume!(matches!(reasoning::strip(&reply), std::borrow::Cow::Borrowed(_)));
            prop_assert_eq!(texts(&reply), Some(items));
        }

        #[test]
        fn no_reply_makes_reading_panic(reply in "([\\[\\]{}\",:]|a|é|<think>|</think>|\\\\|\n\
            ){0,60}") {
            prop_assert!(texts(&reply).is_none_or(|found| found.iter()
                .all(|text| reply.len() >= text.len())));
        }
    }
}
