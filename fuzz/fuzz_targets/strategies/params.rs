//! Approaches with parameters: line 1 is the approach, the rest the request's fields. A plan's
//! figures fit together and within the limits; a mistake is about a parameter that the approach
//! has.
#![no_main]

use hone_fuzz::first_line;
use hone_fuzz::run::PLAN_LIMITS;
use hone_strategies::{ChatRequest, Expr, Params, plan};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|text: &str| {
    let (approach, fields) = first_line(text);
    let Ok(expr) = Expr::parse(approach) else {
        return;
    };
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(fields) else {
        return;
    };
    let params: Params = fields
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let names = hone_strategies::param_names(&expr);
    let plan = match plan(&expr, &params, &PLAN_LIMITS) {
        Ok(plan) => plan,
        Err(error) => {
            let param = error
                .param
                .as_deref()
                .map(|param| param.split(['.', '[']).next().unwrap_or(param));
            assert!(
                param.is_none_or(|param| names.contains(&param)),
                "{param:?}"
            );
            return assert!(!error.message.is_empty());
        }
    };
    assert_eq!(plan.param_names(), names);
    assert!(plan.models().iter().all(|name| !name.trim().is_empty()));
    let Ok(request) = ChatRequest::parse(Value::Object(fields).to_string().as_bytes()) else {
        return;
    };
    let Ok(demand) = plan.check(&request) else {
        return;
    };
    assert!(demand.max_calls <= PLAN_LIMITS.calls && demand.parallel <= PLAN_LIMITS.parallel);
    assert!(
        demand.least_calls <= demand.calls && demand.calls <= demand.max_calls,
        "{demand:?}"
    );
    assert!(
        demand.first_wave <= demand.max_calls && demand.depth <= demand.max_calls,
        "{demand:?}"
    );
    assert!(
        demand.calls >= 1 && demand.depth >= 1,
        "an answer takes a call"
    );
});
