//! A body that hone does not parse, or none: both directions stream. Of a form hone reads as much
//! as tells its model, where that decides something.

use hone_dialects::Dialect;
use hone_strategies::chat::tokens_of_bytes;
use http::Method;
use http_body::Body;

use super::{RequestFlow, confined, crossing, payload};
use crate::admission::{Entry, Estimate};
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::{Relay, fallback};
use crate::answer::run;
use crate::api::endpoint::Meter;
use crate::api::headers;
use crate::request::envelope::Envelope;
use crate::request::form::Fields;
use crate::request::head::RequestHead;
use crate::request::intake::form::{self, Extent, HeldForm};
use crate::request::intake::{self, IntakeError};
use crate::request::plan::{self, Route, RoutingInput};
use crate::request::route::RouteError;
use crate::tenant::Share;
use crate::transport::RequestBody;
use crate::upstream::Payload;

/// What a body's model decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decides {
    /// Nothing: it streams.
    Nothing,
    /// What the one upstream calls it. What hone cannot read passes.
    Name,
    /// Which upstream gets it, with the caller's key, or whether it is allowed.
    Upstream,
}

/// A body on its way.
enum Upload {
    /// As it comes.
    Unread(RequestBody),
    /// A form, with what was read of it.
    Form(Box<HeldForm>),
}

impl RequestFlow<'_> {
    /// Forwards it to the upstream that serves its model, or the requests without one.
    pub(super) async fn unread(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let spends = head.parts.method == Method::POST && !body.is_end_stream();
        refuse_compressed(head, &body)?;
        let (route, mut body) = match self.decides(head, spends) {
            Decides::Nothing => (self.route_without_model(head)?, Upload::Unread(body)),
            decides => self.by_model(head, body, decides).await?,
        };
        crossing::check(head, &route)?;
        let credential = self.credential(head, &route)?;
        if spends && credential.is_operators() {
            body = self.served(head, &route, body).await?;
        }
        let body = self.payload(body, &route)?;
        if head.hone.dry_run {
            return Ok(Reply::document(&run::relayed_dry_run(&Envelope::default())));
        }
        let mut relay = Relay::new(head, &route, &credential, &self.snapshot.config.bounds);
        let Some(kind) = head.endpoint.usage(head.principal.counts_tokens()) else {
            return self
                .relay(&mut relay, entry, body, Estimate::default())
                .await;
        };
        let sent = length(&body).ok_or(IntakeError::NoLength)?;
        let estimate = Estimate {
            input: tokens_of_bytes(sent),
            output: head.principal.expected_output(),
        };
        let mut relay = Relay {
            kind: Some(kind),
            ..relay.uncompressed()
        };
        self.relay(&mut relay, entry, body, estimate).await
    }

    /// What the model in the body of `head` decides; `spends` says whether it may have one.
    fn decides(&self, head: RequestHead<'_>, spends: bool) -> Decides {
        let permissions = head.principal.permissions();
        if head.is_googles_other() {
            return Decides::Nothing;
        }
        if permissions.is_confined() {
            return Decides::Upstream;
        }
        if !spends || !head.endpoint.has_model() {
            return Decides::Nothing;
        }
        if self.snapshot.upstreams.len() > 1 {
            Decides::Upstream
        } else if self.snapshot.config.models.is_empty() {
            Decides::Nothing
        } else {
            Decides::Name
        }
    }

    /// Where a body goes by its model, and the body.
    async fn by_model(
        &mut self,
        head: RequestHead<'_>,
        body: RequestBody,
        decides: Decides,
    ) -> Result<(Route, Upload), ProxyError> {
        let lines = &head.parts.headers;
        let (coding, is_form) = (headers::coding(lines), form::is_form(lines));
        if !is_form || coding.is_some() {
            refuse_unreadable(head, decides, coding, is_form)?;
            return Ok((self.route_without_model(head)?, Upload::Unread(body)));
        }
        let is_confined = head.principal.permissions().is_confined();
        let extent = if is_confined {
            Extent::Whole(Fields::Without(&confined::LISTS))
        } else {
            Extent::Model
        };
        let form = self.read_form(head, self.held(head, body), extent).await?;
        let route = match form.model() {
            Ok(Some(model)) => self.route_of_form(head, model)?,
            Ok(None) if is_confined => return Err(confined::not_allowed("(none is named)")),
            Err(unread) if decides == Decides::Upstream => {
                return Err(IntakeError::from(unread).into());
            }
            Ok(None) | Err(_) => self.route_without_model(head)?,
        };
        Ok((route, Upload::Form(Box::new(form))))
    }

    /// What of `body` the operator's key serves at `route`: all of it, or the request is refused.
    async fn served(
        &mut self,
        head: RequestHead<'_>,
        route: &Route,
        body: Upload,
    ) -> Result<Upload, ProxyError> {
        let fields = fallback::form(head.parts, head.endpoint, &route.upstream.config)?;
        let form = match body {
            Upload::Form(form) => *form,
            Upload::Unread(body) => self.held(head, body),
        };
        let form = self.read_form(head, form, Extent::Whole(fields)).await?;
        form.model().map_err(IntakeError::from)?;
        Ok(Upload::Form(Box::new(form)))
    }

    fn held(&self, head: RequestHead<'_>, body: RequestBody) -> HeldForm {
        let share = Share::new(&self.proxy.memory, head.principal);
        HeldForm::new(body, &self.snapshot.config.bounds, share)
    }

    async fn read_form(
        &mut self,
        head: RequestHead<'_>,
        mut form: HeldForm,
        extent: Extent<'_>,
    ) -> Result<HeldForm, ProxyError> {
        let bounds = &self.snapshot.config.bounds;
        form.read(&head.parts.headers, extent, bounds).await?;
        self.record.upload = form.took();
        Ok(form)
    }

    /// What goes to `route` of `body`: all of it, with the model's name there.
    fn payload(&self, body: Upload, route: &Route) -> Result<Payload, ProxyError> {
        let mut form = match body {
            Upload::Form(form) => form,
            Upload::Unread(body) => return Ok(payload(body)),
        };
        if let Some(model) = route.model.as_deref().filter(|_| route.renamed) {
            form.rename(model, &self.snapshot.config.bounds)?;
        }
        let (front, rest) = form.into_parts();
        Ok(match rest {
            None => Payload::Buffered(front),
            Some(rest) => Payload::Streamed(rest.behind(front)),
        })
    }

    fn route_of_form(&mut self, head: RequestHead<'_>, model: &str) -> Result<Route, ProxyError> {
        let input = RoutingInput {
            model: Some(model),
            ..RoutingInput::default()
        };
        let route = self.route(head, &input);
        route.inspect_err(|_| self.note_asked(Some(model)))
    }

    /// Where a request goes that names no model: to the first upstream.
    pub(super) fn route_without_model(&self, head: RequestHead<'_>) -> Result<Route, ProxyError> {
        if head.is_googles_other() {
            return self.first_google();
        }
        self.route(head, &RoutingInput::default())
    }

    /// Where a request goes that asks Google for something that hone does not know: to the first
    /// upstream that speaks as Google does.
    pub(super) fn first_google(&self) -> Result<Route, ProxyError> {
        let mut upstreams = self.snapshot.upstreams.iter();
        let first = upstreams.find(|upstream| upstream.config.dialect == Dialect::Gemini);
        Ok(Route::without_model(first.ok_or(RouteError::NotFound)?))
    }

    fn route(&self, head: RequestHead<'_>, input: &RoutingInput<'_>) -> Result<Route, ProxyError> {
        let snapshot = self.snapshot;
        let tenant = head.principal.config().map(|tenant| &**tenant);
        let plan = plan::select(&snapshot.config, &snapshot.upstreams, tenant, input)?;
        Ok(plan.route().clone())
    }
}

/// Refuses a compressed body that counts by its length.
fn refuse_compressed(head: RequestHead<'_>, body: &RequestBody) -> Result<(), IntakeError> {
    let by_length = head.endpoint.meter() == Meter::Bytes && head.principal.counts_tokens();
    match headers::coding(&head.parts.headers) {
        Some(coding) if by_length && !body.is_end_stream() => Err(IntakeError::Encoded(coding)),
        _ => Ok(()),
    }
}

/// Refuses a body in which no model is found, where one may be and decides which upstream gets it.
fn refuse_unreadable(
    head: RequestHead<'_>,
    decides: Decides,
    coding: Option<String>,
    is_form: bool,
) -> Result<(), ProxyError> {
    if decides != Decides::Upstream {
        return Ok(());
    }
    let has_model = head.endpoint.is_listed() || is_form || intake::is_json(&head.parts.headers);
    match coding {
        Some(coding) if has_model => Err(IntakeError::Encoded(coding).into()),
        _ if head.principal.permissions().is_confined() => {
            Err(confined::not_allowed("(named in a body that is not read)"))
        }
        _ if head.endpoint.is_listed() => Err(IntakeError::NoForm.into()),
        _ => Ok(()),
    }
}

/// How long a body is, if that is known.
fn length(body: &Payload) -> Option<u64> {
    match body {
        Payload::Buffered(bytes) => Some(bytes.len() as u64),
        Payload::Pieces(pieces) => Some(pieces.iter().map(|piece| piece.len() as u64).sum()),
        Payload::Streamed(body) => body.size_hint().exact(),
    }
}
