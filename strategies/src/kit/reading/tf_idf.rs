//! How much texts have in common with a query, by the words that tell them apart.
//!
//! Salton & Buckley, *Term-weighting approaches in automatic text retrieval* (1988): counts of
//! words, weighted by `ln((1 + N) / (1 + df)) + 1`, compared by the cosine.

use std::collections::{BTreeMap, BTreeSet};

/// The similarity of each of `texts` to `query`, between 0 and 1. A text or query without a word of
/// two letters has none: 0.
pub(crate) fn similarities(query: &str, texts: &[String]) -> Vec<f64> {
    let counted: Vec<BTreeMap<String, f64>> = texts.iter().map(|text| counts(text)).collect();
    let query = counts(query);
    let documents = counted.iter().chain([&query]);
    let mut frequency: BTreeMap<&str, f64> = BTreeMap::new();
    for words in documents {
        for word in words.keys() {
            *frequency.entry(word).or_default() += 1.0;
        }
    }
    let total = counted.iter().fold(1.0, |total, _| total + 1.0);
    let weight = |word: &str| {
        ((1.0 + total) / (1.0 + frequency.get(word).copied().unwrap_or(0.0))).ln() + 1.0
    };
    let weighted = |words: &BTreeMap<String, f64>| {
        words
            .iter()
            .map(|(word, count)| (word.clone(), count * weight(word)))
            .collect::<BTreeMap<_, _>>()
    };
    let query = weighted(&query);
    counted
        .iter()
        .map(|words| cosine(&weighted(words), &query))
        .collect()
}

fn counts(text: &str) -> BTreeMap<String, f64> {
    let lower = text.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.chars().nth(1).is_some());
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.to_owned()).or_default() += 1.0;
    }
    counts
}

fn cosine(left: &BTreeMap<String, f64>, right: &BTreeMap<String, f64>) -> f64 {
    let length = |weights: &BTreeMap<String, f64>| {
        weights
            .values()
            .map(|weight| weight * weight)
            .sum::<f64>()
            .sqrt()
    };
    let shared: BTreeSet<&String> = left
        .keys()
        .filter(|word| right.contains_key(*word))
        .collect();
    let dot: f64 = shared
        .into_iter()
        .filter_map(|word| Some(left.get(word)? * right.get(word)?))
        .sum();
    let lengths = length(left) * length(right);
    if lengths > 0.0 {
        (dot / lengths).min(1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rare_words_count_more_than_common_ones() {
        let texts = [
            "the ship was in the harbour",
            "the captain was in the inn",
            "the sea",
            "",
        ]
        .map(str::to_owned);
        let found = similarities("Where was the captain?", &texts);
        assert!(found[1] > found[0] && found[0] > found[2], "{found:?}");
        assert_eq!(found[3].total_cmp(&0.0), std::cmp::Ordering::Equal);
    }

    proptest! {
        #[test]
        fn similarities_are_between_zero_and_one(query in "\\PC{0,30}",
            texts in prop::collection::vec("\\PC{0,40}", 0..6)) {
            let found = similarities(&query, &texts);
            prop_assert_eq!(found.len(), texts.len());
            prop_assert!(found.iter().all(|similarity| (0.0..=1.0).contains(similarity)));
        }
    }
}
