//! What has been measured of models on questions with known answers: a file of numbers that `hone
//! eval --learn` writes and `[quality] file` reads.
//!
//! A signal of how sure a model is, a prior of how its answers spread, what another vote gains: all
//! of these differ between models and kinds of questions, and none is trusted untested. What stands
//! here was measured on one half of the questions and checked on the other. It holds no text of
//! any question or answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Questions below which what was measured of a model is not used.
pub const FEWEST: u32 = 100;
/// How a file of this form calls itself.
const VERSION: u32 = 1;
/// Longest list of accuracies: of a vote of one, of two and so on.
const MOST_VOTES: usize = 64;

/// What has been measured, by model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The form of the file.
    pub version: u32,
    /// By the model's name at its upstream, then by the kind of question.
    pub models: BTreeMap<String, BTreeMap<Kind, Measured>>,
}

/// What kind of answer a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One of a few options.
    Choice,
    /// A number.
    Number,
    /// Anything.
    Open,
    /// Yes or no.
    Truth,
}

/// What was measured of one model on one kind of question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Questions with known answers.
    pub questions: u32,
    /// How often a vote of one, of two and so on is right, from 0 to 1.
    pub accuracy: Vec<f64>,
    /// How well the mean log probability of an answer tells right from wrong.
    #[serde(default)]
    pub logprob: Option<Told>,
    /// The same of the certainty of each choice among alternatives.
    #[serde(default)]
    pub certainty: Option<Told>,
    /// How the answers to one question spread: pseudo-votes for the answer that leads, for the next
    /// one, and for all others. Equal ones are no prior.
    #[serde(default)]
    pub spread: Option<[f64; 3]>,
}

/// What a signal tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// How often, for one question, a right answer scores above a wrong one: a half is chance.
    pub discrimination: f64,
    /// The lower 90 % bound of that, from resampled questions.
    pub low: f64,
    /// The upper one.
    pub high: f64,
    /// The usual standard deviation among the answers to one question.
    pub deviation: f64,
    /// The value above which a fifth of all answers lie.
    pub high_value: f64,
}

/// Why a file of measurements cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// It is not of this form.
    #[error("not a file of `hone eval --learn`: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("version {0} of such files is not known here; this is {VERSION}")]
    Version(u32),
    /// A number in it cannot be.
    #[error("`{model}`, {kind:?}: {problem}")]
    Number {
        /// Whose.
        model: String,
        /// Of which questions.
        kind: Kind,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            version: VERSION,
            models: BTreeMap::new(),
        }
    }
}

impl Quality {
    /// Reads a file.
    ///
    /// ```
    /// use hone_strategies::quality::Quality;
    /// let text = r#"{"version": 1, "models": {"m": {"number": {"questions": 200,
    ///     "accuracy": [0.4, 0.4, 0.5], "spread": [2.0, 0.5, 0.5]}}}}"#;
    /// assert_eq!(Quality::parse(text).unwrap().models.len(), 1);
    /// assert!(Quality::parse(r#"{"version": 2, "models": {}}"#).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, QualityError> {
        let quality: Self = serde_json::from_str(text)?;
        if quality.version != VERSION {
            return Err(QualityError::Version(quality.version));
        }
        for (model, kinds) in &quality.models {
            for (kind, measured) in kinds {
                if let Some(problem) = measured.problem() {
                    return Err(QualityError::Number {
                        model: model.clone(),
                        kind: *kind,
                        problem,
                    });
                }
            }
        }
        Ok(quality)
    }

    /// What was measured of `model` on questions of this kind, if on enough of them.
    pub fn of(&self, model: &str, kind: Kind) -> Option<&Measured> {
        let measured = self.models.get(model)?.get(&kind)?;
        (measured.questions >= FEWEST).then_some(measured)
    }

    /// The models and kinds with too few questions to be used.
    pub fn ignored(&self) -> impl Iterator<Item = (&str, Kind, u32)> {
        let kinds = self.models.iter();
        let all = kinds.flat_map(|(model, kinds)| kinds.iter().map(move |kind| (model, kind)));
        all.filter(|(_, (_, measured))| measured.questions < FEWEST)
            .map(|(model, (kind, measured))| (model.as_str(), *kind, measured.questions))
    }
}

impl Measured {
    fn problem(&self) -> Option<&'static str> {
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        let told = [self.logprob, self.certainty].into_iter().flatten();
        let is_told = |told: &Told| {
            [told.discrimination, told.low, told.high]
                .iter()
                .all(is_share)
                && told.deviation.is_finite()
                && told.deviation >= 0.0
                && told.high_value.is_finite()
        };
        let is_spread = |spread: [f64; 3]| {
            let mut parts = spread.iter();
            parts.all(|part| part.is_finite() && (0.0..=1e6).contains(part))
        };
        if self.accuracy.is_empty() || self.accuracy.len() > MOST_VOTES {
            Some("there must be 1 to 64 accuracies")
        } else if !self.accuracy.iter().all(is_share) {
            Some("an accuracy is from 0 to 1")
        } else if !told.clone().all(|told| is_told(&told)) {
            Some("a signal's shares are from 0 to 1, and its deviation is not negative")
        } else if !self.spread.is_none_or(is_spread) {
            Some("pseudo-votes are from 0 to 1,000,000")
        } else {
            None
        }
    }

    /// How often a vote of `votes` is right.
    pub fn accuracy_of(&self, votes: usize) -> Option<f64> {
        self.accuracy.get(votes.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_refused_by_name() {
        let file = |measured: &str| {
            let text = format!(r#"{{"version":1,"models":{{"m":{{"truth":{measured}}}}}}}"#);
            Quality::parse(&text).map_err(|error| error.to_string())
        };
        let good = r#"{"questions":100,"accuracy":[0.5]}"#;
        assert!(file(good).unwrap().of("m", Kind::Truth).is_some());
        for (measured, told) in [
            (r#"{"questions":100,"accuracy":[]}"#, "1 to 64"),
            (r#"{"questions":100,"accuracy":[1.5]}"#, "from 0 to 1"),
            (
                r#"{"questions":100,"accuracy":[1],"spread":[1,-1,1]}"#,
                "pseudo-votes",
            ),
            (
                r#"{"questions":100,"accuracy":[1],"logprob":{"discrimination":2,"low":0,
                    "high":1,"deviation":0.1,"high_value":-0.1}}"#,
                "shares",
            ),
            (
                r#"{"questions":100,"accuracy":[1],"note":"x"}"#,
                "unknown field",
            ),
        ] {
            let error = file(measured).unwrap_err();
            assert!(error.contains(told), "{measured}: {error}");
        }
    }

    #[test]
    fn too_few_questions_say_nothing() {
        let text = r#"{"version":1,"models":{"m":{"number":{"questions":99,"accuracy":[0.5]}}}}"#;
        let quality = Quality::parse(text).unwrap();
        assert_eq!(quality.of("m", Kind::Number), None);
        assert_eq!(quality.of("other", Kind::Number), None);
        assert!(quality.ignored().eq([("m", Kind::Number, 99)]));
    }
}
