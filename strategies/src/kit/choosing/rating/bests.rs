//! The majority of the bests: Rakhsha et al., *Majority of the Bests* (2025, arXiv 2511.18630).
//!
//! The candidate that a judge likes best is the right one only as far as the judge is right. Best
//! of `m` for a small `m`, done for every `m` of the `n` candidates and put to the vote, mistrusts
//! a judge: with `m` = 1 the judge says nothing and the answer that most give wins, with `m` = `n`
//! its favourite does. Nothing need be drawn for that: of the C(n, m) sets, the candidate of rank
//! r is the best of C(n - r, m - 1), and so much it weighs.

use crate::non_empty::NonEmpty;

/// One answer, as it came out of a vote and before a judge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rated {
    /// Candidates with this answer.
    pub(crate) size: usize,
    /// What they weigh together in the vote.
    pub(crate) weight: f64,
    /// How good the judge finds it; without a verdict it is as good as the others on average.
    pub(crate) score: Option<f64>,
}

/// What the candidate of each rank weighs, the best one's first; the sum is 1.
fn shares(n: usize, m: usize) -> Vec<f64> {
    let m = m.clamp(1, n.max(1));
    let mut share = count(m) / count(n);
    let ranks = 1..=n;
    let shares = ranks.map(|rank| {
        let this = share;
        let below = n - rank;
        // C(below - 1, m - 1) of C(below, m - 1).
        share *= (count(below) - count(m) + 1.0).max(0.0) / count(below.max(1));
        this
    });
    shares.collect()
}

/// Where among `answers` the one stands that is the best of most sets of `m` candidates; of equals
/// the first. Candidates of one answer have one verdict: they, and answers that the judge finds
/// equally good, share evenly what their ranks weigh.
pub(crate) fn elected(answers: &NonEmpty<Rated>, m: u32) -> usize {
    let known: Vec<f64> = answers.iter().filter_map(|answer| answer.score).collect();
    let mean = known.iter().sum::<f64>() / count(known.len().max(1));
    let score = |answer: &Rated| answer.score.unwrap_or(mean);
    let mut ranked: Vec<(usize, Rated)> = answers.iter().copied().enumerate().collect();
    ranked.sort_by(|(_, left), (_, right)| score(right).total_cmp(&score(left)));
    let n = answers.iter().map(|answer| answer.size).sum();
    let mut shares = shares(n, usize::try_from(m).unwrap_or(usize::MAX)).into_iter();
    let mut best = (0, f64::NEG_INFINITY);
    let mut sums = Vec::new();
    let are_equal = |left: &Rated, right: &Rated| score(left).total_cmp(&score(right)).is_eq();
    for equals in ranked.chunk_by(|(_, left), (_, right)| are_equal(left, right)) {
        let size = equals.iter().map(|(_, answer)| answer.size).sum();
        let sum: f64 = shares.by_ref().take(size).sum();
        let each = sum / count(size.max(1));
        sums.extend(
            equals
                .iter()
                .map(|(at, answer)| (*at, each * answer.weight)),
        );
    }
    sums.sort_by_key(|(at, _)| *at);
    for (at, sum) in sums {
        // Sums of the same shares in another order differ by their rounding.
        if sum > best.1 + 1e-12 {
            best = (at, sum);
        }
    }
    best.0
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How often each rank is the best of all sets of `m`, counted one by one.
    fn by_hand(n: usize, m: usize) -> Vec<f64> {
        let mut wins = vec![0_u32; n];
        for set in 0_u32..1 << n {
            if set.count_ones() as usize == m {
                wins[set.trailing_zeros() as usize] += 1;
            }
        }
        let all: u32 = wins.iter().sum();
        wins.into_iter()
            .map(|wins| f64::from(wins) / f64::from(all))
            .collect()
    }

    #[test]
    fn the_closed_form_is_what_all_sets_come_to() {
        for n in 1..=12 {
            for m in 1..=n {
                for (closed, counted) in shares(n, m).into_iter().zip(by_hand(n, m)) {
                    assert!((closed - counted).abs() < 1e-12, "{n} {m}");
                }
            }
        }
    }

    fn rated(size: usize, score: impl Into<Option<f64>>) -> Rated {
        Rated {
            size,
            weight: count(size),
            score: score.into(),
        }
    }

    fn elects(answers: &[Rated], m: u32) -> usize {
        elected(&NonEmpty::new(answers.to_vec()).unwrap(), m)
    }

    #[test]
    fn one_alone_is_the_vote_and_all_are_the_best_of_n() {
        let answers = [rated(3, 1.0), rated(2, 5.0), rated(1, 9.0)];
        assert_eq!(elects(&answers, 1), 0);
        assert_eq!(elects(&answers, 6), 2);
        assert_eq!(elects(&answers, 64), 2);
        // A weighted vote stays one.
        let light = Rated {
            weight: 0.5,
            ..rated(3, 1.0)
        };
        assert_eq!(elects(&[light, rated(1, 0.0)], 1), 1);
    }

    #[test]
    fn one_candidate_that_the_judge_likes_does_not_beat_two_that_are_next() {
        let answers = [rated(2, 5.0), rated(2, 1.0), rated(1, 9.0)];
        assert_eq!(elects(&answers, 2), 0);
        assert_eq!(elects(&answers, 5), 2);
    }

    #[test]
    fn equal_verdicts_leave_the_vote_as_it_is() {
        for m in 1..=5 {
            let same = [rated(1, 7.0), rated(3, 7.0), rated(1, 7.0)];
            assert_eq!(elects(&same, m), 1, "{m}");
            let tied = [rated(2, 7.0), rated(2, 7.0), rated(1, None)];
            assert_eq!(elects(&tied, m), 0, "{m}");
        }
        assert_eq!(elects(&[rated(1, None), rated(2, None)], 2), 1);
    }

    proptest! {
        #[test]
        fn sets_that_are_counted_elect_the_same(
            answers in prop::collection::vec((1_usize..4, 0_u32..100), 1..4), m in 1_u32..9,
        ) {
            let mut answers: Vec<Rated> = answers.into_iter()
                .map(|(size, score)| rated(size, f64::from(score))).collect();
            answers.dedup_by(|a, b| a.score == b.score);
            let mut scores: Vec<f64> = answers.iter().filter_map(|it| it.score).collect();
            scores.sort_by(f64::total_cmp);
            scores.dedup();
            prop_assume!(scores.len() == answers.len());
            // The owner of each candidate, the best first.
            let mut order: Vec<usize> = (0..answers.len()).collect();
            order.sort_by(|a, b| answers[*b].score.unwrap().total_cmp(&answers[*a].score.unwrap()));
            let owners: Vec<usize> = order.iter()
                .flat_map(|at| std::iter::repeat_n(*at, answers[*at].size)).collect();
            let n = owners.len();
            let m = (m as usize).min(n);
            let mut wins = vec![0_u32; answers.len()];
            for set in (0_u32..1 << n).filter(|set| set.count_ones() as usize == m) {
                wins[owners[set.trailing_zeros() as usize]] += 1;
            }
            let most = *wins.iter().max().unwrap();
            let elected = elects(&answers, u32::try_from(m).unwrap());
            prop_assert_eq!(wins[elected], most);
        }
    }
}
