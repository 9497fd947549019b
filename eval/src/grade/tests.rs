//! Forms of replies and what they are graded.

use hone_strategies::answer;

use super::*;

mod forms;
mod laws;

fn grader(kind: Kind, expected: &[&str]) -> Grader {
    Grader::new(
        kind,
        &expected
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>(),
        &answer::Question::default(),
    )
    .unwrap()
}

#[test]
fn graders_know_the_forms_of_an_answer() {
    use Kind::{Choice, Contains, Exact, Numeric, Regex};
    let mcq = "Which is a metal?\nA) wood\nB) iron";
    let cases = [
        (
            Numeric,
            "1/2",
            "q",
            "So the answer is $\\boxed{\\frac{1}{2}}$.",
            true,
        ),
        (
            Numeric,
            "50%",
            "q",
            "That makes half.\nFinal answer: 50%",
            true,
        ),
        (Numeric, "1234", "q", "#### 1,234", true),
        (
            Numeric,
            "42",
            "q",
            "<think>41</think>\nThe answer is 42 apples.",
            true,
        ),
        (
            Numeric,
            "42",
            "q",
            "I think 42 is too low, it must be 43.",
            false,
        ),
        (Numeric, "42", "q", "", false),
        (Choice, "B", mcq, "The answer is (b).", true),
        (Choice, "B", mcq, "Final answer: iron", true),
        (Choice, "B", mcq, "**A**", false),
        (Choice, "C", "Which one?", "Final answer: C", true),
        (Exact, "Paris", "Which city?", "Final answer: paris.", true),
        (Exact, "\\sqrt{2}", "q", "Final answer: $\\sqrt2$", true),
        (Exact, "(1, 2)", "q", "\\boxed{(1,2)}", true),
        (Contains, "Eiffel", "q", "It is the EIFFEL tower.", true),
        (
            Contains,
            "Eiffel",
            "q",
            "<think>Eiffel?</think>Big Ben.",
            false,
        ),
        (Regex, r"(?i)\bpari[sz]\b", "q", "in Paris", true),
    ];
    for (kind, expected, question, reply, right) in cases {
        let graded = grader(kind, &[expected]).grade(reply, &answer::Question::of(question));
        assert_eq!(graded, Some(right), "{kind:?} {expected}: {reply}");
    }
}

#[test]
fn a_percentage_is_the_number_that_it_stands_for() {
    let (share, percent) = ("How much of it is left?", "What percentage of it is left?");
    let cases = [
        (share, "0.5", "50%", true),
        (share, "1/2", "50 percent", true),
        (share, "50%", "0.5", true),
        (share, "50%", "1/2", true),
        (share, "1.5", "150%", true),
        (share, "1", "100%", true),
        (share, "50%", "50 percent", true),
        // The sign was left out.
        (share, "50", "50%", true),
        (share, "50%", "50", true),
        // It cannot have been.
        (share, "0.5", "0.5%", false),
        (share, "0.5%", "0.5", false),
        (share, "1", "1%", false),
        (share, "50%", "5", false),
        // The question says what a bare number means.
        (percent, "50", "50%", true),
        (percent, "0.5", "0.5%", true),
        (percent, "0.5", "50%", false),
        (percent, "50%", "0.5", false),
        // Other units have nothing to do with it.
        (share, "0.5", "50 km", false),
        (share, "50 km", "50%", false),
    ];
    for (question, expected, said, right) in cases {
        let graded = grader(Kind::Numeric, &[expected]).grade(
            &format!("Final answer: {said}"),
            &answer::Question::of(question),
        );
        assert_eq!(graded, Some(right), "{question} {expected}: {said}");
    }
}

/// What OptiLLM's answer extraction and benchmark scripts take for right or for wrong by
/// mistake.
#[test]
fn what_optillms_scripts_get_wrong_is_graded_right() {
    use Kind::{Choice, Exact, Numeric};
    let mcq = "Which is a metal?\nA) wood\nB) iron";
    let cases = [
        // A minus sign that stands for both signs.
        (Exact, r"3 \pm \sqrt{2}", "q", r"\boxed{3-\sqrt{2}}", false),
        (Numeric, "-7", "q", "Final answer: 7", false),
        // Nested braces in the box, and a box that was crossed out by a later one.
        (Numeric, "1/2", "q", r"\boxed{\frac{1}{2}}", true),
        (
            Numeric,
            "5",
            "q",
            r"At first \boxed{4}, but no: \boxed{5}",
            true,
        ),
        // The digits of the known answer anywhere in the text.
        (
            Numeric,
            "2112",
            "q",
            "One might guess 2112.\nFinal answer: 4048",
            false,
        ),
        // Answers below 0 and above 999, and floats that are whole.
        (Numeric, "1024", "q", "The answer is 1024.", true),
        (Numeric, "8", "q", "#### 8.0", true),
        (Numeric, "1234567", "q", "#### 1,234,567", true),
        // An option whose text is mentioned and refused; its number is not its letter.
        (
            Choice,
            "B",
            mcq,
            "Iron (B) comes to mind, but no.\nFinal answer: A",
            false,
        ),
        (Choice, "B", mcq, "Final answer: B. iron", true),
        // Yes and true, with a full stop.
        (Exact, "true", "Is it so?", "Final answer: Yes.", true),
        (Exact, "false", "Is it so?", "Final answer: Yes.", false),
        // Sets have no order, tuples have one, and brackets mean something.
        (Exact, r"\{1, 2\}", "q", r"\boxed{\{2,1\}}", true),
        (Exact, "(1, 2)", "q", r"\boxed{(2,1)}", false),
        (Exact, "[1, 2)", "q", r"\boxed{(1,2)}", false),
        // Units: stripped, unless they contradict.
        (Numeric, "90", "q", r"\boxed{90^\circ}", true),
        (Numeric, "5 cm", "q", r"\boxed{5\text{ cm}}", true),
        (Numeric, "5 cm", "q", r"\boxed{5\text{ m}}", false),
        // Reasoning is no answer, not even where it never ends.
        (Numeric, "12", "q", "<think>It must be 12", false),
        (Numeric, "12", "q", "I do not know.", false),
    ];
    for (kind, expected, question, reply, right) in cases {
        let graded = grader(kind, &[expected]).grade(reply, &answer::Question::of(question));
        assert_eq!(graded, Some(right), "{kind:?} {expected}: {reply}");
    }
}

#[test]
fn any_of_several_answers_is_right() {
    let either = grader(Kind::Exact, &["USA", "United States"]);
    for reply in ["Final answer: usa", "Final answer: the United States"] {
        assert_eq!(
            either.grade(reply, &answer::Question::default()),
            Some(true),
            "{reply}"
        );
    }
}

#[test]
fn the_form_of_what_is_expected_chooses_the_grader() {
    let of = |expected: &str, question: &str| {
        Kind::fitting(&[expected.to_owned()], &answer::Question::of(question))
    };
    assert_eq!(of("12.5", "How many?"), Kind::Numeric);
    assert_eq!(of("B", "Which?\nA) x\nB) y"), Kind::Choice);
    assert_eq!(of("B", "Which vitamin?"), Kind::Exact);
    assert_eq!(of("Paris", "Where?"), Kind::Exact);
}
