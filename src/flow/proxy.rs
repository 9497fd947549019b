//! The proxy as its connections see it: who may connect, and how a request begins and ends.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hone_dialects::Dialect;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use super::door::Door;
use super::{Inbound, RequestFlow};
use crate::admission::headers::{self, OpenaiFields};
use crate::admission::{AddressGuard, OpenConnection};
use crate::answer::encode::notes::Notes;
use crate::answer::encode::{self, Reply, ReplyBody};
use crate::answer::error::ProxyError;
use crate::api::headers::CREDENTIAL_SLOTS;
use crate::api::{cors, dialect};
use crate::config::Bounds;
use crate::snapshot::Snapshot;
use crate::telemetry::{RecordGuard, RequestRecord};
use crate::tenant::{
    AuthError, Directory, Memory, Peer, Principal, SlotError, client_address, move_key,
};
use crate::transport::{
    Answer, Cap, Closing, ConnectionAddrs, ConnectionRefused, Drain, RequestBody,
};
use crate::upstream::facts::Facts;

/// Headers that tell where the caller's limits stand, on a relayed answer.
const LIMIT_FIELDS: usize = 2;
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEVEL: HeaderName = HeaderName::from_static("ratelimit");

/// The proxy: configuration and live state, shared by all connections.
#[derive(Debug)]
pub struct Proxy {
    snapshot: ArcSwap<Snapshot>,
    pub(super) directory: Directory,
    pub(super) addresses: ArcSwap<AddressGuard>,
    door: Door,
    pub(super) memory: Memory,
    pub(super) facts: Arc<Facts>,
    pub(super) drain: Drain,
}

impl Proxy {
    /// A proxy that serves `snapshot` until a reload, over connections up to `cap`.
    pub(crate) fn new(
        snapshot: Snapshot,
        directory: Directory,
        cap: Arc<Cap>,
        drain: Drain,
    ) -> Self {
        let bounds = &snapshot.config.bounds;
        let addresses = ArcSwap::from_pointee(AddressGuard::new(
            bounds.connections_per_minute,
            bounds.rejected_keys_per_minute,
        ));
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            directory,
            addresses,
            door: Door::new(cap),
            memory: Memory::default(),
            facts: Arc::default(),
            drain,
        }
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What requests hold now of what `bounds.buffered_bytes` bounds.
    pub fn held_bytes(&self) -> usize {
        self.memory.held()
    }

    /// Serves `snapshot` from now on. Requests under way keep the one they started with; counters
    /// go on.
    pub(crate) fn replace(&self, snapshot: Snapshot) {
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

    /// Forgets what has expired. Called now and then; decisions do not depend on it.
    pub(crate) fn tidy(&self) {
        self.addresses.load().sweep();
        for upstream in &self.snapshot().upstreams {
            upstream.tidy();
        }
    }
}

impl Answer for Proxy {
    type Body = ReplyBody;
    type Visit = Option<OpenConnection>;

    fn admits(&self, peer: SocketAddr) -> Result<Option<OpenConnection>, ConnectionRefused> {
        let config = &self.snapshot.load().config;
        self.door.admits(peer, config, &self.addresses.load())
    }

    fn admits_stream(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
        is_room: bool,
    ) -> Result<Option<OpenConnection>, ConnectionRefused> {
        let config = &self.snapshot.load().config;
        let addresses = self.addresses.load();
        // A trusted proxy has many clients on one connection, of which none may take all places.
        let client = client_address(headers, peer.ip(), &config.trusted_proxies).to_canonical();
        self.door.admits_stream(client, is_room, config, &addresses)
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<RequestBody>,
        addrs: ConnectionAddrs,
        closing: Closing,
    ) -> Response<ReplyBody> {
        let snapshot = self.snapshot.load_full();
        let (mut parts, body) = request.into_parts();
        hide_keys(&mut parts.headers);
        let dialect = dialect::of(&parts);
        // Before anything could keep the target.
        let moved = if dialect == Dialect::Gemini {
            move_key(&mut parts)
        } else {
            Ok(())
        };
        let inbound = Inbound {
            parts,
            body,
            dialect,
            peer: Peer {
                address: addrs.peer,
                listener: addrs.listener,
            },
        };
        // If the client leaves, this future is dropped, and the record says so.
        let mut guard = RecordGuard::new(RequestRecord::begin(request_id()));
        guard.record().client = Some(addrs.peer.ip().to_canonical());
        let mut flow = RequestFlow {
            proxy: &self,
            snapshot: &snapshot,
            record: guard.record(),
            notes: Notes::default(),
            principal: None,
        };
        let asked = (!snapshot.config.cors_origins.is_empty()).then(|| origin(&inbound.parts));
        let result = if let Err(refused) = moved {
            Err(AuthError::from(SlotError::Query(refused)).into())
        } else {
            tokio::select! {
                biased;
                result = flow.answer(inbound) => result,
                () = closing => Err(ProxyError::ShuttingDown),
            }
        };
        let RequestFlow {
            mut notes,
            principal,
            record,
            ..
        } = flow;
        notes.set(encode::REQUEST_ID, &record.request);
        let mut reply =
            result.unwrap_or_else(|error| encode::error::reply(&error, record, dialect));
        notes.write(reply.headers_mut(), LIMIT_FIELDS);
        name_own(&mut reply, &record.request, dialect);
        if let Some(principal) = principal {
            limits_to(&principal, &mut reply);
        }
        if let Some(asked) = asked {
            cors::expose(&snapshot.config.cors_origins, &asked, reply.headers_mut());
        }
        encode::response(reply, guard)
    }

    fn refuse(&self, refused: ConnectionRefused) -> Response<ReplyBody> {
        let mut guard = RecordGuard::new(RequestRecord::begin(request_id()));
        let record = guard.record();
        let mut notes = Notes::default();
        notes.set(encode::REQUEST_ID, &record.request);
        let mut reply = encode::error::reply(
            &ProxyError::Connection(refused),
            record,
            Dialect::OpenAiChat,
        );
        notes.write(reply.headers_mut(), 0);
        name_own(&mut reply, &record.request, Dialect::OpenAiChat);
        encode::response(reply, guard)
    }
}

/// `req_` and 32 hexadecimal digits.
fn request_id() -> String {
    let mut id = *b"req_00000000000000000000000000000000";
    if let Some(digits) = id.get_mut(4..) {
        // The lengths fit; hex::encode makes a string char by char.
        let _fits = hex::encode_to_slice(rand::random::<[u8; 16]>(), digits).is_ok();
    }
    // ASCII, always.
    String::from_utf8(id.to_vec()).unwrap_or_default()
}

/// Gives what hone answers itself the id under which clients of OpenAI look for one, and those of
/// Anthropic. An upstream's own id stays.
fn name_own(reply: &mut Reply, id: &str, dialect: Dialect) {
    if !matches!(reply, Reply::Relayed(_))
        && let Ok(id) = HeaderValue::from_str(id)
    {
        let headers = reply.headers_mut();
        if dialect == Dialect::Anthropic {
            headers.entry("request-id").or_insert_with(|| id.clone());
        }
        headers.entry("x-request-id").or_insert(id);
    }
}

/// Says where the caller stands: in the fields of draft-ietf-httpapi-ratelimit-headers everywhere,
/// in OpenAI's on answers that hone makes, and where the upstream's say more than hone allows.
fn limits_to(principal: &Principal, reply: &mut Reply) {
    let Some(gate) = principal.gates().first() else {
        return;
    };
    let status = gate.status();
    if status.is_empty() {
        return;
    }
    let is_own = matches!(reply, Reply::Document { .. } | Reply::Events { .. });
    let told = reply.headers_mut();
    for fields in status.iter().filter_map(OpenaiFields::of) {
        if is_own || fields.are_nearer(told) {
            fields.write(told);
        }
    }
    if let Some(policy) = headers::policy(&status) {
        told.insert(POLICY, policy);
    }
    if let Ok(level) = HeaderValue::try_from(headers::level(&status)) {
        told.insert(LEVEL, level);
    }
}

/// The origins that a request names, of all its headers.
fn origin(parts: &Parts) -> HeaderMap {
    let lines = parts.headers.get_all(ORIGIN).iter();
    lines.map(|line| (ORIGIN, line.clone())).collect()
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
