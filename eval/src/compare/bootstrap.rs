//! How sure a mean difference is: the paired bootstrap over questions (Efron, 1979; for questions
//! as the unit, Koehn, *Statistical Significance Tests for Machine Translation Evaluation*, 2004).
//!
//! Each question has one difference, a mean over subsamples, so questions are what is drawn again.
//! Questions of one template are alike: where groups are given, whole groups are drawn.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use super::{count, mean};

/// Resamples of a report.
pub(crate) const RESAMPLES: u32 = 10_000;

/// A mean difference, and what chance makes of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// The mean difference.
    pub(crate) difference: f64,
    /// Its interval, of the width that was asked for.
    pub(crate) interval: (f64, f64),
    /// How often a difference of 0 would look so large, on either side.
    pub(crate) p: f64,
}

/// How questions are drawn again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws<'a> {
    /// The group of each question; without any each is its own.
    pub(crate) groups: &'a [usize],
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
    /// The width of intervals, as in 0.95.
    pub(crate) width: f64,
}

/// What one column of differences comes to in each group.
struct Column {
    difference: f64,
    sums: Vec<f64>,
    drawn: Vec<f64>,
}

/// An estimate for each column of differences; all columns have the same questions, and each
/// resample is the same for all.
pub(crate) fn bootstrap(columns: &[Vec<f64>], draws: Draws<'_>) -> Vec<Estimate> {
    let questions = columns.first().map_or(0, Vec::len);
    let group_of = |question: usize| draws.groups.get(question).copied().unwrap_or(question);
    let all = (0..questions)
        .map(group_of)
        .max()
        .map_or(0, |most| most + 1);
    let sizes = sums(
        all,
        (0..questions).map(|question| (group_of(question), 1.0)),
    );
    let mut columns: Vec<Column> = columns
        .iter()
        .map(|column| Column {
            difference: mean(column.iter().copied()),
            sums: sums(
                all,
                column
                    .iter()
                    .enumerate()
                    .map(|(at, one)| (group_of(at), *one)),
            ),
            drawn: Vec::new(),
        })
        .collect();
    let mut chance = SmallRng::seed_from_u64(draws.seed);
    let mut picks = vec![0; all];
    for _ in 0..draws.resamples {
        picks.fill_with(|| chance.random_range(0..all));
        let size = drawn(&sizes, &picks).max(1.0);
        for column in &mut columns {
            let sum = drawn(&column.sums, &picks);
            column.drawn.push(sum / size);
        }
    }
    columns
        .into_iter()
        .map(|column| estimate(column, draws.width))
        .collect()
}

fn sums(groups: usize, of: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut sums = vec![0.0; groups];
    for (group, figure) in of {
        if let Some(sum) = sums.get_mut(group) {
            *sum += figure;
        }
    }
    sums
}

fn drawn(sums: &[f64], picks: &[usize]) -> f64 {
    picks.iter().filter_map(|pick| sums.get(*pick)).sum()
}

fn estimate(mut column: Column, width: f64) -> Estimate {
    let difference = column.difference;
    // Around the mean that was seen resamples scatter as means do around 0 if there is nothing.
    let as_far = |drawn: &&f64| (*drawn - difference).abs() >= difference.abs() - 1e-12;
    let far = column.drawn.iter().filter(as_far).count();
    let p = (count(far) + 1.0) / (count(column.drawn.len()) + 1.0);
    column.drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - width) / 2.0;
    Estimate {
        difference,
        interval: (
            quantile(&column.drawn, tail),
            quantile(&column.drawn, 1.0 - tail),
        ),
        p: p.min(1.0),
    }
}

/// The figure below which `share` of `sorted` lies; 0 without any.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a list in memory"
    )]
    let at = (share * count(sorted.len().saturating_sub(1))).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64) -> Draws<'static> {
        Draws {
            groups: &[],
            resamples: 1_000,
            seed,
            width: 0.95,
        }
    }

    /// Differences around `mean`, evenly within 0.5 on either side.
    fn differences(mean: f64, questions: usize, seed: u64) -> Vec<f64> {
        let mut chance = SmallRng::seed_from_u64(seed);
        let one = |_| mean + chance.random_range(-0.5..0.5);
        (0..questions).map(one).collect()
    }

    #[test]
    fn an_interval_covers_a_known_difference_in_about_95_of_100_cases() {
        let covers = |seed: &u64| {
            let column = differences(0.1, 60, *seed);
            let (low, high) = bootstrap(&[column], draws(7))[0].interval;
            low <= 0.1 && 0.1 <= high
        };
        let covered = (0..200).filter(covers).count();
        assert!((180..=198).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn chance_alone_is_significant_in_about_5_of_100_cases() {
        let is_significant =
            |seed: &u64| bootstrap(&[differences(0.0, 60, *seed)], draws(7))[0].p < 0.05;
        let significant = (1_000..1_200).filter(is_significant).count();
        assert!((2..=22).contains(&significant), "{significant} of 200");
        let clear = bootstrap(&[differences(0.3, 60, 1)], draws(7))[0];
        assert!(clear.p < 0.002, "{clear:?}");
    }

    #[test]
    fn a_seed_gives_one_result_and_no_difference_is_no_finding() {
        let columns = [differences(0.1, 30, 3), vec![0.0; 30]];
        let found = bootstrap(&columns, draws(5));
        assert_eq!(found, bootstrap(&columns, draws(5)));
        assert_ne!(found[0].interval, bootstrap(&columns, draws(6))[0].interval);
        assert!((found[1].p - 1.0).abs() < 1e-12 && found[1].difference == 0.0);
        assert!(bootstrap(&[Vec::new()], draws(5))[0].difference.abs() < 1e-12);
    }

    #[test]
    fn questions_of_one_template_are_drawn_together_so_intervals_are_wider() {
        // Five templates, whose questions all differ alike.
        let column: Vec<f64> = (0..50).map(|at| f64::from(at / 10) / 10.0).collect();
        let groups: Vec<usize> = (0..50).map(|at| at / 10).collect();
        let width = |groups: &[usize]| {
            let draws = Draws { groups, ..draws(1) };
            let (low, high) = bootstrap(std::slice::from_ref(&column), draws)[0].interval;
            high - low
        };
        assert!(
            width(&groups) > 2.0 * width(&[]),
            "{} {}",
            width(&groups),
            width(&[])
        );
    }
}
