use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scored(top: &[f64]) -> ScoredToken {
    let top = top
        .iter()
        .map(|logprob| Alternative {
            text: "x".to_owned(),
            logprob: *logprob,
        })
        .collect();
    ScoredToken {
        text: "x".to_owned(),
        logprob: None,
        top,
    }
}

#[test]
fn every_known_shape_says_the_same() {
    let shapes = [
        json!({"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [
            {"token": "a", "logprob": -0.5, "bytes": [97]},
                {"token": "b", "logprob": -1.5, "bytes": [98]}]}], "refusal": null}),
        json!([{"id": 7, "token": "a", "logprob": -0.5,
            "top_logprobs": [{"token": "b", "logprob": -1.5}, {"token": "a", "logprob": "-0.5"}]}]),
        json!({"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5, "b": -1.5}],
            "text_offset": [0]}),
        json!({"content": [{"decoded_token": "a", "logprob": -0.5,
            "top_logprobs": {"7": {"logprob": -0.5, "decoded_token": "a", "rank": 1},
                "9": {"logprob": -1.5, "decoded_token": "b"}}}]}),
        json!({"chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5},
                {"token": "b", "logProbability": -1.5}]}]}),
    ];
    for shape in shapes {
        let top = [("a", -0.5), ("b", -1.5)].map(|(text, logprob)| Alternative {
            text: text.to_owned(),
            logprob,
        });
        let expected = ScoredToken {
            text: "a".to_owned(),
            logprob: Some(-0.5),
            top: top.to_vec(),
        };
        assert_eq!(tokens(&shape), [expected], "{shape}");
    }
    let probabilities = json!([{"content": "a", "probs": [{"tok_str": "a", "prob": 0.75},
        {"tok_str": "b", "prob": 0.25}]}]);
    assert!((tokens(&probabilities)[0].margin().unwrap() - 0.5).abs() < 1e-9);
}

#[test]
fn odd_numbers_are_brought_into_range_and_nonsense_is_left_out() {
    let odd = json!({"content": [
        {"token": "a", "logprob": -9999.0, "top_logprobs": [{"token": "a", "logprob": 1e-7},
            {"token": "b", "logprob": "-inf"}, {"token": "c"}, 3]},
        {"logprob": -1}, null, {"token": "\u{fffd}", "bytes": [226, 130, 172], "logprob": null},
            {"token": 5},
    ]});
    let read = tokens(&odd);
    assert_eq!(
        (read.len(), read[0].logprob, read[1].text.as_str()),
        (2, Some(FLOOR), "€")
    );
    assert_eq!(
        read[0]
            .top
            .iter()
            .map(|other| other.logprob)
            .collect::<Vec<_>>(),
        [0.0, FLOOR]
    );
    for nothing in [
        json!(null),
        json!({}),
        json!({"content": null}),
        json!("x"),
        json!({"content": [], "tokens": []}),
    ] {
        assert_eq!(tokens(&nothing), [], "{nothing}");
    }
}

#[test]
fn measures_are_those_of_the_definitions() {
    let even = scored(&[0.5_f64.ln(), 0.5_f64.ln()]);
    assert!((even.confidence().unwrap() - 2.0_f64.ln()).abs() < 1e-9);
    assert!(
        (even.spread().unwrap().entropy - 1.0).abs() < 1e-9
            && even.spread().unwrap().varentropy.abs() < 1e-9
    );
    assert!(even.margin().unwrap().abs() < 1e-9);
    let peaked = scored(&[0.9_f64.ln(), 0.1_f64.ln()]);
    assert!((peaked.margin().unwrap() - 0.8).abs() < 1e-9);
    assert!(peaked.confidence() > even.confidence());
    assert_eq!(
        (
            scored(&[-0.1]).confidence(),
            scored(&[-0.1]).margin(),
            scored(&[]).spread()
        ),
        (None, None, None)
    );
}

#[test]
fn percentiles_are_interpolated() {
    let values: Vec<f64> = (1..=16).map(f64::from).collect();
    for (percent, expected) in [
        (0.0, 1.0),
        (10.0, 2.5),
        (50.0, 8.5),
        (90.0, 14.5),
        (100.0, 16.0),
    ] {
        assert!(
            (percentile(&values, percent).unwrap() - expected).abs() < 1e-9,
            "{percent}"
        );
    }
    assert_eq!((percentile(&[], 50.0), median(&[3.0])), (None, Some(3.0)));
}

#[test]
fn groups_are_means_over_a_sliding_window() {
    let confidences = [4.0, 2.0, 0.0, 4.0, 8.0];
    assert_eq!(lowest_group(&confidences, 2), Some(1.0));
    assert_eq!(
        lowest_group(&confidences, 9),
        Some(3.6),
        "shorter than the window: the mean of all"
    );
    assert_eq!(Metric::Tail.of(&confidences, 2), Some(6.0));
    assert_eq!(Metric::Bottom.of(&confidences, 2), Some(1.0));
    assert_eq!(
        (
            Metric::Average.of(&confidences, 2),
            Metric::Lowest.of(&[], 2)
        ),
        (Some(3.6), None)
    );
}

#[test]
fn the_margin_of_an_answer_is_that_of_its_own_tokens() {
    let token = |text: &str, lead: f64| {
        let top = [f64::midpoint(1.0, lead), f64::midpoint(1.0, -lead)].map(|share| Alternative {
            text: text.to_owned(),
            logprob: share.ln(),
        });
        ScoredToken {
            text: text.to_owned(),
            logprob: None,
            top: top.to_vec(),
        }
    };
    let tokens = [
        token("4", 0.1),
        token("2 is", 0.1),
        token(" 4", 0.9),
        token("2", 0.7),
        token(".", 0.0),
    ];
    assert!(
        (mean_margin_of("42", &tokens).unwrap() - 0.8).abs() < 1e-9,
        "the last occurrence"
    );
    assert!(
        (mean_margin_of("43", &tokens).unwrap() - 0.36).abs() < 1e-9,
        "the whole text"
    );
    assert_eq!(mean_margin_of("42", &[]), None);
}

fn anything() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "content",
        "token",
        "tokens",
        "logprob",
        "top_logprobs",
        "token_logprobs",
        "prob",
        "probs",
        "bytes",
        "chosenCandidates",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let object = prop::collection::vec((name.clone(), inner.clone()), 0..5).prop_map(|pairs| {
            Value::Object(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        });
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_without_harm(value in anything()) {
        for token in tokens(&value) {
            prop_assert!(token.logprob.is_none_or(|logprob| (FLOOR..=0.0).contains(&logprob)));
            prop_assert!(token.top.is_sorted_by(|left, right| left.logprob >= right.logprob));
            prop_assert!(token.confidence().is_none_or(f64::is_finite) && token.margin()
                .is_none_or(|margin| (0.0..=1.0).contains(&margin)));
            prop_assert!(token.spread().is_none_or(|spread| spread.entropy.is_finite()
                && spread.varentropy.is_finite()));
        }
    }

    #[test]
    fn a_sliding_mean_is_the_mean_of_what_is_in_the_window(
        values in prop::collection::vec(0.0..20.0_f64, 1..60),
        size in 1..20_usize,
    ) {
        let mut window = Window::new(size);
        for (at, value) in values.iter().enumerate() {
            let slid = window.push(*value);
            let direct = (at + 1 >= size).then(|| mean(values[at + 1 - size..=at].iter().copied()))
                .flatten();
            prop_assert_eq!(slid.is_some(), direct.is_some());
            prop_assert!(slid.zip(direct).is_none_or(|(slid, direct)| (slid - direct)
                .abs() < 1e-9));
        }
    }
}
