//! What a spend buys, between two whole numbers of votes.

/// Two numbers of votes, and how far a spend lies from the lower to the greater.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Between {
    /// The place of the lower one.
    pub(crate) floor: usize,
    /// The place of the greater one; the same where the spend is that of a whole number.
    pub(crate) ceiling: usize,
    /// 0 at the lower, below 1.
    pub(crate) share: f64,
    /// Whether the spend would buy more than the greatest number.
    pub(crate) is_capped: bool,
}

impl Between {
    /// A figure between those of the two.
    pub(crate) fn mix(self, floor: f64, ceiling: f64) -> f64 {
        floor + self.share * (ceiling - floor)
    }
}

/// Where `spend` lies among those of 1, 2, … votes, which rise. What is below the first is the
/// first: nobody can ask less than once. Nothing without any.
pub(crate) fn between(spends: &[f64], spend: f64) -> Option<Between> {
    let last = spends.len().checked_sub(1)?;
    // What differs by rounding only is the same spend.
    let reached = |at: &f64| *at <= spend * (1.0 + 1e-9);
    let floor = spends.iter().rposition(reached).unwrap_or(0);
    let at = |place: usize| spends.get(place).copied().unwrap_or(spend);
    let ceiling = floor.saturating_add(1).min(last);
    let share = (spend - at(floor)) / (at(ceiling) - at(floor));
    let is_between = share.is_finite() && share > 1e-9 && share < 1.0;
    Some(Between {
        floor,
        ceiling: if is_between { ceiling } else { floor },
        share: if is_between { share } else { 0.0 },
        is_capped: floor == last && spend > at(last) * (1.0 + 1e-9),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accuracy(spends: &[f64], votes: &[f64], spend: f64) -> f64 {
        let at = between(spends, spend).unwrap();
        at.mix(votes[at.floor], votes[at.ceiling])
    }

    #[test]
    fn a_whole_number_of_votes_is_exact_and_half_way_is_half_way() {
        let (spends, votes) = ([10.0, 20.0, 40.0], [0.5, 0.7, 0.6]);
        for (spend, vote) in spends.iter().zip(votes) {
            assert!((accuracy(&spends, &votes, *spend) - vote).abs() < 1e-12);
        }
        assert!((accuracy(&spends, &votes, 15.0) - 0.6).abs() < 1e-12);
        assert!((accuracy(&spends, &votes, 30.0) - 0.65).abs() < 1e-12);
    }

    #[test]
    fn nobody_asks_less_than_once_or_more_than_was_drawn() {
        let spends = [10.0, 20.0];
        let below = between(&spends, 1.0).unwrap();
        assert_eq!((below.floor, below.ceiling, below.is_capped), (0, 0, false));
        let at = between(&spends, 20.0).unwrap();
        assert_eq!((at.floor, at.ceiling, at.is_capped), (1, 1, false));
        assert!(between(&spends, 21.0).unwrap().is_capped);
        assert_eq!(between(&[], 1.0), None);
    }

    proptest! {
        #[test]
        fn between_two_numbers_of_votes_accuracy_only_rises_or_only_falls(
            steps in proptest::collection::vec((0.1..9.0_f64, 0.0..1.0_f64), 2..16),
            place in 0.0..1.0_f64,
            further in 0.0..1.0_f64,
        ) {
            let mut sum = 0.0;
            let spends: Vec<f64> = steps.iter().map(|step| { sum += step.0; sum }).collect();
            let votes: Vec<f64> = steps.iter().map(|step| step.1).collect();
            for piece in 0..votes.len() - 1 {
                let (low, high) = (spends[piece], spends[piece + 1]);
                let first = low + place * (high - low);
                let second = first + further * (high - first);
                let (one, two) = (
                    accuracy(&spends, &votes, first),
                    accuracy(&spends, &votes, second),
                );
                let rises = votes[piece + 1] >= votes[piece];
                let goes_on = if rises { two >= one - 1e-9 } else { two <= one + 1e-9 };
                prop_assert!(goes_on);
                let (least, most) = (votes[piece].min(votes[piece + 1]),
                    votes[piece].max(votes[piece + 1]));
                prop_assert!((least - 1e-9..=most + 1e-9).contains(&one));
            }
        }
    }
}
