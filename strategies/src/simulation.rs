//! A model that answers questions with known answers, right with a known probability.
//!
//! What a strategy gains can then be computed and measured. What is asked is recognised by the
//! lines of [`crate::contract`] and by the fences around candidates, never by the words of a
//! prompt, so prompts can be reworded without touching this. Every reply is a function of the
//! model's seed, the conversation and the sample's seed; there is no state.

mod arithmetic;
mod asked;
mod chance;
mod confidence;
mod question;
mod reply;
mod settings;
pub mod share;
#[cfg(test)]
mod tests;

use self::asked::asked;
use self::chance::Chance;
use crate::contract;

pub use self::asked::Asked;
pub use self::confidence::Confidence;
pub use self::question::Question;
pub use self::settings::{Errors, Reliability, TaskModel, Words};

/// A part of a text that does not help.
const NO_RECORD: &str = "Information:\nRationale:\nAnswer: [NO INFORMATION]\nConfidence: 0";

const STRUCTURE: &str = concat!(
    r#"{"product": "the two numbers multiplied", "#,
    r#""rest": "what is added or taken away", "answer": "the count"}"#,
);

const ADAPTED: &str = "1. Split the question into the product and the rest.
2. Write every step down.";

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedReply {
    /// Its text.
    pub text: String,
    /// Its length in tokens, one for each word.
    pub tokens: u64,
    /// What it replies to.
    pub asked: Asked,
    /// The level of its tokens' log probabilities, for [`Confidence::entries`], where the model has
    /// a confidence.
    pub level: Option<f64>,
}

impl TaskModel {
    /// The question `id`, the same for every model with this seed.
    pub fn question(&self, id: u64) -> Question {
        Question::generate(self.seed, id)
    }

    /// The question that a conversation carries, by the last marker in it; else the last that asks
    /// for arithmetic in other words. What candidates say is nobody's question.
    pub(crate) fn question_in(&self, conversation: &str) -> Option<Question> {
        if let Some(id) = Question::id_in(conversation) {
            return Some(self.question(id));
        }
        let mut asked = conversation.to_owned();
        for (_, text) in contract::candidates(conversation) {
            asked = asked.replacen(text, "", 1);
        }
        Question::foreign(&asked)
    }

    /// Whether a conversation carries a question whose answer is known.
    pub fn knows(&self, conversation: &str) -> bool {
        self.question_in(conversation).is_some()
    }

    /// Replies to a conversation, given as all text of its messages. The same sample of the same
    /// conversation is the same reply. Without a question's marker the reply is prose without an
    /// answer, or a verdict that knows nothing. An answer that was begun is continued by another
    /// sample.
    ///
    /// ```
    /// use hone_strategies::simulation::TaskModel;
    /// let model = TaskModel { accuracy: 1.0, ..TaskModel::default() };
    /// let question = model.question(17);
    /// assert!(question.is_answered_by(&model.reply(&question.text, 1).text));
    /// ```
    pub fn reply(&self, conversation: &str, sample: u64) -> SimulatedReply {
        let candidates = contract::candidates(conversation);
        let asked = asked(conversation, &candidates);
        let question = self.question_in(conversation);
        let mut chance = Chance::new(&[self.seed, chance::digest(conversation), sample]);
        let text = match asked {
            Asked::Rating => self.rating(question.as_ref(), &candidates, conversation, &mut chance),
            Asked::Difficulty => self.difficulty(question.as_ref(), &mut chance),
            Asked::Choice => self.choice(question.as_ref(), &candidates, conversation, &mut chance),
            Asked::Critique => self.critique(question.as_ref(), &candidates, &mut chance),
            Asked::Decoy => {
                let value = question
                    .as_ref()
                    .map(|question| self.wrong(question, &mut chance));
                self.answer(question.as_ref().zip(value), conversation, &mut chance)
            }
            Asked::Description => question.as_ref().map_or_else(
                || "Write some prose.".to_owned(),
                |question| question.text.clone(),
            ),
            Asked::Revision => {
                self.revised(question.as_ref(), &candidates, conversation, &mut chance)
            }
            Asked::Plan => reply::plan(question.as_ref(), &mut chance),
            Asked::Correction => {
                self.corrected(question.as_ref(), &candidates, conversation, &mut chance)
            }
            Asked::Verdict => self.verified(question.as_ref(), &candidates, &mut chance),
            Asked::Approaches => reply::approaches(),
            Asked::Continuation => format!(" {} eight nine ten", contract::NEXT),
            // Its questions stand alone.
            Asked::Examples => "[]".to_owned(),
            Asked::Principles => "1. Check the product by an estimate.".to_owned(),
            Asked::Adaptation => ADAPTED.to_owned(),
            Asked::Selection => "The parts can be solved one by one.\nModules: 9, 38".to_owned(),
            Asked::Structure => STRUCTURE.to_owned(),
            Asked::Formulation => self.formulated(question.as_ref(), &mut chance),
            Asked::Program => self.programmed(question.as_ref(), conversation, &mut chance),
            Asked::Margin => reply::margin(conversation),
            Asked::Record => NO_RECORD.to_owned(),
            Asked::Reduction => "The records do not settle it.\nAnswer: It is not said.".to_owned(),
            Asked::SubQuestions => "Question: What is asked?".to_owned(),
            Asked::Summary => "The part tells of several things.".to_owned(),
            Asked::Solved => self.solved(question.as_ref(), conversation, &mut chance),
            Asked::Step => self.answer(None, conversation, &mut chance),
            Asked::Distillation | Asked::Synthesis => {
                self.synthesised(question.as_ref(), &candidates, conversation, &mut chance)
            }
            Asked::Answer => {
                let notes = contract::fenced(conversation, contract::WORKSPACE);
                let value = question
                    .as_ref()
                    .map(|question| self.informed(question, notes, &mut chance));
                self.answer(question.as_ref().zip(value), conversation, &mut chance)
            }
        };
        let tokens = text.split_whitespace().count() as u64;
        let level = self.confidence.map(|confidence| {
            let is_right = question.is_some_and(|question| question.is_answered_by(&text));
            confidence.level(is_right, &mut chance)
        });
        SimulatedReply {
            text,
            tokens,
            asked,
            level,
        }
    }

    /// Whether the judge takes `candidate` for right, this time.
    fn approves(&self, question: Option<&Question>, candidate: &str, chance: &mut Chance) -> bool {
        let right = question.is_some_and(|question| question.is_answered_by(candidate));
        chance.happens(if right {
            self.judge.true_positive
        } else {
            self.judge.false_positive
        })
    }

    /// The number that one sample answers with.
    fn sampled(&self, question: &Question, chance: &mut Chance) -> i64 {
        if chance.happens(self.accuracy) {
            question.answer
        } else {
            self.wrong(question, chance)
        }
    }

    /// The number that one sample answers with that has these notes: theirs if it is right and the
    /// sample understands it, else one of its own.
    fn informed(&self, question: &Question, notes: Option<&str>, chance: &mut Chance) -> i64 {
        let helps = notes.is_some_and(|notes| question.is_answered_by(notes))
            && chance.happens(self.synthesis);
        if helps {
            question.answer
        } else {
            self.sampled(question, chance)
        }
    }

    fn wrong(&self, question: &Question, chance: &mut Chance) -> i64 {
        match self.errors {
            Errors::Favourite { share } if chance.happens(share) => question.favourite_error(),
            Errors::Favourite { .. } | Errors::Scattered => {
                question.answer + 20 + i64::from(chance.below(9_000))
            }
        }
    }
}
