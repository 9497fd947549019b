//! What two columns say together.

use crate::compare::Estimate;
use crate::summary::Verdict;

/// A difference with a smaller p is taken to be more than chance.
const SIGNIFICANT: f64 = 0.05;

/// What two columns say together, with an adjusted p in place of their own if there is one.
pub(super) fn verdict(estimates: &[Estimate; 2], adjusted: Option<f64>) -> Verdict {
    let p = adjusted.unwrap_or_else(|| estimates.iter().map(|each| each.p).fold(0.0, f64::max));
    let all = |test: fn(f64) -> bool| estimates.iter().all(|each| test(each.difference));
    if p < SIGNIFICANT && all(|difference| difference > 0.0) {
        Verdict::Beats
    } else if p < SIGNIFICANT && all(|difference| difference < 0.0) {
        Verdict::Loses
    } else {
        Verdict::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_only_if_it_holds_in_both_columns() {
        let of = |money: f64, tokens: f64, ps: [f64; 2]| {
            let estimate = |(difference, p)| Estimate {
                difference,
                p,
                ..Estimate::default()
            };
            verdict(&[(money, ps[0]), (tokens, ps[1])].map(estimate), None)
        };
        assert_eq!(of(0.1, 0.2, [0.01, 0.04]), Verdict::Beats);
        assert_eq!(of(0.1, 0.2, [0.01, 0.06]), Verdict::Unclear);
        assert_eq!(of(0.1, -0.2, [0.01, 0.01]), Verdict::Unclear);
        assert_eq!(of(-0.1, -0.2, [0.01, 0.01]), Verdict::Loses);
        let sure = Estimate {
            difference: 0.1,
            p: 0.001,
            ..Estimate::default()
        };
        assert_eq!(
            verdict(&[sure; 2], Some(0.2)),
            Verdict::Unclear,
            "by Holm's p"
        );
    }
}
