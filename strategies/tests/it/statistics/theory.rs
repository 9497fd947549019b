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

/// How often a vote is right in which `programs` programs, right with probability `q`, weigh
/// `weight` each and `texts` texts, right with probability `p`, weigh 1, if no errors agree: the
/// right answer has the weight of all that give it, every wrong one that of one vote. Of equal
/// weights the first candidate's wins, and programs come first.
pub(super) fn weighted((programs, q): (u32, f64), (texts, p): (u32, f64), weight: f64) -> f64 {
    let mut total = 0.0;
    for right_programs in 0..=programs {
        for right_texts in 0..=texts {
            let chance = binomial(programs, right_programs, q) * binomial(texts, right_texts, p);
            let right = weight * f64::from(right_programs) + f64::from(right_texts);
            let rival = if right_programs < programs {
                weight
            } else if right_texts < texts {
                1.0
            } else {
                0.0
            };
            let share = if right > rival {
                1.0
            } else if right < rival || right == 0.0 {
                0.0
            } else {
                first_is_right((programs, right_programs), (texts, right_texts), weight)
            };
            total += chance * share;
        }
    }
    total
}

/// How often the first of the candidates that weigh as much as the right answer gives it, where it
/// and every wrong one have the same weight.
fn first_is_right(programs: (u32, u32), texts: (u32, u32), weight: f64) -> f64 {
    let (all, right) = match (programs, texts) {
        // Equal votes: all candidates are alike.
        ((all, right), (more, others)) if (weight - 1.0).abs() < f64::EPSILON => {
            (all + more, right + others)
        }
        // One right program against wrong ones; texts alone weigh less.
        ((all, right), _) if right > 0 => (all, right),
        // One right text where there are no programs.
        (_, (all, right)) => (all, right),
    };
    f64::from(right) / f64::from(all)
}

/// How often the choice among `n` is right if it falls on any approved one, and on any at all if
/// none is approved.
pub(crate) fn selected(n: u32, p: f64, judge: Reliability) -> f64 {
    let chance = |right| binomial(n, right, p) * picked(n, right, judge);
    (0..=n).map(chance).sum()
}

/// The same among `n` of which `right` are right.
pub(crate) fn picked(n: u32, right: u32, judge: Reliability) -> f64 {
    let mut total = 0.0;
    for approved_right in 0..=right {
        for approved_wrong in 0..=(n - right) {
            let chance = binomial(right, approved_right, judge.true_positive)
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
