use proptest::prelude::*;

use super::*;

fn overtaken(leader: f64, rival: f64, rest: f64, outstanding: usize) -> f64 {
    super::overtaken((leader, rival, rest), UNKNOWN, outstanding)
}

fn votes(answers: &[&str]) -> Votes {
    let mut votes = Votes::new();
    for (candidate, answer) in answers.iter().enumerate() {
        votes.add(candidate, AnswerValue::parse(answer), 1.0);
    }
    votes
}

#[test]
fn one_answer_in_many_forms_is_one_choice() {
    let leader = votes(&["41", "42", "\\boxed{42}", "42.0", "**42**", "$42$"])
        .leader()
        .unwrap();
    assert_eq!(leader.candidates, [1, 2, 3, 4, 5]);
}

#[test]
fn a_tie_goes_to_the_lowest_candidate_whatever_came_first() {
    let mut votes = Votes::new();
    for (candidate, answer) in [(3, "7"), (0, "8"), (2, "7"), (1, "8")] {
        votes.add(candidate, AnswerValue::parse(answer), 1.0);
    }
    assert_eq!(votes.leader().unwrap().candidates, [0, 1]);
}

#[test]
fn a_vote_is_decided_only_when_nothing_can_overtake() {
    let votes = votes(&["1", "1", "1", "2"]);
    assert!(votes.decided(1));
    assert!(!votes.decided(2), "a tie could be lost");
    assert!(!Votes::new().decided(0));
}

#[test]
fn a_leader_far_ahead_is_likely_to_stay() {
    let confidence = |answers: &[&str], outstanding| votes(answers).confidence(outstanding);
    assert!(confidence(&["1"; 4], 12) > 0.99 && confidence(&["1"; 3], 13) < 0.99);
    assert!(confidence(&["1", "1", "1", "2"], 12) < 0.9);
    assert!(
        confidence(&["1", "1", "1", "1", "1", "1", "2", "3"], 8)
            > confidence(&["1", "1", "1", "1", "1", "1", "2", "2"], 8)
    );
    assert!(confidence(&[], 3) < f64::EPSILON);
}

#[test]
fn every_rival_adds_its_own_risk_and_so_does_an_answer_that_nobody_gave() {
    let votes = votes(&["1", "1", "1", "2", "2", "3", "3"]);
    let risk = 2.0 * overtaken(3.0, 2.0, 2.0, 3) + overtaken(3.0, 0.0, 4.0, 3);
    assert!(
        overtaken(3.0, 2.0, 2.0, 3) > 0.01 && (votes.confidence(3) - (1.0 - risk)).abs() < 1e-12
    );
}

#[test]
fn a_row_ends_with_another_answer_or_none() {
    assert_eq!([votes(&[]).row(), votes(&["2", "1", "1.0"]).row()], [0, 2]);
    let mut votes = votes(&["1", "1"]);
    votes.add(2, None, 1.0);
    assert_eq!(votes.row(), 0);
    votes.add(3, AnswerValue::parse("1"), 1.0);
    assert_eq!(votes.row(), 1);
}

#[test]
fn bare_numbers_that_could_join_two_units_are_reckoned_with() {
    let votes = votes(&["3", "3", "3", "3", "5 m", "5 m", "5 cm", "5 cm"]);
    assert!(!votes.decided(1), "a bare 5 would make five");
}

#[test]
fn those_without_an_answer_do_not_vote() {
    let mut votes = votes(&["1"]);
    votes.add(1, None, 1.0);
    assert_eq!(votes.cast(), 1);
}

proptest! {
    #[test]
    fn a_decided_vote_stays_decided(first in prop::collection::vec(0_usize..7, 0..10),
        then in prop::collection::vec(0_usize..7, 0..5)) {
        let pool = ["5", "5 m", "5 cm", "6", "0.5", "1/2", "50%"];
        let answers: Vec<&str> = first.iter().map(|at| pool[*at]).collect();
        let mut all = votes(&answers);
        prop_assert!((0.0..=1.0).contains(&all.confidence(then.len())));
        if all.decided(then.len()) {
            prop_assert!(all.confidence(then.len()) >= 1.0);
            let leader = all.leader().unwrap();
            for (offset, at) in then.iter().enumerate() {
                all.add(first.len() + offset, AnswerValue::parse(pool[*at]), 1.0);
            }
            let after = all.leader().unwrap();
            prop_assert!(leader.candidates.iter()
                .all(|candidate| after.candidates.contains(candidate)));
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        votes in prop::collection::vec((0_usize..6, 1_u8..4), 0..10)
            .prop_map(|votes| votes.into_iter().enumerate().collect::<Vec<_>>()),
        seed in any::<u64>(),
    ) {
        let pool = ["5", "5 m", "5 cm", "6", "0.5", "1/2"];
        let elect = |votes: &[(usize, (usize, u8))]| {
            let mut count = Votes::new();
            for (candidate, (at, weight)) in votes {
                count.add(*candidate, AnswerValue::parse(pool[*at]), f64::from(*weight));
            }
            count.histogram().into_iter().map(|tally| (tally.value.to_string(),
                tally.candidates)).collect::<Vec<_>>()
        };
        let mut shuffled = votes.clone();
        shuffled.sort_by_key(|(candidate, _)| (*candidate as u64 + 1).wrapping_mul(seed | 1));
        prop_assert_eq!(elect(&votes), elect(&shuffled));
    }
}
