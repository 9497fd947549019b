use super::*;
use crate::answer;
use crate::contract::{
    BEST_CANDIDATE, CRITIQUE, FINAL_ANSWER, FORMULATION, MARGIN, SCORE, SOLVED, SYNTHESIS,
    candidate_label, fence,
};

/// Replies to as many different questions.
const TASKS: u64 = 2_000;

/// The rate at which `happens` is true over all questions.
fn rate(happens: impl Fn(u64) -> bool) -> f64 {
    let count = u32::try_from((0..TASKS).filter(|id| happens(*id)).count()).unwrap();
    f64::from(count) / 2_000.0
}

/// Four standard deviations of a rate around `expected`.
fn assert_rate(measured: f64, expected: f64) {
    let deviation = (expected * (1.0 - expected) / 2_000.0).sqrt();
    assert!(
        (measured - expected).abs() <= 4.0 * deviation + 1e-9,
        "measured {measured}, expected {expected}"
    );
}

fn shown(texts: &[&str]) -> String {
    let fenced = texts
        .iter()
        .enumerate()
        .map(|(index, text)| fence(&candidate_label(index + 1), text, "n0nce"));
    fenced.collect::<Vec<_>>().join("\n")
}

#[test]
fn answers_are_right_as_often_as_stated_with_and_without_the_contract() {
    for (accuracy, line) in [(0.6, ""), (0.6, FINAL_ANSWER), (0.25, FINAL_ANSWER)] {
        let model = TaskModel {
            accuracy,
            thinks: 0.5,
            ..TaskModel::default()
        };
        let measured = rate(|id| {
            let question = model.question(id);
            question.is_answered_by(&model.reply(&format!("{} {line}", question.text), 1).text)
        });
        assert_rate(measured, accuracy);
    }
}

#[test]
fn samples_of_one_question_are_independent_and_reproducible() {
    let model = TaskModel {
        accuracy: 0.5,
        ..TaskModel::default()
    };
    let question = model.question(1);
    let measured =
        rate(|sample| question.is_answered_by(&model.reply(&question.text, sample).text));
    assert_rate(measured, 0.5);
    assert_eq!(
        model.reply(&question.text, 9),
        model.reply(&question.text, 9)
    );
    assert_ne!(
        model.reply(&question.text, 9),
        model.reply(&question.text, 10)
    );
    assert_ne!(
        TaskModel {
            seed: 1,
            ..model.clone()
        }
        .question(1),
        question
    );
}

#[test]
fn scattered_errors_rarely_agree_and_a_favourite_error_does() {
    let answers = |errors: Errors| {
        let model = TaskModel {
            accuracy: 0.0,
            errors,
            ..TaskModel::default()
        };
        let question = model.question(1);
        let mut votes = answer::Votes::new();
        for sample in 0..100 {
            let text = model.reply(&question.text, sample).text;
            let found = answer::extract(&text, &answer::Question::of(&question.text))
                .map(|found| found.value);
            votes.add(usize::try_from(sample).unwrap(), found, 1.0);
        }
        assert_eq!(votes.cast(), 100, "every answer can be read");
        votes.leader().unwrap().candidates.len()
    };
    assert!(answers(Errors::Scattered) <= 4);
    assert_eq!(answers(Errors::Favourite { share: 1.0 }), 100);
}

#[test]
fn judges_are_as_reliable_as_stated() {
    let judge = Reliability {
        true_positive: 0.9,
        false_positive: 0.3,
    };
    let model = TaskModel {
        judge,
        ..TaskModel::default()
    };
    let approved = |id: u64, offset: i64| {
        let question = model.question(id);
        let candidate = format!("Final answer: {}", question.answer + offset);
        let reply = model.reply(
            &format!("{}\n{}\n{SCORE}", question.text, shown(&[&candidate])),
            1,
        );
        assert_eq!(reply.asked, Asked::Rating);
        crate::kit::reading::verdict::parse_score(&reply.text, 0.0..=10.0).unwrap() >= 8.0
    };
    assert_rate(rate(|id| approved(id, 0)), 0.9);
    assert_rate(rate(|id| approved(id, 1)), 0.3);
}

#[test]
fn a_synthesis_is_right_only_with_a_right_candidate_before_it() {
    let model = TaskModel {
        synthesis: 0.8,
        ..TaskModel::default()
    };
    let right = |id: u64, offset: i64| {
        let question = model.question(id);
        let candidates = [
            "Final answer: 1".to_owned(),
            format!("Final answer: {}", question.answer + offset),
        ];
        let reply = model.reply(
            &format!(
                "{}\n{}\n{SYNTHESIS}",
                question.text,
                shown(&[&candidates[0], &candidates[1]])
            ),
            1,
        );
        assert_eq!(reply.asked, Asked::Synthesis);
        question.is_answered_by(&reply.text)
    };
    assert_rate(rate(|id| right(id, 0)), 0.8);
    assert!(rate(|id| right(id, 1)) < 1e-9);
}

#[test]
fn what_is_asked_is_known_by_the_contract_lines_alone() {
    let model = TaskModel::default();
    let text = model.question(1).text;
    for (line, asked) in [
        ("", Asked::Answer),
        (FINAL_ANSWER, Asked::Answer),
        (BEST_CANDIDATE, Asked::Choice),
        (CRITIQUE, Asked::Critique),
        (MARGIN, Asked::Margin),
        (FORMULATION, Asked::Formulation),
        (SOLVED, Asked::Solved),
        (SCORE, Asked::Rating),
    ] {
        assert_eq!(
            model
                .reply(
                    &format!("{text} Rate, choose, judge and criticise.\n{line}"),
                    1
                )
                .asked,
            asked
        );
    }
    let quoting = format!(
        "{text}\n{}\n{BEST_CANDIDATE}",
        shown(&[&format!("{SCORE} {SCORE}")])
    );
    assert_eq!(model.reply(&quoting, 1).asked, Asked::Choice);
    assert_eq!(
        model
            .reply(&format!("{text}\n{}", shown(&[SCORE])), 1)
            .asked,
        Asked::Answer
    );
}

#[test]
fn what_was_begun_is_continued_by_another_sample() {
    let model = TaskModel {
        accuracy: 1.0,
        ..TaskModel::default()
    };
    let question = model.question(4);
    let [one, other] =
        ["Let", "First"].map(|begun| model.reply(&format!("{}\n{begun}", question.text), 1));
    assert!(
        [&one, &other]
            .iter()
            .all(|reply| question.is_answered_by(&reply.text))
    );
    assert_ne!(one.text, other.text);
    let counted = model.reply(&format!("Count on.\n{}", contract::BEGUN), 1);
    assert_eq!(counted.asked, Asked::Continuation);
    assert!(counted.text.trim_start().starts_with(contract::NEXT));
}

#[test]
fn a_conversation_without_a_question_gets_prose() {
    let model = TaskModel::default();
    let reply = model.reply("Tell me about [task x] rivers.", 1);
    assert_eq!(reply.asked, Asked::Answer);
    assert!(reply.tokens >= 30);
    assert!(
        crate::kit::reading::verdict::parse_score(&model.reply(SCORE, 1).text, 0.0..=10.0)
            .is_some()
    );
    assert!(
        crate::kit::reading::verdict::parse_best(&model.reply(BEST_CANDIDATE, 1).text, 1).is_some()
    );
}

#[test]
fn lengths_stay_within_their_bounds() {
    let model = TaskModel {
        words: Words {
            least: 50,
            most: 80,
        },
        ..TaskModel::default()
    };
    for sample in 0..200 {
        let tokens = model.reply(&model.question(2).text, sample).tokens;
        assert!((50..=100).contains(&tokens), "{tokens}");
    }
}

#[test]
fn settings_are_strict_and_survive_being_written() {
    let model = TaskModel {
        errors: Errors::Favourite { share: 0.5 },
        ..TaskModel::default()
    };
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<TaskModel>(&text).unwrap(), model);
    assert!(serde_json::from_str::<TaskModel>(r#"{"acuracy": 1}"#).is_err());
}
