//! What is left of a finding where several were looked at (Holm, *A Simple Sequentially Rejective
//! Multiple Test Procedure*, 1979).

use super::count;

/// The p-values as they may be read when all of them were looked at, in their order.
pub(crate) fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|left, right| left.1.total_cmp(&right.1));
    let mut adjusted = vec![1.0; values.len()];
    let mut least = 0.0_f64;
    for (rank, (at, value)) in order.iter().enumerate() {
        let left = count(values.len().saturating_sub(rank));
        least = least.max(left * value).min(1.0);
        if let Some(place) = adjusted.get_mut(*at) {
            *place = least;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_worked_by_hand() {
        // 4 x .005, 3 x .01, 2 x .03, 1 x .04: the last may not be below the one before it.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.2]), [0.2]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
