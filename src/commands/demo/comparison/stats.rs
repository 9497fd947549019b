//! What theory says.

/// The probability that `k` of `n` independent trials of probability `p` succeed.
pub(super) fn binomial(n: u32, k: u32, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
    ways * power(p, k) * power(1.0 - p, n - k)
}

fn power(base: f64, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * base)
}

/// The probability that at least one of `n` candidates is right: the best that any choice among
/// them can do.
pub(super) fn at_least_one(n: u32, p: f64) -> f64 {
    1.0 - power(1.0 - p, n)
}

/// How a judge sees single candidates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judge {
    /// The probability that it takes a right candidate for right.
    pub(super) true_positive: f64,
    /// The probability that it takes a wrong candidate for right.
    pub(super) false_positive: f64,
}

/// The probability that the best rated of the answers of `n` candidates is right, where the judge
/// sees each different answer once: the right one, the one wrong answer that models prefer, of
/// which there is a share `favourite` among the wrong ones, and others that are like no other.
///
/// Among the answers that pass, or else among all, each is as likely to be taken as any other.
pub(super) fn best_rated(n: u32, p: f64, favourite: f64, judge: Judge) -> f64 {
    let Judge {
        true_positive,
        false_positive,
    } = judge;
    // With so many wrong answers, of which none, one and so on may pass.
    let taken = |wrong: u32| {
        let passes = |passing| binomial(wrong, passing, false_positive) / f64::from(passing + 1);
        let among_passed: f64 = (0..=wrong).map(passes).sum();
        let none_passes = power(1.0 - false_positive, wrong) / f64::from(wrong + 1);
        true_positive * among_passed + (1.0 - true_positive) * none_passes
    };
    let of = |rights: u32, favourites: u32| {
        let others = n - rights - favourites;
        binomial(n, rights, p)
            * binomial(n - rights, favourites, favourite)
            * taken(others + favourites.min(1))
    };
    (1..=n)
        .flat_map(|rights| (0..=n - rights).map(move |favourites| of(rights, favourites)))
        .sum()
}

/// The probability that the most frequent of `n` answers is right, where each is right with
/// probability `right`, the one wrong answer that models prefer with probability `favourite`, and
/// else like no other. Answers that tie are equally likely to win.
pub(super) fn plurality(n: u32, right: f64, favourite: f64) -> f64 {
    let among_wrong = if right < 1.0 {
        favourite / (1.0 - right)
    } else {
        0.0
    };
    let outcomes =
        (0..=n).flat_map(|rights| (0..=n - rights).map(move |favourites| (rights, favourites)));
    let probability = |rights, favourites| {
        binomial(n, rights, right) * binomial(n - rights, favourites, among_wrong)
    };
    outcomes
        .map(|(rights, favourites)| {
            probability(rights, favourites) * wins(rights, favourites, n - rights - favourites)
        })
        .sum()
}

/// How likely so many right answers are to win against so many favourites and others that are all
/// different.
fn wins(rights: u32, favourites: u32, others: u32) -> f64 {
    let rival = favourites.max(others.min(1));
    if rights != rival || rights == 0 {
        return if rights > rival { 1.0 } else { 0.0 };
    }
    let tied = u32::from(favourites == rights) + if rights == 1 { others } else { 0 };
    1.0 / f64::from(1 + tied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-4, "{a} is not {b}");
    }

    #[test]
    fn binomial_probabilities_are_those_of_the_tables() {
        near(binomial(5, 2, 0.5), 0.3125);
        near((0..=20).map(|k| binomial(20, k, 0.37)).sum(), 1.0);
    }

    #[test]
    fn a_vote_against_one_wrong_answer_is_a_majority_of_a_binomial() {
        near(plurality(5, 0.6, 0.4), 0.6826);
        near(plurality(4, 0.5, 0.5), 0.5);
        near(plurality(9, 1.0, 0.0), 1.0);
    }

    #[test]
    fn a_vote_against_scattered_answers_needs_two() {
        // Two or more of five are right, or one is and wins one of five draws.
        near(
            plurality(5, 0.4, 0.0),
            1.0 - 0.6_f64.powi(5) - 5.0 * 0.4 * 0.6_f64.powi(4) * 0.8,
        );
    }

    #[test]
    fn choosing_is_bounded_by_what_there_is_to_choose_from() {
        let perfect = Judge {
            true_positive: 1.0,
            false_positive: 0.0,
        };
        near(best_rated(3, 0.6, 0.4, perfect), at_least_one(3, 0.6));
        // One that knows nothing chooses any of two that differ, as often the right one as not.
        for rate in [0.0, 0.5, 1.0] {
            let blind = Judge {
                true_positive: rate,
                false_positive: rate,
            };
            near(best_rated(2, 0.6, 0.4, blind), 0.6);
            near(best_rated(1, 0.6, 0.4, blind), 0.6);
        }
        // Two wrong answers that are the same are judged once.
        near(best_rated(3, 0.5, 1.0, perfect), 7.0 / 8.0);
    }
}
