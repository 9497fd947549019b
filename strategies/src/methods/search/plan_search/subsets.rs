//! Combinations of observations, each used once.

use rand::Rng;
use rand::seq::SliceRandom;

/// Up to `count` different subsets of `0..items` with 1 to `largest` members, drawn without
/// replacement.
pub(super) fn draw(
    items: usize,
    largest: usize,
    count: usize,
    rng: &mut impl Rng,
) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut grown: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..largest {
        let longer = grown.iter().flat_map(|subset| {
            let from = subset.last().map_or(0, |last| last + 1);
            (from..items).map(move |next| subset.iter().copied().chain([next]).collect())
        });
        grown = longer.collect();
        all.extend(grown.iter().cloned());
    }
    all.shuffle(rng);
    all.truncate(count);
    all
}

/// How many there are to draw from.
pub(super) fn count(items: u32, largest: u32) -> u32 {
    let choose = |k: u32| {
        (0..k).fold(1_u32, |ways, i| {
            ways.saturating_mul(items.saturating_sub(i)) / (i + 1)
        })
    };
    (1..=largest).map(choose).fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    proptest! {
        #[test]
        fn no_subset_is_drawn_twice_and_all_can_be(items in 0_u32..9, largest in 1_u32..4,
            wanted in 0_usize..200, seed in any::<u64>()) {
            let drawn = draw(items as usize, largest as usize, wanted,
                &mut SmallRng::seed_from_u64(seed));
            prop_assert_eq!(drawn.len(), wanted.min(count(items, largest) as usize));
            prop_assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
            for subset in &drawn {
                prop_assert!((1..=largest as usize).contains(&subset.len()));
                prop_assert!(subset.windows(2).all(|pair| pair[0] < pair[1]) && subset.iter()
                    .all(|item| *item < items as usize));
            }
        }
    }
}
