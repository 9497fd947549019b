//! The life of a request, from its head to its response, readable top to bottom.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use serde_json::json;

use crate::admission::{
    self, AddressGuard, Entry, Estimate, FirstWave, OpenConnection, OpenConnections, PlanBound,
};
use crate::answer::encode::{self, Reply, ReplyBody};
use crate::answer::error::ProxyError;
use crate::answer::panel::Target;
use crate::answer::relay::{Changes, Relay, fallback};
use crate::answer::run::{self, RunInputs, StrategyRequest};
use crate::config::{Bounds, Switch};
use crate::headers::{CREDENTIAL_SLOTS, Coding};
use crate::models;
use crate::request::endpoint::Endpoint;
use crate::request::envelope::{Envelope, EnvelopeError};
use crate::request::headers::{self, HoneHeaders};
use crate::request::intake::{self, Held, Intake, Memory, Share};
use crate::request::plan::{self, Plan, PlanError, Route, RoutingInput};
use crate::request::route;
use crate::snapshot::Snapshot;
use crate::telemetry::{RecordGuard, RequestRecord};
use crate::tenant::{self, AuthError, Credential, Directory, Peer, Principal};
use crate::transport::{Answer, Cap, ConnectionAddrs, ConnectionRefused, Drain};
use crate::upstream::Payload;
use crate::upstream::facts::Facts;
use crate::workers;

/// An address may have so many connections, however few there may be in all.
const LEAST_PART: usize = 16;

/// Headers of its own that hone puts on a relayed answer.
const NOTES: usize = 5;
/// Headers that tell where the caller's limits stand, on such an answer.
const LIMIT_FIELDS: usize = 2;
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEVEL: HeaderName = HeaderName::from_static("ratelimit");

mod listing;

/// The proxy: configuration and live state, shared by all connections.
#[derive(Debug)]
pub struct Proxy {
    snapshot: ArcSwap<Snapshot>,
    directory: Directory,
    addresses: ArcSwap<AddressGuard>,
    open: Arc<OpenConnections>,
    cap: Arc<Cap>,
    memory: Memory,
    facts: Arc<Facts>,
    drain: Drain,
}

/// A request as it came in.
struct Inbound {
    parts: Parts,
    body: Incoming,
    peer: Peer,
}

/// One request on its way through, with what its stages note for its record.
struct RequestFlow<'a> {
    proxy: &'a Proxy,
    snapshot: &'a Snapshot,
    record: &'a mut RequestRecord,
    /// hone's own headers on whatever the response will be, each once.
    notes: Vec<(HeaderName, HeaderValue)>,
    principal: Option<Principal>,
}

impl Proxy {
    /// A proxy that serves `snapshot` until a reload, over connections up to `cap`.
    pub fn new(snapshot: Snapshot, directory: Directory, cap: Arc<Cap>, drain: Drain) -> Self {
        let bounds = &snapshot.config.bounds;
        let addresses = ArcSwap::from_pointee(AddressGuard::new(
            bounds.connections_per_minute,
            bounds.rejected_keys_per_minute,
        ));
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            directory,
            addresses,
            open: Arc::default(),
            cap,
            memory: Memory::default(),
            facts: Arc::default(),
            drain,
        }
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Serves `snapshot` from now on. Requests under way keep the one they started with; counters
    /// go on.
    pub fn replace(&self, snapshot: Snapshot) {
        let rates = |bounds: &Bounds| {
            (
                bounds.connections_per_minute,
                bounds.rejected_keys_per_minute,
            )
        };
        let new = rates(&snapshot.config.bounds);
        if new != rates(&self.snapshot.load().config.bounds) {
            // A rate of another size has another memory, so only then addresses start anew.
            self.addresses
                .store(Arc::new(AddressGuard::new(new.0, new.1)));
        }
        self.directory.reload(&snapshot.config);
        snapshot.apply_limits();
        self.snapshot.store(Arc::new(snapshot));
    }

    /// What one address may have of all connections unless the operator says: with three more like
    /// it, they take them all.
    fn fair_part(&self) -> usize {
        (self.cap.limit() / 4).max(LEAST_PART)
    }

    /// Forgets what has expired. Called now and then; decisions do not depend on it.
    pub fn tidy(&self) {
        self.addresses.load().sweep();
        for upstream in &self.snapshot().upstreams {
            upstream.tidy();
        }
    }
}

impl Answer for Proxy {
    type Body = ReplyBody;
    type Visit = Option<OpenConnection>;

    /// A trusted proxy's connections carry many clients' requests, each of which is limited by
    /// itself, so they are not counted.
    fn admits(&self, peer: SocketAddr) -> Result<Option<OpenConnection>, ConnectionRefused> {
        let snapshot = self.snapshot.load();
        let address = peer.ip().to_canonical();
        if snapshot
            .config
            .trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
        {
            return Ok(None);
        }
        let most = snapshot
            .config
            .bounds
            .connections_per_address
            .map_or_else(|| self.fair_part(), |most| most.get() as usize);
        let open = self
            .open
            .open(address, most)
            .ok_or(ConnectionRefused::TooMany)?;
        self.addresses
            .load()
            .check_connection(address)
            .map_err(|_wait| ConnectionRefused::TooOften)?;
        Ok(Some(open))
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        addrs: ConnectionAddrs,
    ) -> Response<ReplyBody> {
        let snapshot = self.snapshot.load_full();
        let (mut parts, body) = request.into_parts();
        hide_keys(&mut parts.headers);
        let inbound = Inbound {
            parts,
            body,
            peer: Peer {
                address: addrs.peer,
                listener: addrs.listener,
            },
        };
        // If the client leaves, this future is dropped, and the record says so.
        let mut guard = RecordGuard::new(RequestRecord::begin(request_id()));
        let mut flow = RequestFlow {
            proxy: &self,
            snapshot: &snapshot,
            record: guard.record(),
            notes: Vec::with_capacity(NOTES),
            principal: None,
        };
        let result = flow.answer(inbound).await;
        let (notes, principal) = flow.finish();
        let mut reply = result.unwrap_or_else(|error| encode::error::reply(&error, guard.record()));
        let headers = reply.headers_mut();
        headers.reserve(notes.len() + LIMIT_FIELDS);
        for (name, value) in notes {
            headers.insert(name, value);
        }
        if let Some(principal) = principal {
            limits_to(&principal, &mut reply);
        }
        encode::response(reply, guard)
    }
}

impl RequestFlow<'_> {
    /// The chain of stages. What each gives, the next one needs.
    async fn answer(&mut self, inbound: Inbound) -> Result<Reply, ProxyError> {
        let Inbound { parts, body, peer } = inbound;
        self.note_word(encode::CREDENTIAL, "none");
        let path = match route::route(&parts)? {
            route::Route::Api(path) => path,
            route::Route::Live => return Ok(Reply::document(json!({"status": "ok"}))),
            route::Route::Ready => return Ok(self.ready()),
            route::Route::Whoami => return self.whoami(&parts, &peer),
        };
        let endpoint = Endpoint::of(path);
        self.record.endpoint = endpoint.name();
        let principal = self.identify(&parts, &peer)?;
        let entry = endpoint.enter(principal.gates())?;
        let hone = HoneHeaders::read(&parts.headers, &self.record.request)?;
        let bounds = &self.snapshot.config.bounds;
        let share = Share::new(&self.proxy.memory, &principal);
        let intake = intake::read(&parts, body, endpoint.need(), bounds, share).await?;
        let asked = RequestHead {
            parts: &parts,
            path,
            endpoint,
            principal: &principal,
            hone: &hone,
        };
        let result = match intake {
            Intake::Json(Held { bytes, share, took }) => {
                self.record.upload = took;
                let mut result = self.planned(asked, entry, &bytes).await;
                if let Ok(Reply::Events { body, .. }) = &mut result {
                    body.keep(share);
                }
                result
            }
            Intake::Unread(body) => self.unread(asked, entry, body).await,
        };
        self.note_rejection(&principal, &result);
        result
    }

    /// A key that nobody vouches for and that the provider rejects counts against its address.
    fn note_rejection(&self, principal: &Principal, result: &Result<Reply, ProxyError>) {
        let status = match result {
            Ok(reply) => Some(reply.status()),
            Err(error) => error.upstream_status(),
        };
        if matches!(
            status,
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        ) && principal.is_unvouched()
        {
            self.proxy
                .addresses
                .load()
                .record_rejected_key(principal.address());
        }
    }

    /// A JSON body: what it says decides what runs.
    async fn planned(
        &mut self,
        asked: RequestHead<'_>,
        entry: Entry,
        body: &Bytes,
    ) -> Result<Reply, ProxyError> {
        let tags = self.snapshot.config.tags == Switch::On && asked.endpoint == Endpoint::Chat;
        let (untagged, tag) = if tags {
            untagged(body).await
        } else {
            (body.clone(), None)
        };
        let envelope = match peek(&untagged).await {
            // Where hone needs nothing of a body, it need not be an object: SDKs send empty ones,
            // too.
            Err(EnvelopeError::InvalidJson { .. } | EnvelopeError::NotAnObject)
                if asked.endpoint.usage().is_none() =>
            {
                Envelope::default()
            }
            peeked => peeked?,
        };
        let ask = RoutingInput {
            model: envelope.model.as_deref(),
            field: envelope.approach.as_deref(),
            decoding: if asked.endpoint == Endpoint::Chat {
                envelope.decoding.as_deref()
            } else {
                None
            },
            // On other paths the header may be a client's default for all of its requests.
            header: if asked.endpoint == Endpoint::Chat {
                headers::text(&asked.parts.headers, &headers::APPROACH)?
            } else {
                None
            },
            tag,
            chat: asked.endpoint == Endpoint::Chat,
        };
        let tenant = asked.principal.config().map(|tenant| &**tenant);
        let plan = plan::select(
            &self.snapshot.config,
            &self.snapshot.upstreams,
            tenant,
            &ask,
        )?;
        let credential = self.credential(&asked, plan.route())?;
        if credential.is_operators() && asked.endpoint == Endpoint::Responses {
            fallback::refuse_fields(&envelope)?;
        }
        match &plan {
            Plan::Relay(_) if asked.hone.dry_run => {
                Ok(Reply::document(run::relayed_dry_run(&envelope)))
            }
            Plan::Relay(route) => {
                let changes = Changes::new(
                    &envelope,
                    route,
                    asked.endpoint,
                    asked.principal,
                    &self.proxy.facts,
                );
                let body = changes.apply(&untagged).await?;
                let counted = asked.endpoint.usage().is_some() && asked.principal.counts_tokens();
                let estimate = if counted {
                    Changes::estimate(&body, &envelope, asked.principal).await
                } else {
                    Estimate::default()
                };
                let relay = Relay {
                    route,
                    principal: asked.principal,
                    credential: &credential,
                    parts: asked.parts,
                    path: asked.path,
                    kind: asked.endpoint.usage(),
                    coding: if asked.endpoint.usage().is_some() {
                        Coding::Identity
                    } else {
                        Coding::PassThrough
                    },
                    question: changes.question(&untagged, &self.proxy.facts),
                    choices: envelope.n.unwrap_or(1),
                    deadline: asked.hone.deadline,
                    bounds: &self.snapshot.config.bounds,
                };
                self.relay(relay, entry, Payload::Buffered(body), estimate)
                    .await
            }
            Plan::Strategy { approach, .. } => {
                self.note(encode::APPROACH, &approach.to_string());
                self.record.approach = approach.to_string().into();
                let (bounds, solver) =
                    (&self.snapshot.config.bounds, self.snapshot.solver.as_ref());
                let prepared = StrategyRequest::new(
                    &untagged,
                    &plan,
                    asked.principal.config(),
                    bounds,
                    solver,
                )
                .await?;
                let members = prepared.members(plan.route(), self.snapshot, asked.principal)?;
                if asked.hone.dry_run {
                    return Ok(Reply::document(prepared.dry_run()));
                }
                let means = RunInputs {
                    principal: asked.principal,
                    route: plan.route(),
                    credential,
                    members: &members,
                    headers: &asked.parts.headers,
                    facts: Arc::clone(&self.proxy.facts),
                    solver: self.snapshot.solver.clone(),
                    bounds: &self.snapshot.config.bounds,
                };
                let lanes = means.lanes();
                self.note_lanes(&lanes);
                let admitted = prepared.reserve(entry, &lanes, asked.principal)?;
                prepared.run(admitted, means, asked.hone, self.record).await
            }
        }
    }

    /// A body that hone does not read, or none: both directions stream.
    async fn unread(
        &mut self,
        asked: RequestHead<'_>,
        entry: Entry,
        body: Incoming,
    ) -> Result<Reply, ProxyError> {
        let config = &self.snapshot.config;
        let listing = asked.endpoint == Endpoint::Models && asked.parts.method == Method::GET;
        if let Some(model) = listing
            .then(|| models::find(config, asked.principal, asked.path))
            .flatten()
        {
            return Ok(Reply::document(model));
        }
        if listing && models::is_hidden(&self.snapshot.upstreams, asked.principal, asked.path) {
            return Err(PlanError::ModelNotFound {
                model: asked.path.trim_start_matches("models/").to_owned(),
            }
            .into());
        }
        let several = self.snapshot.upstreams.len() > 1;
        if listing && several && asked.path == "models" && !asked.hone.dry_run {
            return self.list(asked, entry).await;
        }
        let tenant = asked.principal.config().map(|tenant| &**tenant);
        let plan = plan::select(
            config,
            &self.snapshot.upstreams,
            tenant,
            &RoutingInput::default(),
        )?;
        let about = if listing && several {
            models::route(&self.snapshot.upstreams, asked.path)
        } else {
            None
        };
        let (route, path) = about
            .as_ref()
            .map_or((plan.route(), asked.path), |(route, path)| {
                (route, path.as_str())
            });
        let credential = self.credential(&asked, route)?;
        let spends = asked.parts.method == Method::POST && !body.is_end_stream();
        if spends && credential.is_operators() {
            fallback::refuse_unread(asked.parts, asked.path)?;
        }
        if spends && tenant.is_some_and(|tenant| tenant.models.is_some()) {
            return Err(PlanError::ModelNotAllowed {
                model: "(named in a body that is not read)".to_owned(),
            }
            .into());
        }
        if asked.hone.dry_run {
            return Ok(Reply::document(run::relayed_dry_run(&Envelope::default())));
        }
        let relay = Relay {
            route,
            principal: asked.principal,
            credential: &credential,
            parts: asked.parts,
            path,
            kind: None,
            coding: if listing {
                Coding::Identity
            } else {
                Coding::PassThrough
            },
            question: None,
            choices: 1,
            deadline: asked.hone.deadline,
            bounds: &config.bounds,
        };
        let body = if body.is_end_stream() {
            Payload::Buffered(Bytes::new())
        } else {
            Payload::Streamed(body)
        };
        let reply = self.relay(relay, entry, body, Estimate::default()).await?;
        if listing {
            models::extend(reply, config, asked.principal).await
        } else {
            Ok(reply)
        }
    }

    async fn relay(
        &mut self,
        relay: Relay<'_>,
        entry: Entry,
        body: Payload,
        estimate: Estimate,
    ) -> Result<Reply, ProxyError> {
        let whole = PlanBound {
            calls: 1,
            input_tokens: estimate.input,
        };
        let first = FirstWave {
            calls: 1,
            per_call: estimate,
        };
        let admitted = entry.reserve(
            first,
            whole,
            &relay.route.upstream.shared_gates(relay.credential),
        )?;
        self.record.upstream_calls = 1;
        self.note_word(encode::APPROACH, "none");
        let answer = relay
            .forward(
                body,
                estimate,
                Arc::new(admitted),
                &mut self.record.upstream_calls,
            )
            .await?;
        self.record.upstream_time = Some(answer.upstream_time);
        Ok(Reply::Relayed(Box::new(answer)))
    }

    fn identify(&mut self, parts: &Parts, peer: &Peer) -> Result<Principal, ProxyError> {
        let config = &self.snapshot.config;
        let address =
            tenant::client_address(&parts.headers, peer.address.ip(), &config.trusted_proxies);
        let identified = tenant::identify(&self.proxy.directory, config, parts, peer);
        let is_stranger = identified
            .as_ref()
            .map_or_else(AuthError::is_rejected_key, Principal::is_unvouched);
        if is_stranger {
            self.proxy
                .addresses
                .load()
                .may_present_unknown_key(address)
                .map_err(|wait| ProxyError::RejectedKeys { retry_after: wait })?;
        }
        let principal = identified.inspect_err(|error| {
            if error.is_rejected_key() {
                self.proxy.addresses.load().record_rejected_key(address);
            }
        })?;
        self.record.tenant = principal.shared_tag();
        self.principal = Some(principal.clone());
        Ok(principal)
    }

    fn credential(
        &mut self,
        asked: &RequestHead<'_>,
        route: &Route,
    ) -> Result<Credential, ProxyError> {
        route.upstream.name().clone_into(&mut self.record.upstream);
        self.record.model = route.model.clone().unwrap_or_default();
        let credential =
            asked
                .principal
                .credential(&route.upstream.config, &asked.parts.method, asked.path)?;
        self.record.credential = credential.source().as_str();
        self.note_word(encode::CREDENTIAL, credential.source().as_str());
        self.note(encode::UPSTREAM, route.upstream.name());
        Ok(credential)
    }

    /// Names every upstream that calls go to and whose keys pay there, each once.
    fn note_lanes(&mut self, lanes: &[Target<'_>]) {
        let list = |words: Vec<&str>| words.join(", ");
        let mut sources: Vec<&str> = lanes
            .iter()
            .map(|lane| lane.credential.source().as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        self.note(encode::CREDENTIAL, &list(sources));
        self.note(
            encode::UPSTREAM,
            &list(lanes.iter().map(|lane| lane.upstream.name()).collect()),
        );
    }

    fn ready(&self) -> Reply {
        if self.proxy.drain.has_begun() {
            return Reply::Document {
                status: StatusCode::SERVICE_UNAVAILABLE,
                headers: HeaderMap::new(),
                body: json!({"status": "draining"}),
            };
        }
        Reply::document(json!({"status": "ready"}))
    }

    fn whoami(&mut self, parts: &Parts, peer: &Peer) -> Result<Reply, ProxyError> {
        self.record.endpoint = "whoami";
        let principal = self.identify(parts, peer)?;
        let entry = admission::enter_uncounted(principal.gates())?;
        let _admitted = entry.reserve(
            FirstWave {
                calls: 0,
                per_call: Estimate::default(),
            },
            PlanBound {
                calls: 0,
                input_tokens: 0,
            },
            &[],
        )?;
        Ok(Reply::document(tenant::whoami(
            &principal,
            &self.snapshot.config,
        )))
    }

    /// Adds one of hone's headers to whatever the response will be, in the place of an earlier one
    /// of that name.
    fn note(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.note_value(name, value);
        }
    }

    /// The same for one of hone's own words, which is copied nowhere.
    fn note_word(&mut self, name: HeaderName, word: &'static str) {
        self.note_value(name, HeaderValue::from_static(word));
    }

    fn note_value(&mut self, name: HeaderName, value: HeaderValue) {
        match self.notes.iter_mut().find(|(noted, _)| *noted == name) {
            Some((_, earlier)) => *earlier = value,
            None => self.notes.push((name, value)),
        }
    }

    fn finish(mut self) -> (Vec<(HeaderName, HeaderValue)>, Option<Principal>) {
        if let Ok(id) = HeaderValue::from_str(&self.record.request) {
            self.note_value(encode::REQUEST_ID, id);
        }
        (self.notes, self.principal)
    }
}

/// One request, as far as it is understood before its body is.
#[derive(Clone, Copy)]
struct RequestHead<'a> {
    parts: &'a Parts,
    path: &'a str,
    endpoint: Endpoint,
    principal: &'a Principal,
    hone: &'a HoneHeaders,
}

/// Looks into a body; into a large one beside the worker, and without keeping its messages.
async fn peek(body: &Bytes) -> Result<Envelope<'_>, EnvelopeError> {
    if body.len() <= workers::LARGE {
        // Only here can the result borrow from the body.
        return Envelope::peek(body);
    }
    workers::offload(body, |body| Envelope::peek(body).map(Envelope::into_owned)).await
}

/// A body without its approach tags, and the tag that counts.
async fn untagged(body: &Bytes) -> (Bytes, Option<String>) {
    workers::offload(body, |body| {
        (plan::tags::strip(body), plan::tags::find(body))
    })
    .await
}

/// `req_` and 32 hexadecimal digits.
fn request_id() -> String {
    ["req_", &hex::encode(rand::random::<[u8; 16]>())].concat()
}

/// Says where the caller stands: in the fields of draft-ietf-httpapi-ratelimit-headers everywhere,
/// in OpenAI's on answers that hone makes.
fn limits_to(principal: &Principal, reply: &mut Reply) {
    let Some(gate) = principal.gates().first() else {
        return;
    };
    let status = gate.status();
    if status.is_empty() {
        return;
    }
    let own = match reply {
        Reply::Document { .. } | Reply::Events { .. } => admission::headers::openai(&status),
        Reply::Relayed(_) | Reply::Verbatim { .. } => Vec::new(),
    };
    let headers = reply.headers_mut();
    for (name, value) in own {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(policy) = admission::headers::policy(&status) {
        headers.insert(POLICY, policy);
    }
    if let Ok(level) = HeaderValue::try_from(admission::headers::level(&status)) {
        headers.insert(LEVEL, level);
    }
}

/// Marks every key of a request as sensitive, so that no `Debug` of its head can show one.
fn hide_keys(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if CREDENTIAL_SLOTS.contains(name) || name.as_str().starts_with("x-hone-key") {
            value.set_sensitive(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits_and_not_another_ones() {
        let (one, other) = (request_id(), request_id());
        let digits = one.strip_prefix("req_").unwrap();
        assert!(
            digits.len() == 32
                && digits
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
            "{one}"
        );
        assert_ne!(one, other);
    }

    #[test]
    fn debug_of_a_head_shows_no_key() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "x-hone-key",
            "x-hone-key-other",
        ] {
            headers.insert(name, HeaderValue::from_static("a-secret"));
        }
        assert!(format!("{headers:?}").contains("a-secret"));
        hide_keys(&mut headers);
        assert!(!format!("{headers:?}").contains("a-secret"));
    }
}
