//! The life of a request, from its head to its response, readable top to bottom.
//!
//! `RequestFlow::answer` is the chain of stages; what each gives, the next one needs. A JSON body
//! goes on in `json`, any other in `unread`, a question for models in `models`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::Dialect;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::admission::{self, Entry, Estimate, FirstWave, PlanBound};
use crate::answer::encode::notes::Notes;
use crate::answer::encode::{self, Reply};
use crate::answer::error::ProxyError;
use crate::answer::relay::Relay;
use crate::api::cors;
use crate::api::endpoint::{Confined, Endpoint, Meter};
use crate::config::Config;
use crate::request::head::{self, RequestHead};
use crate::request::headers::HoneHeaders;
use crate::request::intake::{self, Held, Intake};
use crate::request::plan::Route;
use crate::request::route::{self, Resource, RouteError};
use crate::snapshot::Snapshot;
use crate::telemetry::RequestRecord;
use crate::telemetry::record::KeyTag;
use crate::tenant::{self, AuthError, Credential, Peer, Principal, Share};
use crate::transport::RequestBody;
use crate::upstream::Payload;

mod confined;
mod crossing;
mod door;
mod json;
mod models;
mod open;
mod proxy;
mod unread;

pub(crate) use proxy::Proxy;

/// A request as it came in.
struct Inbound {
    parts: Parts,
    body: RequestBody,
    peer: Peer,
    dialect: Dialect,
}

/// One request on its way through, with what its stages note for its record.
struct RequestFlow<'a> {
    proxy: &'a Proxy,
    snapshot: &'a Snapshot,
    record: &'a mut RequestRecord,
    notes: Notes,
    principal: Option<Principal>,
}

impl RequestFlow<'_> {
    async fn answer(&mut self, inbound: Inbound) -> Result<Reply, ProxyError> {
        let Inbound {
            parts,
            body,
            peer,
            dialect,
        } = inbound;
        self.notes.set_word(encode::CREDENTIAL, "none");
        self.snapshot.name.check(&parts.headers)?;
        if cors::is_preflight(&parts.method, &parts.headers) {
            return self.preflight(&parts.headers);
        }
        let (path, endpoint) = match route::route(&parts)? {
            Resource::Api(path, endpoint) => (path, endpoint),
            Resource::Live => {
                self.record.endpoint = "probe";
                return Ok(Reply::document(&json!({"status": "ok"})));
            }
            Resource::Ready => {
                self.record.endpoint = "probe";
                return Ok(self.ready());
            }
            Resource::Whoami => return self.whoami(&parts, &peer),
        };
        self.record.endpoint = endpoint.name();
        let principal = self.identify(&parts, &peer)?;
        if endpoint.confined() == Confined::Refused && principal.permissions().is_confined() {
            return Err(AuthError::EndpointNotAllowed.into());
        }
        principal.refuse_foreign_page(&parts, &peer, &self.snapshot.config)?;
        let entry = enter(endpoint, &principal)?;
        let call = head::call(&parts, endpoint)?;
        let head = RequestHead {
            parts: &parts,
            path,
            endpoint,
            dialect,
            call: call.as_ref(),
            principal: &principal,
            hone: &HoneHeaders::read(&parts.headers, &self.record.request)?,
        };
        let result = self.read(head, entry, body).await;
        self.note_rejection(&principal, &result);
        result
    }

    /// Reads the body, if hone can, and goes on with what it is.
    async fn read(
        &mut self,
        head: RequestHead<'_>,
        mut entry: Entry,
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let bounds = &self.snapshot.config.bounds;
        let share = Share::new(&self.proxy.memory, head.principal);
        entry.use_cells(true);
        if head.asks_for_hones_response() {
            return Err(RouteError::NotStored.into());
        }
        let intake = intake::read(head.parts, body, head.endpoint.need(), bounds, share).await;
        let intake = intake.inspect_err(|error| entry.use_cells(error.has_read(head.parts)))?;
        match intake {
            Intake::Json(Held { bytes, share, took }) => {
                self.record.upload = took;
                let mut share = Some(share);
                self.json(head, entry, &bytes, &mut share).await
            }
            Intake::Unread(body) if head.asks_for_models() => self.models(head, entry, body).await,
            Intake::Unread(body) => self.unread(head, entry, body).await,
        }
    }

    /// A key that nobody vouches for and that the provider rejects counts against its address.
    fn note_rejection(&self, principal: &Principal, result: &Result<Reply, ProxyError>) {
        let status = match result {
            Ok(reply) => Some(reply.status()),
            Err(error) => error.upstream_status(),
        };
        let is_rejection = match (status, result) {
            (Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), _) => true,
            (_, Ok(Reply::Relayed(answer))) => answer.rejects_key,
            _ => false,
        };
        if is_rejection && principal.is_unvouched() {
            let addresses = self.proxy.addresses.load();
            addresses.record_rejected_key(principal.address());
        }
    }

    /// Forwards a request, which is one call.
    async fn relay(
        &mut self,
        relay: &mut Relay<'_>,
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
        let shared = relay.route.upstream.shared_gates(relay.credential);
        let admitted = Arc::new(entry.reserve(first, whole, &shared)?);
        self.record.account = admitted.account().clone();
        self.record.upstream_calls = 1;
        self.notes.set_word(encode::APPROACH, "none");
        let calls = &mut self.record.upstream_calls;
        let path = relay.path;
        let answer = relay.forward(body, estimate, admitted, calls).await?;
        self.record.upstream_time = Some(answer.upstream_time);
        if answer.status == StatusCode::NOT_FOUND {
            self.note_near_miss(path);
        }
        Ok(Reply::Relayed(Box::new(answer)))
    }

    /// Tells what may be meant by what no provider knows: a path with `/v1` twice, or an approach
    /// whose slug is nearly what the name of a model begins with.
    fn note_near_miss(&mut self, path: &str) {
        if path.starts_with("v1/") {
            let hint = "the path has /v1 twice; one of them is in the client's base URL";
            self.notes.set_word(encode::HINT, hint);
            return;
        }
        let begins = self.record.model.split_once('-').map(|(begins, _)| begins);
        let near = begins.and_then(|begins| Some((begins, hone_strategies::nearest_slug(begins)?)));
        if let Some((begins, near)) = near {
            let hint = format!("no approach is called {begins}; one is called {near}");
            self.notes.set(encode::HINT, &hint);
        }
    }

    fn identify(&mut self, parts: &Parts, peer: &Peer) -> Result<Principal, ProxyError> {
        let config = &self.snapshot.config;
        let address =
            tenant::client_address(&parts.headers, peer.address.ip(), &config.trusted_proxies);
        self.record.client = Some(address);
        let identified = tenant::identify(&self.proxy.directory, config, parts, peer, address);
        let addresses = self.proxy.addresses.load();
        if tenant::forwards_in_vain(&parts.headers, peer.address.ip(), &config.trusted_proxies)
            && addresses.is_worth_advice(address)
        {
            tracing::warn!(
                %address,
                "{address} sends x-forwarded-for, which is not believed: all that come through it \
                    count as one caller; if it is a proxy of yours, name it in `trusted_proxies`"
            );
        }
        let is_stranger = identified
            .as_ref()
            .map_or_else(AuthError::is_rejected_key, Principal::is_unvouched);
        // Others behind the same machine must not be barred for a page, nor may a page guess on.
        let counted = match &identified {
            Err(error) if error.is_rejected_key() => counted_for(address, parts, peer, config),
            _ => address,
        };
        if is_stranger {
            addresses
                .may_present_unknown_key(counted)
                .map_err(|wait| ProxyError::RejectedKeys { retry_after: wait })?;
        }
        let principal = identified.inspect_err(|error| {
            if error.is_rejected_key() {
                addresses.record_rejected_key(counted);
            }
        })?;
        self.record.tenant = principal.shared_tag();
        self.record.is_named = principal.config().is_some();
        let digest = principal.key_digest();
        self.record.key = digest.map(|digest| KeyTag(digest.beginning()));
        self.principal = Some(principal.clone());
        Ok(principal)
    }

    /// Whose key pays at `route`.
    fn credential(
        &mut self,
        head: RequestHead<'_>,
        route: &Route,
    ) -> Result<Credential, ProxyError> {
        let upstream = &route.upstream;
        upstream.name().clone_into(&mut self.record.upstream);
        self.record.model = route.model.clone().unwrap_or_default();
        let method = &head.parts.method;
        let credential = head
            .principal
            .credential(&upstream.config, method, head.path)?;
        let source = credential.source().as_str();
        self.record.credential = source;
        self.notes.set_word(encode::CREDENTIAL, source);
        self.notes.set(encode::UPSTREAM, upstream.name());
        Ok(credential)
    }

    /// Names every upstream that calls go to and whose keys pay there, each once.
    fn note_targets<'a>(&mut self, targets: impl Iterator<Item = (&'a str, &'a Credential)>) {
        let (names, credentials): (Vec<_>, Vec<_>) = targets.unzip();
        let mut sources: Vec<&str> = credentials
            .into_iter()
            .map(|credential| credential.source().as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        self.notes.set(encode::CREDENTIAL, &sources.join(", "));
        self.notes.set(encode::UPSTREAM, &names.join(", "));
    }

    /// Answers a browser that asks whether a page may make a request. That needs no key: browsers
    /// send none.
    fn preflight(&mut self, headers: &HeaderMap) -> Result<Reply, ProxyError> {
        self.record.endpoint = "preflight";
        let origins = &self.snapshot.config.cors_origins;
        let is_set = !origins.is_empty();
        let headers = cors::preflight(origins, headers).ok_or(ProxyError::Preflight { is_set })?;
        Ok(Reply::Verbatim {
            status: StatusCode::NO_CONTENT,
            headers,
            body: Bytes::new(),
        })
    }

    fn ready(&self) -> Reply {
        if self.proxy.drain.has_begun() {
            return Reply::Document {
                status: StatusCode::SERVICE_UNAVAILABLE,
                headers: HeaderMap::new(),
                body: json!({"status": "draining"}).to_string(),
                room: None,
            };
        }
        Reply::document(&json!({"status": "ready"}))
    }

    fn whoami(&mut self, parts: &Parts, peer: &Peer) -> Result<Reply, ProxyError> {
        self.record.endpoint = "whoami";
        let principal = self.identify(parts, peer)?;
        // Whoever is at a limit asks why, so this has a limit of its own.
        let config = &self.snapshot.config;
        let counted = counted_for(principal.address(), parts, peer, config);
        let addresses = self.proxy.addresses.load();
        addresses
            .check_question(counted)
            .map_err(|wait| ProxyError::Questions { retry_after: wait })?;
        let told = tenant::whoami(&principal, &self.snapshot.config);
        Ok(Reply::document(&told))
    }
}

/// Whom all foreign web pages together count for: no client has this address.
const PAGES: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whom guesses and questions count for: the caller at `address`, unless it is a page in a browser
/// at this machine, whose visitor must not pay for it.
fn counted_for(address: IpAddr, parts: &Parts, peer: &Peer, config: &Config) -> IpAddr {
    if tenant::is_foreign_page_here(parts, peer, config) {
        PAGES
    } else {
        address
    }
}

/// Lets a caller in: token debt keeps it only from paths whose tokens are counted.
fn enter(endpoint: Endpoint, principal: &Principal) -> Result<Entry, ProxyError> {
    let entry = match endpoint.meter() {
        _ if endpoint.counts_in().is_some() => admission::enter_aside(principal.gates()),
        Meter::Free => admission::enter_uncounted(principal.gates()),
        Meter::Usage(_) | Meter::Bytes => admission::enter(principal.gates()),
    };
    Ok(entry?.of(principal.asker()))
}

/// A body that streams through, or none.
fn payload(body: RequestBody) -> Payload {
    if http_body::Body::is_end_stream(&body) {
        Payload::Buffered(Bytes::new())
    } else {
        Payload::Streamed(body)
    }
}
