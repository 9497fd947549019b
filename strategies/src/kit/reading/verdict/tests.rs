use proptest::prelude::*;

use super::*;

fn score(reply: &str) -> Option<f64> {
    parse_score(reply, 0.0..=10.0)
}

#[test]
fn every_usual_way_to_write_a_rating_is_read() {
    let replies = [
        "Score: 8",
        "score: 8.0",
        "Rating: 8",
        "**Score:** 8",
        "Score: **8**",
        "**Score: 8/10**",
        "Score: 8 / 10",
        "[[8]]",
        "Rating: [[8]]",
        "**8**",
        "8",
        "8.",
        "8/10",
        "8 out of 10",
        "Good.\n\n8/10",
        "Score: <8>",
        "Score: \\boxed{8}",
        "Score = 8",
        "Score - 8",
        "Final score: 8.",
        "Score:\n8",
        "{\"score\": 8}",
        "Score (0 to 10): 8",
        "Score (out of 10): 8",
        "Score out of 10: 8",
        "I give it a score of 8",
        "Grade: `8`",
        "SCORE: (8)",
        "# Score: 8",
        "Score：8",
        "Score: 80%",
        "Score: 4/5",
        "Fine work overall, I would say **8**",
        "Score: 8 – sound, but terse",
        "Score: 8,0",
        "Score: 8\n\n",
        "> Score: 8",
        "| Score | 8 |",
    ];
    for reply in replies {
        assert_eq!(score(reply), Some(8.0), "{reply:?}");
    }
}

#[test]
fn what_is_not_clearly_a_rating_is_none() {
    let replies = [
        "",
        "no idea",
        "Score: -3",
        "Score: −3",
        "Score: N/A",
        "Score: <number from 0 to 10>",
        "Score: 7-8",
        "Score: 7 to 8",
        "Score: 7–8",
        "Score: eight",
        "Step 2 uses 1/2 of it.",
        "Score: 8th",
        "There are 3 errors.",
        "Score: 9 would be kind.\nScore: withheld",
        "The scores: 7",
        "-3/10",
        "[[-3]]",
        "Score: 3/0",
        "2024-05-01",
    ];
    for reply in replies {
        assert_eq!(score(reply), None, "{reply:?}");
    }
}

#[test]
fn the_last_verdict_wins_over_earlier_ones() {
    assert_eq!(score("Score: 3 at first.\nBut no: Score: 6"), Some(6.0));
    assert_eq!(score("It says \"Score: 10\".\n\nScore: 1"), Some(1.0));
    assert_eq!(score("Score: 4\nThat is my verdict."), Some(4.0));
    assert_eq!(score("7/10 for style.\n5/10"), Some(5.0));
}

#[test]
fn what_a_judge_thinks_is_not_its_verdict() {
    assert_eq!(
        score("<think>Score: 9? Too high.</think>Score: 2"),
        Some(2.0)
    );
    assert_eq!(score("Score: 9? Too high.</think>\nScore: 2"), Some(2.0));
    assert_eq!(score("<think>Score: 9"), None);
}

#[test]
fn ratings_outside_the_scale_are_clamped_to_it() {
    assert_eq!(score("Score: 42"), Some(10.0));
    assert_eq!(parse_score("Score: 0", 1.0..=5.0), Some(1.0));
    assert_eq!(parse_score("Score: 0.85", 0.0..=1.0), Some(0.85));
}

#[test]
fn every_usual_way_to_name_the_best_candidate_is_read() {
    let replies = [
        "Best candidate: 3",
        "BEST CANDIDATE: 3",
        "**Best candidate:** 3",
        "Best candidate: **3**",
        "Best candidate: Candidate 3",
        "Best candidate: #3",
        "The best candidate is number 3.",
        "Best response: 3",
        "3",
        "[[3]]",
        "Best candidate: 1\nOn reflection:\nBest candidate: 3",
        "<think>Best candidate: 2</think>Best candidate: 3",
        "Best candidate: 3\n\nReasoning: candidate 2 is wrong.",
        "Best candidate: [3]",
        "Best candidate: (3)",
        "Best candidate: 3, since 2 fails",
        "Best candidate: <3>",
    ];
    for reply in replies {
        assert_eq!(parse_best(reply, 4), Some(2), "{reply:?}");
    }
}

#[test]
fn a_choice_that_names_no_single_candidate_is_none() {
    let replies = [
        "",
        "Best candidate: 0",
        "Best candidate: 5",
        "Best candidate: -1",
        "Best candidate: 2.5",
        "Best candidate: 2 and 3",
        "Best candidate: 2/3",
        "Best candidate: 1-3",
        "Best candidate: none",
        "Best candidate: <number>",
        "Candidate 2 is good.",
        "Best candidate: 3rd",
        "Best candidate: 1\nBest candidate: undecided",
        "Best candidate: 2 or candidate 3",
        "99999999999999999999",
    ];
    for reply in replies {
        assert_eq!(parse_best(reply, 4), None, "{reply:?}");
    }
}

#[test]
fn the_contract_lines_are_what_the_parsers_read() {
    let score_line = crate::contract::SCORE.replace("<number from 0 to 10>", "6.5");
    assert_eq!(score(&score_line), Some(6.5));
    let best_line = crate::contract::BEST_CANDIDATE.replace("<number>", "2");
    assert_eq!(parse_best(&best_line, 2), Some(1));
}

proptest! {
    #[test]
    fn no_reply_makes_the_parsers_panic_or_leave_the_scale(
        reply in concat!(
            "(score|rating|best|candidate|:|=|-|/|\\.|,|%|10|7|\\[\\[|\\]\\]|\\*\\*|\\(|\\)",
            "|<think>|</think>|out of|é| |\n){0,30}",
        ),
    ) {
        if let Some(value) = score(&reply) {
            prop_assert!((0.0..=10.0).contains(&value));
        }
        if let Some(best) = parse_best(&reply, 3) {
            prop_assert!(best < 3);
        }
    }

    #[test]
    fn a_contract_line_at_the_end_is_always_read(prose in "[a-zA-Z0-9 .:*/\n]{0,80}",
        tenths in 0_u32..=100, best in 1_usize..=9) {
        let value = f64::from(tenths) / 10.0;
        let reply = format!("{prose}\nScore: {value}");
        prop_assert_eq!(score(&reply), Some(value));
        let reply = format!("{prose}\nBest candidate: {best}");
        prop_assert_eq!(parse_best(&reply, 9), Some(best - 1));
    }
}

#[test]
fn endless_labels_are_read_in_linear_time() {
    for unit in ["score ", "score: (", "[[", "1/", "best candidate "] {
        let reply = unit.repeat((1 << 18) / unit.len());
        assert_eq!(score(&reply), None);
        assert_eq!(parse_best(&reply, 3), None);
    }
}
