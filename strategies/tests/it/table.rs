//! What each approach costs: one row a line.

use serde_json::{Value, json};

/// Approach, parameters, calls and depth, where `n` is honoured and everything goes as it should.
type Row = (&'static str, Value, u32, u64);

pub(crate) fn table() -> Vec<Row> {
    let kinds = [
        prompting(),
        judging(),
        merging(),
        searching(),
        panels(),
        voting(),
        decoding(),
        thinking(),
        reading(),
        composed(),
    ];
    kinds.into_iter().flatten().collect()
}

/// Those that change the prompt, or ask a solver.
fn prompting() -> Vec<Row> {
    vec![
        ("none", json!({}), 1, 1),
        ("re2", json!({}), 1, 1),
        ("cot_reflection", json!({}), 1, 1),
        (
            "cot_reflection",
            json!({"response_format": {"type": "json_object"}}),
            2,
            2,
        ),
        ("leap", json!({}), 1, 1),
        ("leap", examples(), 8, 5),
        ("z3", json!({}), 3, 2),
        ("z3", json!({"z3_samples": 4, "z3_speculate": false}), 5, 2),
    ]
}

/// Those that have a judge rate or compare candidates.
fn judging() -> Vec<Row> {
    vec![
        ("bon", json!({}), 4, 2),
        ("bon", json!({"best_of_n": 8, "bon_judge_samples": 2}), 7, 2),
        ("bon", json!({"best_of_n": 1, "judge_always": true}), 1, 1),
        (
            "bon",
            json!({"best_of_n": 5, "judge_top": 5, "judge_always": true}),
            6,
            2,
        ),
        ("genselect", json!({"num_candidates": 2}), 3, 2),
        ("genselect", json!({}), 2, 2),
        (
            "genselect",
            json!({"num_candidates": 5, "comparison_mode": "tournament"}),
            5,
            3,
        ),
        ("rto", json!({}), 6, 4),
        ("rto", json!({"rto_candidates": 4}), 10, 4),
        ("pvg", json!({}), 12, 4),
        (
            "pvg",
            json!({"num_rounds": 1, "num_solutions": 4, "pvg_votes": 2}),
            18,
            2,
        ),
        ("knockout", json!({}), 5, 3),
        (
            "knockout",
            json!({"knockout_candidates": 5, "knockout_comparisons": 1}),
            3,
            3,
        ),
        (
            "knockout",
            json!({"knockout_candidates": 5, "knockout_comparisons": 1, "judge_always": true}),
            5,
            4,
        ),
    ]
}

/// Those that make an answer from answers.
fn merging() -> Vec<Row> {
    vec![
        ("moa", json!({}), 2, 2),
        ("moa", json!({"moa_critique": "separate"}), 5, 3),
        ("moa", json!({"moa_layers": 3}), 3, 3),
        (
            "moa",
            json!({"moa_models": ["a", "b"], "moa_layers": 3}),
            5,
            3,
        ),
        ("rsa", json!({}), 17, 3),
        (
            "rsa",
            json!({"rsa_population": 6, "rsa_subset": 2, "rsa_steps": 4, "sampling": "waves"}),
            19,
            5,
        ),
        ("pdr", json!({}), 5, 5),
        ("pdr", json!({"pdr_rounds": 1, "pdr_drafts": 3}), 3, 3),
        ("mars", json!({}), 45, 5),
        (
            "mars",
            json!({"mars_config": {"lightweight": true, "early_termination": false}}),
            4,
            2,
        ),
        (
            "mars",
            json!({"mars_config": {"strategy_extraction_enabled": false, "aggregation_loops": 1}}),
            30,
            3,
        ),
    ]
}

/// Those that search among plans or steps.
fn searching() -> Vec<Row> {
    vec![
        ("mcts", json!({}), 8, 4),
        (
            "mcts",
            json!({"mcts_simulations": 4, "mcts_depth": 2}),
            12,
            6,
        ),
        ("mcts", json!({"mcts_simulations": 0}), 1, 1),
        ("cepo", json!({}), 27, 5),
        (
            "cepo",
            json!({"cepo_bestofn_rating_type": "majority"}),
            24,
            4,
        ),
        (
            "cepo",
            json!({"cepo_bestofn_rating_type": "pairwise"}),
            30,
            5,
        ),
        (
            "cepo",
            json!({"cepo_bestofn_n": 1, "cepo_planning_n": 2, "cepo_use_plan_diversity": true}),
            7,
            5,
        ),
        (
            "cepo",
            json!({"cepo_bestofn_n": 2, "cepo_planning_max_tokens_step1": 0}),
            4,
            2,
        ),
        (
            "cepo",
            json!({"cepo_bestofn_n": 1, "cepo_planning_max_tokens_step4": 0}),
            7,
            3,
        ),
        ("rstar", json!({}), 18, 4),
        ("rstar", json!({"rstar_discriminator_model": "d"}), 18, 4),
        (
            "rstar",
            json!({"rstar_max_depth": 2, "rstar_num_rollouts": 4}),
            11,
            3,
        ),
        ("plansearch", json!({}), 8, 4),
        (
            "plansearch",
            json!({"plansearch_candidates": 2, "plansearch_choice": "implementation"}),
            9,
            5,
        ),
    ]
}

/// Those that may ask several models.
fn panels() -> Vec<Row> {
    vec![
        ("fusion", json!({}), 5, 3),
        (
            "fusion",
            json!({"fusion_models": ["a", "b", "c", "d"], "fusion_quorum": 4}),
            6,
            3,
        ),
        ("race", json!({}), 2, 1),
        (
            "race",
            json!({"race_models": ["a", "b"], "hedge_after_ms": 400}),
            3,
            1,
        ),
        ("cascade", json!({}), 2, 2),
        (
            "cascade",
            json!({"cascade_models": ["a", "b"], "cascade_samples": 5}),
            3,
            3,
        ),
        ("auto", json!({}), 4, 4),
        (
            "auto",
            json!({"auto_heavy": "fusion", "auto_samples": 3}),
            7,
            5,
        ),
        ("auto", json!({"reasoning_effort": "low"}), 1, 1),
    ]
}

/// Those that vote.
fn voting() -> Vec<Row> {
    vec![
        ("self_consistency", json!({}), 5, 1),
        (
            "self_consistency",
            json!({"num_samples": 8, "sampling": "waves"}),
            8,
            2,
        ),
        ("majority_voting", json!({}), 8, 1),
        (
            "majority_voting",
            json!({"k": 4, "sample_n_above": 1}),
            1,
            1,
        ),
        ("usc", json!({}), 2, 2),
        ("usc", json!({"usc_samples": 3, "n": 2}), 4, 2),
        ("deepthink", json!({}), 5, 4),
        ("pal", json!({}), 5, 2),
        ("pal", json!({"pal_programs": 1, "pal_texts": 3}), 4, 1),
        ("pal", json!({"sampling": "waves", "pal_texts": 5}), 8, 3),
        (
            "deepthink",
            json!({"deepthink_samples": 5, "enable_self_discover": false}),
            6,
            1,
        ),
        (
            "deepthink",
            json!({"deepthink_samples": 5, "enable_self_discover": false, "stop_confidence": 0}),
            2,
            1,
        ),
    ]
}

/// Those that look at the probabilities of tokens.
fn decoding() -> Vec<Row> {
    vec![
        ("self_certainty", json!({}), 1, 1),
        (
            "self_certainty",
            json!({"self_certainty_samples": 3, "borda_power": 2}),
            1,
            1,
        ),
        ("cot_decoding", json!({}), 10, 2),
        (
            "cot_decoding",
            json!({"k": 3, "aggregate_paths": false}),
            3,
            2,
        ),
        ("entropy_decoding", json!({}), 4, 2),
        ("entropy_decoding", json!({"entropy_branches": 6}), 6, 2),
        ("deepconf", json!({}), 128, 8),
        (
            "deepconf",
            json!({"deepconf_mode": "offline", "warmup_samples": 5, "max_traces": 12}),
            12,
            3,
        ),
    ]
}

/// Those that decide how long a model thinks.
fn thinking() -> Vec<Row> {
    vec![
        ("thinkdeeper", json!({}), 2, 2),
        (
            "thinkdeeper",
            json!({"min_thinking_tokens": 0, "max_thinking_tokens": 50}),
            2,
            2,
        ),
        ("shortest", json!({}), 5, 1),
        ("shortest", json!({"shortest_k": 8, "shortest_m": 1}), 8, 1),
        ("autothink", json!({}), 2, 1),
        ("autothink", json!({"decoding_fallback": true}), 2, 1),
    ]
}

/// Those that read a long text in parts.
fn reading() -> Vec<Row> {
    vec![
        ("memory", json!({}), 1, 1),
        (
            "memory",
            long_text(json!({"memory_chunk_tokens": 1000})),
            4,
            2,
        ),
        ("longcepo", json!({}), 1, 1),
        (
            "longcepo",
            long_text(json!({"longcepo_chunk_size": 1000})),
            1 + 3 + 4 * (3 + 1),
            9,
        ),
        (
            "longcepo",
            long_text(json!({"longcepo_chunk_size": 1000, "longcepo_order": "parallel"})),
            20,
            5,
        ),
    ]
}

/// Those that are composed of several.
fn composed() -> Vec<Row> {
    vec![
        ("re2&majority_voting", json!({"k": 3}), 3, 1),
        ("re2&bon", json!({}), 4, 2),
        ("bon|moa", json!({}), 6, 2),
        ("bon&moa", json!({}), 6, 4),
        ("bon", json!({"n": 3}), 12, 2),
    ]
}

/// A request about a text of 10,000 bytes, with these parameters.
fn long_text(mut params: Value) -> Value {
    let text = format!(
        "{}\n\nHow much is 6 times 7?",
        "The sea was calm. ".repeat(556)
    );
    params["messages"] = json!([{"role": "user", "content": text}]);
    params
}

/// A conversation with two worked examples.
fn examples() -> Value {
    let text = "Q: How much is 2 plus 2?\nA: 4\nQ: How much is 3 plus 3?\nA: 6\n\
        Q: How much is 4 plus 4?\nA:";
    json!({"messages": [{"role": "user", "content": text}]})
}
