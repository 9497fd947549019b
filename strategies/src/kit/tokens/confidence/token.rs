//! A token with what else could have stood there, and measures of one token.

/// The least log probability that is believed. Some servers write -9999 for "none".
pub const FLOOR: f64 = -100.0;

/// A token and what else could have stood there.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredToken {
    /// Its text.
    pub text: String,
    /// Its own log probability, at most 0.
    pub logprob: Option<f64>,
    /// The likeliest tokens at this place, mostly itself among them, the likeliest first.
    pub top: Vec<Alternative>,
}

/// A token that could have stood somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// Its text.
    pub text: String,
    /// Its log probability, at most 0.
    pub logprob: f64,
}

/// How spread out the alternatives are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Entropy in bits.
    pub entropy: f64,
    /// Variance of the surprise, in bits squared.
    pub varentropy: f64,
}

impl ScoredToken {
    /// The negative mean log probability of the alternatives: high where one token takes nearly
    /// all. `None` without at least two of them.
    pub fn confidence(&self) -> Option<f64> {
        let (count, sum) = self.top.iter().fold((0.0, 0.0), |(count, sum), other| {
            (count + 1.0, sum + other.logprob)
        });
        (self.top.len() >= 2).then(|| -sum / count)
    }

    /// By how much the likeliest token leads the second, as a difference of probabilities. `None`
    /// without at least two alternatives.
    pub fn margin(&self) -> Option<f64> {
        let mut best = self.top.iter().map(|other| other.logprob.exp());
        Some((best.next()? - best.next()?).max(0.0))
    }

    /// Entropy and varentropy of the alternatives, brought to a sum of 1; what is not shown counts
    /// nothing. `None` without at least two of them.
    pub fn spread(&self) -> Option<Spread> {
        if self.top.len() < 2 {
            return None;
        }
        let sum: f64 = self.top.iter().map(|other| other.logprob.exp()).sum();
        let shares: Vec<f64> = self
            .top
            .iter()
            .map(|other| other.logprob.exp() / sum)
            .filter(|share| *share > 0.0)
            .collect();
        let entropy: f64 = shares.iter().map(|share| -share * share.log2()).sum();
        let varentropy = shares
            .iter()
            .map(|share| share * (-share.log2() - entropy).powi(2))
            .sum();
        Some(Spread {
            entropy,
            varentropy,
        })
        .filter(|_| sum > 0.0)
    }
}

/// The mean, if there is one.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values
        .into_iter()
        .fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}
