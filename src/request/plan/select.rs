//! Choosing the approach and the upstream.
//!
//! Precedence: body field or header > virtual model > model prefix > tag > tenant's default >
//! server's default. An exact virtual or configured model name wins over a prefix; `upstream/model`
//! and `none-model` are the escapes. The provider is never asked.

use std::sync::Arc;

use hone_strategies::{Expr, Params, catalogue};

use super::{Granted, LONGEST_MODEL, Plan, PlanError, Route, StrategyPlan};
use crate::config::glob;
use crate::config::{Config, Permissions, TenantConfig, VirtualModel};
use crate::upstream::Upstream;

/// What a request says about how it wants to be answered.
#[derive(Debug, Default)]
pub struct RoutingInput<'a> {
    /// The model it names.
    pub model: Option<&'a str>,
    /// The body field `optillm_approach`.
    pub field: Option<&'a str>,
    /// The body field `decoding`, which names an approach if it is one of [`DECODINGS`] and is the
    /// upstream's own otherwise.
    pub decoding: Option<&'a str>,
    /// The header `x-hone-approach`.
    pub header: Option<&'a str>,
    /// A tag in its messages, if tags are on.
    pub tag: Option<String>,
    /// Whether approaches apply: where a model is asked for an answer in one of hone's dialects.
    pub is_answered: bool,
    /// Whether nothing but the model's name is meant, whatever approach it carries.
    pub is_name: bool,
}

/// The approaches that OptiLLM's body field `decoding` names.
pub(crate) const DECODINGS: [&str; 5] = [
    "autothink",
    "cot_decoding",
    "deepconf",
    "entropy_decoding",
    "thinkdeeper",
];

/// Makes the plan of one request.
pub fn select(
    config: &Config,
    upstreams: &[Arc<Upstream>],
    tenant: Option<&TenantConfig>,
    ask: &RoutingInput<'_>,
) -> Result<Plan, PlanError> {
    let permissions = tenant.map_or(&Permissions::ALL, |tenant| &tenant.permissions);
    let named = name(
        config,
        upstreams,
        permissions,
        ask.model.unwrap_or_default(),
    )?;
    let route = match ask.model {
        Some(_) => route(upstreams, &named, ask.model)?,
        None => first(upstreams)?,
    };
    if ask.is_name {
        return Ok(Plan::Relay(route));
    }
    let explicit = explicit(config, ask)?;
    let asked_here = explicit.is_some() || named.approach.is_some();
    let Choice { approach, granted } = choose(config, tenant, ask, explicit, &named)?;
    if approach.is_none() || !(ask.is_answered || asked_here) {
        return Ok(Plan::Relay(route));
    }
    if !ask.is_answered {
        return Err(PlanError::ApproachNotSupportedHere {
            approach: approach.to_string(),
        });
    }
    if !granted {
        permit(permissions, &approach.slugs())?;
    }
    let granted = Granted::by(
        named
            .virtual_model
            .map(|model| &model.params)
            .into_iter()
            .chain(tenant.map(|tenant| &tenant.params)),
    );
    Ok(Plan::Strategy(StrategyPlan {
        route,
        params: params(config, tenant, named.virtual_model),
        granted,
        approach,
    }))
}

/// What a model's name means in a list of models that a strategy asks: what it means alone, and it
/// must be plain.
pub(crate) fn plain(
    config: &Config,
    upstreams: &[Arc<Upstream>],
    permissions: &Permissions,
    model: &str,
) -> Result<Route, PlanError> {
    let named = name(config, upstreams, permissions, model)?;
    if named
        .approach
        .as_ref()
        .is_some_and(|approach| !approach.is_none())
    {
        return Err(PlanError::ApproachInList {
            model: model.to_owned(),
        });
    }
    route(upstreams, &named, Some(model))
}

/// The model that `asked` means without the approach before it, which the caller may use. `None`
/// if no approach stands there.
pub(crate) fn unprefixed<'a>(
    config: &'a Config,
    upstreams: &[Arc<Upstream>],
    permissions: &Permissions,
    asked: &'a str,
) -> Result<Option<&'a str>, PlanError> {
    let named = name(config, upstreams, permissions, asked)?;
    match named.approach {
        Some(approach) if named.virtual_model.is_none() => {
            permit(permissions, &approach.slugs())?;
            Ok(Some(named.model))
        }
        _ => Ok(None),
    }
}

/// A client's model name, taken apart.
struct Named<'a> {
    /// What remains for the upstream, possibly still `upstream/model`.
    model: &'a str,
    /// What the name says should run.
    approach: Option<Expr>,
    virtual_model: Option<&'a VirtualModel>,
}

fn name<'a>(
    config: &'a Config,
    upstreams: &[Arc<Upstream>],
    permissions: &Permissions,
    asked: &'a str,
) -> Result<Named<'a>, PlanError> {
    // An approach may stand before it.
    refuse_longer(asked, LONGEST_MODEL + config.bounds.expression_bytes)?;
    if let Some(found) = virtual_model(config, asked) {
        permit_model(permissions, asked)?;
        return Ok(Named {
            model: &found.model,
            approach: Some(found.approach.clone()),
            virtual_model: Some(found),
        });
    }
    let literal = Named {
        model: asked,
        approach: None,
        virtual_model: None,
    };
    let named = match asked.split_once('-') {
        Some((head, rest))
            if !rest.is_empty()
                && !is_configured(upstreams, asked)
                && by_upstream(upstreams, asked).is_none() =>
        {
            prefixed(config, upstreams, asked, head, rest)?.unwrap_or(literal)
        }
        _ => literal,
    };
    refuse_longer(named.model, LONGEST_MODEL)?;
    if !asked.is_empty() {
        let bare = by_upstream(upstreams, named.model).map_or(named.model, |(_, model)| model);
        permit_model(permissions, bare)?;
    }
    Ok(named)
}

fn refuse_longer(name: &str, most: usize) -> Result<(), PlanError> {
    if name.len() > most {
        return Err(PlanError::ModelTooLong { length: name.len() });
    }
    Ok(())
}

/// Reads `expr-model`. `None` if the part before the first hyphen is no approach, so that the
/// hyphen belongs to the model's name.
fn prefixed<'a>(
    config: &'a Config,
    upstreams: &[Arc<Upstream>],
    asked: &'a str,
    head: &str,
    rest: &'a str,
) -> Result<Option<Named<'a>>, PlanError> {
    let is_expression = head.contains(['&', '|', '(']);
    if !is_expression && !is_slug(head.trim_matches(' ')) {
        return Ok(None);
    }
    let approach = match read(config, head, "model") {
        Ok(approach) => approach,
        Err(error) if is_expression => return Err(error),
        Err(_not_an_approach) => return Ok(None),
    };
    if let Some(slug) = unknown(&approach) {
        return if is_expression {
            Err(unknown_approach(slug))
        } else {
            Ok(None)
        };
    }
    if !approach.is_none() {
        if virtual_model(config, rest).is_some() {
            let instead =
                format!("`{rest}` alone, or the approach in the body field `optillm_approach`");
            return Err(PlanError::Ambiguous {
                model: asked.to_owned(),
                instead,
            });
        }
        let second = rest
            .split_once('-')
            .map(|(second, _)| second)
            .filter(|_| !is_configured(upstreams, rest));
        if let Some(second) = second.filter(|second| is_strategy(second)) {
            return Err(PlanError::Ambiguous {
                model: asked.to_owned(),
                instead: format!("`{head}&{second}-…` to run one after the other"),
            });
        }
    }
    Ok(Some(Named {
        model: rest,
        approach: Some(approach),
        virtual_model: None,
    }))
}

fn is_strategy(text: &str) -> bool {
    Expr::parse(text).is_ok_and(|approach| unknown(&approach).is_none())
}

fn virtual_model<'a>(config: &'a Config, name: &str) -> Option<&'a VirtualModel> {
    config
        .models
        .iter()
        .find(|model| model.name == name)
        .map(|model| &**model)
}

/// Whether an upstream lists exactly this name, not just a glob that matches it.
fn is_configured(upstreams: &[Arc<Upstream>], name: &str) -> bool {
    upstreams
        .iter()
        .any(|upstream| upstream.config.models.iter().any(|model| model == name))
}

/// Reads `upstream/model`.
fn by_upstream<'a>(upstreams: &[Arc<Upstream>], name: &'a str) -> Option<(usize, &'a str)> {
    let (head, model) = name.split_once('/')?;
    let index = upstreams
        .iter()
        .position(|upstream| upstream.name() == head)?;
    (!model.is_empty()).then_some((index, model))
}

/// The approach that `name` runs, if it may be meant for a model whose own name it is.
pub(crate) fn mistaken<'a>(upstreams: &[Arc<Upstream>], name: &'a str) -> Option<&'a str> {
    let (head, rest) = name.split_once('-')?;
    let is_taken = !rest.is_empty() && head != "none" && is_slug(head);
    (is_taken && !is_configured(upstreams, name)).then_some(head)
}

/// The place of the upstream that serves `name`, and the name that it knows. Approach prefixes and
/// virtual models are not looked for.
pub(crate) fn serving<'a>(upstreams: &[Arc<Upstream>], name: &'a str) -> Option<(usize, &'a str)> {
    let by_glob = || {
        upstreams
            .iter()
            .position(|upstream| glob::matches_any(&upstream.config.models, name))
            .map(|index| (index, name))
    };
    if is_served_whole(upstreams, name) {
        by_glob()
    } else {
        by_upstream(upstreams, name).or_else(by_glob)
    }
}

/// Whether a name with a slash is a model's own: vendors begin names with theirs, and operators
/// name upstreams after vendors. Where there is one upstream, none needs to be picked; where there
/// are several, only a pattern that says more than `*` speaks of the whole name.
fn is_served_whole(upstreams: &[Arc<Upstream>], name: &str) -> bool {
    let is_told = |pattern: &&String| upstreams.len() == 1 || *pattern != "*";
    let mut patterns = upstreams
        .iter()
        .flat_map(|upstream| &upstream.config.models)
        .filter(is_told);
    name.contains('/') && patterns.any(|pattern| glob::matches(pattern, name))
}

fn route(
    upstreams: &[Arc<Upstream>],
    named: &Named<'_>,
    asked: Option<&str>,
) -> Result<Route, PlanError> {
    let found = serving(upstreams, named.model)
        .and_then(|(index, model)| Some((upstreams.get(index)?, model)));
    let (upstream, model) = found.ok_or_else(|| PlanError::ModelNotFound {
        model: named.model.to_owned(),
    })?;
    Ok(Route {
        upstream: Arc::clone(upstream),
        model: Some(model.to_owned()),
        renamed: asked != Some(model),
    })
}

fn first(upstreams: &[Arc<Upstream>]) -> Result<Route, PlanError> {
    // The configuration has at least one.
    let upstream = upstreams.first().ok_or(PlanError::NoUpstream)?;
    Ok(Route::without_model(upstream))
}

/// What body fields and header ask for, if anything.
fn explicit(config: &Config, ask: &RoutingInput<'_>) -> Result<Option<Expr>, PlanError> {
    let read = |place, text: Option<&str>| -> Result<Option<Expr>, PlanError> {
        let Some(text) = text else { return Ok(None) };
        let approach = read(config, text, place)?;
        known(&approach)?;
        Ok(Some(approach))
    };
    let decoding = ask.decoding.filter(|name| DECODINGS.contains(name));
    let asked = [
        read("optillm_approach", ask.field)?,
        read("x-hone-approach", ask.header)?,
        read("decoding", decoding)?,
    ];
    let mut asked = asked.into_iter().flatten();
    let first = asked.next();
    if asked.all(|other| Some(&other) == first.as_ref()) {
        Ok(first)
    } else {
        Err(PlanError::Disagree)
    }
}

/// An approach, and whether the operator chose it for this tenant, so that the tenant's list of
/// approaches is not asked.
struct Choice {
    approach: Expr,
    granted: bool,
}

fn choose(
    config: &Config,
    tenant: Option<&TenantConfig>,
    ask: &RoutingInput<'_>,
    explicit: Option<Expr>,
    named: &Named<'_>,
) -> Result<Choice, PlanError> {
    if let Some(approach) = explicit {
        return Ok(Choice {
            approach,
            granted: false,
        });
    }
    if let Some(approach) = named.approach.clone() {
        return Ok(Choice {
            approach,
            granted: named.virtual_model.is_some(),
        });
    }
    if let Some(tag) = &ask.tag {
        let approach = read(config, tag, "optillm_approach tag")?;
        known(&approach)?;
        return Ok(Choice {
            approach,
            granted: false,
        });
    }
    if let Some(approach) = tenant.and_then(|tenant| tenant.approach.clone()) {
        return Ok(Choice {
            approach,
            granted: true,
        });
    }
    // The server's default is for tenants that may use it; for the others it is no reason to refuse
    // a plain request.
    let permissions = tenant.map_or(&Permissions::ALL, |tenant| &tenant.permissions);
    let approach = if permit(permissions, &config.approach.slugs()).is_ok() {
        config.approach.clone()
    } else {
        Expr::slug("none")
    };
    Ok(Choice {
        approach,
        granted: true,
    })
}

/// Reads an expression that stands at `place`.
fn read(config: &Config, text: &str, place: &'static str) -> Result<Expr, PlanError> {
    let longest = config.bounds.expression_bytes;
    if text.len() > longest {
        return Err(PlanError::Malformed {
            place,
            reason: format!("longer than {longest} bytes"),
        });
    }
    Expr::parse(text).map_err(|error| PlanError::Malformed {
        place,
        reason: error.to_string(),
    })
}

fn known(approach: &Expr) -> Result<(), PlanError> {
    unknown(approach).map_or(Ok(()), |slug| Err(unknown_approach(slug)))
}

/// The first slug that no strategy has.
fn unknown(approach: &Expr) -> Option<&str> {
    approach.slugs().into_iter().find(|slug| !is_slug(slug))
}

/// Whether a strategy has this slug. Most models' names begin like a prefix, so this is asked of
/// nearly every request and must stay cheap.
fn is_slug(name: &str) -> bool {
    hone_strategies::STRATEGIES
        .iter()
        .any(|entry| entry.slug == name)
}

/// Finding the nearest slug is slow; only an error is worth it.
fn unknown_approach(slug: &str) -> PlanError {
    PlanError::UnknownApproach {
        slug: slug.to_owned(),
        nearest: hone_strategies::nearest_slug(slug).map(str::to_owned),
    }
}

/// Whether the caller may use every approach that its own parameters name, as if it had asked for
/// it.
pub(crate) fn permit_params(permissions: &Permissions, own: &Params) -> Result<(), PlanError> {
    permit(permissions, &catalogue::named_approaches(own))
}

fn permit(permissions: &Permissions, slugs: &[&str]) -> Result<(), PlanError> {
    match permissions.refused_slug(slugs) {
        None => Ok(()),
        Some(slug) => Err(PlanError::ApproachNotAllowed {
            approach: slug.to_owned(),
        }),
    }
}

fn permit_model(permissions: &Permissions, model: &str) -> Result<(), PlanError> {
    if permissions.allows_model(model) {
        return Ok(());
    }
    Err(PlanError::ModelNotAllowed {
        model: model.to_owned(),
    })
}

fn params(config: &Config, tenant: Option<&TenantConfig>, model: Option<&VirtualModel>) -> Params {
    let own = model.map(|model| model.params.clone()).unwrap_or_default();
    let own = tenant.map_or(own.clone(), |tenant| own.or(&tenant.params));
    own.or(&config.params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_longer_than_the_operator_allows_is_refused() {
        let read = |text| {
            let config = Config::parse("[bounds]\nexpression_bytes = 7", &|_| None).unwrap();
            explicit(
                &config,
                &RoutingInput {
                    field: Some(text),
                    ..RoutingInput::default()
                },
            )
        };
        assert_eq!(read("re2&bon"), Ok(Some(Expr::parse("re2&bon").unwrap())));
        let reason = "longer than 7 bytes".to_owned();
        assert_eq!(
            read("re2& bon"),
            Err(PlanError::Malformed {
                place: "optillm_approach",
                reason
            })
        );
    }
}
