//! How sure a comparison is. Intervals of single shares are in [`hone_strategies::share`].

use std::time::Duration;

/// Questions that two approaches answered, by who was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Questions that both answered.
    pub(crate) all: u32,
    /// Only the approach was right.
    pub(crate) gained: u32,
    /// Only the baseline was right.
    pub(crate) lost: u32,
}

impl Pairs {
    /// Counts a question.
    pub(crate) fn add(&mut self, approach: bool, baseline: bool) {
        self.all += 1;
        self.gained += u32::from(approach && !baseline);
        self.lost += u32::from(baseline && !approach);
    }

    /// The difference of the two accuracies; 0 without questions.
    pub(crate) fn difference(self) -> f64 {
        (f64::from(self.gained) - f64::from(self.lost)) / f64::from(self.all.max(1))
    }

    /// Half the width of the 95 % interval of the difference, by the normal approximation of paired
    /// shares.
    pub(crate) fn margin(self) -> f64 {
        let n = f64::from(self.all.max(1));
        let (changed, difference) = (f64::from(self.gained + self.lost) / n, self.difference());
        1.96 * ((changed - difference * difference).max(0.0) / n).sqrt()
    }

    /// The two-sided p-value of McNemar's test, exact: how often so uneven a split of the questions
    /// that differ would come by chance.
    pub(crate) fn mcnemar(self) -> f64 {
        let (n, least) = (self.gained + self.lost, self.gained.min(self.lost));
        // Logarithms: a thousand factors of a half are zero.
        let mut term = f64::from(n) * 0.5_f64.ln();
        let mut sum = 0.0;
        for k in 0..=least {
            sum += term.exp();
            term += (f64::from(n - k) / f64::from(k + 1)).ln();
        }
        (2.0 * sum).min(1.0)
    }
}

/// The duration below which the share `quantile` of `sorted` lies; nothing without any.
pub(crate) fn percentile(sorted: &[Duration], quantile: f64) -> Option<Duration> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list in memory"
    )]
    let at = (quantile * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemar_is_the_exact_binomial_test() {
        let p = |gained, lost| {
            Pairs {
                all: 100,
                gained,
                lost,
            }
            .mcnemar()
        };
        assert!((p(9, 1) - 0.021_484_375).abs() < 1e-9);
        assert!((p(0, 0) - 1.0).abs() < 1e-9 && (p(5, 5) - 1.0).abs() < 1e-9);
        assert!((p(15, 5) - 0.041_389_465).abs() < 1e-8);
        assert!(p(3_000, 2_000) < 1e-40);
    }

    #[test]
    fn a_difference_counts_only_what_differs() {
        let mut pairs = Pairs::default();
        for (approach, baseline) in [
            (true, true),
            (true, false),
            (true, false),
            (false, true),
            (false, false),
        ] {
            pairs.add(approach, baseline);
        }
        assert_eq!(
            pairs,
            Pairs {
                all: 5,
                gained: 2,
                lost: 1
            }
        );
        assert!((pairs.difference() - 0.2).abs() < 1e-9 && pairs.margin() > 0.5);
    }

    #[test]
    fn percentiles_are_members_of_the_list() {
        let list: Vec<Duration> = (1..=21).map(Duration::from_secs).collect();
        assert_eq!(percentile(&list, 0.5), Some(Duration::from_secs(11)));
        assert_eq!(percentile(&list, 0.95), Some(Duration::from_secs(20)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
