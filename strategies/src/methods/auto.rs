//! `auto`: no method, a light one or a heavy one, by what the request is and how sure a first
//! answer seems; and it says which and why.
//!
//! After Adaptive-Consistency (Aggarwal et al., 2023, arXiv 2305.11860), which spends samples where
//! samples disagree, and the cascades of *Language Model Cascades: Token-level uncertainty and
//! beyond* (Gupta et al., 2024, arXiv 2404.10136). The rule is ours, and this is all of it:
//!
//! 1. None, at once and live: the client offers tools, wants JSON, or asks for `reasoning_effort`
//!    `none`, `minimal` or `low`; or the question is open and shorter than `auto_short` characters;
//!    or the caller's limits leave no room for a second call.
//! 2. Otherwise a first answer is looked at. With log probabilities it is sure if its mean token
//!    probability (geometric) is at least `auto_confidence`; without them, if a second answer
//!    agrees with it. A sure answer is returned: none.
//! 3. Unsure, and the question closed (a number, a choice, yes or no): light. Answers are added up
//!    to `auto_samples`; one that more than half of them give is returned.
//! 4. Otherwise heavy: `auto_heavy` runs. Steps 3 and 4 are taken only if their calls and tokens
//!    fit what the caller's limits and the run's budget leave; if not, the best answer so far is
//!    returned (degraded `budget`).
//!
//! The choice and its reason stand in the trace, in `x-hone-auto`, and in a stream's closing
//! comment. OptiLLM's `router` is a classifier of 400 million parameters that sees the prompt
//! alone; this looks at what the model does with it. If the heavy method fails, the best answer so
//! far is returned. A caller who may use `auto` may use what it picks, but a caller who names an
//! `auto_heavy` itself must be allowed to use that, too: `named_approaches` finds it.
//!
//! Calls: 1, or 2; light up to 3 (`auto_samples` where `n` is ignored); heavy in addition what that
//! needs. Depth as many, heavy in addition its own. What is chosen from answers that exist is
//! replayed as a stream; a plain answer and a heavy method's last call stream live.

use crate::chat::{ChatRequest, view};
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::kit::choosing::uncertainty::{self, Measure, Sureness, leaders, poll, probe};
use crate::kit::choosing::voting;
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

/// Answers of a first look where there are no log probabilities.
const LOOK: u32 = 2;

const CONFIDENCE: ParamSpec = ParamSpec {
    name: "auto_confidence",
    kind: ParamKind::Number {
        default: 0.9,
        min: 0.0,
        max: 1.0,
    },
    help: "mean token probability (geometric) from which on a first answer stands",
};
const SAMPLES: ParamSpec = ParamSpec {
    name: "auto_samples",
    kind: ParamKind::Integer {
        default: 5,
        min: 3,
        max: 16,
    },
    help: "answers that vote in the light method",
};
const SHORT: ParamSpec = ParamSpec {
    name: "auto_short",
    kind: ParamKind::Integer {
        default: 160,
        min: 0,
        max: 100_000,
    },
    help: "open questions of fewer characters are answered plainly",
};
const HEAVY: ParamSpec = ParamSpec {
    name: "auto_heavy",
    kind: ParamKind::Approach {
        default: "moa",
        options: &["bon", "fusion", "moa"],
    },
    help: "the heavy method, with its own parameters",
};

/// Its own parameters; those of what it may run follow in its entry.
const OWN: &[ParamSpec] = &[CONFIDENCE, SAMPLES, SHORT, HEAVY];

pub(crate) const ENTRY: Entry = Entry {
    slug: "auto",
    name: "automatic choice",
    summary: "no method, a light or a heavy one, by the request and by how sure a first answer is; \
        says which and why",
    paper: "a rule of hone's own, after arXiv 2305.11860 and arXiv 2404.10136",
    params: &[
        OWN,
        crate::methods::judge::best_of_n::PARAMS,
        crate::methods::panel::fusion::PARAMS,
        crate::methods::panel::mixture_of_agents::PARAMS,
    ],
    cost: "1 or 2 calls if sure; 1 more if light (auto_samples - 2 where n is ignored); if heavy \
        also those of auto_heavy; depth as many",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Auto::new(params)?)),
};

struct Auto {
    confidence: f64,
    samples: u32,
    short: usize,
    heavy: DynStrategy,
    heavy_slug: String,
}

impl Auto {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let heavy_slug = HEAVY.word(params)?;
        let entry = [
            crate::methods::judge::best_of_n::ENTRY,
            crate::methods::panel::fusion::ENTRY,
            crate::methods::panel::mixture_of_agents::ENTRY,
        ]
        .into_iter()
        .find(|entry| entry.slug == heavy_slug)
        .ok_or_else(|| SpecError::unknown_slug(&heavy_slug, None))?;
        Ok(Self {
            confidence: CONFIDENCE.number(params)?,
            samples: SAMPLES.integer(params)?,
            short: usize::try_from(SHORT.integer(params)?).unwrap_or(usize::MAX),
            heavy: (entry.build)(params)?,
            heavy_slug,
        })
    }

    /// Why the request itself wants no method, if it does.
    fn plain_by_request(&self, request: &ChatRequest) -> Option<&'static str> {
        if request.uses_tools() {
            return Some("the client offers tools");
        }
        if request.wants_json() {
            return Some("the client wants JSON");
        }
        let effort = request
            .get("reasoning_effort")
            .and_then(serde_json::Value::as_str);
        if matches!(effort, Some("none" | "minimal" | "low")) {
            return Some("the client asks for little effort");
        }
        let asked = view::task(request.messages())
            .map(|task| task.text().chars().count())
            .unwrap_or_default();
        let is_open = !voting::question(request).is_closed();
        (is_open && asked < self.short).then_some("an open question in few words")
    }

    async fn plainly(
        &self,
        run: &Run,
        request: &ChatRequest,
        why: &str,
    ) -> Result<Output, StrategyError> {
        run.note("auto", format!("none: {why}"));
        Ok(run
            .respond(SubCall::answer(request, Purpose::Final))
            .await?
            .into())
    }

    /// The light method, as far as there is room for it. Gives what agreed with what, if more than
    /// half did.
    async fn lightly(&self, run: &Run, call: &SubCall, first: Candidates) -> (Candidates, Measure) {
        let missing = self
            .samples
            .saturating_sub(u32::try_from(first.len().get()).unwrap_or(u32::MAX));
        let candidates = if run.has_room_for(Demand::candidates(missing, &call.request)) {
            uncertainty::more(run, call, first, self.samples).await
        } else {
            run.degrade("budget");
            first
        };
        let measure = Measure::Agreement {
            votes: leaders(&call.request, &candidates).len(),
            of: candidates.len().get(),
        };
        (candidates, measure)
    }

    /// The heavy method; without room for it, or if it fails, the best answer so far.
    async fn heavily(
        &self,
        run: &Run,
        request: &ChatRequest,
        candidates: &Candidates,
        why: Measure,
    ) -> Result<Output, StrategyError> {
        if !run.has_room_for(self.heavy.demand(request)) {
            run.degrade("budget");
            run.note(
                "auto",
                format!(
                    "none: {why}, and the budget has no room for {}",
                    self.heavy_slug
                ),
            );
            return elect(run, request, candidates).await;
        }
        run.note(
            "auto",
            format!("heavy: {why}, so {} was run", self.heavy_slug),
        );
        let mut onward = request.clone();
        onward.raise_seed(candidates.len().get().try_into().unwrap_or(i64::MAX));
        match self.heavy.execute(run, &onward).await {
            Err(error) if !error.is_final() => {
                run.degrade(error.reason());
                elect(run, request, candidates).await
            }
            result => result,
        }
    }
}

/// Hands over the answer that most give, or the first sound one.
async fn elect(
    run: &Run,
    request: &ChatRequest,
    candidates: &Candidates,
) -> Result<Output, StrategyError> {
    let poll = poll(request, candidates);
    let best = poll.elected(candidates);
    poll.record(run, candidates, best);
    Ok(run.elect(best).await?.into())
}

impl Strategy for Auto {
    fn demand(&self, request: &ChatRequest) -> Demand {
        if self.plain_by_request(request).is_some() {
            return Demand::answer(request);
        }
        let look = uncertainty::demand(LOOK, request);
        let is_closed = voting::question(request).is_closed();
        let light = if is_closed {
            look.then(Demand::candidates(self.samples.saturating_sub(1), request))
        } else {
            look
        };
        Demand {
            least_calls: 1,
            ..light.then(self.heavy.demand(request))
        }
    }

    fn models(&self) -> &[String] {
        self.heavy.models()
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if let Some(why) = self.plain_by_request(request) {
            return self.plainly(run, request, why).await;
        }
        if !run.has_room_for(Demand::answer(request).times(LOOK)) {
            run.degrade("budget");
            return self
                .plainly(run, request, "the budget has no room for a second call")
                .await;
        }
        let call = SubCall::answer(request, Purpose::Candidate);
        let first = probe(run, &call, LOOK).await?;
        let candidates = first.candidates;
        if first.measure.reaches(Sureness {
            probability: self.confidence,
            agreement: 1.0,
        }) {
            run.note("auto", format!("none: {}", first.measure));
            return elect(run, request, &candidates).await;
        }
        if !voting::question(request).is_closed() {
            return self.heavily(run, request, &candidates, first.measure).await;
        }
        let (candidates, measure) = self.lightly(run, &call, candidates).await;
        match measure {
            Measure::Agreement { votes, of } if of > 1 && votes * 2 > of => {
                run.note("auto", format!("light: {measure}"));
                elect(run, request, &candidates).await
            }
            _ => self.heavily(run, request, &candidates, measure).await,
        }
    }
}
