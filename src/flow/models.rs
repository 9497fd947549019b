//! `GET models`: the caller's virtual models beside what its upstreams serve.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;

use super::{RequestFlow, payload};
use crate::admission::{Admitted, Entry, Estimate, FirstWave, PlanBound};
use crate::answer::encode::{self, Reply};
use crate::answer::error::ProxyError;
use crate::answer::relay::Relay;
use crate::answer::run;
use crate::api::endpoint;
use crate::models::{self, Form, Listed, Question, Source, Telling};
use crate::request::envelope::Envelope;
use crate::request::head::RequestHead;
use crate::request::plan::{PlanError, Route};
use crate::tenant::Share;
use crate::transport::RequestBody;
use crate::upstream::{Payload, UpstreamError};

/// How long the slowest of several upstreams is waited for. A list without it is better than none.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for clients of Anthropic's API: Claude Code waits for three seconds.
const LITTLE_PATIENCE: Duration = Duration::from_millis(1800);

impl RequestFlow<'_> {
    /// Answers a question for models, or for one of them.
    pub(super) async fn models(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let snapshot = self.snapshot;
        let (form, path) = (Form::of(head.dialect), endpoint::below_version(head.path));
        if let Some(model) = models::find(&snapshot.config, head.principal, (path, form)) {
            return Ok(Reply::document(&model));
        }
        let plain = models::unprefixed(snapshot, head.principal, path)?;
        let Some(asked) = endpoint::model_in(path) else {
            return self.all_models(head, entry, body).await;
        };
        if models::is_hidden(&snapshot.upstreams, head.principal, &plain) {
            let model = asked.into_owned();
            return Err(PlanError::ModelNotFound { model }.into());
        }
        let several = snapshot.upstreams.len() > 1;
        let named = several.then(|| models::route(&snapshot.upstreams, &plain));
        let (route, place) = match named.flatten() {
            Some(found) => found,
            None => (self.route_without_model(head)?, (*plain).to_owned()),
        };
        let upstream = &route.upstream.config;
        let telling = Telling {
            asked: &asked,
            is_renamed: *plain != *path,
            form,
            told: form.at(upstream),
            is_open: upstream.is_dialect_open,
        };
        let question = models::question(head.parts, (form, telling.told), upstream, false);
        let place = telling.told.place(&place, (form, head.path));
        let asks = (&question, &*place, &route);
        let reply = self.ask_plainly(head, entry, asks, body).await?;
        let share = Share::new(&self.proxy.memory, head.principal);
        models::retold(reply, telling, &snapshot.config.bounds, share).await
    }

    /// Answers a question for all models. The only upstream's bytes pass where the client can read
    /// them.
    async fn all_models(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let (snapshot, form) = (self.snapshot, Form::of(head.dialect));
        let route = self.route_without_model(head)?;
        let upstream = &route.upstream.config;
        let passes = snapshot.upstreams.len() == 1 && form.at(upstream) == form;
        if !passes && !head.hone.dry_run {
            drop(body);
            return self.list(head, entry).await;
        }
        let question = Question {
            parts: head.parts.clone(),
            own: None,
        };
        let asks = (&question, head.path, &route);
        let reply = self.ask_plainly(head, entry, asks, body).await?;
        let how = (form, upstream.is_dialect_open);
        let share = Share::new(&self.proxy.memory, head.principal);
        models::extend(reply, how, &snapshot.config, head.principal, share).await
    }

    /// Forwards a question to one upstream.
    async fn ask_plainly(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        (question, path, route): (&Question, &str, &Route),
        body: RequestBody,
    ) -> Result<Reply, ProxyError> {
        let credential = self.credential(head, route)?;
        if head.hone.dry_run {
            return Ok(Reply::document(&run::relayed_dry_run(&Envelope::default())));
        }
        let bounds = &self.snapshot.config.bounds;
        let mut relay = Relay {
            parts: &question.parts,
            own: question.own.as_slice(),
            path,
            ..Relay::new(head, route, &credential, bounds).uncompressed()
        };
        self.relay(&mut relay, entry, payload(body), Estimate::default())
            .await
    }

    /// The models of all upstreams that the caller may ask, as one list.
    async fn list(&mut self, head: RequestHead<'_>, entry: Entry) -> Result<Reply, ProxyError> {
        let upstreams = &self.snapshot.upstreams;
        let form = Form::of(head.dialect);
        let sources = models::sources(upstreams, head.principal, form)?;
        self.note_sources(&sources);
        let admitted = reserve(entry, &sources)?;
        let asking = sources
            .iter()
            .zip(admitted)
            .map(|(source, admitted)| self.ask_for_models(head, source, admitted));
        let (counts, answers): (Vec<u32>, Vec<_>) = join_all(asking).await.into_iter().unzip();
        self.record.upstream_calls = counts.iter().sum();
        for answer in &answers {
            self.note_failure(head, answer);
        }
        let indices = sources.iter().map(|source| source.index);
        let answers = indices.zip(answers).collect();
        let config = &self.snapshot.config;
        models::merge(answers, form, upstreams, config, head.principal)
    }

    /// Calls made to `source`, and its answer.
    async fn ask_for_models(
        &self,
        head: RequestHead<'_>,
        source: &Source,
        admitted: Admitted,
    ) -> (u32, Result<Listed, ProxyError>) {
        let mut calls = 1;
        let bounds = &self.snapshot.config.bounds;
        let (form, upstream) = (Form::of(head.dialect), &source.route.upstream.config);
        let question = models::question(head.parts, (form, source.form), upstream, true);
        let path = source.form.place("models", (form, head.path));
        let mut relay = Relay {
            parts: &question.parts,
            own: question.own.as_slice(),
            path: &path,
            ..Relay::new(head, &source.route, &source.credential, bounds).uncompressed()
        };
        let (body, estimate) = (Payload::Buffered(Bytes::new()), Estimate::default());
        let whole = async {
            let answer = relay.forward(body, estimate, Arc::new(admitted), &mut calls);
            let share = Share::new(&self.proxy.memory, head.principal);
            Listed::read(answer.await?, source.form, share, bounds).await
        };
        let patience = match form {
            Form::Anthropic => LITTLE_PATIENCE,
            Form::Google | Form::OpenAi => PATIENCE,
        };
        let answer = tokio::time::timeout(patience, whole)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(UpstreamError::HeadTimeout {
                    upstream: source.route.upstream.name().to_owned(),
                    limit: patience,
                }
                .into())
            });
        (calls, answer)
    }

    fn note_sources(&mut self, sources: &[Source]) {
        if let Some(first) = sources.first() {
            let name = first.route.upstream.name();
            name.clone_into(&mut self.record.upstream);
            self.record.credential = first.credential.source().as_str();
        }
        self.note_targets(
            sources
                .iter()
                .map(|source| (source.route.upstream.name(), &source.credential)),
        );
        self.notes.set_word(encode::APPROACH, "none");
    }

    /// A failure that the merged list hides is told to the operator; a rejected key counts all the
    /// same.
    fn note_failure(&self, head: RequestHead<'_>, answer: &Result<Listed, ProxyError>) {
        let is_rejection = |listed: &Listed| {
            let meant = listed.meant();
            matches!(meant, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        };
        match answer {
            Ok(listed) if head.principal.is_unvouched() && is_rejection(listed) => {
                self.proxy
                    .addresses
                    .load()
                    .record_rejected_key(head.principal.address());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(request = %self.record.request, %error, "no list of models");
            }
        }
    }
}

/// Takes a call to each of `sources`.
fn reserve(entry: Entry, sources: &[Source]) -> Result<Vec<Admitted>, ProxyError> {
    let gates: Vec<_> = sources
        .iter()
        .map(|source| source.route.upstream.shared_gates(&source.credential))
        .collect();
    let calls = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let first = FirstWave {
        calls,
        per_call: Estimate::default(),
    };
    let whole = PlanBound {
        calls,
        input_tokens: 0,
    };
    Ok(entry.reserve_targets(first, whole, &gates)?)
}
