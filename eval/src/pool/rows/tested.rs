//! Hypotheses: rows that were named before anything was computed.

use std::collections::HashMap;

use serde::Serialize;

use super::equal::{Computed, compared, difference};
use super::verdict::verdict;
use crate::compare::{Draws, Estimate, bootstrap, holm};
use crate::pool::Hypothesis;
use crate::pool::cases::Cases;
use crate::results::Column;
use crate::summary::Verdict;

/// Two spends that differ by less are equal.
const SAME_SPEND: f64 = 1.005;

/// A hypothesis, tested.
#[derive(Debug, Clone, Serialize)]
pub(in crate::pool) struct Test {
    #[serde(flatten)]
    pub(in crate::pool) hypothesis: Hypothesis,
    /// At equal money and at equal tokens; against a row, twice the same.
    pub(in crate::pool) estimates: [Estimate; 2],
    /// The row's spend over that of what it is compared with, in money and tokens.
    pub(in crate::pool) spend: [f64; 2],
    /// The greater p of both columns, adjusted by Holm's procedure.
    pub(in crate::pool) p: f64,
    pub(in crate::pool) verdict: Verdict,
}

/// The hypotheses, each with what was adjusted for all of them.
pub(super) fn tests(
    all: &[Computed],
    cases: &Cases,
    hypotheses: &[Hypothesis],
    draws: Draws<'_>,
) -> Result<Vec<Test>, String> {
    let by_name: HashMap<&str, &Computed> = all
        .iter()
        .map(|each| (each.rule.name.as_str(), each))
        .collect();
    let find = |name: &str| {
        by_name.get(name).copied().ok_or_else(|| {
            let rows = all.iter().filter(|each| each.rule.is_row);
            let names: Vec<&str> = rows.map(|each| each.rule.name.as_str()).collect();
            format!("no row is called `{name}`; there are {}", names.join(", "))
        })
    };
    let (mut columns, mut spends) = (Vec::new(), Vec::new());
    for hypothesis in hypotheses {
        let row = find(&hypothesis.row)?;
        let Some(other) = &hypothesis.against else {
            let pair = compared(all, cases, row).ok_or("there is no plain vote")?;
            columns.extend(pair.map(|(_, differences)| differences));
            spends.push([1.0; 2]);
            continue;
        };
        let other = find(other)?;
        let differences = difference(&row.right(), &other.right());
        columns.extend([differences.clone(), differences]);
        spends.push(Column::ALL.map(|column| row.spend(column) / other.spend(column)));
    }
    let estimates = bootstrap(&columns, draws);
    let pairs: Vec<[Estimate; 2]> = estimates.as_chunks::<2>().0.to_vec();
    let greater = |pair: &[Estimate; 2]| pair.iter().map(|each| each.p).fold(0.0, f64::max);
    let adjusted = holm(&pairs.iter().map(greater).collect::<Vec<_>>());
    let tests = hypotheses
        .iter()
        .zip(pairs)
        .zip(spends.into_iter().zip(adjusted));
    Ok(tests
        .map(|((hypothesis, estimates), (spend, p))| Test {
            hypothesis: hypothesis.clone(),
            estimates,
            spend,
            p,
            verdict: at_equal_spend(verdict(&estimates, Some(p)), spend),
        })
        .collect())
}

/// Who is better for more spend beats nobody, and who is worse for less loses to nobody.
fn at_equal_spend(verdict: Verdict, spend: [f64; 2]) -> Verdict {
    let is_dearer = spend.iter().any(|times| *times > SAME_SPEND);
    let is_cheaper = spend.iter().any(|times| *times * SAME_SPEND < 1.0);
    match verdict {
        Verdict::Beats if is_dearer => Verdict::Unclear,
        Verdict::Loses if is_cheaper => Verdict::Unclear,
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_better_for_more_beats_nobody() {
        let at = at_equal_spend;
        assert_eq!(at(Verdict::Beats, [1.0, 1.0]), Verdict::Beats);
        assert_eq!(at(Verdict::Beats, [0.6, 0.9]), Verdict::Beats);
        assert_eq!(at(Verdict::Beats, [0.6, 1.1]), Verdict::Unclear);
        assert_eq!(at(Verdict::Loses, [0.6, 1.1]), Verdict::Unclear);
        assert_eq!(at(Verdict::Loses, [1.2, 1.0]), Verdict::Loses);
    }
}
