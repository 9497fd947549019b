//! Reads a rewrite: the faults of a draft, the line of [`REVISION`], the answer.

use crate::chat::Choice;
use crate::contract::REVISION;
use crate::reasoning;

/// Signs with which models set a line off.
const MARKS: [char; 5] = ['#', '*', '_', '>', ' '];

/// The choice with the answer alone; `None` if the line is missing or nothing stands below it,
/// since faults are no answer.
pub(super) fn answer_alone(choice: Choice) -> Option<Choice> {
    let answer = below_the_line(&reasoning::strip(&choice.message.text()))?.to_owned();
    // The log probabilities are of the whole text.
    Some(Choice {
        message: choice.message.with("content", answer),
        logprobs: None,
        ..choice
    })
}

fn below_the_line(text: &str) -> Option<&str> {
    let label = REVISION.trim_end_matches(':');
    let behind = |line: &str| -> Option<usize> {
        let rest = line.trim_start_matches(MARKS);
        let (head, rest) = rest.split_at_checked(label.len())?;
        let rest = rest
            .trim_start_matches(MARKS)
            .strip_prefix(':')
            .filter(|_| head.eq_ignore_ascii_case(label))?;
        Some(rest.trim_start_matches(MARKS).len())
    };
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if let Some(left) = behind(line) {
            return text
                .get(end - left..)
                .map(str::trim)
                .filter(|answer| !answer.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_answer_is_what_stands_below_the_line_however_it_is_set_off() {
        for text in [
            "1. Wrong sum.\nImproved answer:\nIt is 42.",
            "1. Wrong sum.\n\n**Improved answer:**\n\nIt is 42.\n",
            "### Improved Answer:\nIt is 42.",
            "1. Wrong.\nimproved answer: It is 42.",
            "**Improved answer**: It is 42.",
        ] {
            assert_eq!(below_the_line(text), Some("It is 42."), "{text}");
        }
    }

    #[test]
    fn faults_alone_are_no_answer() {
        for text in [
            "1. Wrong sum.",
            "",
            "Improved answer:",
            "1. It has no improved answer: that is bad.",
            "Improved answers: none",
        ] {
            assert_eq!(below_the_line(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_below_the_first_line_is_kept(faults in "[a-z .\n*é]{0,40}",
            answer in "[a-zé][ -~é\n]{0,40}") {
            let text = format!("{faults}\n{REVISION}\n{answer}");
            prop_assert_eq!(below_the_line(&text), Some(answer.trim()));
        }
    }
}
