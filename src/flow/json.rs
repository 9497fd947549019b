//! A JSON body: what it says decides what runs.

use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::marks::envelope;
use hone_dialects::wire::verb::Verb;
use hone_dialects::{Dialect, Refusal};
use hone_strategies::Halt;

use super::{RequestFlow, confined, crossing, open};
use crate::admission::{Entry, Estimate};
use crate::answer::encode::{self, Reply};
use crate::answer::error::ProxyError;
use crate::answer::relay::{Changes, Relay, fallback};
use crate::answer::run::{self, Rules, RunInputs, StrategyRequest};
use crate::api::endpoint::Need;
use crate::api::headers::Coding;
use crate::config::Switch;
use crate::request::asking::Asking;
use crate::request::envelope::{Envelope, EnvelopeError};
use crate::request::head::RequestHead;
use crate::request::headers;
use crate::request::intake::IntakeError;
use crate::request::plan::{self, Plan, Route, RoutingInput, StrategyPlan};
use crate::tenant::{Credential, Room, Share, charged};
use crate::upstream::Payload;
use crate::workers;

mod count;
mod prewarm;
mod size;

/// Bytes of a model's name in the line of a request that is refused.
const LONGEST_ASKED: usize = 256;

/// A JSON body, and what hone has read of it.
pub(super) struct Peeked<'a> {
    pub(super) bytes: &'a Bytes,
    pub(super) envelope: &'a Envelope<'a>,
    /// What it holds of the memory for bodies.
    pub(super) share: &'a mut Option<Share>,
}

impl RequestFlow<'_> {
    /// Decides what runs for a JSON body, and runs it. `share` is the body's; a run takes it.
    pub(super) async fn json(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        body: &Bytes,
        share: &mut Option<Share>,
    ) -> Result<Reply, ProxyError> {
        let tags = self.snapshot.config.tags == Switch::On && head.endpoint.is_chat();
        let (untagged, tag) = if tags {
            untagged(body).await
        } else {
            (body.clone(), None)
        };
        if let Some(share) = share.as_mut().filter(|_| !is_same(&untagged, body)) {
            self.hold(share, &untagged)?;
        }
        let envelope = peek(&untagged, head).await?;
        if envelope.continues_own && head.dialect == Dialect::OpenAiResponses {
            return Err(Refusal::not_stored().into());
        }
        let permitted = confined::check(head, &envelope, body).await;
        let planned = permitted.and_then(|()| self.plan(head, &envelope, tag));
        let plan = planned.inspect_err(|_| self.note_asked(envelope.model.as_deref()))?;
        let plan = match plan {
            // No approach can answer what asks for none.
            Plan::Strategy(plan) if prewarm::is_asked(head, &envelope, body) => {
                Plan::Relay(plan.route)
            }
            plan => plan,
        };
        let plan = self.translated(head, plan, body);
        let credential = self.credential(head, plan.route())?;
        if credential.is_operators() {
            fallback::check(head.endpoint, &plan.route().upstream.config, body).await?;
        }
        let peeked = Peeked {
            bytes: &untagged,
            envelope: &envelope,
            share,
        };
        match plan {
            Plan::Relay(_) if head.hone.dry_run => {
                Ok(Reply::document(&run::relayed_dry_run(&envelope)))
            }
            Plan::Relay(route) if head.endpoint.counts_in().is_some() => {
                let target = (&route, &credential);
                Box::pin(self.count(head, entry, peeked, target)).await
            }
            Plan::Relay(route) => match open::question(head, &route) {
                None => {
                    self.relay_json(head, entry, peeked, (&route, &credential))
                        .await
                }
                Some(subject) => {
                    let to = (&route, &credential, subject);
                    Box::pin(self.forward_openly(head, entry, peeked, to)).await
                }
            },
            Plan::Strategy(plan) => self.run(head, entry, peeked, (&plan, credential)).await,
        }
    }

    /// Runs `plan` with the memory that there is for the caller.
    pub(super) async fn run(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        peeked: Peeked<'_>,
        (plan, credential): (&StrategyPlan, Credential),
    ) -> Result<Reply, ProxyError> {
        if head.principal.counts_tokens() {
            peeked
                .envelope
                .tells_amounts_by_name(head.endpoint.kind())?;
        }
        let share = peeked.share.take();
        let share = share.unwrap_or_else(|| Share::new(&self.proxy.memory, head.principal));
        let room = Room::new(share, &self.snapshot.config.bounds);
        let reply = self.run_strategy(head, entry, (peeked.bytes, &room), (plan, credential));
        reply.await.map(|reply| reply.keep(room))
    }

    /// The plan, where a request cannot be forwarded as it is: to an upstream of another dialect,
    /// or with what hone has sealed for the client and its provider has never seen. A run that
    /// changes nothing answers it.
    fn translated(&self, head: RequestHead<'_>, plan: Plan, body: &[u8]) -> Plan {
        let Some(dialect) = head.endpoint.asks_in() else {
            return plan;
        };
        // Chat has no place for what hone seals.
        let is_sealed = || dialect != Dialect::OpenAiChat && envelope::is_in(dialect, body);
        match plan {
            Plan::Relay(route) if !self.is_spoken(head, &route, dialect) || is_sealed() => {
                Plan::Strategy(StrategyPlan::unchanged(route))
            }
            plan => plan,
        }
    }

    /// Whether the upstream speaks the client's dialect, as far as is known.
    fn is_spoken(&self, head: RequestHead<'_>, route: &Route, dialect: Dialect) -> bool {
        let known = || self.proxy.facts.get(&open::question(head, route)?);
        route.upstream.config.may_speak(dialect) && known() != Some(false)
    }

    /// Which model a request asked for that is refused.
    pub(super) fn note_asked(&mut self, model: Option<&str>) {
        let model = model.unwrap_or_default();
        let shown = model.get(..model.floor_char_boundary(LONGEST_ASKED));
        shown.unwrap_or_default().clone_into(&mut self.record.model);
    }

    /// Takes memory for another body of the request that is as long as `body`.
    pub(super) fn hold(&self, share: &mut Share, body: &Bytes) -> Result<(), ProxyError> {
        share
            .grow(body.len(), &self.snapshot.config.bounds)
            .map_err(|full| IntakeError::from(full).into())
    }

    fn plan(
        &self,
        head: RequestHead<'_>,
        envelope: &Envelope<'_>,
        tag: Option<String>,
    ) -> Result<Plan, ProxyError> {
        if head.is_googles_other() {
            return Ok(Plan::Relay(self.first_google()?));
        }
        let is_answered = head.endpoint.asks_in().is_some();
        let mut input = RoutingInput {
            model: envelope.model.as_deref(),
            field: envelope.approach.as_deref(),
            tag,
            is_answered,
            is_name: head.endpoint.counts_in().is_some(),
            ..RoutingInput::default()
        };
        // On other paths the header may be a client's default for all of its requests, and the
        // field the upstream's own.
        if is_answered {
            input.header = headers::text(&head.parts.headers, &headers::APPROACH)?;
        }
        if head.endpoint.is_chat() {
            input.decoding = envelope.decoding.as_deref();
        }
        let snapshot = self.snapshot;
        let tenant = head.principal.config().map(|tenant| &**tenant);
        Ok(plan::select(
            &snapshot.config,
            &snapshot.upstreams,
            tenant,
            &input,
        )?)
    }

    pub(super) async fn relay_json(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        peeked: Peeked<'_>,
        (route, credential): (&Route, &Credential),
    ) -> Result<Reply, ProxyError> {
        let Peeked {
            bytes,
            envelope,
            share,
        } = peeked;
        crossing::check(head, route)?;
        let kind = head.endpoint.usage(head.principal.counts_tokens());
        let counts_tokens = kind.is_some() && head.principal.counts_tokens();
        if counts_tokens && head.endpoint.is_listed() {
            envelope.tells_amounts(head.endpoint.kind())?;
        }
        let facts = &self.proxy.facts;
        let changes = Changes::new(envelope, route, head.endpoint, head.principal, facts);
        if let Some(share) = share.as_mut().filter(|_| changes.are_some()) {
            self.hold(share, bytes)?;
        }
        // What is sent holds the share: it may stay for longer than this future.
        let share = share.take().map(Arc::new);
        let held = |bytes: Bytes| match &share {
            Some(share) => charged(bytes, share),
            None => bytes,
        };
        let body = held(changes.apply(bytes).await?);
        let estimate = if counts_tokens {
            Changes::estimate(&body, envelope, head.endpoint, head.principal).await
        } else {
            Estimate::default()
        };
        let renamed = route.model.as_deref().filter(|_| route.renamed);
        let path = renamed.and_then(|model| head.path_of(model));
        let mut relay = Relay {
            path: path.as_deref().unwrap_or(head.path),
            kind,
            coding: if kind.is_some() {
                Coding::Identity
            } else {
                Coding::PassThrough
            },
            question: changes.question(|| held(bytes.clone()), facts),
            choices: envelope.n.unwrap_or(1),
            streams: envelope.stream == Some(true),
            outlives: envelope.background,
            ..Relay::new(head, route, credential, &self.snapshot.config.bounds)
        };
        self.relay(&mut relay, entry, Payload::Buffered(body), estimate)
            .await
    }

    async fn run_strategy(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        (body, room): (&Bytes, &Arc<Room>),
        (plan, credential): (&StrategyPlan, Credential),
    ) -> Result<Reply, ProxyError> {
        let approach = plan.approach.to_string();
        self.notes.set(encode::APPROACH, &approach);
        self.record.approach = approach.into();
        let snapshot = self.snapshot;
        let rules = Rules::new(head.principal, snapshot);
        let asking = Asking::of(head.parts);
        let request = StrategyRequest::new(body, (plan, asking), rules, Arc::clone(room)).await?;
        let members = request.members(&plan.route, snapshot, head.principal)?;
        for member in members
            .iter()
            .filter(|member| member.credential.is_operators())
        {
            fallback::check(head.endpoint, &member.route.upstream.config, body).await?;
        }
        if head.hone.dry_run {
            return Ok(Reply::document(&request.dry_run()));
        }
        let quality = snapshot.config.quality.as_ref();
        let inputs = RunInputs {
            principal: head.principal,
            route: &plan.route,
            credential,
            members: &members,
            headers: &head.parts.headers,
            facts: Arc::clone(&self.proxy.facts),
            halt: Halt::by(self.proxy.drain.halting()),
            solver: snapshot.solver.clone(),
            quality: quality.map(|measured| Arc::clone(&measured.quality)),
            bounds: &snapshot.config.bounds,
            room,
            shown: head.principal.shown_usage(&snapshot.config),
        };
        let targets = inputs.targets();
        self.note_targets(
            targets
                .iter()
                .map(|target| (target.upstream.name(), target.credential)),
        );
        let admitted = request.reserve(entry, &targets, head.principal)?;
        request.run(admitted, inputs, head.hone, self.record).await
    }
}

/// Whether two bodies are the same memory.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.as_ptr() == other.as_ptr()
}

/// Looks into a body; into a large one beside the worker, and without keeping its messages.
async fn peek<'a>(body: &'a Bytes, head: RequestHead<'a>) -> Result<Envelope<'a>, EnvelopeError> {
    let endpoint = head.endpoint;
    if let Some(call) = head.call {
        let looked = workers::offload(body, |body| Envelope::peek_google(body)).await;
        let mut envelope: Envelope<'a> = looked?;
        envelope.model = Some(call.model.as_str().into());
        envelope.stream = Some(call.verb == Verb::Stream);
        return Ok(envelope);
    }
    let peeked = if body.len() <= workers::LARGE {
        // Only here can the result borrow from the body.
        Envelope::peek(body)
    } else {
        workers::offload(body, |body| Envelope::peek(body).map(Envelope::into_owned)).await
    };
    match peeked {
        // Where hone needs nothing of a body, it need not be an object: SDKs send empty ones, too.
        Err(
            EnvelopeError::ByteOrderMark { .. }
            | EnvelopeError::InvalidJson { .. }
            | EnvelopeError::NotAnObject,
        ) if endpoint.need() == Need::Anything => Ok(Envelope::default()),
        peeked => peeked,
    }
}

/// A body without its approach tags, and the tag that counts.
async fn untagged(body: &Bytes) -> (Bytes, Option<String>) {
    workers::offload(body, |body| {
        (plan::tags::strip(body), plan::tags::find(body))
    })
    .await
}
