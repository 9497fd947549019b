//! Whether the samples are agreed enough to count: how many give the same answer, and how alike the
//! ways to it are.

use super::confidence::{ratio, similarity, thought, words};
use crate::kit::choosing::voting::Poll;
use crate::run::{Ballot, Candidate};

/// Parts of the confidence.
const ANSWERS: f64 = 0.6;
const THOUGHTS: f64 = 0.4;

/// The samples so far. Those that were cut off or refused do not count.
pub(super) struct Routing {
    poll: Poll,
    candidates: Vec<Candidate>,
    threshold: f64,
    texts: Alike,
    thoughts: Alike,
}

/// Texts, and how alike they are.
#[derive(Default)]
struct Alike {
    texts: Vec<Vec<String>>,
    /// The sum of the similarities of all pairs.
    sum: f64,
}

impl Alike {
    fn add(&mut self, text: &str) {
        let text = words(text);
        self.sum += self
            .texts
            .iter()
            .map(|other| similarity(other, &text))
            .sum::<f64>();
        self.texts.push(text);
    }

    /// The mean similarity of all pairs.
    fn mean(&self) -> f64 {
        self.mean_with(0, 0.0)
    }

    /// The mean similarity after `outstanding` more, if each is as similar as `each` to every
    /// other.
    fn mean_with(&self, outstanding: usize, each: f64) -> f64 {
        let known = pairs(self.texts.len());
        let all = pairs(self.texts.len() + outstanding);
        if all == 0 {
            0.5
        } else {
            (self.sum + each * f64::from(all - known)) / f64::from(all)
        }
    }
}

fn pairs(texts: usize) -> u32 {
    u32::try_from(texts * texts.saturating_sub(1) / 2).unwrap_or(u32::MAX)
}

impl Routing {
    pub(super) fn new(poll: Poll, threshold: f64) -> Self {
        Self {
            poll,
            candidates: Vec::new(),
            threshold,
            texts: Alike::default(),
            thoughts: Alike::default(),
        }
    }

    pub(super) fn into_poll(self) -> Poll {
        self.poll
    }

    /// 0.6 × the share of the most frequent answer + 0.4 × the mean similarity of the reasoning;
    /// 0.5 for a single answer, 0.1 without any.
    pub(super) fn certainty(&self) -> f64 {
        match self.texts.texts.len() {
            0 => 0.1,
            1 => 0.5,
            // Prose has no answer to be counted; then it is compared as a whole.
            all => {
                ANSWERS
                    * self
                        .most()
                        .map_or_else(|| self.texts.mean(), |most| ratio(most, all))
                    + THOUGHTS * self.thoughts.mean()
            }
        }
    }

    /// How many give the most frequent answer.
    fn most(&self) -> Option<usize> {
        self.poll
            .winners(&self.candidates)
            .first()
            .map(|winner| self.poll.votes_with(winner))
    }

    /// The least and the greatest confidence that there can be after `outstanding` more.
    fn reach(&self, outstanding: usize) -> (f64, f64) {
        let all = self.texts.texts.len() + outstanding;
        // One that stands alone counts by another rule, and without a single answer so far a first
        // one may come.
        let (Some(most), true) = (self.most(), all > 1) else {
            return (0.0, 1.0);
        };
        let at = |most: usize, each: f64| {
            ANSWERS * ratio(most, all) + THOUGHTS * self.thoughts.mean_with(outstanding, each)
        };
        // Where some of them do not count, what comes of the others lies in between.
        (at(most, 0.0), at(most + outstanding, 1.0))
    }
}

impl Ballot for Routing {
    fn add(&mut self, candidate: &Candidate) {
        self.poll.add(candidate);
        if candidate.is_sound() {
            self.texts.add(&candidate.text());
            self.thoughts.add(&thought(candidate));
        }
        self.candidates.push(candidate.clone());
    }

    fn is_decided(&self, outstanding: usize) -> bool {
        let (least, most) = self.reach(outstanding);
        most < self.threshold || (least >= self.threshold && self.poll.is_decided(outstanding))
    }

    fn is_certified(&self, alpha: f64) -> bool {
        self.certainty() >= self.threshold && self.poll.is_certified(alpha)
    }

    fn confidence(&self, outstanding: usize) -> f64 {
        if self.is_decided(outstanding) {
            return 1.0;
        }
        if self.certainty() >= self.threshold {
            self.poll.confidence(outstanding)
        } else {
            0.0
        }
    }

    fn row(&self) -> usize {
        self.poll.row()
    }
}
