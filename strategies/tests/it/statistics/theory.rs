//! What probability theory says.

use hone_strategies::simulation::Reliability;

/// The probability of exactly `k` successes in `n`.
pub(crate) fn binomial(n: u32, k: u32, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
    ways * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed())
}

/// How often more than half of `n` are right, for odd `n`: what a vote gives if all errors agree.
pub(super) fn majority(n: u32, p: f64) -> f64 {
    (n / 2 + 1..=n).map(|k| binomial(n, k, p)).sum()
}

/// How often two of `n` are right, or one is and a tie among n falls to it: what a vote gives if no
/// errors agree.
pub(super) fn plurality(n: u32, p: f64) -> f64 {
    (2..=n).map(|k| binomial(n, k, p)).sum::<f64>() + binomial(n, 1, p) / f64::from(n)
}

/// How often the choice among `n` is right if it falls on any approved one, and on any at all if
/// none is approved.
pub(crate) fn selected(n: u32, p: f64, judge: Reliability) -> f64 {
    let mut total = 0.0;
    for right in 0..=n {
        for approved_right in 0..=right {
            for approved_wrong in 0..=(n - right) {
                let chance = binomial(n, right, p)
                    * binomial(right, approved_right, judge.true_positive)
                    * binomial(n - right, approved_wrong, judge.false_positive);
                let approved = approved_right + approved_wrong;
                let hit = if approved == 0 {
                    f64::from(right) / f64::from(n)
                } else {
                    f64::from(approved_right) / f64::from(approved)
                };
                total += chance * hit;
            }
        }
    }
    total
}

/// How often the confirmed answer is right where all errors agree: five solutions, each the
/// majority of three votes, each read again.
pub(super) fn confirmed(p: f64) -> f64 {
    let q = 1.0 - p;
    // (right, reward, chance) of one solution.
    let solutions = [
        (true, 1.0, p.powi(3)),
        (true, 2.0 / 3.0, 3.0 * p * p * q),
        (false, 1.0, q.powi(3)),
        (false, 2.0 / 3.0, 3.0 * p * q * q),
    ];
    let states: Vec<(bool, f64, bool, f64)> = solutions
        .into_iter()
        .flat_map(|(right, reward, chance)| {
            let same = if right { p } else { q };
            [
                (right, reward, true, chance * same),
                (right, reward, false, chance * (1.0 - same)),
            ]
        })
        .collect();
    (0..states.len().pow(5))
        .map(|code| {
            let leaves: Vec<_> = (0..5)
                .map(|at| states[code / states.len().pow(at) % states.len()])
                .collect();
            let counts =
                |leaf: &&(bool, f64, bool, f64)| leaf.2 || leaves.iter().all(|other| !other.2);
            let pool: Vec<_> = leaves.iter().filter(counts).collect();
            let score = |right: bool| {
                let group = pool.iter().filter(|leaf| leaf.0 == right);
                group.clone().map(|leaf| leaf.1).sum::<f64>()
                    * f64::from(u32::try_from(group.count()).unwrap())
            };
            let lead = score(true) - score(false);
            let wins = if lead.abs() < 1e-9 {
                pool[0].0
            } else {
                lead > 0.0
            };
            if wins {
                leaves.iter().map(|leaf| leaf.3).product()
            } else {
                0.0
            }
        })
        .sum()
}
