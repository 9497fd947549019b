//! How a simulated model behaves.

use serde::{Deserialize, Serialize};

use super::confidence::Confidence;

/// How a simulated model behaves. Probabilities are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskModel {
    /// All randomness comes from here, the questions included.
    pub seed: u64,
    /// How often an answer is right, independently for each sample.
    pub accuracy: f64,
    /// What a wrong answer is.
    pub errors: Errors,
    /// How well it judges, criticises and chooses.
    pub judge: Reliability,
    /// How often a synthesis or a distillation that has a right candidate before it is right,
    /// without one it never is; and how often an answer from right notes is taken from them.
    pub synthesis: f64,
    /// How often a revision of a wrong answer is right. One of a right answer always is.
    pub revision: f64,
    /// How often a problem is stated so that a solver finds its answer; else the statement cannot
    /// be read.
    pub formulation: f64,
    /// How often a program is right. Without, as often as an answer.
    pub programs: Option<f64>,
    /// How often reasoning between tags precedes the text.
    pub thinks: f64,
    /// Length of an answer.
    pub words: Words,
    /// How sure it is of its tokens. Without, its log probabilities tell nothing.
    pub confidence: Option<Confidence>,
}

impl Default for TaskModel {
    fn default() -> Self {
        Self {
            seed: 0,
            accuracy: 0.6,
            errors: Errors::Scattered,
            judge: Reliability::default(),
            synthesis: 1.0,
            revision: 0.25,
            formulation: 1.0,
            programs: None,
            thinks: 0.0,
            words: Words::default(),
            confidence: None,
        }
    }
}

/// What a wrong answer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// Any of thousands: wrong answers rarely agree.
    Scattered,
    /// With probability `share` the same for all samples of a question, else scattered.
    Favourite {
        /// How often.
        share: f64,
    },
}

/// How well a judge tells right from wrong. The defaults are a perfect judge; equal numbers are one
/// that knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reliability {
    /// How often it takes a right answer for right.
    pub true_positive: f64,
    /// How often it takes a wrong answer for right.
    pub false_positive: f64,
}

impl Default for Reliability {
    fn default() -> Self {
        Self {
            true_positive: 1.0,
            false_positive: 0.0,
        }
    }
}

/// The least and the greatest length of an answer's reasoning, in words. Lengths between them are
/// equally likely on a logarithmic scale; the last sentence is finished, and a closing line
/// follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// The least.
    pub least: u32,
    /// The greatest, at most 10,000.
    pub most: u32,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            least: 30,
            most: 120,
        }
    }
}
