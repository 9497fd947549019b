//! The final answer set apart from the solution that leads to it, where there is one.

use super::settings::{Extraction, Settings};
use crate::answer::{Question, Rule, extract};
use crate::chat::{ChatRequest, Choice};
use crate::reasoning;

/// Whether an answer may be set apart at all: never from JSON or tool calls, and with `auto` only
/// where the question asks for a short answer or code.
pub(super) fn applies(settings: &Settings, request: &ChatRequest, question: &Question) -> bool {
    let may_have_form = !request.wants_json() && !request.uses_tools();
    may_have_form
        && match settings.extraction {
            Extraction::Auto => question.is_closed() || question.asks_for_code(),
            Extraction::Code | Extraction::Math => true,
            Extraction::Nothing => false,
        }
}

/// The choice with its final answer set apart from the rest; as it is where it has no answer that
/// stands out.
pub(super) fn set_apart(settings: &Settings, choice: Choice, question: &Question) -> Choice {
    let text = choice.message.text();
    let solution = reasoning::strip(&text).trim().to_owned();
    let is_whole = !choice.is_truncated()
        && choice.message.tool_calls().is_none()
        && choice.message.refusal().is_none();
    let wants_code = settings.extraction == Extraction::Code
        || (settings.extraction == Extraction::Auto && question.asks_for_code());
    let answer = if wants_code {
        last_block(&solution).map(str::to_owned)
    } else {
        stated(&solution, question)
    };
    // What is nothing but its answer needs no second one.
    let Some(answer) = answer.filter(|answer| is_whole && *answer != solution) else {
        return choice;
    };
    let message = if settings.uses_tags {
        choice.message.with(
            "content",
            format!("<think>\n{solution}\n</think>\n\n{answer}"),
        )
    } else {
        choice
            .message
            .with("reasoning_content", solution)
            .with("content", answer)
    };
    Choice {
        message,
        logprobs: None,
        ..choice
    }
}

/// An answer that the solution states as such. A number that merely stands last is none.
fn stated(solution: &str, question: &Question) -> Option<String> {
    let found = extract(solution, question)?;
    matches!(
        found.rule,
        Rule::Boxed | Rule::Contract | Rule::Labelled | Rule::Option
    )
    .then(|| found.value.to_string())
}

/// The last complete code block with its fences.
fn last_block(text: &str) -> Option<&str> {
    let mut open: Option<usize> = None;
    let mut last = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.trim_end().len());
        at += line.len();
        if line.trim_start().starts_with("```") {
            match open.take() {
                Some(begin) => last = text.get(begin..end),
                None => open = Some(start),
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Message;
    use crate::params::Params;

    fn apart(text: &str, question: &str, mode: &str, tags: bool) -> Choice {
        let config = serde_json::json!({"answer_extraction_mode": mode, "use_thinking_tags": tags});
        let settings = Settings::read(
            &[("mars_config".to_owned(), config)]
                .into_iter()
                .collect::<Params>(),
        )
        .unwrap();
        let (request, question) = (
            ChatRequest::new("m", [Message::user(question)]),
            Question::of(question),
        );
        let choice = Choice::new(Message::assistant(text), "stop");
        if applies(&settings, &request, &question) {
            set_apart(&settings, choice, &question)
        } else {
            choice
        }
    }

    const NUMBER: &str = "How many are left?";

    #[test]
    fn a_stated_answer_is_set_apart_and_braces_stay_balanced() {
        let text = "Half of them.\nSo \\boxed{\\frac{1}{2}} it is.";
        let choice = apart(text, NUMBER, "auto", true);
        assert_eq!(
            choice.message.text(),
            format!("<think>\n{text}\n</think>\n\n\\frac{{1}}{{2}}")
        );
        let choice = apart(text, NUMBER, "auto", false);
        assert_eq!(
            (
                choice.message.text().as_ref(),
                choice.message.get("reasoning_content").unwrap()
            ),
            ("\\frac{1}{2}", &text.into())
        );
    }

    #[test]
    fn essays_letters_and_prose_about_loops_come_back_unmodified() {
        let letter = "Dear Ann,\n\n### Greetings\nI waited for you while it rained. Therefore I \
            return the book.\n\nThus ends the letter.";
        for question in [
            "Write a letter to Ann.",
            "Tell me about Rome.",
            "Why does it rain?",
        ] {
            for mode in ["auto", "none", "math"] {
                assert_eq!(
                    apart(letter, question, mode, true).message.text(),
                    letter,
                    "{question} {mode}"
                );
            }
        }
        let count = "There were seven, two left, and then 5 stayed with us all day.";
        assert_eq!(
            apart(count, NUMBER, "auto", true).message.text(),
            count,
            "a number that stands last is not stated as the answer"
        );
        assert_eq!(
            apart("The answer is 5.", NUMBER, "none", true)
                .message
                .text(),
            "The answer is 5."
        );
    }

    #[test]
    fn code_keeps_its_language_and_its_whole_block() {
        let text = "First:\n```rust\nlet a = 1;\n```\nThen:\n```go\nfor {\n}\n```\nDone.";
        for (question, mode) in [("Write a function that counts.", "auto"), ("Hm?", "code")] {
            assert!(
                apart(text, question, mode, true)
                    .message
                    .text()
                    .ends_with("</think>\n\n```go\nfor {\n}\n```")
            );
        }
        assert_eq!(
            apart("Use a loop.", "Write a function that counts.", "auto", true)
                .message
                .text(),
            "Use a loop."
        );
    }

    #[test]
    fn what_was_cut_off_is_not_touched() {
        let settings = Settings::read(&Params::new()).unwrap();
        let choice = Choice::new(Message::assistant("The answer is 5"), "length");
        assert_eq!(
            set_apart(&settings, choice.clone(), &Question::of(NUMBER)),
            choice
        );
    }

    proptest! {
        #[test]
        fn the_last_block_is_a_part_of_the_text(text in "(```|```rs|a|é| |\n){0,40}") {
            prop_assert!(last_block(&text).is_none_or(|block| text.contains(block)
                && block.matches("```").count() >= 2));
        }
    }
}
