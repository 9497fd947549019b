//! Worked examples: signs that a conversation has some, and what a reply says they are.

use serde_json::Value;

use crate::answer::{AnswerValue, Question, equivalent, extract};
use crate::chat::{Message, view};
use crate::kit::reading::json_reply;

/// Most examples that are learned from.
pub(super) const MOST: u32 = 6;

/// Words of an answer that can be compared as it is.
const SHORT: usize = 12;

const QUESTION_LABELS: [&str; 5] = ["q", "question", "problem", "input", "task"];
const ANSWER_LABELS: [&str; 4] = ["a", "answer", "solution", "output"];

/// A question with its right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) question: String,
    pub(super) answer: String,
}

impl Example {
    /// Whether `attempt` ends in another answer; `None` if that cannot be told.
    pub(super) fn is_missed_by(&self, attempt: &str) -> Option<bool> {
        let question = Question::of(&self.question);
        let is_short = self.answer.split_whitespace().count() <= SHORT;
        let short = || AnswerValue::parse(&self.answer).filter(|_| is_short);
        let right = extract(&self.answer, &question)
            .map(|found| found.value)
            .filter(|_| !is_short)
            .or_else(short)?;
        let given = extract(attempt, &question)?.value;
        Some(!equivalent(&given, &right))
    }
}

/// How many examples a conversation seems to hold, without asking anybody: labelled questions with
/// labelled answers in the last user message and in the instructions, and turns, if there are
/// several.
pub(super) fn signs(messages: &[Message]) -> u32 {
    let instructions = messages
        .iter()
        .filter(|message| matches!(message.role(), "system" | "developer"));
    let labelled: u32 = instructions
        .chain(view::task(messages))
        .map(|message| labelled(&message.text()))
        .sum();
    let history = view::history(messages);
    let roles = history.windows(2).filter(|pair| {
        matches!(pair, [asked, answered] if asked.role() == "user"
            && answered.role() == "assistant")
    });
    let turns = u32::try_from(roles.count()).unwrap_or(u32::MAX);
    labelled
        .saturating_add(if turns > 1 { turns } else { 0 })
        .min(MOST)
}

/// Labelled questions that are followed by a labelled answer.
fn labelled(text: &str) -> u32 {
    let mut pairs = 0;
    let mut is_asked = false;
    let mut lines = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .peekable();
    while let Some(line) = lines.next() {
        if behind_label(line, &QUESTION_LABELS).is_some() {
            is_asked = true;
        } else if let Some(rest) = behind_label(line, &ANSWER_LABELS) {
            // A label with nothing behind it asks for the answer.
            let goes_on = lines
                .peek()
                .is_some_and(|next| behind_label(next, &QUESTION_LABELS).is_none());
            pairs += u32::from(is_asked && (!rest.is_empty() || goes_on));
            is_asked = false;
        }
    }
    pairs
}

/// What stands behind a label such as `Q:`, `**Question 2:**` or `- Answer:`.
fn behind_label<'a>(line: &'a str, labels: &[&str]) -> Option<&'a str> {
    let (head, rest) = line.split_once(':')?;
    let word = head.trim_matches(|c: char| !c.is_alphabetic());
    let is_label = labels.iter().any(|label| word.eq_ignore_ascii_case(label));
    is_label.then(|| rest.trim_matches(|c: char| c.is_whitespace() || c == '*'))
}

/// The examples that a reply lists; an empty list says that there are none.
pub(super) fn read(reply: &str) -> Option<Vec<Example>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let example = |value: &Value| {
        let example = Example {
            question: text(value.get("question")?)?,
            answer: text(value.get("answer")?)?,
        };
        (!example.question.is_empty() && !example.answer.is_empty()).then_some(example)
    };
    json_reply::array(reply, example)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> u32 {
        signs(&[Message::user(text)])
    }

    #[test]
    fn labelled_pairs_are_signs_and_an_open_label_is_none() {
        assert_eq!(asked("Q: 1+1?\nA: 2\n\nQ: 2+2?\nA: 4\n\nQ: 3+3?\nA:"), 2);
        assert_eq!(
            asked("**Question 1:** who?\n**Answer:** me\n\nNow: what?"),
            1
        );
        assert_eq!(asked("Input: ab\nOutput:\nba\nInput: cd\nOutput:"), 1);
        assert_eq!(asked("What is the answer: 4 or 5?"), 0);
        assert_eq!(asked("Question: how many?\nAnswer:"), 0);
        assert_eq!(asked("Answer: yes. Problem: none"), 0);
        assert_eq!(asked(&"Q: x\nA: y\n".repeat(50)), MOST);
    }

    #[test]
    fn several_turns_are_signs_and_one_is_talk() {
        let mut messages = vec![Message::system("s")];
        for expected in [0, 0, 2, 3] {
            let mut asked = messages.clone();
            asked.push(Message::user("and?"));
            assert_eq!(signs(&asked), expected);
            messages.extend([Message::user("q"), Message::assistant("a")]);
        }
    }

    #[test]
    fn examples_are_read_from_what_models_write() {
        let one = Some(vec![Example {
            question: "1+1?".to_owned(),
            answer: "2".to_owned(),
        }]);
        for reply in [
            r#"[{"question": "1+1?", "answer": "2"}]"#,
            "<output>\n```json\n[{\"question\": \"1+1?\", \"answer\": 2}]\n```\n</output>",
            concat!(
                r#"<think>[]</think>Found: [{"answer": " 2 ", "question": "1+1?", "note": null}]"#,
                " and that is all.",
            ),
        ] {
            assert_eq!(read(reply), one, "{reply}");
        }
        assert_eq!(read("[]"), Some(Vec::new()));
        for reply in [
            r#"["1+1?", "2"]"#,
            r#"[{"question": "1+1?"}]"#,
            "none",
            r#"[{"question": "", "answer": "2"}]"#,
        ] {
            assert_eq!(read(reply), None, "{reply}");
        }
    }

    #[test]
    fn another_form_of_the_right_answer_is_no_mistake() {
        let example = |answer: &str| Example {
            question: "How much is 6 times 7?".to_owned(),
            answer: answer.to_owned(),
        };
        assert_eq!(
            example("42").is_missed_by("It is $\\boxed{42.0}$."),
            Some(false)
        );
        assert_eq!(
            example(
                "6 * 7 = 42, as every child learns in the second or third year of school. The \
                answer is 42."
            )
            .is_missed_by("42"),
            Some(false)
        );
        assert_eq!(example("42").is_missed_by("Final answer: 41"), Some(true));
        assert_eq!(example("42").is_missed_by("I do not know."), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(Q|A|question|answer|[:*\n#.é 1]|\\[|\\{|\"){0,60}") {
            prop_assert!(asked(&text) <= MOST);
            prop_assert!(read(&text).is_none_or(|found| found.is_empty()));
        }
    }
}
