//! A body that hone does not read, or none: both directions stream.

use hone_strategies::chat::tokens_of_bytes;
use http::Method;
use http_body::Body;

use super::{RequestFlow, payload};
use crate::admission::{Entry, Estimate};
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::{Relay, fallback};
use crate::answer::run;
use crate::request::envelope::Envelope;
use crate::request::head::RequestHead;
use crate::request::intake::IntakeError;
use crate::request::plan::{self, PlanError, Route, RoutingInput};
use crate::transport::RequestBody;

impl RequestFlow<'_> {
    /// Forwards it to the upstream that serves requests without a model.
    pub(super) async fn unread(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let route = self.route_without_model(head)?;
        let credential = self.credential(head, &route)?;
        let spends = head.parts.method == Method::POST && !body.is_end_stream();
        if spends && credential.is_operators() {
            fallback::refuse_unread(head.parts, head.endpoint)?;
        }
        if head.principal.permissions().is_confined() {
            return Err(PlanError::ModelNotAllowed {
                model: "(named in a body that is not read)".to_owned(),
            }
            .into());
        }
        if head.hone.dry_run {
            return Ok(Reply::document(&run::relayed_dry_run(&Envelope::default())));
        }
        let relay = Relay::new(head, &route, &credential, &self.snapshot.config.bounds);
        let Some(kind) = head.endpoint.usage(head.principal.counts_tokens()) else {
            return self
                .relay(relay, entry, payload(body), Estimate::default())
                .await;
        };
        let sent = body.size_hint().exact().ok_or(IntakeError::NoLength)?;
        let estimate = Estimate {
            input: tokens_of_bytes(sent),
            output: head.principal.expected_output(),
        };
        let relay = Relay {
            kind: Some(kind),
            ..relay.uncompressed()
        };
        self.relay(relay, entry, payload(body), estimate).await
    }

    /// Where a request goes that names no model.
    pub(super) fn route_without_model(&self, head: RequestHead<'_>) -> Result<Route, ProxyError> {
        let snapshot = self.snapshot;
        let tenant = head.principal.config().map(|tenant| &**tenant);
        let input = RoutingInput::default();
        let plan = plan::select(&snapshot.config, &snapshot.upstreams, tenant, &input)?;
        Ok(plan.route().clone())
    }
}
