//! The words of replies: reasoning of varied length, and verdicts and answers in varied forms.

use super::chance::Chance;
use super::question::Question;
use super::settings::TaskModel;
use crate::contract;

/// Words of the longest answer.
const MOST_WORDS: u32 = 10_000;

/// Sentences that reasoning is made of.
const THOUGHTS: [&str; 10] = [
    "Let me read the question once more and note what is given.",
    "The first part is a product of the two numbers.",
    "I multiply the tens and the ones separately and add the parts.",
    "Then the remaining number has to be taken into account.",
    "A rough estimate tells whether the size can be right.",
    "It helps to do the calculation a second time in another order.",
    "Nothing else in the question changes the count.",
    "The units agree on both sides.",
    "Rounding both numbers gives a value close to this one.",
    "That settles the multiplication, and the rest is short.",
];

/// Lines that end an answer as [`contract::FINAL_ANSWER`] asks.
const CONTRACT_LINES: [&str; 9] = [
    "Final answer: {v}",
    "**Final answer:** {v}",
    "Final answer: **{v}**",
    "Final answer: {v}.0",
    "Final answer: ${v}$",
    "Final answer: \\boxed{{v}}",
    "Final answer: {g}",
    "Final answer: {v} {u}",
    "### Final answer: {v}",
];

/// Lines that end an answer when no form was asked for.
const FREE_LINES: [&str; 7] = [
    "The answer is {v}.",
    "$\\boxed{{v}}$",
    "#### {v}",
    "Answer: {g} {u}",
    "So the total is {v} {u}.",
    "The final answer is **{v}**.",
    "**{v}**",
];

impl TaskModel {
    /// An answer to the question with this value; without one, prose.
    pub(super) fn answer(
        &self,
        known: Option<(&Question, i64)>,
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let thought = if chance.happens(self.thinks) {
            let dropped = chance.below(9_000);
            format!(
                "<think>It may be {dropped}. The answer is {dropped}? No, that forgets a \
                    part.</think>\n"
            )
        } else {
            String::new()
        };
        let reasoning = self.reasoning(known.map(|(question, _)| question), chance);
        let Some((question, value)) = known else {
            return thought + &reasoning;
        };
        let lines: &[&str] = if conversation.contains(contract::FINAL_ANSWER) {
            &CONTRACT_LINES
        } else {
            &FREE_LINES
        };
        let line = chance.choose(lines).copied().unwrap_or("{v}");
        if let Some(working) = &question.working {
            let line = if conversation.contains(contract::FINAL_ANSWER) {
                "Final answer:"
            } else {
                "The answer is"
            };
            return format!("{thought}{working} = {value}\n\n{line} {value}");
        }
        let line = line
            .replace("{v}", &value.to_string())
            .replace("{g}", &grouped(value))
            .replace("{u}", question.unit);
        format!("{thought}{reasoning}\n\n{line}")
    }

    fn reasoning(&self, question: Option<&Question>, chance: &mut Chance) -> String {
        let least = f64::from(self.words.least.clamp(1, MOST_WORDS));
        let most = f64::from(self.words.most.clamp(1, MOST_WORDS)).max(least);
        let wanted = least * (most / least).powf(chance.unit());
        let mut words: Vec<String> = Vec::new();
        let mut add = |sentence: &str| words.extend(sentence.split(' ').map(str::to_owned));
        let mut count = 0;
        if let Some(question) = question {
            add(&format!(
                "I start with {} times {}.",
                question.product.0, question.product.1
            ));
            count += 6;
        }
        while f64::from(count) < wanted {
            let thought = chance.choose(&THOUGHTS).copied().unwrap_or("And so on.");
            add(thought);
            count += u32::try_from(thought.split(' ').count()).unwrap_or(MOST_WORDS);
        }
        words.join(" ")
    }

    pub(super) fn rating(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let shown = candidates.first().map_or("", |(_, text)| *text);
        let approves = self.approves(question, shown, chance);
        // In hundredths: two candidates seldom tie, so what a choice by ratings gains is what the
        // judge's reliability says.
        let hundredths = if approves {
            800 + chance.below(201)
        } else {
            chance.below(301)
        };
        let score = f64::from(hundredths) / 100.0;
        let remark = if approves {
            "The steps hold."
        } else {
            "A step does not hold."
        };
        let forms = [
            format!("Score: {score}"),
            format!("**Score:** {score}"),
            format!("Score: {score}/10"),
            format!("Score: **{score}**"),
        ];
        let line = chance.choose(&forms).cloned().unwrap_or_default();
        let reason = format!("I redid the calculation. {remark}");
        in_order(&line, &reason, conversation)
    }

    /// A judge takes a hard question for hard, and an easy one for hard, as often as it takes a
    /// right and a wrong answer for right.
    pub(super) fn difficulty(&self, question: Option<&Question>, chance: &mut Chance) -> String {
        let is_hard = question.is_some_and(Question::is_hard);
        let hard = chance.happens(if is_hard {
            self.judge.true_positive
        } else {
            self.judge.false_positive
        });
        format!("Difficulty: {}", if hard { "hard" } else { "easy" })
    }

    pub(super) fn choice(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let approved = candidates
            .iter()
            .filter(|(_, text)| self.approves(question, text, chance));
        let approved: Vec<usize> = approved.map(|(number, _)| *number).collect();
        let all: Vec<usize> = candidates.iter().map(|(number, _)| *number).collect();
        let best = chance
            .choose(if approved.is_empty() { &all } else { &approved })
            .copied()
            .unwrap_or(1);
        let forms = [
            format!("Best candidate: {best}"),
            format!("**Best candidate:** {best}"),
            format!("Best candidate: **{best}**"),
        ];
        let line = chance.choose(&forms).cloned().unwrap_or_default();
        let reason = "I compared the steps of all candidates with my own.";
        in_order(&line, reason, conversation)
    }

    pub(super) fn critique(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        chance: &mut Chance,
    ) -> String {
        let remarks = candidates.iter().map(|(_, text)| {
            if self.approves(question, text, chance) {
                "The calculation holds, and the result follows from it."
            } else {
                "The calculation has a wrong step, so the result cannot be kept."
            }
        });
        let remarks: Vec<&str> = remarks.collect();
        if remarks.is_empty() {
            "There is nothing to criticise.".to_owned()
        } else {
            remarks.join("\n")
        }
    }

    /// The question as a script; without a question there is nothing to solve.
    pub(super) fn formulated(&self, question: Option<&Question>, chance: &mut Chance) -> String {
        let Some(question) = question else {
            return "Solver: does not apply\nExpected: either".to_owned();
        };
        let (a, b) = question.product;
        let rest = question.answer - a * b;
        let (sign, rest) = if rest < 0 { ("-", -rest) } else { ("+", rest) };
        let sum = format!("({sign} (* {a} {b}) {rest})");
        let stated = if chance.happens(self.formulation) {
            sum
        } else {
            format!("(times {sum})")
        };
        let script = format!(
            "(declare-const answer Int)\n(assert (= answer {stated}))\n(check-sat)\n\
                (get-value (answer))"
        );
        format!("Solver: applies\nExpected: sat\n\n```smt2\n{script}\n```")
    }

    /// A program that prints the right number as often as programs are right; prose where there is
    /// nothing to calculate.
    pub(super) fn programmed(
        &self,
        question: Option<&Question>,
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let Some(question) = question else {
            return self.answer(None, conversation, chance);
        };
        let value = if chance.happens(self.programs.unwrap_or(self.accuracy)) {
            question.answer
        } else {
            self.wrong(question, chance)
        };
        let (a, b) = question.product;
        let rest = value - a * b;
        format!("```python\nproduct = {a} * {b}\nprint(product + {rest})\n```")
    }

    /// An answer with the value that the solver found; its own where it finds none in the
    /// conversation.
    pub(super) fn solved(
        &self,
        question: Option<&Question>,
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let known = question.map(|question| {
            let printed = conversation
                .rsplit_once("((answer ")
                .and_then(|(_, after)| after.split_once("))"));
            let digits: Option<String> = printed.map(|(value, _)| {
                value
                    .chars()
                    .filter(|c| c.is_ascii_digit() || *c == '-')
                    .collect()
            });
            let found = digits.and_then(|digits| digits.parse().ok());
            (
                question,
                found.unwrap_or_else(|| self.sampled(question, chance)),
            )
        });
        self.answer(known, conversation, chance)
    }

    pub(super) fn synthesised(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let known = question.map(|question| {
            let right_is_there = candidates
                .iter()
                .any(|(_, text)| question.is_answered_by(text));
            let right = right_is_there && chance.happens(self.synthesis);
            (
                question,
                if right {
                    question.answer
                } else {
                    self.wrong(question, chance)
                },
            )
        });
        self.answer(known, conversation, chance)
    }

    pub(super) fn revised(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        format!(
            "1. The product is not checked.\n{}\n{}",
            contract::REVISION,
            self.corrected(question, candidates, conversation, chance)
        )
    }

    pub(super) fn corrected(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        conversation: &str,
        chance: &mut Chance,
    ) -> String {
        let known =
            question.map(|question| (question, self.revision_of(question, candidates, chance)));
        self.answer(known, conversation, chance)
    }

    /// What a revision of candidates answers.
    fn revision_of(
        &self,
        question: &Question,
        candidates: &[(usize, &str)],
        chance: &mut Chance,
    ) -> i64 {
        let was_right = candidates
            .iter()
            .any(|(_, text)| question.is_answered_by(text));
        if was_right || chance.happens(self.revision) {
            question.answer
        } else {
            self.wrong(question, chance)
        }
    }

    /// A verifier's report. That of a right candidate speaks of incorrect steps, too: that there
    /// are none.
    pub(super) fn verified(
        &self,
        question: Option<&Question>,
        candidates: &[(usize, &str)],
        chance: &mut Chance,
    ) -> String {
        let shown = candidates.first().map_or("", |(_, text)| *text);
        if self.approves(question, shown, chance) {
            return "I found no incorrect step and nothing incomplete.\n**VERDICT:** CORRECT"
                .to_owned();
        }
        "Most steps are correct, but the product is not.\nVERDICT: INCORRECT".to_owned()
    }
}

/// A verdict and its reason, in the order that was asked for.
fn in_order(line: &str, reason: &str, conversation: &str) -> String {
    if conversation.contains(contract::LINE_FIRST) {
        format!("{line}\n{reason}")
    } else {
        format!("{reason}\n{line}")
    }
}

/// A plan without a result.
pub(super) fn plan(question: Option<&Question>, chance: &mut Chance) -> String {
    let first = question.map_or("Note what is given.".to_owned(), |question| {
        format!("Multiply {} by {}.", question.product.0, question.product.1)
    });
    let second = chance
        .choose(&[
            "Add or take away the rest.",
            "Bring the remaining number into account.",
        ])
        .copied()
        .unwrap_or_default();
    format!("1. {first} [9, 8]\n2. {second} [8, 8]\n3. Check the size of the result. [7, 9]")
}

/// Approaches as a JSON array.
pub(super) fn approaches() -> String {
    let known = [
        "Calculate in the order of the story.",
        "Estimate first, then calculate exactly.",
        "Count by tens and ones.",
    ];
    let quoted: Vec<String> = known.iter().map(|way| format!("\"{way}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The number with commas between groups of three digits.
fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A reader's reply: the lines of its part that hold a question's marker, since nothing else helps
/// to answer that question.
pub(super) fn margin(conversation: &str) -> String {
    let part = conversation
        .rsplit_once("\n[part ")
        .and_then(|(_, part)| part.split_once("\n[end of part "))
        .map_or("", |(part, _)| part);
    let marked: Vec<&str> = part
        .lines()
        .filter(|line| Question::id_in(line).is_some())
        .collect();
    if marked.is_empty() {
        "Relevant: no".to_owned()
    } else {
        format!("Relevant: yes\n{}", marked.join("\n"))
    }
}

#[cfg(test)]
mod tests;
