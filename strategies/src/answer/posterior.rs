//! How likely a leader is to be overtaken by votes still to come.
//!
//! Adaptive-Consistency (Aggarwal et al., *Let's Sample Step by Step*, 2023, arXiv 2305.11860)
//! stops when a Beta posterior of leader against runner-up puts enough mass on the leader. That is
//! the question of a vote without end. A vote of k ends, so what counts is whether the rival can
//! still catch up in the votes that are left: the same posterior, carried forward over so many
//! votes, which is a Beta-binomial sum instead of a Beta integral. For many votes to come both are
//! the same number.

/// Pseudo-votes for the answer that leads, for the next one, and for all others.
pub type Prior = [f64; 3];

/// Nothing is known of how answers spread.
pub(super) const UNKNOWN: Prior = [1.0; 3];

/// The probability that a rival with `rival` votes ends with more than a leader with `leader`
/// votes, `rest` votes having gone to others and `outstanding` being still to come.
///
/// The shares are taken to be Dirichlet with parameters (`leader` + 1, `rival` + 1, `rest`):
/// uniform between the two, as in the paper. A `prior` that was learned says how the answer that
/// leads in the end, the next one and all others spread. Whether the leader so far is the first of
/// these or the second is not known: both are weighed by how likely they make the votes. Equal
/// parts are no prior, and the third of them stands for no vote. Votes may be weights, in units of
/// one vote to come. What cannot be computed counts as certain.
pub(super) fn overtaken(
    (leader, rival, rest): (f64, f64, f64),
    prior: Prior,
    outstanding: usize,
) -> f64 {
    let [first, second, others] = prior;
    let rest = (rest + others - 1.0).max(0.0);
    let as_it_seems = carried((leader, rival), (first, second, rest), outstanding);
    let other_way = swapped(leader - rival, rival, (first, second));
    if other_way <= 0.0 {
        return as_it_seems;
    }
    let changed = carried((leader, rival), (second, first, rest), outstanding);
    (as_it_seems + other_way * changed) / (1.0 + other_way)
}

/// How many times less likely votes are if the answer with more of them is the one that is given
/// less often: the ratio of two Dirichlet-multinomial likelihoods, of which only a product is left.
fn swapped(more: f64, rival: f64, (first, second): (f64, f64)) -> f64 {
    let mut ratio = 1.0;
    let mut at = 0.0;
    while at + 0.5 < more {
        ratio *= (second + rival + at) / (first + rival + at);
        at += 1.0;
    }
    if ratio.is_finite() { ratio } else { 1.0 }
}

/// The posterior of the shares, with these pseudo-votes, carried forward over the votes to come.
fn carried(
    (leader, rival): (f64, f64),
    (to_leader, to_rival, rest): (f64, f64, f64),
    outstanding: usize,
) -> f64 {
    let (for_leader, for_rival) = (
        ways(leader + to_leader, outstanding),
        ways(rival + to_rival, outstanding),
    );
    let for_rest = ways(rest, outstanding);
    let all = ways(leader + to_leader + rival + to_rival + rest, outstanding)
        .last()
        .copied()
        .unwrap_or(1.0);
    let mut favourable = 0.0;
    for (gained, rival_ways) in for_rival.iter().enumerate() {
        for (kept, leader_ways) in for_leader.iter().enumerate().take(outstanding + 1 - gained) {
            if rival + count(gained) > leader + count(kept) {
                favourable += rival_ways
                    * leader_ways
                    * for_rest
                        .get(outstanding - gained - kept)
                        .copied()
                        .unwrap_or(0.0);
            }
        }
    }
    let probability = favourable / all;
    if probability.is_finite() {
        probability.min(1.0)
    } else {
        1.0
    }
}

/// `(a)_x / x!` for x from 0 to `most`: how much a cell with parameter `a` weighs with x of the
/// votes to come.
fn ways(a: f64, most: usize) -> Vec<f64> {
    let next = |ways: &mut f64, x: usize| {
        if x > 0 {
            *ways *= (a + count(x) - 1.0) / count(x);
        }
        Some(*ways)
    };
    (0..=most).scan(1.0, next).collect()
}

/// Votes as a number.
pub(super) fn count(votes: usize) -> f64 {
    u32::try_from(votes).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn overtaken(leader: f64, rival: f64, rest: f64, outstanding: usize) -> f64 {
        super::overtaken((leader, rival, rest), UNKNOWN, outstanding)
    }

    #[track_caller]
    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn it_is_the_beta_binomial_where_only_two_are_voted_for() {
        // Of C(17, 5) = 6188 ways, 35 + 15 + 5 + 1 give the rival 9 to 12 of the 12 votes to come.
        assert_close(overtaken(4.0, 0.0, 0.0, 12), 56.0 / 6188.0);
        assert_close(overtaken(6.0, 2.0, 0.0, 8), 297.0 / 24310.0);
        assert_close(overtaken(2.0, 1.0, 0.0, 1), 0.0);
        assert_close(overtaken(1.0, 1.0, 0.0, 1), 0.5);
    }

    #[test]
    fn over_many_votes_it_is_the_beta_criterion_of_adaptive_consistency() {
        // The mass of Beta(v1 + 1, v2 + 1) below one half is P(Binomial(v1 + v2 + 1, 1/2) > v1).
        for (leader, rival, beta) in [
            (4.0, 0.0, 1.0 / 32.0),
            (6.0, 1.0, 9.0 / 256.0),
            (3.0, 3.0, 0.5),
        ] {
            let carried = overtaken(leader, rival, 0.0, 501);
            assert!(
                (carried - beta).abs() < 0.003,
                "{leader}:{rival} gives {carried}, the Beta integral {beta}"
            );
        }
    }

    #[test]
    fn votes_for_others_make_catching_up_harder_and_what_overflows_counts_as_certain() {
        assert!(overtaken(4.0, 1.0, 7.0, 4) < overtaken(4.0, 1.0, 2.0, 4));
        assert_close(overtaken(1.0, 1e200, 1.0, 9), 1.0);
    }

    #[test]
    fn a_prior_of_a_model_that_agrees_with_itself_makes_a_lead_safer() {
        let with = |prior| super::overtaken((2.0, 0.0, 0.0), prior, 6);
        assert_close(with(UNKNOWN), overtaken(2.0, 0.0, 0.0, 6));
        assert!(with([8.0, 1.0, 1.0]) < overtaken(2.0, 0.0, 0.0, 6) / 3.0);
        assert!(with([1.0, 0.2, 1.0]) < overtaken(2.0, 0.0, 0.0, 6));
        assert!(with([0.5, 0.5, 8.0]) < 1.0 && with([0.0, 0.0, 0.0]) <= 1.0);
    }

    proptest! {
        #[test]
        fn it_is_a_probability_that_grows_with_the_rival_and_falls_with_the_leader(
            leader in 1_u8..40, rival in 0_u8..40, rest in 0_u8..40, outstanding in 0_usize..64,
        ) {
            let (leader, rival, rest) = (f64::from(leader), f64::from(rival), f64::from(rest));
            let chance = overtaken(leader, rival, rest, outstanding);
            prop_assert!((0.0..=1.0).contains(&chance));
            prop_assert!(overtaken(leader, rival + 1.0, rest, outstanding) >= chance - 1e-12);
            prop_assert!(overtaken(leader + 1.0, rival, rest, outstanding) <= chance + 1e-12);
        }
    }
}
