//! `GET models`, where several upstreams are asked at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;

use super::{RequestFlow, RequestHead};
use crate::admission::{Admitted, Entry, Estimate, FirstWave, PlanBound};
use crate::answer::encode::{self, Reply};
use crate::answer::error::ProxyError;
use crate::answer::relay::Relay;
use crate::headers::Coding;
use crate::models::{self, Listed, Source};
use crate::upstream::{Payload, UpstreamError};

/// How long the slowest of several upstreams is waited for. A list without it is better than none.
const PATIENCE: Duration = Duration::from_secs(10);

impl RequestFlow<'_> {
    /// The models of all upstreams that the caller may ask, as one list.
    pub(super) async fn list(
        &mut self,
        asked: RequestHead<'_>,
        entry: Entry,
    ) -> Result<Reply, ProxyError> {
        let upstreams = &self.snapshot.upstreams;
        let sources = models::sources(upstreams, asked.principal)?;
        self.note_sources(&sources);
        let lanes: Vec<_> = sources
            .iter()
            .map(|source| source.route.upstream.shared_gates(&source.credential))
            .collect();
        let calls = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        let first = FirstWave {
            calls,
            per_call: Estimate::default(),
        };
        let admitted = entry.reserve_lanes(
            first,
            PlanBound {
                calls,
                input_tokens: 0,
            },
            &lanes,
        )?;
        let asking = sources
            .iter()
            .zip(admitted)
            .map(|(source, admitted)| self.ask_for_models(asked, source, admitted));
        let (counts, answers): (Vec<u32>, Vec<_>) = join_all(asking).await.into_iter().unzip();
        self.record.upstream_calls = counts.iter().sum();
        for answer in &answers {
            self.note_failure(asked, answer);
        }
        let answers = sources
            .iter()
            .map(|source| source.index)
            .zip(answers)
            .collect();
        models::merge(answers, upstreams, &self.snapshot.config, asked.principal)
    }

    /// Calls made to `source`, and its answer.
    async fn ask_for_models(
        &self,
        asked: RequestHead<'_>,
        source: &Source,
        admitted: Admitted,
    ) -> (u32, Result<Listed, ProxyError>) {
        let mut calls = 1;
        let relay = Relay {
            route: &source.route,
            principal: asked.principal,
            credential: &source.credential,
            parts: asked.parts,
            path: "models",
            kind: None,
            coding: Coding::Identity,
            question: None,
            choices: 1,
            deadline: asked.hone.deadline,
            bounds: &self.snapshot.config.bounds,
        };
        let whole = async {
            let answer = relay
                .forward(
                    Payload::Buffered(Bytes::new()),
                    Estimate::default(),
                    Arc::new(admitted),
                    &mut calls,
                )
                .await?;
            models::read(answer).await
        };
        let answer = tokio::time::timeout(PATIENCE, whole)
            .await
            .unwrap_or_else(|_elapsed| {
                let upstream = source.route.upstream.name().to_owned();
                Err(UpstreamError::HeadTimeout {
                    upstream,
                    limit: PATIENCE,
                }
                .into())
            });
        (calls, answer)
    }

    fn note_sources(&mut self, sources: &[Source]) {
        let names: Vec<&str> = sources
            .iter()
            .map(|source| source.route.upstream.name())
            .collect();
        let mut keys: Vec<&str> = sources
            .iter()
            .map(|source| source.credential.source().as_str())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if let Some(first) = sources.first() {
            first
                .route
                .upstream
                .name()
                .clone_into(&mut self.record.upstream);
            self.record.credential = first.credential.source().as_str();
        }
        self.note(encode::CREDENTIAL, &keys.join(", "));
        self.note(encode::UPSTREAM, &names.join(", "));
        self.note(encode::APPROACH, "none");
    }

    /// A failure that the merged list hides is told to the operator; a rejected key counts all the
    /// same.
    fn note_failure(&self, asked: RequestHead<'_>, answer: &Result<Listed, ProxyError>) {
        match answer {
            Ok(Listed {
                status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN,
                ..
            }) if asked.principal.is_unvouched() => {
                self.proxy
                    .addresses
                    .load()
                    .record_rejected_key(asked.principal.address());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(request = %self.record.request, %error, "no list of models")
            }
        }
    }
}
