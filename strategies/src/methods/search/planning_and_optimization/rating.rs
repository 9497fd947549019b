//! Finding the best of several answers: by rating each, or by comparing each two. Ratings begin as
//! soon as two answers are known to differ.

use super::pipeline::Bench;
use super::settings::{DEFAULT_TOKENS, Rating};
use crate::answer::Question;
use crate::contract::{BEST_CANDIDATE, SCORE};
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::voting::{self, Poll};
use crate::kit::reading::verdict::{parse_best, parse_score};
use crate::non_empty::NonEmpty;
use crate::run::{Ballot, Candidate};

const ROLE: &str = include_str!("examiner.txt");
const RATE: &str = include_str!("rate.txt");
const COMPARE: &str = include_str!("compare.txt");

/// Something that a judge is to say. The numbers are those of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Issue {
    /// Which of two is better, shown in this order.
    Compare(u32, u32),
    /// How good one is.
    Rate(u32),
}

/// What a judge said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judgement {
    /// Of two, that this one is better; `None` where the judge gave no verdict.
    Better(u32, u32, Option<u32>),
    Rated(u32, Option<f64>),
}

/// The answers so far and what judges said of them.
pub(super) struct Contest {
    rating: Rating,
    question: Question,
    pub(super) candidates: Vec<Candidate>,
    /// Sound candidates, of which the first `begun` are before the judges.
    sound: Vec<Candidate>,
    begun: usize,
    poll: Poll,
    verdicts: Vec<Judgement>,
}

impl Contest {
    pub(super) fn new(rating: Rating, question: Question) -> Self {
        let poll = Poll::new(question.clone());
        Self {
            rating,
            question,
            candidates: Vec::new(),
            sound: Vec::new(),
            begun: 0,
            poll,
            verdicts: Vec::new(),
        }
    }

    /// Takes an answer in and says what is to be judged now.
    pub(super) fn add(&mut self, candidate: Candidate) -> Vec<Issue> {
        self.poll.add(&candidate);
        if candidate.is_sound() {
            self.sound.push(candidate.clone());
        }
        self.candidates.push(candidate);
        if self.rating == Rating::Majority || self.is_unanimous() {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (at, new) in self.sound.iter().enumerate().skip(self.begun) {
            match self.rating {
                Rating::Absolute => due.push(Issue::Rate(new.index)),
                Rating::Majority => {}
                Rating::Pairwise => {
                    let others = self
                        .sound
                        .iter()
                        .take(at)
                        .filter(|other| other.shown() != new.shown());
                    due.extend(others.flat_map(|other| {
                        [
                            Issue::Compare(other.index, new.index),
                            Issue::Compare(new.index, other.index),
                        ]
                    }));
                }
            }
        }
        self.begun = self.sound.len();
        due
    }

    fn is_unanimous(&self) -> bool {
        let is_same_text = || {
            self.sound
                .windows(2)
                .all(|pair| matches!(pair, [left, right] if left.shown() == right.shown()))
        };
        is_same_text() || voting::agree(&self.sound, &self.question)
    }

    /// Whether `outstanding` more answers cannot change the outcome of a vote.
    pub(super) fn is_decided(&self, outstanding: usize) -> bool {
        self.rating == Rating::Majority && self.poll.is_decided(outstanding)
    }

    /// Asks a judge.
    pub(super) async fn judge(bench: Bench<'_>, issue: Issue, shown: Vec<String>) -> Judgement {
        let call = |wanted: &str, contract: &str| {
            let call = bench.case.verdict(ROLE, &shown, wanted, contract);
            let step = bench.settings.rate;
            let call = call.set("temperature", step.temperature);
            let call = bench.begun(if step.max_tokens == DEFAULT_TOKENS {
                call
            } else {
                call.with_own_bound(step.max_tokens)
            });
            match bench.settings.rating_model.first() {
                Some(model) => call.asking(model),
                None => call,
            }
        };
        match issue {
            Issue::Rate(of) => {
                let score = bench
                    .run
                    .judge(&call(RATE, SCORE), of, SCORE, |reply| {
                        parse_score(reply, 0.0..=10.0)
                    })
                    .await;
                Judgement::Rated(of, score)
            }
            Issue::Compare(first, second) => {
                let index = first * bench.settings.pipelines + second;
                let best = bench
                    .run
                    .judge(
                        &call(COMPARE, BEST_CANDIDATE),
                        index,
                        BEST_CANDIDATE,
                        |reply| parse_best(reply, 2),
                    )
                    .await;
                Judgement::Better(
                    first,
                    second,
                    best.map(|best| if best == 0 { first } else { second }),
                )
            }
        }
    }

    /// What a judge of `issue` is shown.
    pub(super) fn shown(&self, issue: Issue) -> Vec<String> {
        let numbers = match issue {
            Issue::Compare(first, second) => vec![first, second],
            Issue::Rate(of) => vec![of],
        };
        let find = |number| {
            self.candidates
                .iter()
                .find(|candidate| candidate.index == number)
        };
        numbers
            .into_iter()
            .filter_map(find)
            .map(Candidate::shown)
            .collect()
    }

    pub(super) fn heard(&mut self, verdict: Judgement) {
        self.verdicts.push(verdict);
    }

    /// Whether a verdict is missing.
    pub(super) fn lacks_verdicts(&self) -> bool {
        self.verdicts.iter().any(|verdict| {
            matches!(
                verdict,
                Judgement::Rated(_, None) | Judgement::Better(_, _, None)
            )
        })
    }

    /// The rating of a candidate, or its votes and half-votes from comparisons.
    pub(super) fn score(&self, of: u32) -> Option<f64> {
        match self.rating {
            Rating::Absolute => self.verdicts.iter().find_map(|verdict| match verdict {
                Judgement::Rated(rated, score) if *rated == of => *score,
                _ => None,
            }),
            Rating::Majority => None,
            Rating::Pairwise => self.copeland(of),
        }
    }

    /// Copeland's score: for each other candidate 1 if more judges prefer this one, ½ if as many
    /// do. None without any comparison.
    fn copeland(&self, of: u32) -> Option<f64> {
        let others = self
            .sound
            .iter()
            .map(|candidate| candidate.index)
            .filter(|other| *other != of);
        let points = others.filter_map(|other| {
            let votes = self.verdicts.iter().filter_map(|verdict| match verdict {
                Judgement::Better(first, second, Some(better))
                    if [(of, other), (other, of)].contains(&(*first, *second)) =>
                {
                    Some(if *better == of { 1 } else { -1 })
                }
                _ => None,
            });
            let votes: Vec<i32> = votes.collect();
            let lead = votes.iter().sum::<i32>().signum();
            (!votes.is_empty()).then(|| f64::from(lead + 1) / 2.0)
        });
        let points: Vec<f64> = points.collect();
        (!points.is_empty()).then(|| points.iter().sum())
    }

    /// The best one: by ratings, then by how many give the same answer, then the first.
    pub(super) fn winner(&mut self) -> Option<Candidate> {
        self.candidates.sort_by_key(|candidate| candidate.index);
        let candidates = NonEmpty::new(self.candidates.clone())?;
        let rank = |candidate: &Candidate| {
            (
                self.score(candidate.index).unwrap_or(f64::NEG_INFINITY),
                self.poll.votes_with(candidate),
            )
        };
        let worthy = worthy(&candidates);
        let is_rated = worthy
            .iter()
            .any(|candidate| self.score(candidate.index).is_some());
        let winner = if is_rated {
            worthy.best(|left, right| {
                let ((left, left_votes), (right, right_votes)) = (rank(left), rank(right));
                left.total_cmp(&right).then(left_votes.cmp(&right_votes))
            })
        } else {
            self.poll.elected(&candidates)
        };
        Some(winner.clone())
    }

    /// Shows the candidates in the trace.
    pub(super) fn record(&self, bench: Bench<'_>, chosen: &Candidate) {
        if self.rating == Rating::Majority {
            return self.poll.record(bench.run, &self.candidates, chosen);
        }
        let shown = |candidate: &Candidate| {
            crate::kit::choosing::selection::record(
                candidate,
                None,
                self.score(candidate.index),
                Some(chosen),
            )
        };
        bench.run.record(self.candidates.iter().map(shown));
    }
}
