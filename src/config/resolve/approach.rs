//! Approaches and strategy parameters: do they exist, and can they run within the bounds?

use hone_strategies::catalogue::{self, COMMON_PARAMS, ParamKind};
use hone_strategies::{
    ChatRequest, Entry, Expr, ParamSpec, Params, PlanLimits, STRATEGIES, SpecErrorKind, plan,
};
use serde_json::Value as Json;

use crate::config::error::{Mistakes, Wrong, wrong};
use crate::config::file::nearest;
use crate::config::{Bounds, Config};

/// The smallest request: whatever this one may not cost, no other may.
const SMALLEST: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":""}]}"#;

/// An approach of at most `longest` bytes, all of whose strategies exist.
pub(super) fn approach(longest: usize) -> impl Fn(&str) -> Result<Expr, Wrong> {
    move |text| {
        if text.len() > longest {
            return Err(wrong(
                format!("is longer than bounds.expression_bytes ({longest})"),
                "shorten it",
            ));
        }
        let right = "write slugs joined by `&` and `|`, such as \"re2&bon\"";
        let expr = Expr::parse(text)
            .map_err(|error| wrong(format!("is not an approach: {error}"), right))?;
        expr.slugs().into_iter().try_for_each(exists)?;
        Ok(expr)
    }
}

/// The approach of a server whose operator chose none.
pub(super) fn no_approach() -> Expr {
    Expr::slug("none")
}

/// The slug of one strategy that exists.
pub(super) fn slug(text: &str) -> Result<String, Wrong> {
    match Expr::parse(text) {
        Ok(Expr::Slug(slug)) => exists(&slug).map(|()| slug),
        Ok(Expr::Parallel(_) | Expr::Sequence(_)) => {
            Err(wrong("is more than one strategy", "list each by itself"))
        }
        Err(error) => Err(wrong(
            format!("is not the name of a strategy: {error}"),
            "`hone strategies` lists them",
        )),
    }
}

fn exists(slug: &str) -> Result<(), Wrong> {
    if catalogue::entry(slug).is_some() {
        return Ok(());
    }
    let right = match catalogue::nearest_slug(slug) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`hone strategies` lists what there is".to_owned(),
    };
    Err(wrong(
        format!("names `{slug}`, which is no strategy"),
        right,
    ))
}

/// A value of a parameter that some strategy has.
pub(super) fn any_param(name: &str, value: &Json) -> Result<(), Wrong> {
    param(STRATEGIES.iter().flat_map(Entry::params), name, value)
}

/// A value of a parameter that a strategy of `expr` has.
pub(super) fn param_of(expr: &Expr) -> impl Fn(&str, &Json) -> Result<(), Wrong> {
    move |name, value| {
        param(
            expr.slugs()
                .into_iter()
                .filter_map(catalogue::entry)
                .flat_map(Entry::params),
            name,
            value,
        )
    }
}

/// Strategies may share a name; then the value must suit each.
fn param<'a>(
    declared: impl Iterator<Item = &'a ParamSpec>,
    name: &str,
    value: &Json,
) -> Result<(), Wrong> {
    let declared: Vec<_> = declared.chain(COMMON_PARAMS).collect();
    let mut same_name = declared
        .iter()
        .filter(|param| param.name == name)
        .peekable();
    if same_name.peek().is_none() {
        let right = match nearest(name, declared.iter().map(|param| param.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`hone strategies` lists each strategy's parameters".to_owned(),
        };
        return Err(wrong(
            "is no parameter that would have an effect here",
            right,
        ));
    }
    match same_name.find(|param| !param.accepts(value)) {
        Some(ParamSpec {
            kind: ParamKind::Approach { .. },
            ..
        }) if value.as_str().is_some_and(|slug| exists(slug).is_err()) => {
            exists(value.as_str().unwrap_or_default())
        }
        Some(param) => Err(wrong(
            "has a value that the strategy does not accept",
            format!("write {}", param.range()),
        )),
        None => Ok(()),
    }
}

/// An approach that may cost more calls than a request is allowed would refuse every request.
pub(super) fn check_costs(config: &Config, mistakes: &Mistakes) {
    check_cost(
        &config.approach,
        &config.params,
        "approach",
        &config.bounds,
        mistakes,
    );
    for (index, tenant) in config.tenants.iter().enumerate() {
        if let Some(approach) = &tenant.approach {
            let params = tenant.params.clone().or(&config.params);
            check_cost(
                approach,
                &params,
                &format!("tenant[{index}].approach"),
                &config.bounds,
                mistakes,
            );
        }
    }
    for (index, model) in config.models.iter().enumerate() {
        let params = model.params.clone().or(&config.params);
        check_cost(
            &model.approach,
            &params,
            &format!("model[{index}].approach"),
            &config.bounds,
            mistakes,
        );
    }
}

fn check_cost(expr: &Expr, params: &Params, path: &str, bounds: &Bounds, mistakes: &Mistakes) {
    let limits = PlanLimits {
        calls: bounds.calls_per_request,
        choices: bounds.strategy_n,
        parallel: bounds.parallel_calls,
    };
    let Ok(request) = ChatRequest::parse(SMALLEST) else {
        return;
    };
    let checked = plan(expr, params, &limits).and_then(|plan| plan.check(&request));
    // Parameters have been checked where they are written.
    if let Err(error) = checked
        && error.kind == SpecErrorKind::TooMany
    {
        let right =
            "choose something smaller, or raise bounds.calls_per_request and bounds.parallel_calls";
        mistakes.add(
            path,
            wrong(
                format!(
                    "would refuse every request ({})",
                    error.message.trim_end_matches('.')
                ),
                right,
            ),
        );
    }
}
