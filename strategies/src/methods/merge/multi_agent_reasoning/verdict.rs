//! Reads the verdict of a verifier.

use crate::contract::VERDICT;
use crate::reasoning;

/// What a verifier found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Correct,
    Incomplete,
    Incorrect,
}

const WORDS: [(&str, Verdict); 3] = [
    ("correct", Verdict::Correct),
    ("incorrect", Verdict::Incorrect),
    ("incomplete", Verdict::Incomplete),
];

/// The verdict in the last line that announces one; none if that line names no verdict, or several.
///
/// The words of a report are no verdict: "no incorrect steps" refutes nothing, and "partially
/// correct" confirms nothing.
pub(super) fn parse(reply: &str) -> Option<Verdict> {
    let label = VERDICT.split_once(':').map_or(VERDICT, |(label, _)| label);
    let reply = reasoning::strip(reply);
    let announced = reply.lines().rev().find_map(|line| {
        let at = line
            .to_ascii_lowercase()
            .rfind(&label.to_ascii_lowercase())?;
        let behind = line.get(at + label.len()..)?;
        let is_word = !line.get(..at)?.ends_with(char::is_alphanumeric)
            && !behind.starts_with(char::is_alphanumeric);
        is_word.then_some(behind)
    })?;
    let mut words = announced
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .skip_while(|word| word.eq_ignore_ascii_case("is"));
    let first = words.next().and_then(verdict)?;
    words.all(|word| verdict(word).is_none()).then_some(first)
}

fn verdict(word: &str) -> Option<Verdict> {
    WORDS
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, verdict)| verdict)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn verdicts_are_read_however_verifiers_write_them() {
        for (line, expected) in [
            ("VERDICT: CORRECT", Verdict::Correct),
            ("**Verdict:** Correct.", Verdict::Correct),
            ("### Verdict: **INCORRECT**", Verdict::Incorrect),
            ("Final verdict is incomplete", Verdict::Incomplete),
            ("VERDICT: <CORRECT>", Verdict::Correct),
            (
                "VERDICT – [[INCOMPLETE]] (the second case)",
                Verdict::Incomplete,
            ),
            ("verdict: correct, confidence 9/10", Verdict::Correct),
        ] {
            assert_eq!(
                parse(&format!("The third step is incorrect? No.\n{line}\n")),
                Some(expected),
                "{line}"
            );
        }
    }

    #[test]
    fn the_words_of_a_report_are_no_verdict() {
        assert_eq!(
            parse("There are no incorrect or incomplete steps.\nVERDICT: CORRECT"),
            Some(Verdict::Correct)
        );
        assert_eq!(
            parse("VERDICT: CORRECT\nOn second thoughts:\nVERDICT: INCORRECT"),
            Some(Verdict::Incorrect)
        );
        for unclear in [
            "",
            "CORRECT",
            "It is correct.",
            "VERDICT:",
            "VERDICT: partially correct but incomplete",
            "VERDICT: NOT CORRECT",
            VERDICT,
            "VERDICT: CORRECT or INCORRECT?",
            "VERDICT: CORRECT\nVERDICT: unsure",
            "<think>VERDICT: CORRECT</think>",
            "The jury's verdicts: correct",
        ] {
            assert_eq!(parse(unclear), None, "{unclear}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_makes_reading_panic(
            reply in "(verdict|VERDICT|correct|INCORRECT|İ|<think>|</think>|:|\\*| |\n){0,40}",
        ) {
            prop_assert!(parse(&reply).is_none() || reply.to_lowercase().contains("verdict"));
        }

        #[test]
        fn a_report_of_any_words_leaves_the_last_line_to_decide(report in "[a-zA-Z :.\n]{0,80}") {
            prop_assert_eq!(parse(&format!("{report}\nVERDICT: INCORRECT")),
                Some(Verdict::Incorrect));
        }
    }
}
