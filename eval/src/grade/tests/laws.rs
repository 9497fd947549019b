//! What holds for all answers and replies.

use std::slice;

use hone_strategies::answer::Question;
use proptest::prelude::*;

use crate::grade::{Grader, Kind};

fn graded(kind: Kind, question: &str, expected: &str, reply: &str) -> bool {
    let shape = Question::of(question);
    let grader = Grader::new(kind, &[expected.to_owned()], &shape).unwrap();
    grader.grade(reply, &shape).unwrap()
}

/// Ways to say an answer.
const FRAMES: [&str; 14] = [
    "{}",
    "{}.",
    "**{}**",
    "`{}`",
    "```\n{}\n```",
    "#### {}",
    "Final answer: {}",
    "The answer is {}.",
    "Let me think. It cannot be otherwise.\n\nAnswer: {}",
    "<think>\nIs it 999983? No.\n</think>\n{}",
    "\\boxed{{}}",
    "Thus \\[ \\boxed{{}} \\]",
    "{\"answer\": \"{}\"}",
    "Working it out:\n```text\n{}\n```",
];

fn framed(frame: &str, answer: &str) -> String {
    frame.replace("{}", answer)
}

proptest! {
    #[test]
    fn a_number_is_right_in_every_frame_and_another_is_wrong(
        number in -999_999_i64..1_000_000,
        off in 1_i64..1000,
        frame in 0..FRAMES.len(),
    ) {
        let (expected, other) = (number.to_string(), (number + off).to_string());
        let question = "How many are there?";
        prop_assert!(graded(Kind::Numeric, question, &expected, &framed(FRAMES[frame], &expected)));
        prop_assert!(!graded(Kind::Numeric, question, &expected, &framed(FRAMES[frame], &other)));
    }

    #[test]
    fn a_letter_is_right_in_every_frame_and_another_is_wrong(
        right in 0_u8..4,
        other in 1_u8..4,
        frame in 0..FRAMES.len() + 6,
    ) {
        let question = "Which one?\nA) red\nB) green\nC) blue\nD) grey";
        let letter = |at: u8| char::from(b'A' + at % 4).to_string();
        let more = ["I'd go with {}.", "option {}", "It's {}", "{} is correct.", "({})",
            "My pick: {}"];
        let frame = FRAMES.iter().chain(&more).nth(frame).unwrap();
        let reply = framed(frame, &letter(right));
        prop_assert!(graded(Kind::Choice, question, &letter(right), &reply), "{}", reply);
        let reply = framed(frame, &letter(right + other));
        prop_assert!(!graded(Kind::Choice, question, &letter(right), &reply), "{}", reply);
    }

    #[test]
    fn yes_is_right_in_every_frame_and_no_is_wrong(
        truth: bool,
        frame in 0..FRAMES.len() + 4,
    ) {
        let more = ["{}, it is so.", "{} — because of that.", "{}! Really.", "So {}"];
        let frame = FRAMES.iter().chain(&more).nth(frame).unwrap();
        let word = |truth| if truth { "Yes" } else { "No" };
        let reply = framed(frame, word(truth));
        prop_assert!(graded(Kind::Exact, "Is it so?", word(truth), &reply), "{}", reply);
        prop_assert!(!graded(Kind::Exact, "Is it so?", word(!truth), &reply), "{}", reply);
    }

    #[test]
    fn two_speeds_in_different_units_are_never_one(
        speed in 1_u32..10_000,
        one in 0..4_usize,
        other in 1..4_usize,
    ) {
        let units = [
            ["km/h", "kilometers per hour"],
            ["mph", "miles per hour"],
            ["m/s", "meters per second"],
            ["knots", "knots"],
        ];
        let other = (one + other) % 4;
        for reply in units[other].iter().chain(&units[one]) {
            let right = units[one].contains(reply);
            let expected = format!("{speed} {}", units[one][0]);
            for said in [
                format!("{speed} {reply}"),
                format!("It goes at {speed} {reply} all day."),
            ] {
                prop_assert_eq!(
                    graded(Kind::Numeric, "How fast?", &expected, &said), right, "{} {}",
                    expected, said
                );
            }
        }
    }

    #[test]
    fn no_reply_breaks_a_grader_and_grades_repeat(
        reply in ".{0,300}",
        expected in "[a-z0-9 ]{1,12}",
    ) {
        let shape = Question::of("Which?\nA) one\nB) two");
        for kind in [Kind::Exact, Kind::Contains, Kind::Numeric, Kind::Choice] {
            let Ok(grader) = Grader::new(kind, slice::from_ref(&expected), &shape) else {
                continue;
            };
            let first = grader.grade(&reply, &shape);
            prop_assert_eq!(grader.grade(&reply, &shape), first);
            prop_assert!(!(grader.is_unread(&reply, &shape) && first == Some(true)));
        }
    }
}
