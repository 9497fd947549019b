//! Globs over model names.

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters and everything
/// else for itself.
///
/// Takes time proportional to the product of the lengths at worst.
///
/// ```
/// use hone::config::glob;
/// assert!(glob::matches("gpt-4o*", "gpt-4o-mini"));
/// assert!(!glob::matches("gpt-4o", "gpt-4o-mini"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The leftmost place of each middle part leaves the most room for those after it.
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Whether `name` matches one of `patterns`.
pub(crate) fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => {
                (0..=name.len()).any(|skipped| by_definition(rest, &name[skipped..]))
            }
            Some((byte, rest)) => name
                .split_first()
                .is_some_and(|(found, name)| found == byte && by_definition(rest, name)),
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_its_definition_says(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &name),
                by_definition(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
