//! How much alike two texts are, by their tokens. Layout counts nothing. Nothing is executed.

use std::collections::HashMap;

/// Tokens of a text that are looked at.
const MOST_TOKENS: usize = 20_000;

/// From 0 for nothing in common to 1 for the same tokens in the same order, in linear time: Dice's
/// coefficient over pairs of neighbours.
///
/// Where both texts hold fenced blocks, all blocks together are compared and the prose around them
/// is not.
pub(super) fn similarity(left: &str, right: &str) -> f64 {
    let (blocks, others) = (fenced(left), fenced(right));
    let has_blocks = !blocks.trim().is_empty() && !others.trim().is_empty();
    let (left, right) = if has_blocks {
        (blocks.as_str(), others.as_str())
    } else {
        (left, right)
    };
    let (left, right) = (pairs(left), pairs(right));
    let total: u32 = left.values().chain(right.values()).sum();
    if total == 0 {
        return 0.0;
    }
    let shared: u32 = left
        .iter()
        .map(|(pair, count)| right.get(pair).map_or(0, |other| *other.min(count)))
        .sum();
    2.0 * f64::from(shared) / f64::from(total)
}

/// The content of all fenced blocks; of one that is not closed, what there is.
fn fenced(text: &str) -> String {
    let mut content = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if is_inside {
            content.push_str(line);
            content.push('\n');
        }
    }
    content
}

/// How often each token stands before each other one. The beginning and the end count as tokens.
fn pairs(text: &str) -> HashMap<(&str, &str), u32> {
    let mut pairs = HashMap::new();
    let mut before = "";
    for token in tokens(text).take(MOST_TOKENS) {
        *pairs.entry((before, token)).or_default() += 1;
        before = token;
    }
    if !before.is_empty() {
        *pairs.entry((before, "")).or_default() += 1;
    }
    pairs
}

/// Words, numbers and names as they are, every other sign by itself, no white space.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = if in_word(first) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at_checked(end)?;
        rest = after.trim_start();
        Some(token)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layout_and_the_prose_around_code_count_nothing() {
        let code = "Here it is:\n```python\ndef f(x):\n    return x+1\n```\n";
        let same = "```py\ndef f( x ):\n\treturn x + 1\n\n```\nIt adds one to the number given.";
        assert!((similarity(code, same) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn every_block_counts() {
        let two = |last: &str| format!("```\na = 1\nb = 2\n```\nand\n```\n{last}\n```");
        let (one, other) = (
            similarity(&two("c = 3"), &two("c = 3")),
            similarity(&two("c = 3"), &two("print(a)")),
        );
        assert!((one - 1.0).abs() < 1e-9 && other < 0.8, "{other}");
    }

    #[test]
    fn texts_with_nothing_in_common_are_not_alike() {
        assert!(similarity("one two three", "four five") < 1e-9);
        assert!(similarity("", "") < 1e-9);
        let (near, far) = (
            similarity("the sum is 41", "the sum is 42"),
            similarity("the sum is 41", "it is forty-two"),
        );
        assert!(near > far && near < 1.0);
    }

    proptest! {
        #[test]
        fn it_is_symmetric_and_between_0_and_1(left in "[a-c`\n (){}é]{0,60}", right in "[a-c`\n \
            (){}é]{0,60}") {
            let found = similarity(&left, &right);
            prop_assert!((found - similarity(&right, &left)).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&found));
        }

        #[test]
        fn a_text_is_like_itself_whatever_its_layout(
            words in prop::collection::vec("[a-z0-9(){};]{1,6}", 1..30),
        ) {
            prop_assert!((similarity(&words.join(" "), &words.join("\n\t ")) - 1.0).abs() < 1e-9);
        }
    }
}
