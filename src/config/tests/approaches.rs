use super::{assert_mistake, mistakes, parse, tenant, virtual_model};

#[test]
fn a_list_of_approaches_names_one_strategy_at_a_time() {
    let tenant = |approaches: &str| tenant("a", &format!("approaches = {approaches}"));
    assert_mistake(
        &tenant(r#"["re2", "bon&re2"]"#),
        &["tenant[0].approaches[1]", "more than one strategy"],
    );
    // What the operator sets as the default runs anyway: the list is about what the tenant may
    // choose.
    assert_eq!(
        mistakes(&tenant("['re2']\napproach = 'moa'")),
        Vec::<String>::new()
    );
}

#[test]
fn an_approach_that_is_none_says_where_it_ends_to_be_one() {
    assert_mistake(
        r#"approach = "bon&""#,
        &["approach", "expected the name of a strategy at byte 4"],
    );
    assert_mistake(
        "approach = 're2&bon'\n[bounds]\nexpression_bytes = 4",
        &["longer than bounds.expression_bytes (4)"],
    );
}

#[test]
fn a_strategy_that_does_not_exist_is_refused_with_the_nearest_one() {
    assert_mistake(
        r#"approach = "re2&bom""#,
        &["approach (line 1, column 1): names `bom`, which is no strategy; did you mean `bon`?"],
    );
    assert_mistake(r#"approach = "xyzzy""#, &["`hone strategies` lists"]);
    let tenant = tenant("a", r#"approaches = ["none", "moaa"]"#);
    assert_mistake(&tenant, &["tenant[0].approaches[1]", "did you mean `moa`?"]);
}

#[test]
fn a_parameter_is_one_that_a_strategy_has_and_accepts() {
    assert_mistake(
        "[params]\nbest_of = 3",
        &[
            "params.best_of (line 2, column 1): is no parameter",
            "did you mean `best_of_n`?",
        ],
    );
    assert_mistake(
        "[params]\nbest_of_n = '3'",
        &["params.best_of_n", "write an integer from"],
    );
    assert_mistake(
        "[params]\nbest_of_n = 0",
        &["params.best_of_n", "write an integer from 1"],
    );
    assert_eq!(
        parse("[params]\nbest_of_n = 4").params.get("best_of_n"),
        Some(&4.into())
    );
}

#[test]
fn an_approach_in_a_parameter_is_one_that_exists_and_may_stand_there() {
    assert_mistake(
        "[params]\nauto_heavy = 'mao'",
        &[
            "params.auto_heavy (line 2, column 1): names `mao`, which is no strategy",
            "did you mean `moa`?",
        ],
    );
    assert_mistake(
        "[params]\nauto_heavy = 're2'",
        &["params.auto_heavy", "write one of bon, fusion, moa"],
    );
    let model = virtual_model("b", "auto", r#"params = { auto_heavy = "fussion" }"#);
    assert_mistake(
        &model,
        &["model[0].params.auto_heavy", "did you mean `fusion`?"],
    );
    let tenant = tenant("a", "params = { auto_heavy = 3 }");
    assert_mistake(&tenant, &["tenant[0].params.auto_heavy", "write one of"]);
}

#[test]
fn a_virtual_models_parameter_is_one_of_its_approach() {
    let model = |params: &str| {
        let params = format!("params = {{ {params} }}");
        virtual_model("b", "re2&bon", &params)
    };
    assert_mistake(
        &model("moa_layers = 2"),
        &[
            "model[0].params.moa_layers",
            "no parameter that would have an effect here",
        ],
    );
    assert_eq!(
        mistakes(&model(r#"best_of_n = 2, sampling = "waves""#)),
        Vec::<String>::new()
    );
}

#[test]
fn an_approach_that_no_request_could_afford_is_refused() {
    let text = "approach = 'bon'\n[params]\nbest_of_n = 9\n[bounds]\ncalls_per_request = 8";
    assert_mistake(
        text,
        &[
            "approach (line 1, column 1)",
            "would refuse every request",
            "at most 8 are allowed",
        ],
    );
    let model = virtual_model("b", "bon&bon&bon&bon&bon", "params = { best_of_n = 60 }");
    assert_mistake(&model, &["model[0].approach", "at most 256 are allowed"]);
}
