//! Log probabilities that tell, by a stated amount, whether an answer is right.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chance::{self, Chance};
use crate::answer::normal_cdf;

/// How sure a simulated model is of its tokens.
///
/// An answer's level is drawn once: the logarithm of its tokens' typical surprise is normal around
/// that of `right` or of `wrong`, with deviation `spread`. So a right answer is surer than a wrong
/// one with probability Φ(ln(wrong / right) / (spread × √2)), see [`Confidence::separation`]. Each
/// token's surprise varies around its answer's level in the same way; what a token leaves of the
/// probability its alternatives share evenly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confidence {
    /// The typical log probability of a token of a right answer.
    pub right: f64,
    /// The typical log probability of a token of a wrong answer.
    pub wrong: f64,
    /// How much answers differ from each other, and tokens from their answer. 0: not at all.
    #[serde(default)]
    pub spread: f64,
}

impl Confidence {
    /// How often a right answer's level is above a wrong one's: ½ is no information. `None` without
    /// spread, where the greater always wins.
    pub fn separation(&self) -> Option<f64> {
        let distance = (self.wrong / self.right).ln() / (self.spread * std::f64::consts::SQRT_2);
        distance.is_finite().then(|| normal_cdf(distance))
    }

    pub(super) fn level(&self, is_right: bool, chance: &mut Chance) -> f64 {
        let typical = if is_right { self.right } else { self.wrong };
        typical * (self.spread * chance.normal()).exp()
    }

    /// OpenAI's entries for the tokens `pieces` of an answer of this level, with `top` alternatives
    /// each.
    pub fn entries(&self, level: f64, pieces: &[&str], top: usize) -> Vec<Value> {
        let place = |(at, piece): (usize, &&str)| {
            let mut chance = Chance::new(&[level.to_bits(), at as u64, chance::digest(piece)]);
            let own = (level * (self.spread * chance.normal()).exp()).clamp(-20.0, -1e-6);
            entry(piece, own, top)
        };
        pieces.iter().enumerate().map(place).collect()
    }
}

fn entry(piece: &str, own: f64, top: usize) -> Value {
    let others = f64::from(u32::try_from(top.saturating_sub(1).max(1)).unwrap_or(u32::MAX));
    let rest = ((1.0 - own.exp()) / others).ln();
    let mut shown: Vec<Value> = (1..top)
        .map(|rank| json!({"token": format!("{piece}~{rank}"), "logprob": rest}))
        .collect();
    if top > 0 {
        shown.insert(0, json!({"token": piece, "logprob": own}));
    }
    json!({"token": piece, "logprob": own, "top_logprobs": shown})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::tokens::confidence::tokens;

    #[test]
    fn a_right_answer_is_surer_as_often_as_stated() {
        let confidence = Confidence {
            right: -0.2,
            wrong: -0.5,
            spread: 0.8,
        };
        let surer = |seed: u64| {
            let mut chance = Chance::new(&[seed]);
            confidence.level(true, &mut chance) > confidence.level(false, &mut chance)
        };
        let measured =
            f64::from(u32::try_from((0..20_000).filter(|seed| surer(*seed)).count()).unwrap())
                / 20_000.0;
        let stated = confidence.separation().unwrap();
        assert!((stated - 0.791).abs() < 1e-3, "{stated}");
        assert!(
            (measured - stated).abs() < 0.012,
            "measured {measured}, stated {stated}"
        );
        assert_eq!(
            Confidence {
                spread: 0.0,
                ..confidence
            }
            .separation(),
            None
        );
        assert!(
            (Confidence {
                wrong: -0.2,
                ..confidence
            }
            .separation()
            .unwrap()
                - 0.5)
                .abs()
                < 1e-6
        );
    }

    #[test]
    fn entries_are_a_distribution_each() {
        let confidence = Confidence {
            right: -0.2,
            wrong: -0.5,
            spread: 0.5,
        };
        let entries = confidence.entries(-0.3, &["a ", "b "], 5);
        for token in tokens(&Value::Array(entries.clone())) {
            assert_eq!(token.top.len(), 5);
            assert!(
                (token
                    .top
                    .iter()
                    .map(|other| other.logprob.exp())
                    .sum::<f64>()
                    - 1.0)
                    .abs()
                    < 1e-9
            );
        }
        assert_eq!(confidence.entries(-0.3, &["a ", "b "], 5), entries);
        assert_eq!(
            confidence.entries(-0.3, &["a"], 0)[0]["top_logprobs"],
            json!([])
        );
    }
}
