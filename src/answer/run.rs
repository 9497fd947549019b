//! Answering a chat request with a strategy.

mod ends;
mod misspelt;
mod payer;
mod read;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hone_dialects::{Dialect, Frame, Losses};
use hone_strategies::quality::Quality;
use hone_strategies::{
    Account, ChatRequest, Demand, EventStream, Fences, Halt, Model, Outcome, PlanLimits, RunLimits,
    RunOptions, Solver, event_channel,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use self::ends::{Presence, Tally};
use self::payer::Payer;
use crate::admission::{Admitted, Entry, Estimate, FirstWave, PlanBound};
use crate::answer::encode::chat::{self, Identity};
use crate::answer::encode::stream::{EventBody, Running};
use crate::answer::encode::writer::{ChatWriter, ForeignWriter, Writer};
use crate::answer::encode::{AUTO, DEGRADED, Reply, UPSTREAM_CALLS};
use crate::answer::error::ProxyError;
use crate::answer::panel::{self, Panel, ResolvedModel, Target};
use crate::config::{Bounds, Permissions, ShownUsage};
use crate::request::asking::Asking;
use crate::request::envelope::Envelope;
use crate::request::headers::HoneHeaders;
use crate::request::plan::{Granted, Route, StrategyPlan};
use crate::snapshot::Snapshot;
use crate::solver::Z3;
use crate::telemetry::RequestRecord;
use crate::tenant::{Credential, Principal, Room};
use crate::upstream::facts::Facts;
use crate::upstream::model::HttpModel;
use crate::workers;

/// How long a stream's headers are held back for its first sub-call to succeed, so that a failure
/// keeps its status.
const HOLD_HEAD: Duration = Duration::from_secs(10);
/// Events of a run that wait for a slow client; then the run waits too.
const EVENTS: usize = 64;

/// A strategy request, ready to be admitted.
#[derive(Debug)]
pub(crate) struct StrategyRequest {
    plan: hone_strategies::Plan,
    request: ChatRequest,
    demand: Demand,
    asked_model: String,
    granted: Granted,
    /// The client's own request, for an answer in its dialect.
    client: Option<(Dialect, ChatRequest)>,
    /// Fields that nobody reads and that look like parameters.
    misspelt: Vec<String>,
    is_large: bool,
}

/// What an admitted run works with.
#[derive(Debug)]
pub(crate) struct RunInputs<'a> {
    /// Who asks.
    pub(crate) principal: &'a Principal,
    /// Where the calls go.
    pub(crate) route: &'a Route,
    /// Whose key pays.
    pub(crate) credential: Credential,
    /// The other models that the strategy may ask.
    pub(crate) members: &'a [ResolvedModel],
    /// The client's headers.
    pub(crate) headers: &'a HeaderMap,
    /// What is known of upstreams.
    pub(crate) facts: Arc<Facts>,
    /// What may end the run before its deadline.
    pub(crate) halt: Halt,
    /// The solver, if there is one.
    pub(crate) solver: Option<Arc<Z3>>,
    /// What was measured of models.
    pub(crate) quality: Option<Arc<Quality>>,
    /// The bounds that hold.
    pub(crate) bounds: &'a Bounds,
    /// What the run may hold.
    pub(crate) room: &'a Arc<Room>,
    /// Which use of tokens the answer tells.
    pub(crate) shown: ShownUsage,
}

/// What a strategy's request is read by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    permissions: Permissions,
    limits: PlanLimits,
    has_solver: bool,
    /// The most memory that the caller's requests may take.
    most_bytes: usize,
}

impl Rules {
    /// The rules that hold for `principal`.
    pub(crate) fn new(principal: &Principal, snapshot: &Snapshot) -> Self {
        let bounds = &snapshot.config.bounds;
        Self {
            permissions: principal.permissions().clone(),
            limits: PlanLimits {
                calls: bounds.calls_per_request,
                parallel: bounds.parallel_calls,
                choices: bounds.strategy_n,
            },
            has_solver: snapshot.solver.is_some(),
            most_bytes: bounds.tenant_buffered_bytes.min(bounds.buffered_bytes),
        }
    }
}

impl StrategyRequest {
    /// Reads the chat request, takes hone's own fields out of it, and resolves the approach's
    /// parameters.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, its parameters or its cost; more than fits into `room`; an
    /// approach named in them that the caller may not use; [`ProxyError::SolverMissing`] if the
    /// approach needs a solver and there is none.
    pub(crate) async fn new(
        body: &Bytes,
        (plan, asking): (&StrategyPlan, Asking),
        rules: Rules,
        room: Arc<Room>,
    ) -> Result<Self, ProxyError> {
        let plan = plan.clone();
        workers::offload(body, move |body| {
            read::read(body, (&plan, &asking), &rules, &room)
        })
        .await
    }

    /// What the other models that the parameters name mean for this caller.
    pub(crate) fn members(
        &self,
        own: &Route,
        snapshot: &Snapshot,
        principal: &Principal,
    ) -> Result<Vec<ResolvedModel>, ProxyError> {
        panel::resolve(&self.plan.models(), own, snapshot, principal, &self.granted)
    }

    /// What the plan would cost at most, for `x-hone-dry-run`.
    pub(crate) fn dry_run(&self) -> Value {
        let Demand {
            calls,
            max_calls,
            depth,
            first_wave,
            parallel,
            input_tokens,
            output_tokens,
            total_tokens,
            ..
        } = self.demand;
        json!({
            "object": "hone.dry_run",
            "approach": self.plan.expr().to_string(),
            "model": self.request.model(),
            "other_models": self.plan.models(),
            "upstream_calls": calls,
            "max_upstream_calls": max_calls,
            "depth": depth,
            "first_wave_calls": first_wave,
            "max_parallel_calls": parallel,
            "input_tokens_per_call": input_tokens,
            "output_tokens_per_answer": output_tokens,
            "total_tokens": total_tokens,
        })
    }

    /// Reserves the first wave of calls from the tenant, and then from what is shared: one
    /// reservation for each of the upstreams that calls go to.
    pub(crate) fn reserve(
        &self,
        entry: Entry,
        targets: &[Target<'_>],
        principal: &Principal,
    ) -> Result<Vec<Admitted>, ProxyError> {
        let Demand {
            least_calls,
            first_wave,
            first_wave_choices,
            input_tokens: input,
            output_tokens,
            ..
        } = self.demand;
        let choices = u64::from(first_wave_choices.div_ceil(first_wave.max(1)));
        let each = match self.request.output_limit() {
            Some(_) => output_tokens,
            None => output_tokens.max(principal.expected_output()),
        };
        let first = FirstWave {
            calls: first_wave,
            per_call: Estimate::answers(input, each, choices),
        };
        let whole = PlanBound {
            calls: least_calls,
            input_tokens: input.saturating_mul(least_calls.into()),
        };
        let shared: Vec<_> = targets
            .iter()
            .map(|target| target.upstream.shared_gates(target.credential))
            .collect();
        match shared.as_slice() {
            [only] => Ok(vec![entry.reserve(first, whole, only)?]),
            several => Ok(entry.reserve_targets(first, whole, several)?),
        }
    }

    /// Runs the strategy. The reply is complete, or a stream whose first sub-call has succeeded.
    pub(crate) async fn run(
        mut self,
        admitted: Vec<Admitted>,
        means: RunInputs<'_>,
        hone: &HoneHeaders,
        record: &mut RequestRecord,
    ) -> Result<Reply, ProxyError> {
        if let Some(admitted) = admitted.first() {
            record.account = admitted.account().clone();
        }
        let left = Arc::new(AtomicBool::new(false));
        let losses = Arc::<Mutex<Losses>>::default();
        let targets: Vec<_> = means
            .targets()
            .iter()
            .zip(admitted)
            .map(|(target, admitted)| means.model(target, admitted, (&left, &losses), hone))
            .map(Arc::new)
            .collect();
        let model = self.port(&targets, means.members);
        let streams = self.request.stream();
        let writer = self.writer(hone, means.bounds, means.shown);
        let (sink, events) = event_channel(EVENTS);
        let options = RunOptions {
            model,
            solver: means.solver(),
            limits: means.limits(hone.deadline),
            seed: self.seed(),
            fences: Fences::Secret,
            sink: streams.then_some(sink),
            halt: means.halt.clone(),
            quality: means.quality.clone(),
        };
        let account = Account::default();
        let tally = Tally {
            account: account.clone(),
            record,
        };
        let running = self.running(options, account.clone(), Payer { targets }, left);
        if streams {
            let reply = stream(running, account, events, (writer, losses)).await?;
            tally.leave_to_the_stream();
            return Ok(reply);
        }
        let outcome = running.await?;
        tally.record.ran(&outcome);
        Ok(document(&outcome, &writer, &losses))
    }

    /// The run itself, as it will be polled: by the connection's worker, or beside it if its prompt
    /// is large.
    fn running(
        self,
        options: RunOptions,
        account: Account,
        payer: Payer,
        left: Arc<AtomicBool>,
    ) -> Running {
        let Self {
            plan,
            request,
            misspelt,
            is_large,
            ..
        } = self;
        let halt = options.halt.clone();
        let run = async move {
            let mut running = pin!(hone_strategies::execute_on(
                &plan, request, options, account
            ));
            // Dropped before `running` and its calls, if the client leaves.
            let presence = Presence(Some(left));
            let mut result = running.as_mut().await;
            presence.ends();
            if let Ok(outcome) = &mut result {
                outcome.degraded.extend(misspelt);
            }
            ends::after(result, &halt).map_err(|error| error.unwrap_or_else(|own| payer.blame(own)))
        };
        if is_large {
            Box::pin(workers::offload_future(run))
        } else {
            Box::pin(run)
        }
    }

    /// What writes the answer, as the client has it.
    fn writer(&mut self, hone: &HoneHeaders, bounds: &Bounds, shown: ShownUsage) -> Writer {
        let identity = Identity::new(&hone.request_id, &self.asked_model);
        let Some((dialect, request)) = self.client.take() else {
            return Writer::Chat(Box::new(ChatWriter {
                identity,
                include_usage: self.request.include_usage(),
                detail: hone.detail,
                shown,
                beside: Map::new(),
            }));
        };
        let frame = Frame {
            seed: hone.request_id.clone(),
            model: identity.model,
            created: identity.created,
            request,
            max_held_bytes: bounds.answer_bytes,
        };
        Writer::Foreign(Box::new(ForeignWriter::new(
            dialect,
            frame,
            (hone.detail, shown),
        )))
    }

    /// The client's seed, or any.
    fn seed(&self) -> u64 {
        let asked = self.request.get("seed").and_then(Value::as_u64);
        asked.unwrap_or_else(rand::random)
    }

    /// What the run asks: the one upstream, or the panel of all models that it may name. In a panel
    /// the request's own model goes by the client's name for it, because its upstream's name may be
    /// another member's.
    fn port(&mut self, targets: &[Arc<HttpModel>], members: &[ResolvedModel]) -> Arc<dyn Model> {
        match targets {
            [only] if members.is_empty() => Arc::clone(only) as _,
            targets => {
                let panel = Panel::new(&self.asked_model, self.request.model(), members, targets);
                self.request.set_model(&self.asked_model);
                Arc::new(panel)
            }
        }
    }
}

/// What a request that is forwarded would cost, for `x-hone-dry-run`.
pub(crate) fn relayed_dry_run(envelope: &Envelope<'_>) -> Value {
    json!({
        "object": "hone.dry_run",
        "approach": "none",
        "model": envelope.model,
        "upstream_calls": 1,
        "max_upstream_calls": 1,
        "depth": 1,
    })
}

impl RunInputs<'_> {
    /// The upstreams that calls go to.
    pub(crate) fn targets(&self) -> Vec<Target<'_>> {
        panel::targets(
            Target {
                upstream: &self.route.upstream,
                credential: &self.credential,
            },
            self.members,
        )
    }

    /// The solver, in the caller's turn.
    fn solver(&self) -> Option<Arc<dyn Solver>> {
        let (tenant, weight) = (self.principal.tenant_key(), self.principal.weight());
        let z3 = self.solver.as_ref()?;
        Some(Arc::new(z3.seat(tenant, weight)))
    }

    /// What the run may spend, until the caller's deadline if that is sooner than the operator's.
    fn limits(&self, deadline: Option<Duration>) -> RunLimits {
        let longest = self.bounds.strategy_deadline;
        let time = deadline.map_or(longest, |asked| asked.min(longest));
        RunLimits {
            calls: self.bounds.calls_per_request,
            tokens: u64::MAX,
            deadline: Instant::now() + time,
            parallel: self.bounds.parallel_calls,
        }
    }

    fn model(
        &self,
        target: &Target<'_>,
        admitted: Admitted,
        (left, losses): (&Arc<AtomicBool>, &Arc<Mutex<Losses>>),
        hone: &HoneHeaders,
    ) -> HttpModel {
        let is_own = Arc::ptr_eq(target.upstream, &self.route.upstream);
        HttpModel {
            asked: self.route.model.clone().filter(|_| is_own),
            seed: (hone.request_id.clone(), AtomicU32::new(0)),
            losses: Arc::clone(losses),
            headers: HttpModel::call_headers(
                (self.headers, self.principal.dialect()),
                target.upstream,
                target.credential,
            ),
            upstream: Arc::clone(target.upstream),
            principal: self.principal.clone(),
            credential: target.credential.clone(),
            admitted: Arc::new(admitted),
            facts: Arc::clone(&self.facts),
            bounds: self.bounds.clone(),
            left: Arc::clone(left),
            room: Arc::clone(self.room),
            lessons: Mutex::default(),
            refusal: Mutex::default(),
        }
    }
}

fn document(outcome: &Outcome, writer: &Writer, losses: &Mutex<Losses>) -> Reply {
    let losses = losses.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reply = Reply::json(writer.document(outcome, &losses));
    let headers = reply.headers_mut();
    headers.insert(UPSTREAM_CALLS, outcome.calls.into());
    let degraded = outcome.degraded.iter().chain(&losses.degraded);
    let degraded: Vec<_> = degraded.map(String::as_str).collect();
    tell(headers, DEGRADED, &degraded.join(", "));
    tell(headers, AUTO, &chat::auto(outcome).join("; "));
    reply
}

/// Adds a header that says something.
fn tell(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Some(value) = HeaderValue::try_from(text)
        .ok()
        .filter(|text| !text.is_empty())
    {
        headers.insert(name, value);
    }
}

/// Waits until the first sub-call has succeeded, the run has ended, or the client has waited long
/// enough for a sign of life.
async fn stream(
    mut running: Running,
    account: Account,
    mut events: EventStream,
    (writer, losses): (Writer, Arc<Mutex<Losses>>),
) -> Result<Reply, ProxyError> {
    let mut first = Vec::new();
    let hold = tokio::time::sleep(HOLD_HEAD);
    tokio::pin!(hold);
    tokio::select! {
        biased;
        result = &mut running => {
            let outcome = result?;
            running = Box::pin(std::future::ready(Ok(outcome)));
        }
        Some(event) = events.recv() => first.push(event),
        () = &mut hold => {}
    }
    let mut headers = HeaderMap::new();
    {
        let losses = losses.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&mut headers, DEGRADED, &losses.degraded.join(", "));
    }
    let how = (writer, losses);
    Ok(Reply::Events {
        headers,
        body: EventBody::new(running, account, events, first, how),
    })
}
