//! From a request's bytes to a run that can be admitted.

use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::Refusal;
use hone_strategies::chat::Origin;
use hone_strategies::{ChatRequest, Params};
use serde_json::Value;

use super::{Rules, StrategyRequest, misspelt};
use crate::answer::error::ProxyError;
use crate::request::asking::Asking;
use crate::request::intake::IntakeError;
use crate::request::plan::StrategyPlan;
use crate::request::plan::select::{self, DECODINGS};
use crate::tenant::Room;
use crate::workers;

/// Reads the request in the client's dialect, takes hone's own fields out of it, and resolves the
/// approach's parameters.
pub(super) fn read(
    body: &Bytes,
    (plan, asking): (&StrategyPlan, &Asking),
    rules: &Rules,
    room: &Room,
) -> Result<StrategyRequest, ProxyError> {
    let StrategyPlan {
        route,
        approach,
        params,
        granted,
    } = plan;
    let names = hone_strategies::param_names(approach);
    let make_room = |bytes| make_room(room, body, bytes, rules.most_bytes);
    let mut request = if asking.is_chat() {
        ChatRequest::parse_within(body, &names, make_room)?
    } else {
        make_room(Asking::weight(body))?;
        asking.decode(body)?
    };
    if !approach.is_none() {
        refuse_kept(&request)?;
    }
    let asked_model = request.model().to_owned();
    let (own, misspelt) = if asking.is_chat() {
        own_fields(&mut request, names)
    } else {
        (own_fields_beside(&mut request, &names), Vec::new())
    };
    let client = (!asking.is_chat()).then(|| (asking.dialect, request.clone()));
    if let Some(model) = &route.model {
        request.set_model(model);
    }
    let granted = granted.clone().except(&own);
    // Permission is decided before the plan takes `own`, but told after it: a misspelt
    // parameter is the better error.
    let permitted = select::permit_params(&rules.permissions, &own);
    let plan = hone_strategies::plan(approach, &own.or(params), &rules.limits)?;
    permitted?;
    if plan.needs_solver() && !rules.has_solver {
        return Err(ProxyError::SolverMissing(plan.expr().to_string()));
    }
    let demand = plan.check(&request)?;
    Ok(StrategyRequest {
        plan,
        request,
        demand,
        asked_model,
        granted,
        client,
        misspelt,
        is_large: body.len() > workers::LARGE,
    })
}

/// Takes out of `request` what is hone's: the parameters among `names`. Tells what looks like one
/// and is none.
fn own_fields(request: &mut ChatRequest, names: Vec<&'static str>) -> (Params, Vec<String>) {
    request.remove("optillm_approach");
    let decoding = request.get("decoding").and_then(Value::as_str);
    if decoding.is_some_and(|name| DECODINGS.contains(&name)) {
        request.remove("decoding");
    }
    let misspelt = misspelt::misspelt(request, &names);
    let own = names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), request.take(name)?)));
    (own.collect(), misspelt)
}

/// The same of a request in another dialect, whose fields that chat does not know stand beside it.
fn own_fields_beside(request: &mut ChatRequest, names: &[&'static str]) -> Params {
    let is_own = |name: &str| name == "optillm_approach" || names.contains(&name);
    let origin = request
        .origin()
        .filter(|origin| origin.fields.keys().any(|name| is_own(name)));
    let Some(mut origin) = origin.map(Arc::clone) else {
        return Params::default();
    };
    let Origin { fields, fates, .. } = Arc::make_mut(&mut origin);
    fates.retain(|fate| !is_own(&fate.path));
    fields.shift_remove("optillm_approach");
    let own = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fields.shift_remove(*name)?)))
        .collect();
    *request = request.clone().with_origin(Some(origin));
    own
}

/// What a provider keeps of one conversation, and says in its own dialect only. An approach asks
/// other questions, too.
const KEPT: [&str; 3] = ["cachedContent", "cached_content", "container"];

/// Refuses what an approach cannot go on from. Responses' fields are refused by its codec.
fn refuse_kept(request: &ChatRequest) -> Result<(), Refusal> {
    let fields = request.origin().map(|origin| &origin.fields);
    let kept = KEPT.into_iter().find(|name| {
        let value = fields.and_then(|fields| fields.get(*name));
        value.is_some_and(|value| !value.is_null())
    });
    let why = "Its provider keeps it, and an approach asks for more than one answer: send the \
        whole conversation, or ask without an approach.";
    kept.map_or(Ok(()), |name| Err(Refusal::untranslatable(name, why)))
}

/// Takes `bytes` for what `body` becomes.
fn make_room(room: &Room, body: &Bytes, bytes: usize, most: usize) -> Result<(), ProxyError> {
    if body.len().saturating_add(bytes) > most {
        return Err(IntakeError::TooHeavy(most).into());
    }
    room.keep(bytes)
        .map_err(|full| IntakeError::from(full).into())
}
