//! The other models that a strategy's parameters name: what each name means, who pays there, and
//! the port that finds each call its model.
//!
//! A name means what it would mean as the model of a request by the same caller: the same routing,
//! the same lists, the same keys. A name that carries an approach, as a prefix or as a virtual
//! model, is refused: a strategy inside a strategy would be invisible to limits on approaches and
//! calls.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hone_strategies::chat::Memory;
use hone_strategies::model::{Allowance, Call, ChunkStream, Fact};
use hone_strategies::{ChatRequest, Completion, Model, ModelError};
use http::Method;

use crate::answer::error::ProxyError;
use crate::config::Permissions;
use crate::request::plan::{Granted, Route, select};
use crate::snapshot::Snapshot;
use crate::tenant::{Credential, Principal};
use crate::upstream::Upstream;
use crate::upstream::model::HttpModel;

/// A model beside the request's own, resolved for one caller.
#[derive(Debug)]
pub(crate) struct ResolvedModel {
    /// What the parameter calls it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) route: Route,
    /// Who pays there.
    pub(crate) credential: Credential,
}

/// One of the upstreams that a request's calls go to, and who pays there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The upstream.
    pub(crate) upstream: &'a Arc<Upstream>,
    /// What it is sent.
    pub(crate) credential: &'a Credential,
}

/// Resolves `names` for `principal`. Nothing has been spent yet.
///
/// # Errors
///
/// The one that a plain chat request to the first bad name would get. The provider slot's key goes
/// to one upstream of a request only, so that a model at another one may lack a key here that it
/// would have alone.
pub(crate) fn resolve(
    names: &[&str],
    own: &Route,
    snapshot: &Snapshot,
    principal: &Principal,
    granted: &Granted,
) -> Result<Vec<ResolvedModel>, ProxyError> {
    let pays_plainly = |upstream: &Arc<Upstream>| principal.pays_by_provider_slot(&upstream.config);
    // Whose the provider slot's key is in this request.
    let mut plain = Some(Arc::clone(&own.upstream)).filter(pays_plainly);
    let mut members = Vec::with_capacity(names.len());
    for name in names {
        let permissions = if granted.covers(name) {
            &Permissions::ALL
        } else {
            principal.permissions()
        };
        let route = select::plain(&snapshot.config, &snapshot.upstreams, permissions, name)?;
        let is_taken = plain
            .as_ref()
            .is_some_and(|taken| !Arc::ptr_eq(taken, &route.upstream));
        let upstream = &route.upstream.config;
        let credential = if is_taken {
            principal.credential_beside(upstream, &Method::POST, "chat/completions")?
        } else {
            principal.credential(upstream, &Method::POST, "chat/completions")?
        };
        plain = plain.or_else(|| Some(Arc::clone(&route.upstream)).filter(pays_plainly));
        members.push(ResolvedModel {
            name: (*name).to_owned(),
            route,
            credential,
        });
    }
    Ok(members)
}

/// The upstreams of a request's own model and of `members`, each once, the former first.
pub(crate) fn targets<'a>(own: Target<'a>, members: &'a [ResolvedModel]) -> Vec<Target<'a>> {
    let mut targets = vec![own];
    for ResolvedModel {
        route, credential, ..
    } in members
    {
        if !targets
            .iter()
            .any(|target| Arc::ptr_eq(target.upstream, &route.upstream))
        {
            targets.push(Target {
                upstream: &route.upstream,
                credential,
            });
        }
    }
    targets
}

/// Several models behind one port, told apart by the model that a request names.
#[derive(Debug)]
pub(crate) struct Panel {
    models: Vec<PanelModel>,
}

/// One model of a panel.
#[derive(Debug)]
struct PanelModel {
    /// The name in requests.
    name: String,
    /// The name that the upstream knows.
    model: String,
    target: Arc<HttpModel>,
}

impl Panel {
    /// The request's own model, `own`, which `targets` has first and its upstream calls `model`;
    /// and `members`, each in the target of its upstream.
    pub(crate) fn new(
        own: &str,
        model: &str,
        members: &[ResolvedModel],
        targets: &[Arc<HttpModel>],
    ) -> Self {
        let target_of = |upstream: &Arc<Upstream>| {
            targets
                .iter()
                .find(|target| Arc::ptr_eq(&target.upstream, upstream))
        };
        let first = targets.first().map(|target| PanelModel {
            name: own.to_owned(),
            model: model.to_owned(),
            target: Arc::clone(target),
        });
        let others = members
            .iter()
            .filter_map(|ResolvedModel { name, route, .. }| {
                let (target, model) = (target_of(&route.upstream)?, route.model.as_ref()?);
                Some(PanelModel {
                    name: name.clone(),
                    model: model.clone(),
                    target: Arc::clone(target),
                })
            });
        Self {
            models: first.into_iter().chain(others).collect(),
        }
    }

    fn model(&self, name: &str) -> Option<&PanelModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Who serves the model that `request` names, and the request as its upstream wants it.
    fn address(&self, request: &ChatRequest) -> Result<(&HttpModel, ChatRequest), ModelError> {
        let model = self
            .model(request.model())
            .ok_or_else(|| ModelError::Malformed {
                detail: "a model that was not resolved".to_owned(),
            })?;
        let mut request = request.clone();
        request.set_model(&model.model);
        Ok((&model.target, request))
    }
}

impl Model for Panel {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        Box::pin(async move {
            let (model, request) = self.address(request)?;
            model
                .complete(&request, call)
                .await
                .map_err(|error| signed(error, model))
        })
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        Box::pin(async move {
            let (model, request) = self.address(request)?;
            model
                .stream(&request, call)
                .await
                .map_err(|error| signed(error, model))
        })
    }

    fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        let model = self.model(model)?;
        model.target.knows(&model.model, fact)
    }

    fn learn(&self, model: &str, fact: Fact, value: bool) {
        if let Some(model) = self.model(model) {
            model.target.learn(&model.model, fact, value);
        }
    }

    fn allowance(&self) -> Allowance {
        // It is the caller's, whichever target tells it.
        self.models
            .first()
            .map_or(Allowance::UNKNOWN, |model| model.target.allowance())
    }

    fn memory(&self) -> Option<Arc<dyn Memory>> {
        // All targets have the run's.
        self.models.first()?.target.memory()
    }
}

/// The error with its upstream's name, so that whose key it is about can be told later.
fn signed(mut error: ModelError, model: &HttpModel) -> ModelError {
    if let ModelError::Rejected(rejection) | ModelError::RateLimited(rejection) = &mut error {
        model.upstream.name().clone_into(&mut rejection.origin);
    }
    error
}
