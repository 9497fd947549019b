//! How well a signal tells right answers from wrong ones of one question.

use serde::Serialize;

use super::bootstrap::{Draws, bootstrap};
use super::count;

/// How often, for one question, a right candidate scores above a wrong one; ties count half. Over
/// questions that have both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Discrimination {
    /// The mean over questions.
    pub(crate) mean: f64,
    /// Its 90 % interval.
    pub(crate) interval: (f64, f64),
    /// Questions with right and wrong candidates.
    pub(crate) questions: usize,
}

/// The same for the candidates of one question, each with its score and whether it is right;
/// nothing unless some are right and some are wrong.
pub(crate) fn discrimination(candidates: &[(f64, bool)]) -> Option<f64> {
    let scores = |wanted: bool| {
        let its = candidates.iter().filter(move |(_, right)| *right == wanted);
        its.map(|(score, _)| *score)
    };
    let pairs = count(scores(true).count()) * count(scores(false).count());
    let above: f64 = scores(true)
        .flat_map(|right| scores(false).map(move |wrong| (right, wrong)))
        .map(|(right, wrong)| match right.total_cmp(&wrong) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    (pairs > 0.0).then(|| above / pairs)
}

/// The mean over the questions that have one, as `questions` tells it; nothing without any.
pub(crate) fn mean_discrimination(
    questions: &[Option<f64>],
    draws: Draws<'_>,
) -> Option<Discrimination> {
    let (mut known, mut groups) = (Vec::new(), Vec::new());
    for (at, each) in questions.iter().enumerate() {
        if let Some(each) = each {
            known.push(*each);
            groups.push(draws.groups.get(at).copied().unwrap_or(at));
        }
    }
    let all = known.len();
    // Groups are numbered without gaps, or empty ones would be drawn, too.
    let mut seen: Vec<usize> = groups.clone();
    seen.sort_unstable();
    seen.dedup();
    let groups: Vec<usize> = groups
        .iter()
        .map(|group| seen.binary_search(group).unwrap_or_default())
        .collect();
    let draws = Draws {
        groups: &groups,
        width: 0.9,
        ..draws
    };
    let found = bootstrap(&[known], draws).into_iter().next()?;
    (all > 0).then_some(Discrimination {
        mean: found.difference,
        interval: found.interval,
        questions: all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_chance_and_an_order_is_all_or_nothing() {
        let at = |right: [f64; 2], wrong: [f64; 2]| {
            let of = |scores: [f64; 2], is_right| scores.map(|score| (score, is_right));
            discrimination(&[of(right, true), of(wrong, false)].concat())
        };
        assert_eq!(at([-1.0, -1.0], [-1.0, -1.0]), Some(0.5));
        assert_eq!(at([-1.0, -2.0], [-3.0, -4.0]), Some(1.0));
        assert_eq!(at([-3.0, -4.0], [-1.0, -2.0]), Some(0.0));
        assert_eq!(at([-1.0, -4.0], [-2.0, -4.0]), Some(0.625));
        assert_eq!(discrimination(&[(1.0, true), (0.0, true)]), None);
    }

    #[test]
    fn only_questions_with_both_count() {
        let draws = Draws {
            groups: &[],
            resamples: 200,
            seed: 1,
            width: 0.95,
        };
        let mixed = [Some(1.0), None, Some(0.5), None, Some(0.0)];
        let found = mean_discrimination(&mixed, draws).unwrap();
        assert_eq!((found.questions, found.mean), (3, 0.5));
        assert!(found.interval.0 < 0.5 && found.interval.1 > 0.5);
        assert_eq!(mean_discrimination(&[None], draws), None);
    }
}
