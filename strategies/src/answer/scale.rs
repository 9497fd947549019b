//! How much a vote weighs by how sure the model was of it.
//!
//! Log probabilities of two questions cannot be compared, and those of two models cannot either: so
//! what counts is by how many standard deviations a value lies above the mean of its own question.
//! CISC (Taubenfeld et al., *Confidence Improves Self-Consistency in LLMs*, 2025, arXiv 2502.06233)
//! weighs votes by a softmax of raw values at a temperature that is tuned for each model; with
//! standard scores one temperature serves all.

use super::posterior::count;

/// Furthest that a standard score counts, in standard deviations.
const FURTHEST: f64 = 2.0;
/// Values from which mean and deviation are taken. Later ones change neither, so a vote that has
/// been cast keeps its weight, and a lead that cannot be lost stays one.
const FIRST: usize = 3;
/// How many values the model's usual deviation counts for, beside the first ones of the question.
const PSEUDO: f64 = 10.0;

/// The values of one question, and what they make of each other.
#[derive(Debug, Clone, Default)]
pub struct Scale {
    /// The model's usual deviation within a question, if it is known.
    usual: Option<f64>,
    /// The first values.
    first: Vec<f64>,
}

/// Mean and deviation.
#[derive(Debug, Clone, Copy)]
struct Norm {
    mean: f64,
    deviation: f64,
}

impl Scale {
    /// No values yet, of a model whose values usually deviate by `usual` within a question.
    pub fn new(usual: Option<f64>) -> Self {
        Self {
            usual: usual.filter(|usual| usual.is_finite() && *usual >= 0.0),
            first: Vec::new(),
        }
    }

    /// Takes in how sure the model was of one answer.
    pub(super) fn add(&mut self, value: f64) {
        if self.first.len() < FIRST && value.is_finite() {
            self.first.push(value);
        }
    }

    /// Whether there is nothing to weigh by.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Whether further values change nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.first.len() == FIRST
    }

    /// The standard score of a value, between -2 and 2; 0 for none, or where all are equal.
    pub(super) fn score(&self, value: Option<f64>) -> f64 {
        let Some((value, norm)) = value.filter(|value| value.is_finite()).zip(self.norm()) else {
            return 0.0;
        };
        let score = (value - norm.mean) / norm.deviation;
        if score.is_finite() {
            score.clamp(-FURTHEST, FURTHEST)
        } else {
            0.0
        }
    }

    fn norm(&self) -> Option<Norm> {
        let (count, sum) = self
            .first
            .iter()
            .fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
        let mean = sum / count;
        let squares: f64 = self.first.iter().map(|value| (value - mean).powi(2)).sum();
        let (pseudo, usual) = self.usual.map_or((0.0, 0.0), |usual| (PSEUDO, usual));
        let variance = (squares + pseudo * usual * usual) / (count - 1.0 + pseudo);
        // One value alone, without a usual deviation, says nothing: the quotient is no number.
        variance.is_finite().then(|| Norm {
            mean,
            deviation: variance.sqrt(),
        })
    }

    /// The greatest standard score.
    pub(super) const fn furthest() -> f64 {
        FURTHEST
    }
}

/// What a vote counts for.
#[derive(Debug, Clone, Default)]
pub enum Scheme {
    /// One.
    #[default]
    Count,
    /// One; between answers with as many votes, the surer ones win.
    Tie(Scale),
    /// `exp(z / temperature)`, with the standard score z of its value.
    Weighted {
        /// The values.
        scale: Scale,
        /// How much they count for: the less, the more.
        temperature: f64,
    },
    /// What it adds to the logarithm of its answer's posterior odds, see [`Odds`].
    Posterior {
        /// The values.
        scale: Scale,
        /// What is known of the model.
        odds: Odds,
        /// Different answers so far.
        distinct: usize,
    },
}

/// What a journal knows of a model, from which the posterior of an answer follows: CGES (Aghazadeh
/// et al., 2025, arXiv 2511.02603), with the mass of wrong answers spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// How often an answer is right.
    pub accuracy: f64,
    /// How far right answers lie above wrong ones, in standard deviations: √2 Φ⁻¹(d) for a
    /// discrimination d within the question.
    pub distance: f64,
    /// Wrong answers that are plausible, where the question tells its options; else as many as have
    /// been given.
    pub wrong: Option<f64>,
}

impl Odds {
    /// Of a model of this accuracy, whose values tell right from wrong in a share `discrimination`
    /// of all pairs.
    pub fn new(accuracy: f64, discrimination: f64, wrong: Option<f64>) -> Self {
        // By halving: the distribution is monotone.
        let (mut low, mut high) = (-3.0, 3.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if normal_cdf(middle) < discrimination {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self {
            accuracy,
            distance: std::f64::consts::SQRT_2 * low,
            wrong,
        }
    }

    /// What a vote with the standard score `score` adds.
    fn weight(self, score: f64, distinct: usize) -> f64 {
        let accuracy = self.accuracy.clamp(0.01, 0.99);
        let odds = (accuracy / (1.0 - accuracy)).ln();
        let distance = self.distance;
        let seen = || count(distinct.saturating_sub(1));
        let wrong = self.wrong.unwrap_or_else(seen).max(1.0);
        odds + distance * score - distance * distance / 2.0 + wrong.ln()
    }
}

impl Scheme {
    /// Takes in how sure the model was of one answer.
    pub(super) fn add(&mut self, value: Option<f64>) {
        if let (Some(scale), Some(value)) = (self.scale_mut(), value) {
            scale.add(value);
        }
    }

    fn scale_mut(&mut self) -> Option<&mut Scale> {
        match self {
            Self::Count => None,
            Self::Tie(scale) | Self::Weighted { scale, .. } | Self::Posterior { scale, .. } => {
                Some(scale)
            }
        }
    }

    /// Takes in how many different answers there are.
    pub(super) fn seen(&mut self, answers: usize) {
        if let Self::Posterior { distinct, .. } = self {
            *distinct = answers;
        }
    }

    /// What a vote counts for.
    pub(super) fn weight(&self, value: Option<f64>) -> f64 {
        match self {
            Self::Count | Self::Tie(_) => 1.0,
            Self::Weighted { scale, temperature } => (scale.score(value) / temperature).exp(),
            // Without a value there is nothing to go by but the count.
            Self::Posterior { scale, .. } if scale.is_empty() => 1.0,
            Self::Posterior {
                scale,
                odds,
                distinct,
            } => odds.weight(scale.score(value), *distinct),
        }
    }

    /// What decides between answers with the same weight.
    pub(super) fn in_a_tie(&self, value: Option<f64>) -> f64 {
        match self {
            Self::Tie(scale) => scale.score(value),
            Self::Count | Self::Weighted { .. } | Self::Posterior { .. } => 0.0,
        }
    }

    /// The least and the greatest that a vote still to come may count for; `None` as long as those
    /// that were cast may change.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        match self {
            Self::Count | Self::Tie(_) => Some((1.0, 1.0)),
            Self::Weighted { scale, .. } | Self::Posterior { scale, .. } if scale.is_empty() => {
                Some((1.0, 1.0))
            }
            Self::Weighted { scale, temperature } => {
                let most = (Scale::furthest() / temperature).exp();
                scale.is_settled().then(|| (most.recip(), most))
            }
            // Another wrong answer would change what all votes count for.
            Self::Posterior { odds, .. } if odds.wrong.is_none() => None,
            Self::Posterior { scale, odds, .. } => {
                let ends = [-1.0, 1.0].map(|sign| odds.weight(sign * Scale::furthest(), 0));
                scale.is_settled().then_some((ends[0], ends[1]))
            }
        }
    }
}

/// The standard normal distribution (Abramowitz and Stegun 7.1.26, good to 2e-7).
pub(crate) fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs() / std::f64::consts::SQRT_2);
    let poly = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let erf = 1.0 - poly * (-x * x / 2.0).exp();
    f64::midpoint(1.0, erf.copysign(x))
}
