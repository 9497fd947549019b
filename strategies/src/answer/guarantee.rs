//! When votes so far are proof enough of which answer a model gives most often, however often one
//! has looked.
//!
//! A bound on the error of a single look is none on that of many: whoever looks after each vote and
//! stops at the first good one is wrong more often. An e-process may be looked at as often as one
//! likes (Ramdas et al., *Game-Theoretic Statistics and Safe Anytime-Valid Inference*, 2023,
//! arXiv 2210.01948); votes of models: arXiv 2510.17472. The leader is held against each rival by a
//! Beta mixture over how it might truly be ahead, and what is spent on having chosen the leader by
//! the same votes is paid for.

/// The evidence that an answer with `leader` votes is given more often than one with `rival`: what
/// a fair bet on it would have won so far.
///
/// With a uniform mixture over the leader's share θ of the votes of both, above one half, it is
/// `2 ∫ θ^a (1 − θ)^b dθ / 2^-(a + b)`, that is `2^(a+b+1) B(a+1, b+1) P(Beta(a+1, b+1) > ½)`.
pub(super) fn evidence(leader: u32, rival: u32) -> f64 {
    // With n = a + b + 1 the power and the Beta function leave the sum of C(n, j) for j up to a,
    // over C(n, a) (b + 1): a sum of ratios of neighbours, none of which is large.
    let b = f64::from(rival);
    let below = (0..leader).fold(1.0, |sum, j| {
        let ratio = f64::from(j + 1) / (b + 1.0 + f64::from(leader - j));
        1.0 + ratio * sum
    });
    below / (b + 1.0)
}

/// How much evidence against each rival the `order`-th answer that appeared needs, so that in the
/// long run at most a share `alpha` of votes ends with another leader than all votes would have.
pub(super) fn needed(order: u32, alpha: f64) -> f64 {
    f64::from(order) * f64::from(order + 1) / alpha
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by its definition, with the integral as a sum.
    fn mixture(a: i32, b: i32) -> f64 {
        const STEPS: u32 = 100_000;
        let step = 0.5 / f64::from(STEPS);
        let at = |i: u32| 0.5 + (f64::from(i) + 0.5) * step;
        let integral: f64 = (0..STEPS)
            .map(|i| at(i).powi(a) * (1.0 - at(i)).powi(b) * step)
            .sum();
        2.0 * integral * 2.0_f64.powi(a + b)
    }

    #[test]
    fn it_is_the_mixture_of_all_bets_on_the_leader() {
        for (a, b) in [(0, 0), (1, 0), (8, 0), (5, 3), (0, 4), (30, 20)] {
            let (closed, sum) = (evidence(a, b), mixture(a.cast_signed(), b.cast_signed()));
            assert!((closed / sum - 1.0).abs() < 1e-6, "{a}:{b}: {closed} {sum}");
        }
        assert!(evidence(64, 0).is_finite() && evidence(0, 64) > 0.0);
    }

    #[test]
    fn nine_equal_votes_are_proof_at_one_in_twenty_and_eight_are_not() {
        // The first vote makes the leader and proves nothing.
        assert!(evidence(8, 0) >= needed(1, 0.05));
        assert!(evidence(7, 0) < needed(1, 0.05));
    }
}
