//! A vote over answers: equivalent answers are one choice.
//!
//! The result depends on the set of votes, not on the order in which they came: samples that finish
//! in another order elect the same winner.

use std::cmp::Ordering;

use super::guarantee::{evidence, needed};
use super::posterior::{Prior, UNKNOWN, count, overtaken};
use super::scale::Scheme;
use super::value::{AnswerValue, Strictness};

/// Votes cast so far.
#[derive(Debug, Clone, Default)]
pub struct Votes {
    /// What a vote counts for.
    scheme: Scheme,
    /// How answers are known to spread.
    prior: Option<Prior>,
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
    /// What it counts for, whatever the model said of itself.
    weight: f64,
    /// How sure the model was.
    sure: Option<f64>,
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

    /// No votes yet, of which each counts for what `scheme` says.
    pub fn by(scheme: Scheme) -> Self {
        Self {
            scheme,
            ..Self::default()
        }
    }

    /// The same, of a model whose answers are known to spread in this way.
    #[must_use]
    pub fn spreading(self, prior: Option<Prior>) -> Self {
        Self { prior, ..self }
    }

    /// Counts the vote of `candidate`, an index that votes once. Without a value it abstains. A
    /// weight that is not finite or is negative counts 0.
    pub fn add(&mut self, candidate: usize, value: Option<AnswerValue>, weight: f64) {
        self.add_sure(candidate, value, weight, None);
    }

    /// The same, of a model that was `sure` of it so far, by any measure that grows with that.
    pub fn add_sure(
        &mut self,
        candidate: usize,
        value: Option<AnswerValue>,
        weight: f64,
        sure: Option<f64>,
    ) {
        let Some(value) = value else {
            self.row_starts = self.cast.len();
            return;
        };
        let weight = if weight.is_finite() {
            weight.max(0.0)
        } else {
            0.0
        };
        self.scheme.add(sure);
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
            sure,
        });
        let distinct = self.distinct();
        self.scheme.seen(distinct);
    }

    /// Whether it is known how answers spread.
    pub fn has_prior(&self) -> bool {
        self.prior.is_some()
    }

    /// How many different answers there are.
    pub fn distinct(&self) -> usize {
        let own = |at: &usize| self.clusters.root(*at) == *at;
        (0..self.cast.len()).filter(own).count()
    }

    /// The answer with the greatest weight; of equals the one with most votes, then the one that
    /// the scheme prefers, then the one of which the model was surest, then the one with the lowest
    /// candidate index.
    pub fn leader(&self) -> Option<Tally> {
        self.histogram().into_iter().next()
    }

    /// Whether no outcome of `outstanding` further votes can change the leader. Each is assumed to
    /// weigh as much as it may, and as the heaviest so far.
    pub fn decided(&self, outstanding: usize) -> bool {
        let Some((least, most)) = self.scheme.range() else {
            return false;
        };
        let Some(Standing { leader, rivals, .. }) = self.standing() else {
            return false;
        };
        let runner_up = rivals.into_iter().fold(0.0, f64::max);
        // It may add to a rival, or take something from the leader.
        let swing = most.max(-least) * self.heaviest();
        leader - runner_up > count(outstanding) * swing
    }

    /// A lower bound of the probability that the leader is not overtaken in `outstanding` further
    /// votes; 0 without votes.
    ///
    /// The sum over all rivals, one that nobody has voted for yet included, of how likely each is
    /// to overtake it. A tie is no overtaking: either answer is as good then. Votes that weigh
    /// differently count as so many equal ones as have the same variance, (Σw)² / Σw² (Kish,
    /// *Survey Sampling*, 1965).
    pub fn confidence(&self, outstanding: usize) -> f64 {
        if self.scheme.range().is_none_or(|(least, _)| least < 0.0) {
            return if self.decided(outstanding) { 1.0 } else { 0.0 };
        }
        let Some(Standing {
            leader,
            mut rivals,
            unit,
        }) = self.standing()
        else {
            return 0.0;
        };
        rivals.push(0.0);
        for rival in &mut rivals {
            *rival /= unit;
        }
        rivals.sort_by(f64::total_cmp);
        let (leader, all) = (leader / unit, rivals.iter().sum::<f64>());
        let prior = self.prior.unwrap_or(UNKNOWN);
        let equals = rivals.chunk_by(|left, right| left.total_cmp(right).is_eq());
        let risks = equals.filter_map(|equals| {
            let rival = *equals.first()?;
            let votes = (leader, rival, (all - rival).max(0.0));
            Some(count(equals.len()) * overtaken(votes, prior, outstanding))
        });
        (1.0 - risks.sum::<f64>()).max(0.0)
    }

    /// Whether the votes prove which answer the model gives most often, so that of all votes that
    /// end by this rule at most a share `alpha` would have elected another one in the long run. It
    /// holds however often one looks, and says nothing of whether the answer is true.
    pub fn is_certified(&self, alpha: f64) -> bool {
        let Some(leader) = self.leader() else {
            return false;
        };
        // By the order in which they came, and by heads: what is proved is how often it is given.
        let mut appeared: Vec<usize> = Vec::new();
        let mut heads = vec![0_u32; self.cast.len()];
        let (mut own, mut order) = (0_u32, 0_u32);
        for (at, vote) in self.cast.iter().enumerate() {
            let root = self.joinable.root(at);
            let leads = leader.candidates.contains(&vote.candidate);
            if !appeared.contains(&root) {
                appeared.push(root);
            }
            if leads {
                own += 1;
                let place = appeared.iter().position(|known| *known == root);
                order = place.map_or(1, |place| u32::try_from(place + 1).unwrap_or(u32::MAX));
            } else if let Some(heads) = heads.get_mut(root) {
                *heads += 1;
            }
        }
        let strongest = heads.into_iter().max().unwrap_or_default();
        // The vote that made it a leader proves nothing.
        evidence(own.saturating_sub(1), strongest) >= needed(order.max(1), alpha)
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

    /// The leader's votes and those of its rivals. Rivals that further votes could join are one.
    fn standing(&self) -> Option<Standing> {
        let leader = self.leader()?;
        let leads = |vote: &Vote| leader.candidates.contains(&vote.candidate);
        let mut rivals = vec![0.0_f64; self.cast.len()];
        let (mut sum, mut squares) = (0.0, 0.0);
        for (at, vote) in self.cast.iter().enumerate() {
            let weight = self.scheme.weight(vote.sure);
            sum += weight;
            squares += weight * weight;
            let rival = rivals.get_mut(self.joinable.root(at));
            if let Some(rival) = rival.filter(|_| !leads(vote)) {
                *rival += vote.weight * weight;
            }
        }
        rivals.retain(|weight| *weight > 0.0);
        Some(Standing {
            leader: leader.weight,
            rivals,
            unit: squares / sum * self.heaviest(),
        })
    }

    /// The weight of the heaviest vote so far, apart from how sure the model was; at least 1.
    fn heaviest(&self) -> f64 {
        self.cast.iter().map(|vote| vote.weight).fold(1.0, f64::max)
    }

    /// All answers, the leader first, by the rule of [`Votes::leader`].
    pub fn histogram(&self) -> Vec<Tally> {
        let mut order: Vec<usize> = (0..self.cast.len()).collect();
        order.sort_by_key(|at| self.cast.get(*at).map(|vote| vote.candidate));
        let mut groups: Vec<(usize, Group)> = Vec::new();
        for at in order {
            let Some(vote) = self.cast.get(at) else {
                continue;
            };
            let root = self.clusters.root(at);
            let group = match groups.iter_mut().find(|(known, _)| *known == root) {
                Some((_, group)) => group,
                None => &mut groups.push_mut((root, Group::of(&vote.value))).1,
            };
            group.add(vote, &self.scheme);
        }
        // The sort is stable, so equals stay in the order of their first candidates.
        groups.sort_by(|(_, left), (_, right)| right.rank(left));
        groups.into_iter().map(|(_, group)| group.tally).collect()
    }

    /// Votes with a value.
    pub fn cast(&self) -> usize {
        self.cast.len()
    }
}

/// The leader's weight and those of its rivals.
struct Standing {
    leader: f64,
    rivals: Vec<f64>,
    /// What one vote weighs.
    unit: f64,
}

/// An answer's tally, and what else decides between answers of the same weight.
struct Group {
    tally: Tally,
    /// What the scheme says.
    preference: f64,
    /// How sure the model was where it was surest, if it said so of each.
    surest: Option<f64>,
}

impl Group {
    fn of(value: &AnswerValue) -> Self {
        Self {
            tally: Tally {
                value: value.clone(),
                candidates: Vec::new(),
                weight: 0.0,
            },
            preference: 0.0,
            surest: Some(f64::NEG_INFINITY),
        }
    }

    fn add(&mut self, vote: &Vote, scheme: &Scheme) {
        self.tally.candidates.push(vote.candidate);
        self.tally.weight += vote.weight * scheme.weight(vote.sure);
        self.preference += scheme.in_a_tie(vote.sure);
        self.surest = self
            .surest
            .zip(vote.sure)
            .map(|(surest, sure)| surest.max(sure));
    }

    fn rank(&self, other: &Self) -> Ordering {
        let votes = |group: &Self| group.tally.candidates.len();
        let surest = |group: &Self| group.surest.unwrap_or(f64::NEG_INFINITY);
        self.tally
            .weight
            .total_cmp(&other.tally.weight)
            .then(votes(self).cmp(&votes(other)))
            .then(self.preference.total_cmp(&other.preference))
            .then(surest(self).total_cmp(&surest(other)))
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
mod tests;
