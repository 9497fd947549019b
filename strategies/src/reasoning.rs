//! Separates what a model thought aloud from what it answered.
//!
//! Verdicts and answers are read from the answer alone: a number that a model considered and
//! dropped is not what it said. Some servers put reasoning into the text between tags, and some
//! chat templates open the tag themselves, so that the text holds only its end.

use std::borrow::Cow;

/// Tag names under which models write reasoning into their text, in any letter case.
const TAGS: [&str; 4] = ["think", "thinking", "reasoning", "thought"];

/// The text without its reasoning, in one pass.
///
/// A closed block is removed. An end without a beginning removes everything before it, a beginning
/// without an end everything after it. A tag directly behind a backtick is text about tags and
/// stays.
///
/// ```
/// use hone_strategies::reasoning::strip;
/// assert_eq!(strip("<think>7? No, 8.</think>Score: 8"), "Score: 8");
/// assert_eq!(strip("7? No, 8.</think>Score: 8"), "Score: 8");
/// assert_eq!(strip("Score: 8"), "Score: 8");
/// ```
pub fn strip(text: &str) -> Cow<'_, str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut from = 0;
    let mut open: Option<&str> = None;
    for (at, _) in text.match_indices('<') {
        let Some(tag) = tag_at(text, at) else {
            continue;
        };
        match open {
            None if tag.closes => kept.clear(),
            None => {
                kept.extend(text.get(from..at));
                open = Some(tag.name);
            }
            Some(name) if tag.closes && tag.name == name => open = None,
            Some(_) => continue,
        }
        from = tag.end;
    }
    if open.is_none() {
        if from == 0 {
            return Cow::Borrowed(text);
        }
        kept.extend(text.get(from..));
    }
    join(&kept)
}

struct Tag {
    name: &'static str,
    closes: bool,
    /// Byte offset behind the tag.
    end: usize,
}

fn tag_at(text: &str, at: usize) -> Option<Tag> {
    if text.get(..at)?.ends_with('`') {
        return None;
    }
    let bytes = text.as_bytes();
    let closes = bytes.get(at + 1) == Some(&b'/');
    let start = at + 1 + usize::from(closes);
    TAGS.into_iter().find_map(|name| {
        let end = start + name.len();
        let same = bytes.get(start..end)?.eq_ignore_ascii_case(name.as_bytes());
        (same && bytes.get(end) == Some(&b'>')).then_some(Tag {
            name,
            closes,
            end: end + 1,
        })
    })
}

/// The parts in order, without blank ones and without the blank lines that the removed blocks leave
/// at either end.
fn join<'a>(parts: &[&'a str]) -> Cow<'a, str> {
    let mut parts = parts.iter().copied().filter(|part| !part.trim().is_empty());
    let Some(first) = parts.next() else {
        return Cow::Borrowed("");
    };
    let mut joined = Cow::Borrowed(first);
    for part in parts {
        joined.to_mut().push_str(part);
    }
    match joined {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn closed_blocks_are_removed_wherever_they_stand() {
        assert_eq!(strip("<think>a</think>\n\nb"), "b");
        assert_eq!(
            strip("x <Thinking>a</THINKING> y <reasoning>b</reasoning> z"),
            "x  y  z"
        );
        assert_eq!(strip("<thought>a</thought>b"), "b");
    }

    #[test]
    fn an_end_without_a_beginning_ends_reasoning_that_the_template_began() {
        assert_eq!(strip("first 3, or rather 4\n</think>\n4"), "4");
        assert_eq!(strip("<think>a <think>b</think> c</think> d"), "d");
        assert_eq!(strip("draft <think>a</think> more</think> d"), "d");
    }

    #[test]
    fn reasoning_that_never_ends_leaves_only_what_came_before() {
        assert_eq!(strip("<think>and so"), "");
        assert_eq!(strip("4 <think>but then"), "4");
    }

    #[test]
    fn text_about_tags_is_left_alone() {
        for text in [
            "write `</think>` to stop",
            "a < b > c",
            "<thinker>",
            "</ think>",
        ] {
            assert_eq!(strip(text), text);
            assert!(matches!(strip(text), Cow::Borrowed(_)));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_stripping_panic_or_grow(
            text in "(<think>|</think>|<reasoning>|</reasoning>|`|a|é|\n| ){0,40}",
        ) {
            prop_assert!(strip(&text).len() <= text.len());
        }

        #[test]
        fn an_answer_behind_a_block_survives(thought in "[a-z<> ]{0,40}",
            answer in "[a-z0-9]{1,20}") {
            let text = format!("<think>{thought}</think>{answer}");
            prop_assert_eq!(strip(&text), answer);
        }
    }
}
