//! A vote over answers: equivalent answers are one choice.
//!
//! The result depends on the set of votes, not on the order in which they came: samples that finish
//! in another order elect the same winner.

use super::posterior::{count, overtaken};
use super::value::{AnswerValue, Strictness};

/// Votes cast so far.
#[derive(Debug, Clone, Default)]
pub struct Votes {
    cast: Vec<Vote>,
    /// Clusters of equivalent votes.
    clusters: UnionFind,
    /// Clusters that further votes could join to one.
    joinable: UnionFind,
    /// The first vote after the last abstention.
    row_starts: usize,
}

#[derive(Debug, Clone)]
struct Vote {
    candidate: usize,
    value: AnswerValue,
    weight: f64,
}

/// The votes for one answer.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The answer, as the first of its candidates wrote it.
    pub value: AnswerValue,
    /// Who voted for it, in ascending order.
    pub candidates: Vec<usize>,
    /// The sum of their weights.
    pub weight: f64,
}

impl Votes {
    /// No votes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the vote of `candidate`, an index that votes once. Without a value it abstains. A
    /// weight that is not finite or is negative counts 0.
    pub fn add(&mut self, candidate: usize, value: Option<AnswerValue>, weight: f64) {
        let Some(value) = value else {
            self.row_starts = self.cast.len();
            return;
        };
        let weight = if weight.is_finite() {
            weight.max(0.0)
        } else {
            0.0
        };
        let at = self.cast.len();
        self.clusters.push();
        self.joinable.push();
        for (other, vote) in self.cast.iter().enumerate() {
            if vote.value.same(&value, Strictness::Equivalent) {
                self.clusters.join(other, at);
                self.joinable.join(other, at);
            } else if vote.value.same(&value, Strictness::Joinable) {
                self.joinable.join(other, at);
            }
        }
        self.cast.push(Vote {
            candidate,
            value,
            weight,
        });
    }

    /// The answer with the greatest weight; of equals the one with the lowest candidate index.
    pub fn leader(&self) -> Option<Tally> {
        self.histogram().into_iter().next()
    }

    /// Whether no outcome of `outstanding` further votes can change the leader. Each is assumed to
    /// weigh as much as the heaviest so far, and at least 1.
    pub fn decided(&self, outstanding: usize) -> bool {
        let Some((leader, rivals)) = self.standing() else {
            return false;
        };
        let runner_up = rivals.into_iter().fold(0.0, f64::max);
        leader - runner_up > count(outstanding)
    }

    /// A lower bound of the probability that the leader is not overtaken in `outstanding` further
    /// votes; 0 without votes.
    ///
    /// The sum over all rivals, one that nobody has voted for yet included, of how likely each is
    /// to overtake it. A tie is no overtaking: either answer is as good then.
    pub fn confidence(&self, outstanding: usize) -> f64 {
        let Some((leader, mut rivals)) = self.standing() else {
            return 0.0;
        };
        rivals.push(0.0);
        rivals.sort_by(f64::total_cmp);
        let all: f64 = rivals.iter().sum();
        let equals = rivals.chunk_by(|left, right| left.total_cmp(right).is_eq());
        let risks = equals.filter_map(|equals| {
            let rival = *equals.first()?;
            Some(
                count(equals.len()) * overtaken(leader, rival, (all - rival).max(0.0), outstanding),
            )
        });
        (1.0 - risks.sum::<f64>()).max(0.0)
    }

    /// How many of the last votes agree; a candidate that abstained ends the row.
    pub fn row(&self) -> usize {
        let Some(last) = self.cast.len().checked_sub(1) else {
            return 0;
        };
        let row = (self.row_starts..=last)
            .rev()
            .take_while(|at| self.clusters.root(*at) == self.clusters.root(last));
        row.count()
    }

    /// The leader's votes and those of its rivals, in units of the heaviest vote, which is at least
    /// 1. Rivals that further votes could join are one.
    fn standing(&self) -> Option<(f64, Vec<f64>)> {
        let leader = self.leader()?;
        let unit = self.cast.iter().map(|vote| vote.weight).fold(1.0, f64::max);
        let leads = |vote: &Vote| leader.candidates.contains(&vote.candidate);
        let mut rivals = vec![0.0_f64; self.cast.len()];
        for (at, vote) in self
            .cast
            .iter()
            .enumerate()
            .filter(|(_, vote)| !leads(vote))
        {
            if let Some(rival) = rivals.get_mut(self.joinable.root(at)) {
                *rival += vote.weight / unit;
            }
        }
        rivals.retain(|weight| *weight > 0.0);
        Some((leader.weight / unit, rivals))
    }

    /// All answers, the leader first, by the rule of [`Votes::leader`].
    pub fn histogram(&self) -> Vec<Tally> {
        let mut order: Vec<usize> = (0..self.cast.len()).collect();
        order.sort_by_key(|at| self.cast.get(*at).map(|vote| vote.candidate));
        let mut tallies: Vec<(usize, Tally)> = Vec::new();
        for at in order {
            let Some(vote) = self.cast.get(at) else {
                continue;
            };
            let root = self.clusters.root(at);
            if let Some((_, tally)) = tallies.iter_mut().find(|(known, _)| *known == root) {
                tally.candidates.push(vote.candidate);
                tally.weight += vote.weight;
            } else {
                tallies.push((
                    root,
                    Tally {
                        value: vote.value.clone(),
                        candidates: vec![vote.candidate],
                        weight: vote.weight,
                    },
                ));
            }
        }
        // The sort is stable, so equals stay in the order of their first candidates.
        tallies.sort_by(|(_, left), (_, right)| right.weight.total_cmp(&left.weight));
        tallies.into_iter().map(|(_, tally)| tally).collect()
    }

    /// Votes with a value.
    pub fn cast(&self) -> usize {
        self.cast.len()
    }
}

/// Disjoint sets of the numbers from 0 on.
#[derive(Debug, Clone, Default)]
struct UnionFind {
    parents: Vec<usize>,
}

impl UnionFind {
    fn push(&mut self) {
        self.parents.push(self.parents.len());
    }

    fn root(&self, of: usize) -> usize {
        let mut at = of;
        while let Some(parent) = self.parents.get(at).filter(|parent| **parent != at) {
            at = *parent;
        }
        at
    }

    /// Puts both in one set, whose root is its least member.
    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        if let Some(parent) = self.parents.get_mut(left.max(right)) {
            *parent = left.min(right);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn votes(answers: &[&str]) -> Votes {
        let mut votes = Votes::new();
        for (candidate, answer) in answers.iter().enumerate() {
            votes.add(candidate, AnswerValue::parse(answer), 1.0);
        }
        votes
    }

    #[test]
    fn one_answer_in_many_forms_is_one_choice() {
        let leader = votes(&["41", "42", "\\boxed{42}", "42.0", "**42**", "$42$"])
            .leader()
            .unwrap();
        assert_eq!(leader.candidates, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_tie_goes_to_the_lowest_candidate_whatever_came_first() {
        let mut votes = Votes::new();
        for (candidate, answer) in [(3, "7"), (0, "8"), (2, "7"), (1, "8")] {
            votes.add(candidate, AnswerValue::parse(answer), 1.0);
        }
        assert_eq!(votes.leader().unwrap().candidates, [0, 1]);
    }

    #[test]
    fn a_vote_is_decided_only_when_nothing_can_overtake() {
        let votes = votes(&["1", "1", "1", "2"]);
        assert!(votes.decided(1));
        assert!(!votes.decided(2), "a tie could be lost");
        assert!(!Votes::new().decided(0));
    }

    #[test]
    fn a_leader_far_ahead_is_likely_to_stay() {
        let confidence = |answers: &[&str], outstanding| votes(answers).confidence(outstanding);
        assert!(confidence(&["1"; 4], 12) > 0.99 && confidence(&["1"; 3], 13) < 0.99);
        assert!(confidence(&["1", "1", "1", "2"], 12) < 0.9);
        assert!(
            confidence(&["1", "1", "1", "1", "1", "1", "2", "3"], 8)
                > confidence(&["1", "1", "1", "1", "1", "1", "2", "2"], 8)
        );
        assert!(confidence(&[], 3) < f64::EPSILON);
    }

    #[test]
    fn every_rival_adds_its_own_risk_and_so_does_an_answer_that_nobody_gave() {
        let votes = votes(&["1", "1", "1", "2", "2", "3", "3"]);
        let risk = 2.0 * overtaken(3.0, 2.0, 2.0, 3) + overtaken(3.0, 0.0, 4.0, 3);
        assert!(
            overtaken(3.0, 2.0, 2.0, 3) > 0.01
                && (votes.confidence(3) - (1.0 - risk)).abs() < 1e-12
        );
    }

    #[test]
    fn a_row_ends_with_another_answer_or_none() {
        assert_eq!([votes(&[]).row(), votes(&["2", "1", "1.0"]).row()], [0, 2]);
        let mut votes = votes(&["1", "1"]);
        votes.add(2, None, 1.0);
        assert_eq!(votes.row(), 0);
        votes.add(3, AnswerValue::parse("1"), 1.0);
        assert_eq!(votes.row(), 1);
    }

    #[test]
    fn bare_numbers_that_could_join_two_units_are_reckoned_with() {
        let votes = votes(&["3", "3", "3", "3", "5 m", "5 m", "5 cm", "5 cm"]);
        assert!(!votes.decided(1), "a bare 5 would make five");
    }

    #[test]
    fn those_without_an_answer_do_not_vote() {
        let mut votes = votes(&["1"]);
        votes.add(1, None, 1.0);
        assert_eq!(votes.cast(), 1);
    }

    proptest! {
        #[test]
        fn a_decided_vote_stays_decided(first in prop::collection::vec(0_usize..7, 0..10),
            then in prop::collection::vec(0_usize..7, 0..5)) {
            let pool = ["5", "5 m", "5 cm", "6", "0.5", "1/2", "50%"];
            let answers: Vec<&str> = first.iter().map(|at| pool[*at]).collect();
            let mut all = votes(&answers);
            prop_assert!((0.0..=1.0).contains(&all.confidence(then.len())));
            if all.decided(then.len()) {
                prop_assert!(all.confidence(then.len()) >= 1.0);
                let leader = all.leader().unwrap();
                for (offset, at) in then.iter().enumerate() {
                    all.add(first.len() + offset, AnswerValue::parse(pool[*at]), 1.0);
                }
                let after = all.leader().unwrap();
                prop_assert!(leader.candidates.iter()
                    .all(|candidate| after.candidates.contains(candidate)));
            }
        }

        #[test]
        fn the_order_of_arrival_does_not_matter(
            votes in prop::collection::vec((0_usize..6, 1_u8..4), 0..10)
                .prop_map(|votes| votes.into_iter().enumerate().collect::<Vec<_>>()),
            seed in any::<u64>(),
        ) {
            let pool = ["5", "5 m", "5 cm", "6", "0.5", "1/2"];
            let elect = |votes: &[(usize, (usize, u8))]| {
                let mut count = Votes::new();
                for (candidate, (at, weight)) in votes {
                    count.add(*candidate, AnswerValue::parse(pool[*at]), f64::from(*weight));
                }
                count.histogram().into_iter().map(|tally| (tally.value.to_string(),
                    tally.candidates)).collect::<Vec<_>>()
            };
            let mut shuffled = votes.clone();
            shuffled.sort_by_key(|(candidate, _)| (*candidate as u64 + 1).wrapping_mul(seed | 1));
            prop_assert_eq!(elect(&votes), elect(&shuffled));
        }
    }
}
