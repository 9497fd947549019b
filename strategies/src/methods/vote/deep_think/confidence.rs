//! How alike the ways are by which several answers came about.

use crate::run::Candidate;

/// Words of a text that are compared.
const WORDS: usize = 400;

/// What the candidate thought on its way, with what it answered.
pub(super) fn thought(candidate: &Candidate) -> String {
    let message = &candidate.choice.message;
    let field = ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|name| message.get(name)?.as_str());
    field.map_or_else(|| message.text().into_owned(), str::to_owned)
}

/// The words of a text that are compared.
pub(super) fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split_whitespace()
        .take(WORDS)
        .map(str::to_owned)
        .collect()
}

/// Ratcliff and Obershelp's measure on words: twice what matches by all words of both, where what
/// matches is the longest common run and, again, what matches before it and after it.
pub(super) fn similarity(left: &[String], right: &[String]) -> f64 {
    let all = left.len() + right.len();
    if all == 0 {
        1.0
    } else {
        ratio(2 * matching(left, right), all)
    }
}

fn matching(left: &[String], right: &[String]) -> usize {
    let mut open = vec![(left, right)];
    let mut total = 0;
    while let Some((left, right)) = open.pop() {
        let (from_left, from_right, length) = longest_run(left, right);
        if length == 0 {
            continue;
        }
        total += length;
        open.push((
            left.get(..from_left).unwrap_or_default(),
            right.get(..from_right).unwrap_or_default(),
        ));
        open.push((
            left.get(from_left + length..).unwrap_or_default(),
            right.get(from_right + length..).unwrap_or_default(),
        ));
    }
    total
}

/// Where the longest common run begins on both sides, and its length.
fn longest_run(left: &[String], right: &[String]) -> (usize, usize, usize) {
    let mut best = (0, 0, 0);
    let mut above = vec![0_usize; right.len() + 1];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![0; right.len() + 1];
        for ((j, b), (here, diagonal)) in right
            .iter()
            .enumerate()
            .zip(row.iter_mut().skip(1).zip(&above))
        {
            if a == b {
                *here = diagonal + 1;
                if *here > best.2 {
                    best = (i + 1 - *here, j + 1 - *here, *here);
                }
            }
        }
        above = row;
    }
    best
}

pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    let float = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    float(part) / float(whole.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_before_and_after_the_longest_one_count_too() {
        assert_eq!(matching(&words("a b c d e f"), &words("a x c d e y f")), 5);
        assert!((similarity(&words("a b"), &words("a c")) - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn a_text_is_all_like_itself_and_no_text_is_more(left in "([ab] ){0,20}", right in "([ab] \
            ){0,20}") {
            let (left, right) = (words(&left), words(&right));
            prop_assert!((similarity(&left, &left) - 1.0).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&similarity(&left, &right)));
        }
    }
}
