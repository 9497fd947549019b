use super::*;
use crate::kit::reading::verdict;

#[test]
fn numbers_are_grouped_from_the_right() {
    assert_eq!(
        [7, 123, 1_234, -1_234_567].map(grouped),
        ["7", "123", "1,234", "-1,234,567"]
    );
}

#[test]
fn every_line_says_its_value() {
    let model = TaskModel::default();
    let question = model.question(3);
    for line in CONTRACT_LINES.iter().chain(&FREE_LINES) {
        let line = line
            .replace("{v}", &question.answer.to_string())
            .replace("{g}", &grouped(question.answer))
            .replace("{u}", question.unit);
        assert!(
            question.is_answered_by(&format!("I start with 3 times 4.\n\n{line}")),
            "{line}"
        );
    }
}

#[test]
fn verdicts_are_readable() {
    let model = TaskModel::default();
    let question = model.question(5);
    let (right, wrong) = (
        format!("Final answer: {}", question.answer),
        "Final answer: 1".to_owned(),
    );
    for sample in 0..40 {
        let mut chance = Chance::new(&[sample]);
        let score = |text: &str, chance: &mut Chance| {
            verdict::parse_score(
                &model.rating(Some(&question), &[(1, text)], "", chance),
                0.0..=10.0,
            )
        };
        assert!(score(&right, &mut chance).is_some_and(|score| score >= 8.0));
        assert!(score(&wrong, &mut chance).is_some_and(|score| score <= 3.0));
        let choice = model.choice(
            Some(&question),
            &[(1, &wrong), (2, &right), (3, &wrong)],
            "",
            &mut chance,
        );
        assert_eq!(verdict::parse_best(&choice, 3), Some(1));
    }
}
